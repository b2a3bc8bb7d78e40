/** Why this node: the nodes that could have the call as bars, in the order of asking, and those left out with the rule. */

import { millis, number } from '../format.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Notice } from '../parts/notice.tsx';
import { href } from '../router.ts';
import { type Attempt, type CandidateRow, type PlacementPicture, pictureOf } from './placement.ts';
import type { StepResource, TryResource } from './resources.ts';
import { resultText, said, t } from './said.ts';

export function PlacementView({ step }: { readonly step: StepResource }) {
  const { placement, tries } = step;
  if (placement === null) return <Tries tries={tries} />;
  const picture = pictureOf(placement, tries);

  return (
    <section class="placement" aria-label={t('why_node')}>
      <div class="placement-head">
        <h3>{t('why_node')}</h3>
        <span class="muted">{t('policy_is', { policy: picture.policy })}</span>
      </div>
      {picture.isPanic ? <Notice tone="warn">{t('panic')}</Notice> : null}
      {picture.candidates.length + picture.leftOut.length === 0 ? <p class="muted">{t('no_nodes')}</p> : null}
      <Candidates picture={picture} />
      {picture.otherTries.length === 0 ? null : (
        <p class="placement-others">
          {t('other_tries')}:{' '}
          {picture.otherTries.map((one) => (
            <span key={one.nodeId}>
              <NodeLink id={one.nodeId} /> <Outcome attempt={one} />{' '}
            </span>
          ))}
        </p>
      )}
      <LeftOut picture={picture} />
    </section>
  );
}

function Candidates({ picture }: { readonly picture: PlacementPicture }) {
  if (picture.candidates.length === 0) return null;

  return (
    <>
      <table class="placement-table">
        <thead>
          <tr>
            <th scope="col" class="number">
              {t('place')}
            </th>
            <th scope="col">{t('node')}</th>
            <th scope="col">{t('weight')}</th>
            <th scope="col">{t('sessions')}</th>
            <th scope="col">{t('ports_free')}</th>
            <th scope="col">{t('outcome')}</th>
          </tr>
        </thead>
        <tbody>
          {picture.candidates.map((row) => (
            <Candidate key={row.nodeId} row={row} />
          ))}
        </tbody>
      </table>
      {picture.moreCandidates === 0 ? null : (
        <p class="muted">{t('more_candidates', { n: picture.moreCandidates })}</p>
      )}
    </>
  );
}

function Candidate({ row }: { readonly row: CandidateRow }) {
  const { nodeId, place, rank, priority, weight, sessions, portsFree, bars, attempt } = row;
  const classes = attempt === null ? 'unasked' : attempt.isOk ? 'chosen' : 'failed';

  return (
    <tr class={classes}>
      <td class="number" data-head={t('place')}>
        {place}
      </td>
      <th scope="row">
        <NodeLink id={nodeId} />
        <small>
          {t(`rank_${rank}`)}
          {priority === 0 ? null : ` · ${t('priority')} ${priority}`}
        </small>
      </th>
      <Figure head={t('weight')} share={bars.weight} text={number(weight, 1)} tone="weight" />
      <Figure head={t('sessions')} share={bars.sessions} text={number(sessions)} tone="sessions" />
      <Figure head={t('ports_free')} share={bars.ports} text={number(portsFree)} tone="ports" />
      <td data-head={t('outcome')}>
        {attempt === null ? <span class="muted">{t('not_asked')}</span> : <Outcome attempt={attempt} />}
      </td>
    </tr>
  );
}

/** A figure with a bar under it. */
function Figure({
  head,
  share,
  text,
  tone,
}: {
  readonly head: string;
  readonly share: number | null;
  readonly text: string;
  readonly tone: string;
}) {
  return (
    <td class="placement-figure" data-head={head}>
      <span>{text}</span>
      {share === null ? null : (
        <svg
          class={`placement-bar ${tone}`}
          viewBox="0 0 100 5"
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          <rect class="placement-ground" width="100" height="5" />
          <rect class="placement-share" width={share * 100} height="5" />
        </svg>
      )}
    </td>
  );
}

function Outcome({ attempt: { isOk, result, reason, tookMs } }: { readonly attempt: Attempt }) {
  const tone: Tone = isOk ? 'good' : 'bad';

  return (
    <span class="placement-outcome">
      <Badge tone={tone} icon={isOk ? 'up' : 'down'} title={reason === '' ? undefined : reason}>
        {resultText(isOk ? 'ok' : result)}
      </Badge>
      <small>{millis(tookMs)} ms</small>
      {reason === '' ? null : <small class="placement-reason">{reason}</small>}
    </span>
  );
}

function LeftOut({ picture: { leftOut, moreLeftOut } }: { readonly picture: PlacementPicture }) {
  if (leftOut.length === 0) return null;

  return (
    <div class="placement-left">
      <h4>{t('left_out')}</h4>
      <ul>
        {leftOut.map(({ rule, nodes }) => (
          <li key={rule}>
            <strong>{said(`rule_${rule}`, rule)}</strong>
            <span>
              {nodes.map(({ node_id: id, figure }) => (
                <span key={id} class="placement-node">
                  <NodeLink id={id} /> <small>{figure}</small>
                </span>
              ))}
            </span>
          </li>
        ))}
      </ul>
      {moreLeftOut === 0 ? null : <p class="muted">{t('more_left_out', { n: moreLeftOut })}</p>}
    </div>
  );
}

/** Tries of a request for which nothing was chosen: the call had its node. */
function Tries({ tries }: { readonly tries: readonly TryResource[] }) {
  if (tries.length === 0) return null;

  return (
    <section class="placement" aria-label={t('tries')}>
      <h3>{t('tries')}</h3>
      <p class="muted">{t('no_placement')}</p>
      <ul class="placement-tries">
        {tries.map(({ node_id: id, result, reason, took_ms: tookMs }, index) => (
          <li key={index}>
            <NodeLink id={id} /> <Outcome attempt={{ isOk: result === 'ok', result, reason, tookMs }} />
          </li>
        ))}
      </ul>
    </section>
  );
}

export function NodeLink({ id }: { readonly id: number }) {
  return <a href={href(['nodes', id])}>{t('node_is', { id: String(id) })}</a>;
}
