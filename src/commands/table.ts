/** Tables as text: columns with two blanks between them, numbers to the right; and figures for people. */

import { type Cell, type Look, PLAIN, paint, printable } from './style.ts';

/** Between two columns. */
const GAP = '  ';
/** The last column is broken into lines of no less places than this. */
const MIN_LAST = 24;
/** No other column is left out to give the last one more places than this: one long Call-ID is not to hide the rest. */
const ROOM_FOR_LAST = 40;

/**
 * Lines of a table; a column whose cells are all numbers, or a dash, stands to the right. Where the terminal is too narrow,
 * columns named in `optional` are left out, the first of them first, and said to be; then the last column is broken.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  look: Look = PLAIN,
  optional: readonly string[] = [],
): string[] {
  const out = new Set(leftOut(head, rows, look, optional));
  const isKept = (_: unknown, index: number): boolean => !out.has(head[index] ?? '');
  const names = head.filter(isKept);
  const lines = layOut(
    [
      names.map((text) => ({ text, style: 'bold' as const })),
      ...rows.map((row) => head.map((_, i) => row[i] ?? '').filter(isKept)),
    ],
    look,
    1,
  );
  if (out.size === 0) return lines;

  return [...lines, paint(look, `(no room for ${head.filter((name) => out.has(name)).join(', ')})`, 'dim')];
}

/** The same without a head, set in by `indent`. */
export function formatRows(rows: readonly (readonly Cell[])[], look: Look, indent: string): string[] {
  const columns = look.columns === undefined ? undefined : look.columns - indent.length;

  return layOut(rows, { ...look, columns }, 0).map((line) => indent + line);
}

function leftOut(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  { columns }: Look,
  optional: readonly string[],
): string[] {
  if (columns === undefined) return [];
  const last = head.length - 1;
  const widths = new Map(
    head.map((name, i) => {
      const width = widest([name, ...rows.map((row) => row[i] ?? '')]);

      return [name, i === last ? Math.min(width, ROOM_FOR_LAST) : width];
    }),
  );
  const out: string[] = [];
  const total = (): number =>
    [...widths.values()].reduce((sum, width) => sum + width + GAP.length, -GAP.length);
  for (const name of optional) {
    if (total() <= columns) break;
    if (widths.delete(name)) out.push(name);
  }

  return out;
}

/** @param heads how many of the rows are heads, which make no column one of texts */
function layOut(rows: readonly (readonly Cell[])[], look: Look, heads: number): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const columns = Array.from({ length: count }, (_, i) => {
    const column = rows.map((row) => row[i] ?? '');
    const cells = column.slice(heads);

    return {
      width: widest(column),
      isNumber: cells.length > 0 && cells.every((cell) => /^(\d+(\.\d+)?|-)?$/.test(textOf(cell))),
    };
  });
  const start = columns.slice(0, -1).reduce((sum, { width }) => sum + width + GAP.length, 0);
  const room = look.columns === undefined ? Number.POSITIVE_INFINITY : look.columns - start;

  return rows.flatMap((row) => {
    const cells = columns.map(({ width, isNumber }, i) => {
      const cell = row[i] ?? '';
      const fill = ' '.repeat(width - Bun.stringWidth(textOf(cell)));
      const shown = typeof cell === 'string' ? printable(cell) : paint(look, cell.text, cell.style);

      return isNumber ? fill + shown : shown + fill;
    });
    const [last = ''] = cells.slice(-1);
    if (room < MIN_LAST || (columns.at(-1)?.width ?? 0) <= room) return cells.join(GAP).trimEnd();
    const [first = '', ...rest] = Bun.wrapAnsi(last.trimEnd(), room, { hard: true }).split('\n');

    return [
      [...cells.slice(0, -1), first].join(GAP).trimEnd(),
      ...rest.map((part) => ' '.repeat(start) + part),
    ];
  });
}

function textOf(cell: Cell): string {
  return printable(typeof cell === 'string' ? cell : cell.text);
}

function widest(cells: readonly Cell[]): number {
  return Math.max(0, ...cells.map((cell) => Bun.stringWidth(textOf(cell))));
}

/** Lines of a text, broken where the terminal ends; the text may have colours. */
export function wrapped(text: string, { columns }: Look): string[] {
  return columns === undefined ? [text] : Bun.wrapAnsi(text, columns, { hard: true }).split('\n');
}

/** `1 call`, `3 calls`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A number of bytes for people: `812 B`, `3.1 kB`, `152 MB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)), units.length - 1);
  const value = bytes / 1000 ** step;

  return `${step > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** A time in UTC milliseconds as `2026-11-23 12:00:00Z`. */
export function timeText(utcMs: number): string {
  return `${new Date(utcMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
