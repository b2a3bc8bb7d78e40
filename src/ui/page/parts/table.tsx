/** A table with a head that stays in sight; on a phone each row is a card, with the head of a cell before it. */

import type { ComponentChildren } from 'preact';
import { reader } from '../i18n.ts';
import { shell } from '../words/shell.ts';
import { Icon } from './icon.tsx';

const t = reader(shell);

export interface Column<Row> {
  /** Also what `sort` says, if it can be sorted. */
  readonly key: string;
  readonly head: ComponentChildren;
  /** What the head means, if it is short. */
  readonly title?: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Figures stand at the right. */
  readonly isNumber?: boolean;
  readonly isSortable?: boolean;
  /** The cell that names the row. */
  readonly isName?: boolean;
  /** For the width and other looks. */
  readonly class?: string;
}

export interface TableProps<Row> {
  /** What it is a table of, for screen readers. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string | number;
  /** Key of the column, `-` before it for descending. */
  readonly sort?: string;
  readonly onSort?: (sort: string) => void;
  readonly rowClass?: (row: Row) => string | undefined;
  /** What to say when there is no row. */
  readonly empty?: ComponentChildren;
}

export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, rows, rowKey, rowClass, empty } = props;

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be in reach of the keyboard
    <section class="table-box" aria-label={label} tabIndex={0}>
      <table class="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={props.sort} onSort={props.onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} class={rowClass?.(row)}>
              {columns.map((column) => {
                const looks = `${column.isNumber ? 'number ' : ''}${column.class ?? ''}`;
                const head = typeof column.head === 'string' ? column.head : undefined;

                return column.isName ? (
                  <th key={column.key} scope="row" class={looks} data-head={head}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.key} class={looks} data-head={head}>
                    {column.cell(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 ? <div class="table-empty">{empty ?? t('nothing_here')}</div> : null}
    </section>
  );
}

function Head<Row>({
  column: { key, head, title, isNumber, isSortable, class: looks = '' },
  sort,
  onSort,
}: {
  readonly column: Column<Row>;
  readonly sort: string | undefined;
  readonly onSort: ((sort: string) => void) | undefined;
}) {
  const direction = sort === key ? 'ascending' : sort === `-${key}` ? 'descending' : undefined;
  const classes = `${isNumber ? 'number ' : ''}${looks}`;
  if (!isSortable || onSort === undefined) {
    return (
      <th scope="col" class={classes} title={title}>
        {head}
      </th>
    );
  }
  // Figures are wanted largest first.
  const first = isNumber ? `-${key}` : key;
  const next = direction === undefined ? first : direction === 'ascending' ? `-${key}` : key;

  return (
    <th scope="col" class={classes} aria-sort={direction ?? 'none'}>
      <button type="button" class="sort" title={title} onClick={() => onSort(next)}>
        {head}
        <span class={direction === undefined ? 'sort-mark idle' : 'sort-mark'}>
          <Icon name={direction === 'ascending' ? 'sortUp' : 'sortDown'} size={12} />
        </span>
      </button>
    </th>
  );
}

/** Pages of a table by number: `1–50 of 1,000`. */
export function Pager({
  offset,
  limit,
  total,
  onMove,
}: {
  readonly offset: number;
  readonly limit: number;
  readonly total: number;
  readonly onMove: (offset: number) => void;
}) {
  if (total <= limit && offset === 0) return null;

  return (
    <nav class="pager" aria-label={t('pages')}>
      <button
        type="button"
        class="button plain only-icon"
        aria-label={t('page_before')}
        aria-disabled={offset === 0}
        onClick={() => offset > 0 && onMove(Math.max(0, offset - limit))}
      >
        <Icon name="left" size={15} />
      </button>
      <span>{t('page_of', { from: offset + 1, to: Math.min(offset + limit, total), total })}</span>
      <button
        type="button"
        class="button plain only-icon"
        aria-label={t('page_after')}
        aria-disabled={offset + limit >= total}
        onClick={() => offset + limit < total && onMove(offset + limit)}
      >
        <Icon name="right" size={15} />
      </button>
    </nav>
  );
}
