/** One process for each database: a lock file beside it that the kernel releases however the process ends. */

import { Database, SQLiteError } from 'bun:sqlite';
import { chownSync, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Another process has the database. */
export class LockTaken extends Error {}

/**
 * Takes the lock of the database at `path`. Throws `LockTaken`, and SQLite's errors.
 * @returns what holds it until it is closed
 */
export function takeLock(path: string): Database {
  const file = `${path}.lock`;
  const isNew = !existsSync(file);
  const lock = new Database(file, { create: true });
  try {
    // Made by root (a restore), it would keep out the service, which runs as the owner of the folder.
    if (isNew && process.geteuid?.() === 0) {
      const { uid, gid } = statSync(dirname(path));
      chownSync(file, uid, gid);
    }
    lock.run('PRAGMA busy_timeout = 0');
    lock.run('BEGIN EXCLUSIVE');

    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof SQLiteError && error.code?.startsWith('SQLITE_BUSY')) throw new LockTaken();
    throw error;
  }
}
