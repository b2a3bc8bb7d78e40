/** What is said of a node, what it says of itself, and what we think of it. */

import { duration, fixed, NOTHING, percent, time } from '../format.ts';
import { causeText, reader } from '../i18n.ts';
import { ProbeCell } from '../overview/probe-cell.tsx';
import { HealthBadge, OrderBadge } from '../parts/badge.tsx';
import { Facts, Panel, Time } from '../parts/layout.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { MediaAddress, NodeResource } from '../resources.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';

const t = reader(fleet);
const tShell = reader(shell);

export function FactsPanel({ node }: { readonly node: NodeResource }) {
  const { order, health, load } = node;

  return (
    <Panel title={t('facts')}>
      <Facts
        facts={[
          [
            t('order'),
            <>
              <OrderBadge state={order.state} />{' '}
              {order.at === 0 ? null : (
                <span class="muted">
                  {order.by === '' ? null : `${t('by', { who: order.by })}, `}
                  <Time at={order.at} />
                </span>
              )}
              {order.reason === '' ? null : <div>{order.reason}</div>}
              {order.until === null ? null : <div>{t('until', { time: time(order.until) })}</div>}
            </>,
          ],
          [
            t('health'),
            <>
              <HealthBadge state={health.state} />{' '}
              <span class="muted">{t('since', { time: time(health.since) })}</span>
              <div>{causeText(health.cause)}</div>
              {health.ejected_until === null ? null : (
                <div>{t('until', { time: time(health.ejected_until) })}</div>
              )}
            </>,
          ],
          [
            t('takes_new'),
            <>
              {t(`takes_${node.takes_new_calls}`)}
              {node.share < 1 ? (
                <div class="muted">{t('ramp', { percent: percent(node.share * 100) })}</div>
              ) : null}
            </>,
          ],
          ...(order.relay_told ? [[t('relay_told'), t('relay_told_yes')] as const] : []),
          [t('kind'), `${node.kind}${node.version === null ? '' : ` ${node.version}`}`],
          [t('socket'), <code key="socket">{node.socket}</code>],
          [
            t('set'),
            <a key="set" href={`#/?set=${node.set_id}`}>
              {node.set_id}
            </a>,
          ],
          [t('uptime'), duration(node.uptime_s)],
          [t('weight'), node.weight],
          [t('priority'), node.priority],
          [t('capacity'), node.capacity === null ? t('no_limit') : t('calls_at_most', { n: node.capacity })],
          [t('tags'), node.tags.length === 0 ? tShell('none') : node.tags.join(', ')],
          [t('http_port'), node.http_port ?? tShell('none')],
          [t('impose_mode'), <code key="mode">{node.impose_mode}</code>],
          [
            t('figures_age'),
            load.figures_age_ms === null
              ? NOTHING
              : t('figures_ago', { age: duration(load.figures_age_ms / 1000) }),
          ],
        ]}
      />
    </Panel>
  );
}

const ADDRESS_COLUMNS = (): readonly Column<MediaAddress>[] => [
  { key: 'side', head: t('side'), isName: true, cell: ({ side }) => side },
  { key: 'address', head: t('address'), cell: ({ address }) => <code>{address}</code> },
  { key: 'interface', head: t('interface'), cell: (one) => one.interface ?? NOTHING },
];

export function AddressesPanel({ node }: { readonly node: NodeResource }) {
  return (
    <Panel title={t('addresses')}>
      <Table
        label={t('addresses')}
        columns={ADDRESS_COLUMNS()}
        rows={node.media_addresses}
        rowKey={({ side, family }) => `${side} ${family}`}
      />
    </Panel>
  );
}

/** Nothing if its set has no media probe. */
export function ProbePanel({ node: { probe } }: { readonly node: NodeResource }) {
  if (probe === null || probe === undefined) return null;

  return (
    <Panel title={t('probe_facts')}>
      <Facts
        facts={[
          [
            t('probe_at'),
            <>
              <ProbeCell probe={probe} /> <Time at={probe.at} />
              {probe.reason === null ? null : <div>{probe.reason}</div>}
            </>,
          ],
          [t('probe_loss'), percent(probe.loss_percent, 1)],
          [t('probe_delay'), probe.delay_ms === null ? NOTHING : `${fixed(probe.delay_ms, 1)} ${t('ms')}`],
          [t('probe_reordered'), probe.reordered ?? NOTHING],
        ]}
      />
    </Panel>
  );
}
