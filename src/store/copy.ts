/** Copies a database while it is in use, and believes the copy only when it has read it. */

import { SQLiteError } from 'bun:sqlite';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, rmSync, type Stats } from 'node:fs';
import { type Counts, complaintsOf, countsOf, ourStanding } from './inspect.ts';
import { DatabaseProblem, explain } from './open.ts';
import { copyPaced } from './paced-copy.ts';
import { inWords, ownLike } from './places.ts';
import { readDatabase } from './reading.ts';

/** A copy that is whole and on disk. */
export interface Copy extends Counts {
  readonly bytes: number;
  /** Tags of the migrations it lacks: it was written by an older version. */
  readonly pending: readonly string[];
}

/**
 * Copies the database at `from` to `to`, a file that does not exist yet, as of one moment; mode 0600, and as root with the
 * given owner. The copy stands alone: it has no log. On failure there is no file.
 */
export function copyDatabase(
  from: string,
  to: string,
  owner: Pick<Stats, 'uid' | 'gid'>,
): Copy | DatabaseProblem {
  let file: number | undefined;
  try {
    // Opened by us first, and kept: what we sync and give away is what we made, whoever may write to that folder.
    file = openSync(to, 'wx', 0o600);
    const copy = fill(from, to, file);
    if (!(copy instanceof DatabaseProblem)) {
      ownLike(file, owner);
      fsyncSync(file);

      return { ...copy, bytes: fstatSync(file).size };
    }
    removeCopy(to);

    return copy;
  } catch (error) {
    if (file !== undefined) removeCopy(to);

    return new DatabaseProblem(`${to}: ${inWords(error)}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Removes a copy, and what SQLite leaves beside one it could not finish. */
export function removeCopy(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

function fill(from: string, to: string, file: number): Omit<Copy, 'bytes'> | DatabaseProblem {
  const problem = readDatabase(from, (database, hasLog) => {
    const standing = ourStanding(database);
    if (typeof standing === 'string') return new DatabaseProblem(`${from}: ${standing}`);
    try {
      // What an earlier try has written.
      ftruncateSync(file);
      if (hasLog) copyPaced(database, from, to, file);
      else database.run('VACUUM INTO ?', [to]);
    } catch (error) {
      // Of damage the source is to blame, of anything else the copy.
      if (!(error instanceof SQLiteError) || /CORRUPT|NOTADB/.test(error.code ?? '')) throw error;

      return new DatabaseProblem(`${to}: ${explain(error)}`);
    }

    return undefined;
  });
  if (problem !== undefined) return problem;

  return readDatabase(to, (database) => {
    const [complaint] = complaintsOf(database, 'quick');
    if (complaint !== undefined) return new DatabaseProblem(`${from}: its copy is damaged: ${complaint}`);
    const standing = ourStanding(database);
    if (typeof standing === 'string') return new DatabaseProblem(`${to}: ${standing}`);

    return { ...countsOf(database), pending: standing.pending.map(({ tag }) => tag) };
  });
}
