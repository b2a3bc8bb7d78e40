/** The largest value of the last moments, for several readers: reading it changes nothing. */

/** It covers this time at least and twice this time at most, ms. */
const WINDOW_MS = 15_000;

export class RecentMax {
  #window = Number.NEGATIVE_INFINITY;
  #here = 0;
  #before = 0;

  /** @param now monotonic ms */
  add(value: number, now: number): void {
    this.#turn(now);
    if (value > this.#here) this.#here = value;
  }

  /** 0 if there was none. @param now monotonic ms */
  read(now: number): number {
    this.#turn(now);

    return Math.max(this.#here, this.#before);
  }

  #turn(now: number): void {
    const window = Math.floor(now / WINDOW_MS);
    if (window === this.#window) return;
    this.#before = window === this.#window + 1 ? this.#here : 0;
    this.#here = 0;
    this.#window = window;
  }
}
