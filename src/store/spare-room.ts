/**
 * Room put aside beside the database. On a full disk SQLite cannot even be opened, so a program that was killed there could not
 * come back; with this room given up it can, and goes on from memory as it did before.
 */

import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { log } from '../util/log.ts';
import { inWords, realPlace } from './places.ts';

/** What a start needs, bytes: the index of the log, and a log that takes some commits. */
const SPARE = 1024 * 1024;
/** On a disk with less room than this, bytes, nothing is put aside: it would only be full earlier. */
const PLENTY = 64 * 1024 * 1024;

function spareOf(path: string): string {
  return `${realPlace(path)}.spare`;
}

/** Puts room aside for the database at `path`, if there is none and the disk has plenty. */
export function keepSpareRoom(path: string): void {
  const spare = spareOf(path);
  if (path === ':memory:' || existsSync(spare)) return;
  try {
    const { bavail, bsize } = statfsSync(dirname(spare));
    if (bavail * bsize < PLENTY) return;
    const file = openSync(spare, 'wx', 0o600);
    try {
      // Written, not only as long: a file of holes holds no room.
      writeSync(file, Buffer.alloc(SPARE, 1));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    log.warning('store.no_spare_room', { path: spare, cause: inWords(error) });
  }
}

/** Gives up what was put aside; whether there was anything. */
export function giveUpSpareRoom(path: string): boolean {
  const spare = spareOf(path);
  if (path === ':memory:' || !existsSync(spare)) return false;
  rmSync(spare, { force: true });
  log.error('store.spare_room_used', { path: spare, cause: 'the disk is full; make room' });

  return true;
}
