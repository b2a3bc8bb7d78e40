/** How fast draining nodes become empty, as far as it can be told from the last minutes. */

import type { Clock } from '../util/clock.ts';
import type { Member } from './member.ts';

/** Time between two samples, ms, and how many are kept: they tell of the last three minutes. */
const SAMPLE_MS = 5000;
const MAX_SAMPLES = 36;
/** Nobody can tell a pace from less, ms. */
const LEAST_MS = 10_000;

/** How far the drain of a node is. */
export interface Progress {
  readonly callsLeft: number;
  /** Calls that ended per minute, to one decimal; null while it is too early to say. */
  readonly perMinute: number | null;
  /** Time until the last one ends at this pace, s; null if none ends. */
  readonly etaS: number | null;
}

interface Sample {
  /** Monotonic ms. */
  readonly at: number;
  readonly calls: number;
}

export class DrainPace {
  readonly #clock: Clock;
  /** Samples of each draining node, oldest first. */
  readonly #samples = new Map<number, Sample[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a sample of a draining node if it is time for one. */
  note({ id, calls }: Member): void {
    const at = this.#clock.monotonic();
    const samples = this.#samples.get(id) ?? [];
    const last = samples.at(-1);
    if (last !== undefined && at - last.at < SAMPLE_MS) return;
    samples.push({ at, calls });
    if (samples.length > MAX_SAMPLES) samples.shift();
    this.#samples.set(id, samples);
  }

  of({ id, calls: callsLeft }: Member): Progress {
    if (callsLeft === 0) return { callsLeft, perMinute: null, etaS: 0 };
    const first = this.#samples.get(id)?.[0];
    const passed = first === undefined ? 0 : this.#clock.monotonic() - first.at;
    if (first === undefined || passed < LEAST_MS) return { callsLeft, perMinute: null, etaS: null };
    // A set in panic gives a draining node new calls, so there may be more than before.
    const ended = Math.max(0, first.calls - callsLeft);

    return {
      callsLeft,
      perMinute: Math.round((ended * 600_000) / passed) / 10,
      etaS: ended === 0 ? null : Math.ceil((callsLeft * passed) / ended / 1000),
    };
  }

  forget(id: number): void {
    this.#samples.delete(id);
  }

  /** Forgets all nodes but these. */
  keep(isWanted: (id: number) => boolean): void {
    for (const id of this.#samples.keys()) if (!isWanted(id)) this.#samples.delete(id);
  }
}
