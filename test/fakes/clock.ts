/** A clock that stands still until told. */

import type { Clock } from '../../src/util/clock.ts';

export class FakeClock implements Clock {
  now = 1_000_000;
  /** How far somebody has set the UTC clock forward, ms; no time passes by it. */
  utcStep = 0;
  readonly #timers = new Set<{ readonly ms: number; readonly run: () => void; next: number }>();
  readonly #waiting = new Set<{ readonly at: number; readonly wake: () => void }>();

  /** Timers that run. */
  get timers(): number {
    return this.#timers.size;
  }

  monotonic(): number {
    return this.now;
  }

  utc(): number {
    return 1_800_000_000_000 + this.now + this.utcStep;
  }

  every(ms: number, run: () => void): () => void {
    const timer = { ms, run, next: this.now + ms };
    this.#timers.add(timer);

    return () => this.#timers.delete(timer);
  }

  /** Resolves when the clock has come to `at` (monotonic ms). */
  until(at: number): Promise<void> {
    if (at <= this.now) return Promise.resolve();

    return new Promise((wake) => this.#waiting.add({ at, wake }));
  }

  /** Lets time pass, event by event; whatever an event sets off is done before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const times = [...[...this.#timers].map(({ next }) => next), ...[...this.#waiting].map(({ at }) => at)];
      const next = Math.min(...times);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      for (const timer of [...this.#timers]) {
        if (timer.next > this.now || !this.#timers.has(timer)) continue;
        timer.next += timer.ms;
        timer.run();
      }
      for (const waiting of [...this.#waiting]) {
        if (waiting.at > this.now) continue;
        this.#waiting.delete(waiting);
        waiting.wake();
      }
      await settle();
    }
    this.now = end;
    await settle();
  }
}

/** Lets everything run that waits for no clock: promises, and the commit at the end of a turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done));
}
