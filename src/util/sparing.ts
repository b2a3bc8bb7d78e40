/** For lines and events that strangers can cause: a few each minute, and a count of the rest. */

import type { Clock } from './clock.ts';

const MINUTE_MS = 60_000;

export class Sparing {
  readonly #clock: Clock;
  readonly #perMinute: number;
  #since = -Infinity;
  #passed = 0;
  #keptBack = 0;

  /** @param perMinute how many pass in a minute */
  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** How many were kept back since the last that passed; undefined if this one is kept back too. */
  pass(): number | undefined {
    const now = this.#clock.monotonic();
    if (now - this.#since >= MINUTE_MS) {
      this.#since = now;
      this.#passed = 0;
    }
    if (this.#passed >= this.#perMinute) {
      this.#keptBack++;

      return undefined;
    }
    this.#passed++;
    const keptBack = this.#keptBack;
    this.#keptBack = 0;

    return keptBack;
  }
}
