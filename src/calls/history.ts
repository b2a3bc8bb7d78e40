/**
 * What was done for each call and why, for people who ask afterwards: every request with its timing, the nodes that were
 * considered, every try, the SDP before and after. Kept in memory for a moment, then written in one row for
 * several requests, so that it costs the call path next to nothing. A crash may lose the last moments of it.
 */

import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { cutSdp, dropSdp, type Step, sdpLength } from './step.ts';
import { type NotedStep, noted, packSteps, unpackSteps } from './step-rows.ts';

interface Waiting {
  readonly since: number;
  readonly steps: Step[];
  /** Characters of SDP in the steps. */
  sdp: number;
}

/** How long steps wait for further ones of their call, ms, and how often we look. */
const WAIT_MS = 2000;
const TICK_MS = 50;
/** Calls that may wait; beyond, the oldest are written at once. */
const MAX_WAITING = 20_000;
/** Rows written at a time, and characters of SDP in them, so that nothing on the call path waits for it longer than a ms or two. */
const ROWS_AT_A_TIME = 100;
const SDP_AT_A_TIME = 524_288;
/** Steps of one call that wait: a client that repeats itself must not fill the memory. */
const MAX_STEPS = 64;
/** Characters of SDP that wait, of one call and of all; beyond, steps are noted without their SDP. */
const MAX_CALL_SDP = 131_072;
const MAX_ALL_SDP = 67_108_864;

/** What was done for one call. */
export interface CallHistory {
  /** Oldest first. */
  readonly steps: readonly NotedStep[];
  /** Whether there are too many to be told, so that some between the first ones and the newest are left out. */
  readonly isPartial: boolean;
}

/** Text read of one call, characters, which takes some 20 ms; a call of a day with all its re-INVITEs has less. */
const MAX_TEXT = 4_194_304;
/** What counts for a step besides its SDP, and for a damaged row: it may have taken long to find out. */
const STEP_TEXT = 1024;
const DAMAGED_TEXT = 262_144;

export class History {
  readonly counters = { rows: 0, droppedSteps: 0, cutSdp: 0, damagedRows: 0 };
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  readonly #stopTick: () => void;
  #sdp = 0;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#stopTick = clock.every(TICK_MS, () => this.#flush(clock.monotonic() - WAIT_MS));
  }

  /** A request has ended. */
  add(callId: string, step: Step): void {
    const waiting = this.#waiting.get(callId);
    if (waiting === undefined) {
      const begun = { since: this.#clock.monotonic(), steps: [], sdp: 0 };
      this.#waiting.set(callId, begun);
      this.#keep(begun, step);
      if (this.#waiting.size > MAX_WAITING) this.#flush(Number.POSITIVE_INFINITY);
    } else if (waiting.steps.length < MAX_STEPS) this.#keep(waiting, step);
    else this.counters.droppedSteps++;
  }

  /** What is known of a call. */
  of(callId: string): CallHistory {
    const { rows, isPartial } = this.#store.stepsOf(callId);
    const waiting = (this.#waiting.get(callId)?.steps ?? []).map(noted);
    const [first, ...others] = rows;
    const newest: NotedStep[][] = [waiting];
    let room = MAX_TEXT;
    for (const row of others.reverse()) {
      if (room <= 0) break;
      const steps = this.#unpack(row);
      room -= steps.reduce(
        (sum, step) => sum + STEP_TEXT + sdpLength(step),
        steps.length === 0 ? DAMAGED_TEXT : 0,
      );
      newest.push(steps);
    }
    const begin = first === undefined ? [] : this.#unpack(first);

    return {
      steps: [...begin, ...newest.reverse().flat()],
      isPartial: isPartial || newest.length <= others.length,
    };
  }

  /** Writes what waits. */
  stop(): void {
    this.#stopTick();
    while (this.#waiting.size > 0) this.#flush(Number.POSITIVE_INFINITY);
  }

  #unpack(row: Uint8Array | string): NotedStep[] {
    const steps = unpackSteps(row);
    if (steps === undefined) this.counters.damagedRows++;

    return steps ?? [];
  }

  #keep(waiting: Waiting, step: Step): void {
    cutSdp(step);
    const length = sdpLength(step);
    if (waiting.sdp + length > MAX_CALL_SDP || this.#sdp + length > MAX_ALL_SDP) dropSdp(step);
    if (step.is_sdp_cut) this.counters.cutSdp++;
    const kept = sdpLength(step);
    waiting.sdp += kept;
    this.#sdp += kept;
    waiting.steps.push(step);
  }

  /** Writes some of the calls that wait since `before` (monotonic ms), oldest first. */
  #flush(before: number): void {
    let rows = 0;
    let written = 0;
    for (const [callId, { since, steps, sdp }] of this.#waiting) {
      if (since > before || rows >= ROWS_AT_A_TIME || written >= SDP_AT_A_TIME) break;
      rows++;
      written += sdp;
      this.#sdp -= sdp;
      this.#waiting.delete(callId);
      this.#store.noteSteps(callId, steps[0]?.at ?? 0, packSteps(steps));
    }
    this.counters.rows += rows;
  }
}
