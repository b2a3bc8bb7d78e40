/** Opens the database: pragmas, migrations, and a message an operator can act on for everything that can be wrong. */

import { Database, SQLiteError } from 'bun:sqlite';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { LockTaken, takeLock } from './lock.ts';
import { migrate } from './migrations.ts';
import { realPlace } from './places.ts';
import { giveUpSpareRoom } from './spare-room.ts';
import { WalSync } from './wal-sync.ts';

export interface DatabaseOptions {
  /** File path, or `:memory:`. */
  readonly path: string;
  /** SQLite's `synchronous`: `full` survives power loss, `normal` only a crash of the program. */
  readonly synchronous: 'full' | 'normal';
}

/** Why the database cannot be used. */
export class DatabaseProblem {
  constructor(
    readonly message: string,
    /** Whether it is for want of room on the disk. */
    readonly isFull = false,
  ) {}
}

export interface OpenDatabase {
  readonly database: Database;
  /** Makes commits safe from power loss; absent when that is not wanted, or there is no file. */
  readonly walSync: WalSync | undefined;
  close(): void;
}

/** How long a statement waits for another process that writes, e.g. a person with a shell. It blocks everything. */
const BUSY_MS = 100;

/** Opens it; on a full disk with the room that was put aside for that. */
export function openDatabase(options: DatabaseOptions): OpenDatabase | DatabaseProblem {
  const opened = openOnce(options);
  const isFull = opened instanceof DatabaseProblem && opened.isFull;

  return isFull && giveUpSpareRoom(options.path) ? openOnce(options) : opened;
}

function openOnce({ path: given, synchronous }: DatabaseOptions): OpenDatabase | DatabaseProblem {
  const path = given === ':memory:' ? given : realPlace(given);
  if (path !== ':memory:' && !existsSync(dirname(path))) {
    return new DatabaseProblem(
      `${path}: the directory ${dirname(path)} does not exist; create it, owned by the user who runs rtp-cluster`,
    );
  }
  let lock: Database | undefined;
  let database: Database | undefined;
  try {
    lock = path === ':memory:' ? undefined : takeLock(path);
    database = new Database(path, { create: true, strict: true });
    database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    database.run('PRAGMA journal_mode = WAL');
    // `full` is made of this and the WalSync.
    database.run('PRAGMA synchronous = NORMAL');
    database.run('PRAGMA foreign_keys = ON');
    database.run('PRAGMA temp_store = MEMORY');
    database.run('PRAGMA cache_size = -16000');
    const problem = migrate(database);
    if (problem === undefined) {
      // A read-only file opens without complaint; only a write tells.
      database.run('UPDATE migration SET idx = idx');
      const walSync = synchronous === 'full' && path !== ':memory:' ? new WalSync(path) : undefined;
      const [opened, held] = [database, lock];

      return {
        database,
        walSync,
        close() {
          walSync?.close();
          try {
            // So that the file alone is the whole database, for who copies it now.
            opened.run('PRAGMA wal_checkpoint(TRUNCATE)');
          } catch {
            // The log keeps what the file could not take; the next start reads both.
          }
          opened.close();
          held?.close();
        },
      };
    }
    database.close();
    lock?.close();

    return new DatabaseProblem(`${path}: ${problem}`);
  } catch (error) {
    database?.close();
    lock?.close();
    if (error instanceof LockTaken) {
      return new DatabaseProblem(
        `${path}: another rtp-cluster uses this database; stop it, or give this one a database.path of its own`,
      );
    }
    if (error instanceof SQLiteError)
      return new DatabaseProblem(`${path}: ${explain(error)}`, FULL.test(error.code ?? ''));
    throw error;
  }
}

/** Codes of a full disk; the second is that of the index of the log, which could not be made as long as it must be. */
const FULL = /^SQLITE_(FULL|IOERR_SHMSIZE)$/;

const EXPLANATIONS: readonly (readonly [RegExp, string])[] = [
  [/NOTADB/, 'this file is not an SQLite database; give another database.path or restore a backup'],
  [/CORRUPT/, 'the database is damaged; restore a backup, or move it away to start with an empty one'],
  [/FULL/, 'the disk is full; make room'],
  [
    /READONLY/,
    'the database cannot be written; check owner and mode of the file and its directory, and whether the file system is mounted read-only',
  ],
  [
    /CANTOPEN/,
    'the database cannot be opened; check owner and mode of the file and its directory, and whether the file system is mounted read-only',
  ],
  [/BUSY|LOCKED/, 'another process is writing to the database; stop it'],
  [/IOERR/, 'the disk gives input/output errors; look at the kernel log'],
];

/** An SQLite error in words that say what to do. */
export function explain(error: SQLiteError): string {
  const code = error.code ?? 'SQLITE_ERROR';
  const known = EXPLANATIONS.find(([pattern]) => pattern.test(code));

  return known === undefined ? `${error.message} (${code})` : `${known[1]} (${code})`;
}
