/** What needs somebody: trouble with the database, sets in panic or without a node, nodes that are not up. */

import { useEffect } from 'preact/hooks';
import { useFetch } from '../api.ts';
import { percent, time } from '../format.ts';
import { causeText, reader } from '../i18n.ts';
import { Notice } from '../parts/notice.tsx';
import type { NodePage, Overview, OverviewSet } from '../resources.ts';
import { href } from '../router.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';

const t = reader(fleet);
const tShell = reader(shell);

/** Sets and nodes named one by one; the rest is a number. */
const SHOWN = 4;
const POLL_MS = 4000;
/** From that share of the media ports in use on, somebody should think of more. */
const PORTS_LOW = 0.9;

export function Attention({ overview: { database, sets, totals } }: { readonly overview: Overview }) {
  const bad = totals.nodes - totals.nodes_up;
  const worst = useFetch<NodePage>(bad > 0 ? `/v1/nodes?sort=health&limit=${SHOWN}` : null, POLL_MS);
  const troubled = sets.filter((set) => troubleOf(set) !== undefined);
  const { reload } = worst;
  useEffect(() => {
    if (bad > 0) reload();
  }, [bad, reload]);
  const nodes = (bad > 0 ? (worst.data?.nodes ?? []) : []).filter(({ health }) => health.state !== 'up');

  return (
    <div class="attention" role="status" aria-label={t('attention')}>
      {database === 'ok' ? null : (
        <Notice tone="bad" title={t('database_bad', { cause: database })}>
          {t('database_bad_hint')}
        </Notice>
      )}
      {troubled.slice(0, SHOWN).map((set) => (
        <SetNotice key={set.id} set={set} />
      ))}
      {troubled.length > SHOWN ? (
        <Notice tone="bad" title={t('more_sets', { n: troubled.length - SHOWN })} />
      ) : null}
      {nodes.map((node) => {
        const { state, since, cause } = node.health;

        return (
          <Notice
            key={node.id}
            tone={state === 'down' || state === 'ejected' ? 'bad' : 'warn'}
            title={
              <a href={href(['nodes', node.id])}>
                {t('node_bad', { node: String(node.id), state: tShell(`health_${state}`) })}
                {' · '}
                <span class="mono">{node.socket}</span>
              </a>
            }
          >
            {t('node_since', { since: time(since), cause: causeText(cause), calls: node.calls })}
          </Notice>
        );
      })}
      {bad > nodes.length && nodes.length >= SHOWN ? (
        <Notice tone="warn" title={t('more_bad', { n: bad - nodes.length })} />
      ) : null}
    </div>
  );
}

type SetTrouble = 'panic' | 'empty' | 'silent' | 'ports';

function troubleOf(set: OverviewSet): SetTrouble | undefined {
  if (set.nodes === 0) return undefined;
  if (set.nodes_ready === 0) return 'empty';
  if (set.is_in_panic) return 'panic';
  if (set.probes_failed > 0) return 'silent';

  return portsShare(set) < PORTS_LOW ? undefined : 'ports';
}

/** Share of the media ports in use; 0 if nobody knows. */
function portsShare({ ports_in_use: used, ports_total: total }: OverviewSet): number {
  return total ? (used ?? 0) / total : 0;
}

function SetNotice({ set }: { readonly set: OverviewSet }) {
  const name = String(set.id);
  switch (troubleOf(set)) {
    case 'panic':
      return (
        <Notice tone="bad" title={t('set_panic', { set: name })}>
          {t('set_panic_hint')}
        </Notice>
      );
    case 'empty':
      return (
        <Notice tone="bad" title={t('set_empty', { set: name })}>
          {t('set_empty_hint')}
        </Notice>
      );
    case 'silent':
      return (
        <Notice tone="bad" title={t('set_silent', { set: name, nodes: set.probes_failed })}>
          {t('set_silent_hint')}
        </Notice>
      );
    case 'ports':
      return (
        <Notice tone="warn" title={t('ports_low', { set: name, percent: percent(portsShare(set) * 100) })}>
          {t('ports_low_hint')}
        </Notice>
      );
    case undefined:
      return null;
  }
}
