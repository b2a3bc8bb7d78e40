/** Media of a call as its relay counts it now: the picture of both directions, and the figures of each stream. */

import type { ApiFailure } from '../api.ts';
import { duration, fixed, millis, NOTHING, number, percent, rate, visible } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Panel } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { type FlowState, type Party, partiesOf, type StreamFlow } from './flow.ts';
import { FlowPicture } from './flow-picture.tsx';
import { isOfRelay, wasAnswered } from './meaning.ts';
import type { Readings } from './readings.ts';
import type { CallResource, StatisticsResource } from './resources.ts';
import { clock, flowLooks, mediaText, partyText, t } from './said.ts';

export function MediaPanel({
  call,
  readings: { now, before, failure, isStale },
}: {
  readonly call: CallResource;
  readonly readings: Readings;
}) {
  const why = reasonWhyNot(call, now, failure);

  return (
    <Panel
      title={t('statistics')}
      class="media"
      tools={why === undefined ? <span class="muted">{askedText(now, isStale)}</span> : undefined}
    >
      <div class="media-body">
        {why === undefined ? null : <p class="muted">{why}</p>}
        {call.state === 'ended' || isOfRelay(failure) ? null : <FailureNotice failure={failure} />}
        {why !== undefined || now === undefined ? null : (
          <Flowing call={call} parties={partiesOf(now, before, call.caller_tag, call.legs)} />
        )}
      </div>
    </Panel>
  );
}

function askedText(now: StatisticsResource | undefined, isStale: boolean): string {
  if (now !== undefined && isStale) return t('statistics_stale', { time: clock(now.at) });

  return t(now?.final ? 'statistics_final' : 'statistics_every');
}

/** Why there are no figures to show; undefined if there are. */
function reasonWhyNot(
  call: CallResource,
  now: StatisticsResource | undefined,
  failure: ApiFailure | undefined,
): string | undefined {
  if (call.node_id === null) return t('statistics_no_node');
  if (now !== undefined) return now.streams.length === 0 ? t('statistics_none') : undefined;
  if (failure === undefined) return t('statistics_wait');

  return t(call.state === 'ended' ? 'statistics_ended' : 'statistics_failed');
}

interface Row extends StreamFlow {
  readonly party: Party;
}

function Flowing({ call, parties }: { readonly call: CallResource; readonly parties: readonly Party[] }) {
  const hasForks = parties.filter(({ isCaller }) => !isCaller).length > 1;
  const isAnswered = wasAnswered(call);
  const rows = parties.flatMap((party) => party.streams.map((flow): Row => ({ ...flow, party })));
  // A relay tells what it tells for all of its streams or for none.
  const tells = (has: (row: Row) => unknown) => rows.some((row) => has(row) !== null);
  const columns: (Column<Row> | false)[] = [
    {
      key: 'party',
      head: t('party'),
      isName: true,
      cell: ({ party, stream }) => (
        <span title={stream.tag}>
          {partyText(stream.tag, call.caller_tag)} <span class="muted">{party.side}</span>
          {hasForks && !party.isCaller ? <small class="media-tag mono">{visible(stream.tag)}</small> : null}
        </span>
      ),
    },
    {
      key: 'media',
      head: t('media'),
      cell: ({ stream }) => `${mediaText(stream.media)} ${stream.codec ?? ''}`.trim() || NOTHING,
    },
    {
      key: 'flow',
      head: t('flow'),
      cell: ({ state, isDue }) => <FlowBadge state={state} isDue={isDue && isAnswered} />,
    },
    { key: 'packets', head: t('packets'), isNumber: true, cell: ({ stream }) => number(stream.packets) },
    { key: 'rate', head: t('rate'), isNumber: true, cell: ({ packetsPerS }) => rate(packetsPerS) },
    tells(({ stream }) => stream.loss_percent) && {
      key: 'loss',
      head: t('loss'),
      title: t('heard_means'),
      isNumber: true,
      cell: ({ stream }) => percent(stream.loss_percent, 2),
    },
    tells(({ stream }) => stream.jitter_ms) && {
      key: 'jitter',
      head: t('jitter'),
      title: t('heard_means'),
      isNumber: true,
      cell: ({ stream }) => (stream.jitter_ms === null ? NOTHING : `${millis(stream.jitter_ms)} ms`),
    },
    tells(({ stream }) => stream.mos) && {
      key: 'mos',
      head: t('mos'),
      title: t('mos_means'),
      isNumber: true,
      cell: ({ stream }) => fixed(stream.mos, 1),
    },
    tells(({ stream }) => stream.last_packet_s) && {
      key: 'last',
      head: t('last_packet'),
      isNumber: true,
      cell: ({ stream }) => lastPacket(stream.last_packet_s),
    },
    {
      key: 'remote',
      head: t('remote'),
      class: 'wide',
      cell: ({ stream }) => (
        <span class="mono" title={t('said_is', { said: stream.advertised ?? NOTHING })}>
          {stream.remote ?? NOTHING}
        </span>
      ),
    },
    {
      key: 'local',
      head: t('local'),
      class: 'wide',
      cell: ({ stream }) => (
        <span class="mono" title={t('told_is', { told: stream.told ?? NOTHING })}>
          {stream.told ?? stream.local ?? NOTHING}
        </span>
      ),
    },
  ];

  return (
    <>
      <FlowPicture call={call} parties={parties} />
      <Table
        label={t('statistics')}
        columns={columns.filter((column) => column !== false)}
        rows={rows}
        rowKey={({ stream }) => `${stream.tag} ${stream.media} ${stream.index}`}
      />
    </>
  );
}

function FlowBadge({ state, isDue }: { readonly state: FlowState; readonly isDue: boolean }) {
  const [tone, icon] = flowLooks(state, isDue);

  return (
    <Badge tone={tone} icon={icon}>
      {t(`flow_${state}`)}
    </Badge>
  );
}

function lastPacket(seconds: number | null): string {
  if (seconds === null) return NOTHING;

  return t('ago', { time: duration(seconds) });
}
