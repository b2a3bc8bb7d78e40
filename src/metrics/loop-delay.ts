/** How late the event loop is: what a request waits for before anybody looks at it. Measured by a timer that should come on time. */

import type { Clock } from '../util/clock.ts';
import { Histogram } from '../util/histogram.ts';
import { RecentMax } from '../util/recent-max.ts';

/** How often it is looked at, ms; what holds the loop up for less is mostly not seen. */
export const EVERY_MS = 20;
/** s. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

export class LoopDelay {
  readonly histogram = new Histogram(BOUNDS);
  readonly #clock: Clock;
  readonly #recent = new RecentMax();
  readonly #stop: () => void;
  /** When the timer last came, monotonic ms. */
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.monotonic();
    this.#stop = clock.every(EVERY_MS, () => this.#look());
  }

  /** The longest of the last 15 to 30 s, s. */
  get max(): number {
    return this.#recent.read(this.#clock.monotonic());
  }

  stop(): void {
    this.#stop();
  }

  #look(): void {
    const now = this.#clock.monotonic();
    const seconds = Math.max(0, now - this.#at - EVERY_MS) / 1000;
    this.#at = now;
    this.histogram.add(seconds);
    this.#recent.add(seconds, now);
  }
}
