/** Brings samples into the database a few at a time, so that no call waits for them. */

import type { SampleRow } from '../store/sample-rows.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';

/** Rows written in one turn of the event loop: a millisecond or two. */
const SLICE = 50;
/** Time between two turns, ms: a thousand nodes take two seconds. */
const EVERY_MS = 100;
/** Rows that may wait; the newest are dropped beyond. */
const MAX_WAITING = 20_000;

export class SampleWriter {
  readonly counters = { written: 0, dropped: 0 };
  readonly #store: Pick<Store, 'writeSamples'>;
  readonly #clock: Clock;
  #waiting: SampleRow[] = [];
  #stopTimer: (() => void) | undefined;

  constructor(store: Pick<Store, 'writeSamples'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Rows that wait to be written. */
  get size(): number {
    return this.#waiting.length;
  }

  add(rows: readonly SampleRow[]): void {
    const taken = rows.slice(0, Math.max(0, MAX_WAITING - this.#waiting.length));
    this.counters.dropped += rows.length - taken.length;
    this.#waiting = [...this.#waiting, ...taken];
    if (this.#waiting.length > 0) this.#stopTimer ??= this.#clock.every(EVERY_MS, () => this.#write(SLICE));
  }

  /** Writes all that waits. */
  stop(): void {
    this.#write(MAX_WAITING);
  }

  #write(count: number): void {
    const rows = this.#waiting.splice(0, count);
    // What the disk does not take is dropped: it is for plots, and must not pile up.
    if (rows.length > 0) this.counters[this.#store.writeSamples(rows) ? 'written' : 'dropped'] += rows.length;
    if (this.#waiting.length > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}
