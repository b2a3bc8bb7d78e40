/** The picture A, relay, B: one line for each direction, its look by the packets that come from the party it begins at. */

import { rate, visible } from '../format.ts';
import { Icon } from '../parts/icon.tsx';
import { href } from '../router.ts';
import type { FlowState, Party } from './flow.ts';
import { wasAnswered } from './meaning.ts';
import type { CallResource } from './resources.ts';
import { flowLooks, partyText, t } from './said.ts';

export function FlowPicture({
  call,
  parties,
}: {
  readonly call: CallResource;
  readonly parties: readonly Party[];
}) {
  const [a, ...others] = parties;
  // Of several callees the one that sends most is shown; the table has them all.
  const b = others.reduce<Party | undefined>(
    (best, party) => ((party.packets ?? -1) > (best?.packets ?? -2) ? party : best),
    undefined,
  );
  if (a === undefined) return null;

  return (
    <figure class="flow" aria-label={t('flow_label')}>
      <PartyBox party={a} call={call} />
      <div class="flow-middle">
        <Way party={a} call={call} way="forth" />
        <Way party={b} call={call} way="reverse" />
        <a class="flow-relay" href={href(['nodes', call.node_id ?? 0])}>
          <small>{t('relay')}</small>
          {t('node_is', { id: String(call.node_id) })}
        </a>
      </div>
      <PartyBox party={b} call={call} />
    </figure>
  );
}

function PartyBox({ party, call }: { readonly party: Party | undefined; readonly call: CallResource }) {
  if (party === undefined)
    return (
      <div class="flow-party none">
        <strong>{t('callee')}</strong>
        <small>–</small>
      </div>
    );
  const remote = party.streams
    .map(({ stream }) => stream.remote ?? stream.advertised)
    .find((end) => end !== null);

  return (
    <div class="flow-party" title={visible(party.tag)}>
      <strong>
        {partyText(party.tag, call.caller_tag)}
        {party.side === null ? null : <span class="call-side">{party.side}</span>}
      </strong>
      <small class="mono">{remote ?? '–'}</small>
    </div>
  );
}

/** From one party through the relay to the other. */
function Way({
  party,
  call,
  way,
}: {
  readonly party: Party | undefined;
  readonly call: CallResource;
  readonly way: 'forth' | 'reverse';
}) {
  const state: FlowState = party?.state ?? 'unknown';
  const [tone, icon] = flowLooks(state, party?.isDue === true && wasAnswered(call));
  const who = t(party?.isCaller === true ? 'who_caller' : 'who_callee');
  const figure = party?.packetsPerS ?? null;

  return (
    <div class={`flow-way ${way} ${tone} ${state}`}>
      <span class="sr-only">{t('flow_sentence', { who, state: t(`flow_${state}`) })}</span>
      <span class="flow-label" aria-hidden="true">
        <Icon name={icon} size={12} />
        {state === 'flowing' && figure !== null
          ? t('packets_per_s', { n: rate(figure) })
          : t(`flow_${state}`)}
      </span>
      <svg class="flow-line" aria-hidden="true" height="12" width="100%">
        <line x1={way === 'forth' ? '0' : '9'} x2="100%" y1="6" y2="6" />
      </svg>
      <svg class="flow-tip" aria-hidden="true" height="12" width="10" viewBox="0 0 10 12">
        <path d={way === 'forth' ? 'M0 1l10 5l-10 5z' : 'M10 1l-10 5l10 5z'} />
      </svg>
    </div>
  );
}
