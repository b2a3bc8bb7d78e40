/** How long commits take until they are on the disk, and how long what is in memory only has waited for one. */

import type { Clock } from '../util/clock.ts';
import { Histogram } from '../util/histogram.ts';
import { RecentMax } from '../util/recent-max.ts';

/** A commit that has begun. */
export interface Commit {
  /** Monotonic ms. */
  readonly begun: number;
  /** When the oldest change in it was noted, monotonic ms. */
  readonly since: number;
}

export class CommitTimes {
  /** Of those that came to the disk. */
  readonly histogram = new Histogram();
  readonly #clock: Clock;
  readonly #recent = new RecentMax();
  /** When the oldest change was noted that is in no commit yet, monotonic ms. */
  #waitsSince: number | undefined;
  /** Written, and on their way to the disk; in their order. */
  readonly #underWay = new Set<Commit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The longest of the last 15 to 30 s, s. */
  get slowest(): number {
    return this.#recent.read(this.#clock.monotonic());
  }

  /** How long the oldest change that is not on the disk has waited, s; 0 if there is none. */
  get lag(): number {
    const [first] = this.#underWay;
    const since = first?.since ?? this.#waitsSince;

    return since === undefined ? 0 : (this.#clock.monotonic() - since) / 1000;
  }

  /** There is something to write. */
  noted(): void {
    this.#waitsSince ??= this.#clock.monotonic();
  }

  begin(): Commit {
    const begun = this.#clock.monotonic();
    const commit = { begun, since: this.#waitsSince ?? begun };
    this.#waitsSince = undefined;
    this.#underWay.add(commit);

    return commit;
  }

  /** It is on the disk. */
  end(commit: Commit): void {
    this.#underWay.delete(commit);
    const now = this.#clock.monotonic();
    const seconds = (now - commit.begun) / 1000;
    this.histogram.add(seconds);
    this.#recent.add(seconds, now);
  }

  /** It did not get there: what was in it waits again. */
  fail(commit: Commit): void {
    this.#underWay.delete(commit);
    this.#waitsSince = Math.min(commit.since, this.#waitsSince ?? commit.since);
  }
}
