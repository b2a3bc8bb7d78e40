/** Files made and put in place so that a crash at any moment leaves the old or the new one; and what the system says. */

import { closeSync, fchownSync, fsyncSync, openSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user may not; check owner and mode of the file and its folder, or run it as root',
  EPERM: 'this user may not; check owner and mode of the file and its folder, or run it as root',
  EROFS: 'the file system is mounted read-only',
  ENOSPC: 'the disk is full; make room',
  EDQUOT: 'the disk quota is used up; make room',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EEXIST: 'there is such a file already',
  EIO: 'the disk gives input/output errors; look at the kernel log',
};

/** An error of the file system in words that say what to do. Throws it again if it is none. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  const code = String(error.code);

  return `${WORDS[code] ?? error.message} (${code})`;
}

/**
 * The file a path leads to, through symbolic links. SQLite puts the log beside that file, not beside the link: who looks
 * for the log, or for the lock, must look there.
 */
export function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // What is not there yet may have a link already.
    try {
      return resolve(dirname(path), readlinkSync(path));
    } catch {
      return path;
    }
  }
}

/** Waits until a folder's entries are on disk. */
export function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Gives an open file to the owner of something else, if we are root: no file of root's may stand in the service's way. */
export function ownLike(file: number, { uid, gid }: Pick<Stats, 'uid' | 'gid'>): void {
  if (process.geteuid?.() === 0) fchownSync(file, uid, gid);
}
