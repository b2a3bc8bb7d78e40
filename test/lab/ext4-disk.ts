/** A small disk of its own, an image in a file, that can be frozen, broken and repaired under a program that writes to it. */

import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { mustRun } from './runs.ts';

/** Debian's for a disk, and a loop device. */
const OPTIONS = 'loop,errors=remount-ro';

export class Ext4Disk {
  readonly #image: string;
  readonly #at: string;

  /** Makes it and mounts it at `at`. */
  constructor(image: string, at: string, megabytes: number) {
    this.#image = image;
    this.#at = at;
    writeFileSync(image, '');
    truncateSync(image, megabytes * 1024 * 1024);
    // Without room kept for root, so that it is full for everybody at once.
    mustRun('mkfs.ext4', '-q', '-m', '0', image);
    mkdirSync(at, { recursive: true });
    this.#mount();
  }

  /** Lets everybody who writes wait; they cannot even be killed. */
  freeze(): void {
    mustRun('fsfreeze', '--freeze', this.#at);
  }

  thaw(): void {
    mustRun('fsfreeze', '--unfreeze', this.#at);
  }

  /** Lets the kernel find an error, so that it allows no writing any more. */
  break(): void {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const [device = ''] = mounts.map((line) => line.split(' ')).find(([, at]) => at === this.#at) ?? [];
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'broken by the lab');
  }

  /** Checks it and mounts it anew; when nobody uses it. */
  repair(): void {
    mustRun('umount', this.#at);
    // Its exit code says that there was something to repair.
    Bun.spawnSync(['fsck.ext4', '-f', '-y', this.#image]);
    this.#mount();
  }

  #mount(): void {
    mustRun('mount', '-o', OPTIONS, this.#image, this.#at);
  }
}
