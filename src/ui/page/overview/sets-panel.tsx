/** The sets of the fleet, in short; a click shows the nodes of one. */

import { number, rate } from '../format.ts';
import { reader } from '../i18n.ts';
import { Badge } from '../parts/badge.tsx';
import { Panel } from '../parts/layout.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { OverviewSet } from '../resources.ts';
import { setQuery } from '../router.ts';
import { fleet } from '../words/fleet.ts';
import { PortsCell } from './ports-cell.tsx';

const t = reader(fleet);

export function SetsPanel({ sets }: { readonly sets: readonly OverviewSet[] }) {
  const columns: readonly Column<OverviewSet>[] = [
    {
      key: 'set',
      head: t('set'),
      isName: true,
      cell: ({ id, description }) => (
        <span>
          <button
            type="button"
            class="link"
            title={t('set_nodes', { set: String(id) })}
            onClick={() => setQuery({ set: id, offset: undefined })}
          >
            {t('set')} {id}
          </button>
          {description === '' ? null : <span class="muted"> {description}</span>}
        </span>
      ),
    },
    {
      key: 'state',
      head: t('state'),
      cell: (set) => (set.nodes === 0 ? null : <SetState set={set} />),
    },
    {
      key: 'nodes',
      head: t('nodes'),
      cell: ({ nodes, nodes_up: up }) => t('nodes_of', { up, all: nodes }),
    },
    { key: 'policy', head: t('policy'), cell: ({ policy }) => <code>{policy}</code> },
    { key: 'calls', head: t('live_calls'), isNumber: true, cell: ({ calls }) => number(calls) },
    { key: 'sessions', head: t('sessions'), isNumber: true, cell: ({ sessions }) => number(sessions) },
    { key: 'placed', head: t('placed') + t('per_s'), isNumber: true, cell: (set) => rate(set.placed_per_s) },
    { key: 'ports', head: t('ports'), cell: (set) => <PortsCell {...set} /> },
  ];

  return (
    <Panel title={t('sets')}>
      <Table label={t('sets')} columns={columns} rows={sets} rowKey={({ id }) => id} />
    </Panel>
  );
}

function SetState({ set }: { readonly set: OverviewSet }) {
  const { is_in_panic: isInPanic, nodes, nodes_up: up, probes_failed: silent } = set;
  const [tone, icon, text] = isInPanic
    ? (['bad', 'warn', 'panic'] as const)
    : up < nodes
      ? (['warn', 'warn', 'strained'] as const)
      : silent > 0
        ? (['bad', 'warn', 'silent'] as const)
        : (['good', 'up', 'calm'] as const);

  return (
    <Badge tone={tone} icon={icon}>
      {t(text)}
    </Badge>
  );
}
