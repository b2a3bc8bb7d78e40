/**
 * Puts a backup in the place of a database, in an order that leaves the old or the new one, whole, however it ends. What
 * must never be is a new file beside an old log: SQLite would write the one into the other.
 */

import { Database, SQLiteError } from 'bun:sqlite';
import {
  closeSync,
  existsSync,
  fchmodSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Copy, copyDatabase, removeCopy } from './copy.ts';
import { LockTaken, takeLock } from './lock.ts';
import { DatabaseProblem, explain } from './open.ts';
import type { OnCopied } from './paced-copy.ts';
import { inWords, syncFolder } from './places.ts';

/** Files beside a database that belong to it. */
const LOGS = ['-wal', '-shm', '-journal'] as const;

/** What was restored, and where the old database is now; null if there was none. */
export interface Restored extends Copy {
  readonly aside: string | null;
}

/**
 * Replaces the database at `path` by a checked copy of `backup`.
 * @param aside where the old one is kept; its log, if it cannot be read any more, at the same name with `-wal`
 * @param onCopied hears how far the copy is
 */
export function restoreDatabase(
  backup: string,
  path: string,
  aside: string,
  onCopied?: OnCopied,
): Restored | DatabaseProblem {
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true)
    return new DatabaseProblem(
      `${path}: the directory ${dirname(path)} does not exist; create it, owned by the user who runs rtp-cluster`,
    );
  if (isSame(backup, path))
    return new DatabaseProblem(`${backup}: this is the database itself; name a backup of it`);
  let lock: Database | undefined;
  try {
    lock = takeLock(path);

    return replace(backup, path, aside, folder, onCopied);
  } catch (error) {
    if (error instanceof LockTaken)
      return new DatabaseProblem(
        `${path}: a running rtp-cluster has this database; stop it first (systemctl stop rtp-cluster)`,
      );
    if (error instanceof SQLiteError) return new DatabaseProblem(`${path}: ${explain(error)}`);

    return new DatabaseProblem(`${path}: ${inWords(error)}`);
  } finally {
    lock?.close();
  }
}

/** Whether both paths lead to the same file. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));

  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function replace(
  backup: string,
  path: string,
  aside: string,
  folder: Stats,
  onCopied?: OnCopied,
): Restored | DatabaseProblem {
  const fresh = `${path}.restoring`;
  removeLeftovers(path, fresh);
  const old = statSync(path, { throwIfNoEntry: false });
  const copy = copyDatabase(backup, fresh, old ?? folder, onCopied);
  if (copy instanceof DatabaseProblem) return copy;
  try {
    if (old !== undefined) setMode(fresh, old.mode & 0o777);
    const problem = keepOld(path, aside);
    if (problem !== undefined) {
      removeCopy(fresh);

      return problem;
    }
    renameSync(fresh, path);
    syncFolder(dirname(path));
  } catch (error) {
    removeCopy(fresh);
    throw error;
  }

  return { ...copy, aside: old === undefined ? null : aside };
}

/** Removes what a restore left that was killed: nobody else is here, since we have the lock. */
function removeLeftovers(path: string, fresh: string): void {
  removeCopy(fresh);
  for (const name of readdirSync(dirname(path))) {
    const file = join(dirname(path), name);
    // A second name of the present database, which goes on changing, keeps nothing.
    if (name.startsWith(asideName(basename(path), '')) && isSame(file, path)) rmSync(file);
  }
}

/** The name the old database gets; `when` as in `20261123T021500Z`. */
export function asideName(path: string, when: string): string {
  return `${path}.before-restore-${when}`;
}

function setMode(path: string, mode: number): void {
  const file = openSync(path, 'r');
  fchmodSync(file, mode);
  closeSync(file);
}

/** Gives the old database a second name, and makes sure that no log is left under its first. */
function keepOld(path: string, aside: string): DatabaseProblem | undefined {
  const hasOld = existsSync(path);
  const isWhole = hasOld && foldLog(path);
  const logs = LOGS.filter((suffix) => existsSync(path + suffix));
  if (isWhole && logs.length > 0)
    return new DatabaseProblem(
      `${path}: another program has it open; end it first (fuser ${path} tells which)`,
    );
  if (hasOld) linkSync(path, aside);
  // Of a damaged database, or of one that was moved away.
  for (const suffix of logs) linkSync(path + suffix, aside + suffix);
  syncFolder(dirname(path));
  for (const suffix of logs) rmSync(path + suffix);

  return undefined;
}

/** Moves the log into the file, as the last one who closes a database does. False if the database is damaged. */
function foldLog(path: string): boolean {
  let database: Database | undefined;
  try {
    database = new Database(path, { readwrite: true });
    database.run('PRAGMA busy_timeout = 1000');
    database.query('PRAGMA wal_checkpoint(TRUNCATE)').get();
    database.query('SELECT count(*) FROM sqlite_schema').get();

    return true;
  } catch (error) {
    if (error instanceof SQLiteError && /CORRUPT|NOTADB/.test(error.code ?? '')) return false;
    throw error;
  } finally {
    database?.close();
  }
}
