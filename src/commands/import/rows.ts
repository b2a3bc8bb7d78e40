/**
 * Reads a table of nodes: CSV with any usual delimiter, or a Markdown or MySQL table as it was pasted.
 * Every row is checked here; the rows that are good are what the API takes.
 */

import { parse } from 'csv-parse/sync';
import { nearest } from '../../util/suggest.ts';
import {
  COLUMNS,
  type Column,
  type ImportRow,
  isEmptyCell,
  MAX_ROWS,
  type ReadRow,
  RowFault,
  readCell,
  TableFault,
  withoutDoubles,
} from './cells.ts';

const NEEDED = ['socket', 'set_id'] as const;

interface Line {
  readonly row: number;
  readonly text: string;
}

/** Reads the whole text of a file. */
export function readTable(text: string): ReadRow[] | TableFault {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ row: index + 1, text: line.trim() }))
    .filter((line) => !isSkipped(line.text));
  const [first, ...rest] = lines;
  if (first === undefined)
    return new TableFault(
      1,
      `the file has no table; its first line must name the columns ${COLUMNS.join(', ')}`,
    );
  if (rest.length > MAX_ROWS)
    return new TableFault(first.row, `there are ${rest.length} rows; allowed are ${MAX_ROWS}`);
  const delimiter = sniff(first.text);
  const names = cells(first, delimiter);
  if (names instanceof RowFault) return new TableFault(first.row, names.message);
  const columns = readHead(names);
  if (columns instanceof RowFault) return new TableFault(first.row, columns.message);
  if (rest.length === 0) return new TableFault(first.row, 'the table has column names but no rows');

  return withoutDoubles(
    rest.map((line) => readLine(line, delimiter, columns)),
    'on line',
  );
}

/** Blank lines, comments, and the lines that only draw a Markdown or MySQL table. */
function isSkipped(text: string): boolean {
  return (
    text === '' ||
    text.startsWith('#') ||
    /^\|?(\s*:?-+:?\s*\|)+(\s*:?-+:?\s*)?$/.test(text) ||
    /^\+[-+]+\+$/.test(text)
  );
}

/** The delimiter that stands in the head most often. */
function sniff(head: string): string {
  let best = ',';
  for (const delimiter of ['|', '\t', ';']) {
    if (head.split(delimiter).length > head.split(best).length) best = delimiter;
  }

  return best;
}

/** The cells of a line, without blanks, quotes, and the outer bars and code marks of Markdown. */
function cells({ text }: Line, delimiter: string): string[] | RowFault {
  const bare = delimiter === '|' ? text.replace(/^\|/, '').replace(/\|$/, '') : text;
  try {
    const [row = []] = parse(bare, { delimiter, trim: true, relax_column_count: true });

    return row.map((cell) => /^`(.*)`$/.exec(cell)?.[1] ?? cell);
  } catch (error) {
    return new RowFault(`cannot read the row: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readHead(names: readonly string[]): Column[] | RowFault {
  const columns: Column[] = [];
  for (const name of names) {
    const column = COLUMNS.find((known) => known === name.toLowerCase());
    if (column === undefined) {
      const hint = nearest(name, COLUMNS);
      const guess = hint === undefined ? '' : `; did you mean ${hint}?`;

      return new RowFault(`there is no column "${name}"${guess}; allowed are ${COLUMNS.join(', ')}`);
    }
    if (columns.includes(column)) return new RowFault(`the column ${column} is there twice`);
    columns.push(column);
  }
  const missing = NEEDED.filter((column) => !columns.includes(column));

  return missing.length === 0
    ? columns
    : new RowFault(`the column ${missing.join(', ')} is missing; needed are ${NEEDED.join(', ')}`);
}

function readLine(line: Line, delimiter: string, columns: readonly Column[]): ReadRow {
  const values = cells(line, delimiter);
  if (values instanceof RowFault) return { row: line.row, id: '', socket: '', result: values };
  const at = (column: Column): string => values[columns.indexOf(column)] ?? '';
  const named = { row: line.row, id: at('id'), socket: at('socket') };
  if (values.length !== columns.length) {
    const message = `the row has ${values.length} cells; the head names ${columns.length} columns`;

    return { ...named, result: new RowFault(message) };
  }

  return { ...named, result: readRow(line.row, columns, at) };
}

function readRow(
  row: number,
  columns: readonly Column[],
  at: (column: Column) => string,
): ImportRow | RowFault {
  const fields: Record<string, ImportRow[string]> = {};
  for (const column of columns) {
    const text = at(column);
    // An empty cell is a field that is not given; what must be there is looked at below.
    if (isEmptyCell(text)) continue;
    const value = readCell(column, text);
    if (value instanceof RowFault) return value;
    fields[column] = value;
  }
  const missing = NEEDED.filter((column) => !(column in fields));
  if (missing.length > 0) return new RowFault(`${missing.join(' and ')} must not be empty`);

  return { row, ...fields };
}
