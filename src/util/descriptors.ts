/** How many file descriptors the process has open: each connection is one, and without one nothing new can be opened. */

import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import { log } from './log.ts';

/** How often they are counted, ms. */
export const COUNT_MS = 5000;
/** From this share of the limit on it is told, in the log at most so often, ms. */
const MANY = 0.9;
const TELL_MS = 60_000;

export interface DescriptorParts {
  readonly clock: Clock;
  /** What is open, one entry for each; rejects with EMFILE if that is too many already. */
  readonly list?: () => Promise<readonly string[]>;
  /** How many there may be; infinite if nobody says. */
  readonly limit?: number;
}

export class Descriptors {
  readonly #list: () => Promise<readonly string[]>;
  /** How many there may be; infinite if nobody says. */
  readonly limit: number;
  /** How many there were when they were last counted. */
  open = 0;
  readonly #clock: Clock;
  readonly #stop: () => void;
  #note = '';
  #isCounting = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ clock, list = () => readdir('/proc/self/fd'), limit = limitOfProcess() }: DescriptorParts) {
    this.#list = list;
    this.limit = limit;
    this.#clock = clock;
    this.#stop = clock.every(COUNT_MS, () => void this.#count());
  }

  /** What a person should know, for the line of status; '' while there are enough. */
  get note(): string {
    return this.#note;
  }

  stop(): void {
    this.#stop();
  }

  async #count(): Promise<void> {
    if (this.#isCounting) return;
    this.#isCounting = true;
    const open = await this.#list().then(
      ({ length }) => length,
      // Anything else, such as a host without /proc, says nothing.
      (error: unknown) => (isTooMany(error) ? this.limit : 0),
    );
    this.#isCounting = false;
    this.open = open;
    const isMany = open >= MANY * this.limit;
    this.#note = isMany ? `${open} of ${this.limit} file descriptors in use` : '';
    const now = this.#clock.monotonic();
    if (!isMany || now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    log.warning('process.descriptors', { open, limit: this.limit });
  }
}

function isTooMany(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

/** The soft limit as the kernel shows it. */
function limitOfProcess(): number {
  try {
    const text = readFileSync('/proc/self/limits', 'latin1');

    return Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
