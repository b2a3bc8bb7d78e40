/** Backups: where they go, how they get there, and which of them are kept. */

import { lstatSync, readdirSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Copy, copyDatabase, removeCopy, removeLeft } from './copy.ts';
import { DatabaseProblem } from './open.ts';
import type { OnCopied } from './paced-copy.ts';
import { inWords, realPlace, syncFolder } from './places.ts';
import { isSame } from './restore.ts';

/** The name of a backup in a folder; the only names retention looks at. */
const NAME = /^rtp-cluster-\d{8}T\d{6}Z\.db$/;
/** What is written before it is good; the number is that of the process. */
const PARTIAL = /\.partial-\d+(-journal|-wal|-shm)?$/;

/** A backup that was made. */
export interface Backup extends Copy {
  readonly file: string;
  /** Older ones that were removed. */
  readonly removed: readonly string[];
  /** Why older ones could not be removed; undefined if all went well. */
  readonly trouble: string | undefined;
}

export interface BackupOrder {
  /** The database. */
  readonly path: string;
  /** A file, or a folder: one that exists, or a name that ends in `/`. */
  readonly target: string;
  /** How many to keep in the folder, the new one included; undefined for all. Needs a folder. */
  readonly keep: number | undefined;
  /** UTC ms. */
  readonly now: number;
  /** Hears how far the copy is. */
  readonly onCopied?: OnCopied;
}

/** A time as it stands in names of files: `20261123T021500Z`. */
export function stampOf(utcMs: number): string {
  return `${new Date(utcMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Whether a backup would be made under a name of ours in this place. */
export function isFolder(target: string): boolean {
  return target.endsWith('/') || statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Makes a backup. What stands at its place is replaced only when the new one is good and on disk. */
export function makeBackup({
  path: given,
  target,
  keep,
  now,
  onCopied,
}: BackupOrder): Backup | DatabaseProblem {
  const path = realPlace(given);
  const file = isFolder(target) ? join(target, `rtp-cluster-${stampOf(now)}.db`) : target;
  const folder = placeOf(file, path);
  if (folder instanceof DatabaseProblem) return folder;
  const partial = `${file}.partial-${process.pid}`;
  // Of a process that was killed and had our number: in containers they come again.
  removeCopy(partial);
  const copy = copyDatabase(path, partial, folder, onCopied);
  if (copy instanceof DatabaseProblem) return copy;
  try {
    renameSync(partial, file);
    syncFolder(dirname(file));
  } catch (error) {
    rmSync(partial, { force: true });

    return new DatabaseProblem(`${file}: ${inWords(error)}`);
  }

  return { ...copy, file, ...removeOld(file, isFolder(target) ? keep : undefined, now) };
}

/** The folder of a backup, or why it cannot be made there. */
function placeOf(file: string, path: string): Stats | DatabaseProblem {
  try {
    const folder = statSync(dirname(file), { throwIfNoEntry: false });
    if (folder?.isDirectory() !== true)
      return new DatabaseProblem(`${file}: the folder ${dirname(file)} does not exist; create it`);
    const present = lstatSync(file, { throwIfNoEntry: false });
    if (present !== undefined && !present.isFile())
      return new DatabaseProblem(`${file}: this is no ordinary file; name a file or a folder`);
    const own = ['', '-wal', '-shm', '-journal', '.lock'].map((suffix) => path + suffix);
    if (own.some((each) => resolve(each) === resolve(file) || isSame(each, file)))
      return new DatabaseProblem(`${file}: this is the database itself; name another file`);

    return folder;
  } catch (error) {
    return new DatabaseProblem(`${file}: ${inWords(error)}`);
  }
}

/** Removes older backups beside the new one, and parts that were left behind. */
function removeOld(file: string, keep: number | undefined, now: number): Pick<Backup, 'removed' | 'trouble'> {
  const folder = dirname(file);
  const removed: string[] = [];
  try {
    removeLeft(folder, now, (name) => {
      const base = name.replace(PARTIAL, '');

      return base !== name && (base === basename(file) || NAME.test(base));
    });
    const others = readdirSync(folder)
      .filter((name) => NAME.test(name) && name !== basename(file))
      .filter((name) => lstatSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
      .sort();
    // The new one counts, whatever the clock says.
    for (const name of keep === undefined ? [] : others.slice(0, Math.max(0, others.length - (keep - 1)))) {
      rmSync(join(folder, name), { force: true });
      removed.push(name);
    }

    return { removed, trouble: undefined };
  } catch (error) {
    return { removed, trouble: `${folder}: older backups could not be removed: ${inWords(error)}` };
  }
}
