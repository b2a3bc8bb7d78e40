/**
 * Deletes that wait. An ng client ends a call when a gateway refuses it, and may still hand the same offer to the next one, whose answer
 * comes for the call it ended: rtpengine keeps calls for 30 s after their deletion, and scripts rely on it (reference: ng-protocol 8,
 * sip-proxies 7.5). Only calls that nobody has answered wait; for others the delete is a BYE.
 */

import type { Clock } from '../util/clock.ts';
import type { DeleteFacts } from './facts.ts';

/** Deletes that may wait; those beyond are done at once. */
export const MAX_POSTPONED = 20_000;
/** How often it is looked for those whose time has come, ms. */
const TICK_MS = 500;

interface Waiting {
  readonly facts: DeleteFacts;
  /** Monotonic ms. */
  readonly due: number;
}

export class Postponed {
  readonly #clock: Clock;
  readonly #run: (facts: DeleteFacts) => Promise<unknown>;
  readonly #waiting = new Map<string, Waiting>();
  #stopTimer: (() => void) | undefined;

  /** @param run does the delete when its time has come */
  constructor(clock: Clock, run: (facts: DeleteFacts) => Promise<unknown>) {
    this.#clock = clock;
    this.#run = run;
  }

  /** Deletes that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Lets a delete wait; one that waits already keeps its time. False if too many do. */
  put(facts: DeleteFacts, ms: number): boolean {
    const { callId } = facts;
    if (this.#waiting.has(callId)) return true;
    if (this.#waiting.size >= MAX_POSTPONED) return false;
    this.#waiting.set(callId, { facts, due: this.#clock.monotonic() + ms });
    this.#stopTimer ??= this.#clock.every(TICK_MS, () => this.#tick());

    return true;
  }

  /** The call goes on, or has ended: nothing waits for it any more. */
  cancel(callId: string): void {
    if (this.#waiting.delete(callId) && this.#waiting.size === 0) this.#stop();
  }

  /** Does all that waits, now, and ends when it is done. */
  async flush(): Promise<void> {
    await Promise.all(this.#doThose(() => true));
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    this.#doThose(({ due }) => due <= now);
  }

  #doThose(isDue: (waiting: Waiting) => boolean): Promise<unknown>[] {
    const done: Promise<unknown>[] = [];
    for (const [callId, waiting] of this.#waiting) {
      if (!isDue(waiting)) continue;
      this.#waiting.delete(callId);
      done.push(this.#run(waiting.facts));
    }
    if (this.#waiting.size === 0) this.#stop();

    return done;
  }

  #stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}
