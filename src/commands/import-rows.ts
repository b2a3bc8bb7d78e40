/**
 * Reads a table of nodes: CSV with any usual delimiter, or a Markdown or MySQL table as it was pasted.
 * Every row is checked here; the rows that are good are what the API takes.
 */

import { parse } from 'csv-parse/sync';
import { parseSocket } from '../domain/node.ts';
import { familyOf } from '../util/ip.ts';
import { nearest } from '../util/suggest.ts';

/** A row as the API takes it; `row` is its line in the file, counted from 1. */
export interface ImportRow {
  readonly row: number;
  readonly [field: string]: string | number;
}

/** A row that was read: what it says for messages, and either its fields or what is wrong with it. */
export interface ReadRow {
  readonly row: number;
  readonly id: string;
  readonly socket: string;
  readonly result: ImportRow | RowFault;
}

/** What is wrong with a row. */
export class RowFault {
  constructor(readonly message: string) {}
}

/** The table cannot be read at all. */
export class TableFault {
  constructor(
    readonly row: number,
    readonly message: string,
  ) {}
}

const MAX_ID = 2_147_483_647;
const MAX_WEIGHT = 65_535;
/** More nodes than any fleet has. */
const MAX_ROWS = 10_000;

const NEEDED = ['socket', 'set_id', 'inner_media_ip', 'out_media_ip'] as const;
const COLUMNS = ['id', ...NEEDED, 'weight', 'kind', 'impose_mode'] as const;
type Column = (typeof COLUMNS)[number];

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

  return withoutDoubles(rest.map((line) => readLine(line, delimiter, columns)));
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
  const fields: Record<string, string | number> = {};
  for (const column of columns) {
    const text = at(column);
    // An empty cell is a field that is not given; what must be there is looked at below.
    if (text === '' || text.toUpperCase() === 'NULL') continue;
    const value = readCell(column, text);
    if (value instanceof RowFault) return value;
    fields[column] = value;
  }
  const missing = ['socket', 'set_id'].filter((column) => !(column in fields));
  if (missing.length > 0) return new RowFault(`${missing.join(' and ')} must not be empty`);
  if (!('inner_media_ip' in fields) && !('out_media_ip' in fields))
    return new RowFault('inner_media_ip and out_media_ip are both empty; give at least one');

  return { row, ...fields };
}

function readCell(column: Column, text: string): string | number | RowFault {
  switch (column) {
    case 'id':
    case 'set_id':
      return wholeNumber(column, text, MAX_ID);
    case 'weight':
      return wholeNumber(column, text, MAX_WEIGHT);
    case 'socket':
      return socket(text);
    case 'inner_media_ip':
    case 'out_media_ip':
      return familyOf(text) === undefined
        ? new RowFault(`${column} is "${text}"; allowed is an IP address, as in 192.168.2.3 or 2001:db8::3`)
        : text;
    case 'kind':
      return word(column, text, ['rtpengine', 'rtpproxy']);
    case 'impose_mode':
      return word(column, text, ['media-address', 'interface']);
  }
}

function wholeNumber(column: string, text: string, max: number): number | RowFault {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;

  return value <= max
    ? value
    : new RowFault(`${column} is "${text}"; allowed is a whole number from 0 to ${max}`);
}

function word(column: string, text: string, words: readonly string[]): string | RowFault {
  const lower = text.toLowerCase();

  return words.includes(lower)
    ? lower
    : new RowFault(`${column} is "${text}"; allowed is ${words.join(' or ')}`);
}

function socket(text: string): string | RowFault {
  if (parseSocket(text) !== undefined) return text;
  const weight = /^(.+:\d+)=(\d+)$/.exec(text);
  const hint =
    weight !== null && parseSocket(weight[1] ?? '') !== undefined
      ? `; "=${weight[2]}" is a weight of OpenSIPS: put it into a column weight`
      : '';

  return new RowFault(`socket is "${text}"; allowed is udp:IP:PORT or udp6:[IP]:PORT${hint}`);
}

/** Rows that name a node of an earlier row again are faults. */
function withoutDoubles(rows: readonly ReadRow[]): ReadRow[] {
  const seen = new Map<string, number>();

  return rows.map((read) => {
    const { result } = read;
    if (result instanceof RowFault) return read;
    const names = [`socket ${result.socket} in set ${result.set_id}`];
    if (result.id !== undefined) names.unshift(`id ${result.id}`);
    for (const name of names) {
      const line = seen.get(name);
      if (line !== undefined) return { ...read, result: new RowFault(`${name} is on line ${line} already`) };
    }
    for (const name of names) seen.set(name, read.row);

    return read;
  });
}
