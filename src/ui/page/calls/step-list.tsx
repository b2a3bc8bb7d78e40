/** The steps of a call as a table: the same as the ladder, for those who would rather read. */

import { millis } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { Explained, StepResource } from './resources.ts';
import { clock, resultText, sidesOf, t } from './said.ts';

interface Row extends StepResource {
  readonly index: number;
}

export function StepList({
  explained,
  selected,
  onSelect,
}: {
  readonly explained: Explained;
  readonly selected: number;
  readonly onSelect: (step: number) => void;
}) {
  const columns: Column<Row>[] = [
    {
      key: 'request',
      head: t('request'),
      isName: true,
      cell: ({ index, message, operation }) => (
        <button type="button" class="link" aria-pressed={index === selected} onClick={() => onSelect(index)}>
          {message ?? operation}
        </button>
      ),
    },
    { key: 'time', head: t('time'), cell: ({ at }) => <span class="mono">{clock(at)}</span> },
    { key: 'sides', head: t('sides'), cell: ({ sides }) => sidesOf(sides)?.join(' → ') ?? '' },
    {
      key: 'node',
      head: t('node'),
      cell: ({ node_id: node, tries }) =>
        tries.length > 1 ? tries.map((one) => one.node_id).join(' → ') : (node ?? ''),
    },
    {
      key: 'result',
      head: t('result'),
      cell: ({ result }) =>
        result === 'ok' ? (
          <Badge tone="good" icon="up">
            {t('ok')}
          </Badge>
        ) : (
          <Badge tone="bad" icon="down">
            {resultText(result).replace(/^RTPC_/, '')}
          </Badge>
        ),
    },
    { key: 'took', head: t('took'), isNumber: true, cell: ({ took_ms: took }) => `${millis(took)} ms` },
  ];

  return (
    <Table
      label={t('steps')}
      columns={columns}
      rows={explained.steps.map((step, index) => ({ ...step, index }))}
      rowKey={({ index }) => index}
      rowClass={({ index }) => (index === selected ? 'selected' : undefined)}
    />
  );
}
