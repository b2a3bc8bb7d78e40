/**
 * Reads a database beside whoever has it, or has it not, and leaves nothing behind. SQLite alone would: a connection that
 * only reads makes `-wal` and `-shm` files and leaves them, one that may write moves the log into the file when it closes.
 */

import { constants, Database, SQLiteError } from 'bun:sqlite';
import { existsSync, type Stats, statSync } from 'node:fs';
import { DatabaseProblem, explain } from './open.ts';
import { inWords, realPlace } from './places.ts';

/** SQLite's flag for names that are URIs, which `bun:sqlite` takes but does not name. */
const OPEN_URI = 0x40;
/** How long a statement waits, ms: for a start that recovers the log of a crash. */
const BUSY_MS = 5000;
/** How often a file is read anew that was changed while we read it. */
const MAX_TRIES = 5;

/**
 * Calls `read` with the database, read-only and as of one moment for each statement, and with whether it has a log: then a
 * service may be writing. `read` may be called again if one starts or stops meanwhile.
 * @returns what `read` returns, or why the database cannot be read
 */
export function readDatabase<T>(
  given: string,
  read: (database: Database, hasLog: boolean) => T,
): T | DatabaseProblem {
  const path = realPlace(given);
  for (let left = MAX_TRIES; left > 0; left--) {
    const before = regularFile(path);
    if (before instanceof DatabaseProblem) return before;
    const isInUse = hasSidecar(path);
    const result = readOnce(path, isInUse, (database) =>
      // One that came after we opened it is not ours to read: we have no lock then, and look again.
      read(database, isInUse && existsSync(`${path}-wal`)),
    );
    // With a log beside it SQLite's locks protect us; without one nobody does, so we look whether it was needed.
    if (isInUse || isUnchanged(path, before)) return result;
  }

  return new DatabaseProblem(`${path}: it is written to all the time; start the service, or end what writes`);
}

function regularFile(path: string): Stats | DatabaseProblem {
  try {
    const stats = statSync(path);

    return stats.isFile() ? stats : new DatabaseProblem(`${path}: this is no file`);
  } catch (error) {
    return new DatabaseProblem(`${path}: ${inWords(error)}`);
  }
}

function isUnchanged(path: string, { ino, size, mtimeMs }: Stats): boolean {
  const now = statSync(path, { throwIfNoEntry: false });

  return now?.ino === ino && now.size === size && now.mtimeMs === mtimeMs && !hasSidecar(path);
}

/** A log, or the journal of a change that was not finished. */
function hasSidecar(path: string): boolean {
  return existsSync(`${path}-wal`) || existsSync(`${path}-journal`);
}

function readOnce<T>(path: string, isInUse: boolean, read: (database: Database) => T): T | DatabaseProblem {
  let database: Database | undefined;
  try {
    // "immutable" looks for no log and makes none: right if there is none, and all that works on a read-only disk.
    database = isInUse
      ? new Database(path, { readonly: true, strict: true })
      : new Database(
          `file:${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}?immutable=1`,
          OPEN_URI | constants.SQLITE_OPEN_READONLY,
        );
    database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    // The file may come from anywhere: nothing its schema says is run.
    database.run('PRAGMA trusted_schema = OFF');

    return read(database);
  } catch (error) {
    if (error instanceof SQLiteError) return new DatabaseProblem(`${path}: ${explain(error)}`);
    throw error;
  } finally {
    database?.close();
  }
}
