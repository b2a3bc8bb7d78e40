/** Copies a database while it is in use, and believes the copy only when it has read it. */

import { SQLiteError } from 'bun:sqlite';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Counts, complaintsOf, countsOf, ourStanding } from './inspect.ts';
import { DatabaseProblem, explain } from './open.ts';
import { copyPaced, type OnCopied } from './paced-copy.ts';
import { inWords, ownLike, realPlace } from './places.ts';
import { readDatabase } from './reading.ts';

/** What a copy leaves of a disk, bytes: a service that writes there must not lose its commits to it. */
const RESERVE = 16 * 1024 * 1024;

/** What nobody has written to for so long was left by a copy that was killed, ms. */
const LEFT_MS = 3_600_000;

/** A copy that is whole and on disk. */
export interface Copy extends Counts {
  readonly bytes: number;
  /** Tags of the migrations it lacks: it was written by an older version. */
  readonly pending: readonly string[];
}

/**
 * Copies the database at `source` to `to`, a file that does not exist yet, as of one moment; mode 0600, and as root with the
 * given owner. The copy stands alone: it has no log. On failure there is no file.
 */
export function copyDatabase(
  source: string,
  to: string,
  owner: Pick<Stats, 'uid' | 'gid'>,
  onCopied?: OnCopied,
): Copy | DatabaseProblem {
  const from = realPlace(source);
  let file: number | undefined;
  try {
    // Opened by us first, and kept: what we sync and give away is what we made, whoever may write to that folder.
    file = openSync(to, 'wx', 0o600);
    const copy = lackOfRoom(from, to) ?? fill(from, to, file, onCopied);
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

function lackOfRoom(from: string, to: string): DatabaseProblem | undefined {
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const { bavail, bsize, blocks } = statfsSync(dirname(to));
  const isShared = statSync(from, { throwIfNoEntry: false })?.dev === statSync(dirname(to)).dev;
  // While a log is moved into its file, it is there twice.
  const wanted = sizeOf(from) + 2 * sizeOf(`${from}-wal`) + (isShared ? RESERVE : 0);
  // No blocks at all are those of a file system that does not count.
  if (blocks === 0 || bavail * bsize >= wanted) return undefined;
  const [need, free] = [wanted, bavail * bsize].map((bytes) => `${Math.round(bytes / 1_000_000)} MB`);

  return new DatabaseProblem(
    `${dirname(to)}: its disk has ${free} left, and a copy wants up to ${need}${isShared ? ', with some that stays free for the service' : ''}; make room`,
  );
}

/** Removes a copy, and what SQLite leaves beside one it could not finish. */
export function removeCopy(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) {
    // On a read-only disk even the removal of nothing fails.
    if (existsSync(path + suffix)) rmSync(path + suffix, { force: true });
  }
}

/**
 * Removes what copies left in a folder that were killed: files nobody has written to for an hour.
 * @param now UTC ms
 * @param isOurs tells names of unfinished copies from all others
 */
export function removeLeft(folder: string, now: number, isOurs: (name: string) => boolean): void {
  for (const name of readdirSync(folder).filter(isOurs)) {
    const stats = lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (stats?.isFile() && now - stats.mtimeMs > LEFT_MS) rmSync(join(folder, name), { force: true });
  }
}

function fill(
  from: string,
  to: string,
  file: number,
  onCopied?: OnCopied,
): Omit<Copy, 'bytes'> | DatabaseProblem {
  const problem = readDatabase(from, (database, hasLog) => {
    const standing = ourStanding(database);
    if (typeof standing === 'string') return new DatabaseProblem(`${from}: ${standing}`);
    try {
      // What an earlier try has written.
      ftruncateSync(file);
      if (hasLog) copyPaced(database, from, to, file, onCopied);
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
