/** One step of a call in full: timing, result and reason, addresses by side, SDP, and why this node. */

import { millis } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Button } from '../parts/button.tsx';
import { Facts } from '../parts/layout.tsx';
import { Notice } from '../parts/notice.tsx';
import { NodeLink, PlacementView } from './placement-view.tsx';
import type { StepResource } from './resources.ts';
import { clock, partyText, sidesOf, sinceStart, t } from './said.ts';
import { SdpView } from './sdp-view.tsx';

export interface StepDetailProps {
  readonly steps: readonly StepResource[];
  readonly index: number;
  readonly callerTag: string;
  readonly onSelect: (index: number) => void;
}

export function StepDetail({ steps, index, callerTag, onSelect }: StepDetailProps) {
  const step = steps[index];
  if (step === undefined) return null;
  const isOk = step.result === 'ok';
  const sides = sidesOf(step.sides);

  return (
    <section class="panel call-step" aria-label={t('step', { n: index + 1, all: steps.length })}>
      <header class="panel-head">
        <h2>
          {step.message ?? step.operation}
          <Badge tone={isOk ? 'good' : 'bad'} icon={isOk ? 'up' : 'down'}>
            {isOk ? t('ok') : step.result}
          </Badge>
        </h2>
        <div class="tools">
          <span class="muted">{t('step', { n: index + 1, all: steps.length })}</span>
          <Button
            kind="quiet"
            icon="left"
            label={t('step_before')}
            disabled={index === 0 ? t('step_before') : undefined}
            onClick={() => onSelect(index - 1)}
          />
          <Button
            kind="quiet"
            icon="right"
            label={t('step_after')}
            disabled={index === steps.length - 1 ? t('step_after') : undefined}
            onClick={() => onSelect(index + 1)}
          />
        </div>
      </header>
      <div class="call-step-body">
        {isOk || step.reason === '' ? null : (
          <Notice tone="bad" title={step.reason}>
            <code>{step.result}</code>
          </Notice>
        )}
        <Facts
          facts={[
            [t('at'), <StepTime key="at" steps={steps} step={step} />],
            [t('took'), `${millis(step.took_ms)} ms`],
            [t('operation'), step.operation],
            [t('sides'), sides === null ? null : sides.join(' → ')],
            [
              t('sender'),
              step.tag == null ? null : (
                <span key="from" title={step.tag}>
                  {partyText(step.tag, callerTag)}
                </span>
              ),
            ],
            [t('node'), step.node_id === null ? null : <NodeLink key="node" id={step.node_id} />],
            [t('door'), step.door == null ? null : t(`door_${step.door}`)],
          ]}
        />
        <Addresses step={step} sides={sides} />
        <Sdp step={step} sides={sides} />
        <PlacementView step={step} />
      </div>
    </section>
  );
}

function StepTime({
  steps,
  step: { at },
}: {
  readonly steps: readonly StepResource[];
  readonly step: StepResource;
}) {
  return (
    <span class="mono">
      {clock(at)} <span class="muted">{sinceStart(at - (steps[0]?.at ?? at))}</span>
    </span>
  );
}

/** Which address the sender wrote, and which the reader got, stream by stream. */
function Addresses({
  step: { received, returned },
  sides,
}: {
  readonly step: StepResource;
  readonly sides: readonly [string, string] | null;
}) {
  if (received.length === 0) return null;
  const wrote = sides === null ? t('wrote') : t('side_wrote', { side: sides[0] });
  const read = sides === null ? t('read') : t('side_read', { side: sides[1] });

  return (
    <section aria-label={t('by_side')}>
      <h3>{t('by_side')}</h3>
      <table class="call-addresses">
        <thead>
          <tr>
            <th scope="col">{t('media')}</th>
            <th scope="col">{wrote}</th>
            <th scope="col">{read}</th>
          </tr>
        </thead>
        <tbody>
          {received.map((text, index) => {
            const [media = '', ...before] = text.split(' ');
            const [, ...after] = returned[index]?.split(' ') ?? [];

            return (
              <tr key={index}>
                <th scope="row">{media}</th>
                <td class="mono" data-head={wrote}>
                  {before.join(' ')}
                </td>
                <td class="mono" data-head={read}>
                  {after.length === 0 ? <span class="muted">{t('nothing_returned')}</span> : after.join(' ')}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Sdp({
  step,
  sides,
}: {
  readonly step: StepResource;
  readonly sides: readonly [string, string] | null;
}) {
  const { sdp_received: received = null, sdp_returned: returned = null } = step;
  if (received !== null)
    return <SdpView received={received} returned={returned} sides={sides} isCut={step.sdp_cut ?? false} />;

  return <p class="muted">{step.received.length > 0 ? t('sdp_not_kept') : t('no_sdp')}</p>;
}
