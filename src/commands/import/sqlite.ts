/** Reads tables out of a SQLite database file, without changing it. */

import { Database, SQLiteError } from 'bun:sqlite';
import { statSync } from 'node:fs';
import { MAX_ROWS, TableFault } from './cells.ts';
import type { Table, Wants } from './sql.ts';

/** Whether the first bytes are those of a SQLite file. */
export function isSqlite(bytes: Buffer): boolean {
  return bytes.subarray(0, 16).toString('latin1') === 'SQLite format 3\0';
}

/** All tables of a file, those of no use without rows; `bytes` is what the file holds. */
export function readSqlite(file: string, bytes: Buffer, wants: Wants): Table[] | TableFault {
  try {
    const database = isInUse(file) ? new Database(file, { readonly: true }) : opened(bytes);
    try {
      // The file may come from anywhere: nothing its schema says is run.
      database.run('PRAGMA trusted_schema = OFF');
      const names = database
        .query<{ name: string }, []>(
          "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name LIMIT 10000",
        )
        .all();

      return names.map(({ name }) => readOne(database, name, wants));
    } finally {
      database.close();
    }
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;

    return new TableFault(1, `cannot be read as a SQLite database: ${error.message}`);
  }
}

/** Whether a program has the database open and part of it stands in its write-ahead log. */
function isInUse(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** The database in memory: to open the file itself could leave files of this user beside it that its owner cannot write. */
function opened(bytes: Buffer): Database {
  const copy = Buffer.from(bytes);
  // Bytes 18 and 19 say "write-ahead log" (2), which a database in memory cannot have (SQLite file format 1.3.3).
  copy.fill(1, 18, 20);

  return Database.deserialize(copy, true);
}

function readOne(database: Database, name: string, wants: Wants): Table {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const columns = database
    .query<{ name: string }, [string]>('SELECT name FROM pragma_table_info(?)')
    .all(name)
    .map((column) => column.name.toLowerCase());
  if (!wants(name, columns)) return { name, columns, rows: [] };
  const rows = database.query(`SELECT * FROM ${quoted} LIMIT ${MAX_ROWS + 1}`).values();

  return { name, columns, rows: rows.map((row) => row.map(textOf)) };
}

function textOf(cell: unknown): string | null {
  if (cell === null || cell === undefined) return null;

  return cell instanceof Uint8Array ? Buffer.from(cell).toString('utf8') : String(cell);
}
