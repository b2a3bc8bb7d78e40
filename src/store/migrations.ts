/** The migrations of `drizzle/`, made part of the program, and the only way they reach a database. */

import type { Database } from 'bun:sqlite';
import first from '../../drizzle/0000_first.sql' with { type: 'text' };
import fleet from '../../drizzle/0001_fleet.sql' with { type: 'text' };
import rtpproxy from '../../drizzle/0002_rtpproxy.sql' with { type: 'text' };
import dashboard from '../../drizzle/0003_dashboard.sql' with { type: 'text' };
import journal from '../../drizzle/meta/_journal.json' with { type: 'json' };

/** One line for each file in `drizzle/`, in the order of its journal; a test compares the two. */
const SQL: Readonly<Record<string, string>> = {
  '0000_first': first,
  '0001_fleet': fleet,
  '0002_rtpproxy': rtpproxy,
  '0003_dashboard': dashboard,
};

export interface Migration {
  readonly index: number;
  readonly tag: string;
  readonly sql: string;
  /** SHA-256 of the SQL, to notice a migration that was changed after it had been applied. */
  readonly hash: string;
}

export const migrations: readonly Migration[] = journal.entries.map(({ idx, tag }) => {
  const sql = SQL[tag];
  if (sql === undefined)
    throw new Error(`migration ${tag} is in drizzle/meta/_journal.json but not in migrations.ts`);

  return { index: idx, tag, sql, hash: new Bun.CryptoHasher('sha256').update(sql).digest('hex') };
});

/** Where a database stands among the steps of this program. */
export interface Standing {
  /** Tags of those it has. */
  readonly done: readonly string[];
  readonly pending: readonly Migration[];
}

/**
 * Compares the migrations a database has with those of this program. Only reads.
 * @returns a text if the program cannot use the database, for the operator. Throws SQLite's errors.
 */
export function standingOf(database: Database, steps: readonly Migration[] = migrations): Standing | string {
  const hasAny =
    database.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'").get() !== null;
  const applied = hasAny
    ? database
        .query<{ idx: number; tag: string; hash: string }, []>(
          'SELECT idx, tag, hash FROM migration ORDER BY idx',
        )
        .all()
    : [];
  for (const { idx, tag, hash } of applied) {
    const step = steps.find(({ index }) => index === idx);
    if (step === undefined) {
      return `the database has migration ${tag}, which this program does not know: it was written by a newer version. Install that version, or restore a backup made by this one`;
    }
    if (step.hash !== hash || step.tag !== tag) {
      return `migration ${tag} of the database is not the ${step.tag} of this program (hash ${hash.slice(0, 12)} against ${step.hash.slice(0, 12)}): it was made by a modified version. Restore a backup made by an official one`;
    }
  }
  const pending = steps.filter(({ index }) => !applied.some(({ idx }) => idx === index));

  return { done: applied.map(({ tag }) => tag), pending };
}

/**
 * Brings a database up to this program's schema, all steps in one transaction.
 * Drizzle's own migrator is not used: it compares time stamps only, so it skips a migration merged late, never looks at
 * the hashes it stores and does not notice a database newer than the program (reference: bun-appliance 2).
 * @returns what keeps it from doing so, for the operator; undefined if all is well. Throws SQLite's errors.
 */
export function migrate(database: Database, steps: readonly Migration[] = migrations): string | undefined {
  const standing = standingOf(database, steps);
  if (typeof standing === 'string') return standing;
  database.run(
    'CREATE TABLE IF NOT EXISTS migration (idx integer PRIMARY KEY, tag text NOT NULL, hash text NOT NULL, applied_at integer NOT NULL)',
  );
  const { pending } = standing;
  if (pending.length === 0) return undefined;
  const record = database.query('INSERT INTO migration (idx, tag, hash, applied_at) VALUES (?, ?, ?, ?)');
  database
    .transaction(() => {
      for (const step of pending) {
        for (const statement of step.sql.split('--> statement-breakpoint')) database.run(statement);
        record.run(step.index, step.tag, step.hash, Date.now());
      }
    })
    .immediate();

  return undefined;
}
