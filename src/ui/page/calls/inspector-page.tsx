/** `#/calls/CALL-ID`: what was done for one call and why, and whether its media flows. */

import { useState } from 'preact/hooks';
import { serviceNow, useFetch } from '../api.ts';
import { duration, visible } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Button, Segments } from '../parts/button.tsx';
import { Empty, Facts, PageHead, Panel, Skeleton, Time } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { href, place, setQuery } from '../router.ts';
import { CopyButton } from './copy.tsx';
import { Findings } from './findings.tsx';
import { MAX_STEPS } from './ladder.ts';
import { LadderView } from './ladder-view.tsx';
import { MediaPanel } from './media-panel.tsx';
import { NodeLink } from './placement-view.tsx';
import { useReadings } from './readings.ts';
import type { CallResource, Explained } from './resources.ts';
import { endText, quoted, STATE_LOOKS, t, wayText } from './said.ts';
import { StepDetail } from './step-detail.tsx';
import { StepList } from './step-list.tsx';

/** New steps come while a call lives; they are looked for so often, ms: more seldom where there are many, each with its SDP. */
const STEPS_EVERY_MS = 5000;
const MANY_EVERY_MS = 30_000;

export function InspectorPage({ callId }: { readonly callId: string }) {
  // 0 once nothing more comes: what has ended, and what no node took, stays as it is.
  const [everyMs, setEvery] = useState(STEPS_EVERY_MS);
  const explained = useFetch<Explained>(`/v1/explain/${encodeURIComponent(callId)}`, everyMs);
  const { data, failure } = explained;
  const readings = useReadings(data?.call);
  const wanted = data === undefined ? everyMs : intervalOf(data);
  if (wanted !== everyMs) setEvery(wanted);

  return (
    <>
      <PageHead
        title={
          <>
            <span class="call-id">{visible(callId)}</span>
            <CopyButton text={callId} label={t('copy_call_id')} />
          </>
        }
        back={{ href: href(['calls']), text: t('calls') }}
        badges={<Badges explained={data} />}
        actions={
          <>
            <a class="button plain" href={href(['events'], { call: callId })}>
              {t('events_of_call')}
            </a>
            <Button icon="refresh" label={t('refresh')} onClick={explained.reload} />
          </>
        }
      />
      {data !== undefined ? (
        <Inspected explained={data} readings={readings} />
      ) : failure?.code === 'RTPC_CALL_UNKNOWN' ? (
        <Empty icon="search" title={t('not_known')}>
          {t('not_known_hint')}
        </Empty>
      ) : failure === undefined ? (
        <Skeleton lines={8} />
      ) : (
        <FailureNotice failure={failure} onRetry={explained.reload} />
      )}
    </>
  );
}

function intervalOf({ call, steps }: Explained): number {
  if (call === null || call.state === 'ended') return 0;

  return steps.length > MAX_STEPS ? MANY_EVERY_MS : STEPS_EVERY_MS;
}

function Badges({ explained }: { readonly explained: Explained | undefined }) {
  if (explained === undefined) return null;
  const { call } = explained;
  if (call === null)
    return (
      <Badge tone="bad" icon="down">
        {t('state_none')}
      </Badge>
    );
  const [tone, icon] = STATE_LOOKS[call.state];

  return (
    <Badge tone={tone} icon={icon} title={t(`state_${call.state}_means`)}>
      {t(`state_${call.state}`)}
    </Badge>
  );
}

function Inspected({
  explained,
  readings,
}: {
  readonly explained: Explained;
  readonly readings: ReturnType<typeof useReadings>;
}) {
  const { call, steps } = explained;
  const [isList, setList] = useState(false);
  const asked = Number(place.value.query.get('step') ?? Number.NaN) - 1;
  const selected = steps[asked] === undefined ? firstOf(explained) : asked;
  const select = (index: number) => setQuery({ step: index + 1 });

  return (
    <div class="call-page">
      <Findings explained={explained} readings={readings} />
      {call === null ? null : <CallFacts call={call} now={serviceNow()} />}
      {call === null ? null : <MediaPanel call={call} readings={readings} />}
      {steps.length === 0 ? (
        <Empty title={t('no_steps')}>{t('no_steps_hint')}</Empty>
      ) : (
        <div class={isList ? 'call-steps as-list' : 'call-steps'}>
          <Panel
            title={t('steps')}
            class="call-ladder"
            tools={
              <Segments
                label={t('steps')}
                value={isList ? 'list' : 'diagram'}
                choices={[
                  ['diagram', t('as_diagram')],
                  ['list', t('as_list')],
                ]}
                onChange={(value) => setList(value === 'list')}
              />
            }
          >
            {explained.is_partial === true ? <p class="ladder-earlier">{t('steps_partial')}</p> : null}
            {isList ? (
              <StepList explained={explained} selected={selected} onSelect={select} />
            ) : (
              <LadderView explained={explained} selected={selected} onSelect={select} />
            )}
          </Panel>
          <StepDetail
            steps={steps}
            index={selected}
            callerTag={call?.caller_tag ?? steps[0]?.tag ?? ''}
            onSelect={select}
          />
        </div>
      )}
      <ShellLine callId={explained.call_id} />
    </div>
  );
}

/** What is worth looking at first: the first failure, or else where the call was placed. */
function firstOf({ steps }: Explained): number {
  const failed = steps.findIndex(({ result }) => result !== 'ok');
  const placed = steps.findIndex(({ placement }) => placement !== null);

  return Math.max(0, failed === -1 ? placed : failed);
}

/** @param now UTC ms; given, because a component whose values stay the same is not drawn anew */
function CallFacts({ call, now }: { readonly call: CallResource; readonly now: number }) {
  const until = call.state === 'ended' ? call.updated_at : now;
  const lasted = duration((until - call.created_at) / 1000);
  const end = endText(call);

  return (
    <div class="panel call-facts">
      <Facts
        facts={[
          [t('direction'), wayText(call.direction), t('direction_means')],
          [t('node'), call.node_id === null ? null : <NodeLink key="node" id={call.node_id} />],
          [t('set'), t('set_is', { id: String(call.set_id) })],
          [t('began'), <Time key="began" at={call.created_at} withMillis />],
          [t('lasted'), call.state === 'ended' ? lasted : t('lasting_so_far', { time: lasted })],
          ...(end === null ? [] : [[t('ended_why'), end] as const]),
        ]}
      />
    </div>
  );
}

/** The command that tells the same, for those who have a shell and no browser. */
function ShellLine({ callId }: { readonly callId: string }) {
  const command = `rtp-cluster explain ${quoted(callId)}`;

  return (
    <p class="call-shell">
      {t('same_in_shell')}: <code>{visible(command)}</code>
      <CopyButton text={command} label={t('copy_command')} />
    </p>
  );
}
