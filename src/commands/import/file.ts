/** Reads whatever file `rtp-cluster import` is given: a table as text, a SQL dump or a SQLite database. */

import { type ReadRow, TableFault } from './cells.ts';
import { readTable } from './rows.ts';
import { isSql, readSql } from './sql.ts';
import { isSqlite, readSqlite } from './sqlite.ts';
import { mayFit, readTables } from './tables.ts';

/** Larger files are no dump of a proxy's tables, in bytes. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Larger texts are no table of nodes, in bytes. */
const MAX_TABLE_BYTES = 4 * 1024 * 1024;

/** What was read, and what messages call a place in it. */
export interface ImportFile {
  readonly rows: readonly ReadRow[];
  readonly place: 'LINE' | 'ROW';
}

/** Files people try that cannot be read, by their first bytes in hexadecimal. */
const FOREIGN = [
  ['1f8b', 'is compressed; unpack it with gunzip'],
  ['28b52ffd', 'is compressed; unpack it with unzstd'],
  ['fd377a585a', 'is compressed; unpack it with unxz'],
  ['425a68', 'is compressed; unpack it with bunzip2'],
  ['504b0304', 'is a ZIP archive; unpack it'],
  ['5047444d50', 'is a dump in the custom format of pg_dump; make one in plain text (pg_dump -Fp)'],
  ['fffe', 'is text in UTF-16; save it as UTF-8'],
  ['feff', 'is text in UTF-16; save it as UTF-8'],
] as const;

/** Reads a file whose bytes have been read; `file` is its path, `-` for standard input. */
export function readImport(file: string, bytes: Buffer, table: string | undefined): ImportFile | TableFault {
  if (isSqlite(bytes)) {
    const tables = readSqlite(file, bytes, mayFit);
    const rows = tables instanceof TableFault ? tables : readTables(tables, table);

    return rows instanceof TableFault ? rows : { rows, place: 'ROW' };
  }
  const [, foreign] = FOREIGN.find(([magic]) => bytes.toString('hex', 0, 8).startsWith(magic)) ?? [];
  if (foreign !== undefined) return new TableFault(1, `the file ${foreign}`);
  if (bytes.includes(0))
    return new TableFault(1, 'the file has NUL bytes: it is neither text nor a SQLite database');
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (isSql(text)) {
    const tables = readSql(text, mayFit);
    const rows = tables instanceof TableFault ? tables : readTables(tables, table);

    return rows instanceof TableFault ? rows : { rows, place: 'ROW' };
  }
  if (table !== undefined)
    return new TableFault(1, '--table is given, but the file is no dump of a database');
  if (bytes.length > MAX_TABLE_BYTES)
    return new TableFault(
      1,
      `the file has ${bytes.length} bytes; allowed are ${MAX_TABLE_BYTES} for a table as text`,
    );
  const rows = readTable(text);

  return rows instanceof TableFault ? rows : { rows, place: 'LINE' };
}
