/** What is in a database and whether it is whole. Only reads, also what older versions wrote. */

import type { Database } from 'bun:sqlite';
import { type Standing, standingOf } from './migrations.ts';

/** Complaints that are kept; one is reason enough, and a damaged file may have thousands. */
const MAX_COMPLAINTS = 20;

/** How much is in it. */
export interface Counts {
  /** All calls, and those of them that have not ended. */
  readonly calls: number;
  readonly liveCalls: number;
  /** Nodes that were not removed. */
  readonly nodes: number;
  /** Deletes no node has confirmed. */
  readonly strays: number;
  /** UTC ms of the newest change we can see in it; null if there was none. */
  readonly newest: number | null;
}

/** What SQLite has to say of the file; empty if it is whole. `quick` leaves out whether indexes fit their tables. */
export function complaintsOf(database: Database, depth: 'quick' | 'full'): string[] {
  const check = depth === 'quick' ? 'quick_check' : 'integrity_check';
  const lines = database.query(`PRAGMA ${check}(${MAX_COMPLAINTS})`).values().flat().map(String);
  const broken = database
    .query<{ table: string; parent: string; count: number }, [number]>(
      'SELECT "table", parent, count(*) AS count FROM pragma_foreign_key_check GROUP BY 1, 2 LIMIT ?',
    )
    .all(MAX_COMPLAINTS);

  return [
    ...lines.filter((line) => line !== 'ok'),
    ...broken.map(({ table, parent, count }) => `${count} rows of ${table} belong to no ${parent}`),
  ];
}

/**
 * Where a database of ours stands.
 * @returns a text if it is none, or cannot be used by this program
 */
export function ourStanding(database: Database): Standing | string {
  const standing = standingOf(database);
  if (typeof standing === 'string' || standing.done.length > 0) return standing;

  return 'this is no database of rtp_cluster: it has no migrations';
}

/** Counts what people ask about; the database must be one of ours. */
export function countsOf(database: Database): Counts {
  const number = (sql: string): number => Number(database.query(sql).values()[0]?.[0] ?? 0);
  const newest = Math.max(
    number('SELECT max(updated_at) FROM call'),
    number('SELECT at FROM event ORDER BY id DESC LIMIT 1'),
  );

  return {
    calls: number('SELECT count(*) FROM call'),
    liveCalls: number("SELECT count(*) FROM call WHERE state <> 'ended'"),
    nodes: number('SELECT count(*) FROM node WHERE removed_at IS NULL'),
    strays: number('SELECT count(*) FROM stray'),
    newest: newest === 0 ? null : newest,
  };
}

/** Rows of every table, by name. */
export function rowsOf(database: Database): [table: string, rows: number][] {
  const names = database
    .query(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1 LIMIT 1000",
    )
    .values()
    .flat()
    .map(String);

  return names.map((name) => {
    const rows = database.query(`SELECT count(*) FROM "${name.replaceAll('"', '""')}"`).values()[0]?.[0];

    return [name, Number(rows)];
  });
}
