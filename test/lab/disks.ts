/** Small disks that are mounted for a test, and how to fill them. */

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './processes.ts';
import { command } from './runs.ts';

export const isRoot = process.getuid?.() === 0;
/** Why nothing can be mounted here; undefined if it can. */
export const whyNoMount =
  isRoot && Bun.which('mount') !== null ? mountProblem() : 'mounting a small disk needs root';
const mounts: string[] = [];

function mountProblem(): string | undefined {
  const folder = temporaryFolder();
  const { code, text } = command('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder);
  if (code === 0) command('umount', folder);

  return code === 0 ? undefined : text;
}

/** A disk in memory. */
export function smallDisk(megabytes = 4): string {
  const folder = join(temporaryFolder(), 'disk');
  mkdirSync(folder);
  const { code, text } = command('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder);
  if (code !== 0) throw new Error(`cannot mount a small disk: ${text}`);
  mounts.push(folder);

  return folder;
}

export function unmountAll(): void {
  for (const folder of mounts.splice(0)) command('umount', '-l', folder);
}

/** Takes all the room that is left. */
export function fill(folder: string): void {
  const file = openSync(join(folder, 'filler'), 'a');
  try {
    for (const size of [65_536, 1024, 1]) writeUntilFull(file, Buffer.alloc(size, 1));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    while (writeSync(file, block) === block.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
