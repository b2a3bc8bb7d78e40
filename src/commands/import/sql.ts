/** Reads tables out of SQL dumps as mysqldump, mariadb-dump, pg_dump and sqlite3 write them. Nothing in them is run. */

import { TableFault } from './cells.ts';
import { SqlScanner } from './sql-scanner.ts';

/** A table that was read. */
export interface Table {
  /** With its schema or database if the file tells one, as in `public.rtpengine`. */
  readonly name: string;
  /** In lower case; undefined if the file does not tell them. */
  readonly columns: readonly string[] | undefined;
  /** Null is NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Says whether the rows of a table are of any use, so that the others are only stepped over. */
export type Wants = (name: string, columns: readonly string[] | undefined) => boolean;

interface Growing {
  name: string;
  columns: readonly string[] | undefined;
  rows: (string | null)[][];
}

/** First and last words of whole dumps: with the first and without the last, a dump is cut off. */
const ENDS = [
  [/^-- (MySQL|MariaDB) dump /m, /^-- Dump completed/m],
  [/^-- PostgreSQL database (cluster )?dump\r?$/m, /^-- PostgreSQL database (cluster )?dump complete/m],
  [/^BEGIN TRANSACTION;\r?$/m, /^(COMMIT|ROLLBACK);/m],
] as const;

/** Whether a text looks like SQL rather than a table of cells. */
export function isSql(text: string): boolean {
  return (
    /^[ \t]*(INSERT\s+(IGNORE\s+|OR\s+\w+\s+)?INTO|REPLACE\s+INTO|CREATE\s+TABLE|COPY\s+\S+\s*\()/im.test(
      text,
    ) || ENDS.some(([first]) => first.test(text))
  );
}

/** Reads all tables with their rows, those of no use without. */
export function readSql(text: string, wants: Wants): Table[] | TableFault {
  const isMySql = /^-- (MySQL|MariaDB) dump |^\/\*M?!\d|^(INSERT( IGNORE)?|REPLACE) INTO `/m.test(text);
  const scanner = new SqlScanner(text, isMySql);
  const tables = new Map<string, Growing>();
  let database = '';
  const tableOf = (path: readonly string[]): Growing => {
    const name = (path.length > 1 || database === '' ? path : [database, ...path]).join('.');
    const table = tables.get(name) ?? { name, columns: undefined, rows: [] };
    tables.set(name, table);

    return table;
  };
  while (!scanner.isAtEnd()) {
    const start = scanner.at;
    const verb = scanner.word().toUpperCase();
    let isOver = false;
    if (verb === 'USE') database = scanner.path().at(0) ?? '';
    else if (verb === 'CREATE') readCreate(scanner, tableOf);
    else if (verb === 'INSERT' || verb === 'REPLACE') readInsert(scanner, tableOf, wants);
    else if (verb === 'COPY') isOver = readCopy(scanner, tableOf, wants);
    if (!isOver) scanner.skipStatement();
    if (scanner.isCut) return cutOff(text, start, 'the file ends within this statement');
  }
  if (scanner.isCut) return cutOff(text, text.length, 'the file ends within a comment');
  const cut = ENDS.find(([first, last]) => first.test(text) && !last.test(text.slice(-2000)));
  if (cut !== undefined) return cutOff(text, text.length, 'the last line of the dump is missing');

  return [...tables.values()];
}

function readCreate(scanner: SqlScanner, tableOf: (path: readonly string[]) => Growing): void {
  if (scanner.take(/(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED)\s+)*TABLE\b/iy) === undefined) return;
  scanner.take(/IF\s+NOT\s+EXISTS\b/iy);
  const path = scanner.path();
  if (path.length === 0 || scanner.take(/\(/y) === undefined) return;
  const columns = scanner.tuple().flatMap((raw) => {
    const item = new SqlScanner(raw, scanner.isMySql);
    const isKey =
      /^(PRIMARY|UNIQUE|KEY|INDEX|CONSTRAINT|CHECK|FOREIGN|FULLTEXT|SPATIAL|EXCLUDE|LIKE|PERIOD)\b/i.test(
        raw,
      );
    const [name] = isKey ? [] : item.path();

    return name === undefined ? [] : [name.toLowerCase()];
  });
  tableOf(path).columns = columns;
}

function readInsert(scanner: SqlScanner, tableOf: (path: readonly string[]) => Growing, wants: Wants): void {
  scanner.take(/(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|OR\s+\w+)\s+)*/iy);
  if (scanner.take(/INTO\b/iy) === undefined) return;
  const path = scanner.path();
  if (path.length === 0) return;
  const table = tableOf(path);
  const named = readColumns(scanner);
  scanner.take(/OVERRIDING\s+\w+\s+VALUE\b/iy);
  if (scanner.take(/VALUES?\b/iy) === undefined || !wants(table.name, named ?? table.columns)) return;
  const place = placer(table, named);
  while (scanner.take(/\(/y) !== undefined) {
    const cells = scanner.tuple().map((raw) => scanner.decode(raw));
    if (scanner.isCut) return;
    table.rows.push(place(cells));
    if (scanner.take(/,/y) === undefined) return;
  }
}

/** Reads COPY with its lines of data; false if there are none, and the statement is not over. */
function readCopy(scanner: SqlScanner, tableOf: (path: readonly string[]) => Growing, wants: Wants): boolean {
  const path = scanner.path();
  if (path.length === 0) return false;
  const table = tableOf(path);
  const named = readColumns(scanner);
  if (scanner.take(/FROM\s+stdin\b[^;\n]*;[^\n]*\n/iy) === undefined) return false;
  const place = placer(table, named);
  const isWanted = wants(table.name, named ?? table.columns);
  for (;;) {
    const line = scanner.line();
    if (line === undefined || line === '\\.') return true;
    if (isWanted) table.rows.push(place(line.split('\t').map(copied)));
  }
}

/** A list of column names in brackets, if there is one. */
function readColumns(scanner: SqlScanner): readonly string[] | undefined {
  if (scanner.take(/\(/y) === undefined) return undefined;

  return scanner.tuple().map((raw) => (new SqlScanner(raw, scanner.isMySql).path()[0] ?? raw).toLowerCase());
}

/** Puts the cells of a statement that names its columns into the order of the table. */
function placer(
  table: Growing,
  named: readonly string[] | undefined,
): (cells: (string | null)[]) => (string | null)[] {
  if (named === undefined) return (cells) => cells;
  table.columns ??= named;
  const { columns } = table;

  return (cells) =>
    cells.length === named.length ? columns.map((column) => cells[named.indexOf(column)] ?? null) : cells;
}

/** A cell of COPY's text format (PostgreSQL manual, COPY, "Text Format"). */
function copied(cell: string): string | null {
  if (cell === '\\N') return null;
  const letters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

  return cell.replace(/\\(.)/gs, (_, char: string) => letters[char] ?? char);
}

function cutOff(text: string, at: number, message: string): TableFault {
  return new TableFault(lineOf(text, at), `${message}: it is not complete`);
}

function lineOf(text: string, at: number): number {
  let line = 1;
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line++;

  return line;
}
