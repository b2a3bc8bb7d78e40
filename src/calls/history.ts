/**
 * What was done for each call and why, for people who ask afterwards: every request with its timing, the nodes that were
 * considered, every try, the addresses in the SDP before and after. Kept in memory for a moment, then written in one row for
 * several requests, so that it costs the call path next to nothing. A crash may lose the last moments of it.
 */

import type { ErrorCode } from '../domain/errors.ts';
import type { Decision } from '../placement/choose.ts';
import type { RelayFailureKind } from '../relay/driver.ts';
import { addressesIn } from '../sdp/outline.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';

/** One try to hand an offer to a node. */
export interface Try {
  readonly node: number;
  readonly result: 'ok' | 'wrong-address' | 'still-deleting' | 'node-down' | RelayFailureKind;
  /** The relay's own words, or ours; '' if it worked. */
  readonly reason: string;
  readonly took_ms: number;
}

/** One request of a call, while it runs and after. */
export interface Step {
  /** UTC ms. */
  readonly at: number;
  /** What was asked: `offer`, `answer`, `delete`, `query`, the name of a command. */
  readonly operation: string;
  /** The SIP message behind it, as `INVITE` or `200 INVITE`; null if the client named the operation. */
  readonly message: string | null;
  took_ms: number;
  result: 'ok' | ErrorCode;
  /** Why it failed; '' if it did not. */
  reason: string;
  node: number | null;
  /** Sender's and reader's side, as `inner>outer`; null where there is no SDP. */
  sides: string | null;
  /** Why it was placed where it was; null if there was nothing to place. */
  decision: Decision | null;
  tries: Try[];
  /** Addresses the sender wrote and the reader got, as `audio 192.0.2.1:4000`. */
  received: readonly string[];
  returned: readonly string[];
}

/** A request begins. @param at UTC ms */
export function beginStep(at: number, operation: string, message: string | null = null): Step {
  return {
    at,
    operation,
    message,
    took_ms: 0,
    result: 'ok',
    reason: '',
    node: null,
    sides: null,
    decision: null,
    tries: [],
    received: [],
    returned: [],
  };
}

/** The SDP texts of a step, until somebody looks for their addresses. */
interface Texts {
  received: string;
  returned: string;
}

interface Waiting {
  readonly since: number;
  readonly steps: Step[];
}

/** How long steps wait for further ones of their call, ms, and how often we look. */
const WAIT_MS = 2000;
const TICK_MS = 50;
/** Calls that may wait; beyond, the oldest are written at once. */
const MAX_WAITING = 20_000;
/** Rows written at a time, so that nothing on the call path waits for it longer than a ms or two. */
const ROWS_AT_A_TIME = 100;
/** Steps of one call that wait: a client that repeats itself must not fill the memory. */
const MAX_STEPS = 64;

export class History {
  readonly counters = { rows: 0, droppedSteps: 0 };
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  readonly #texts = new WeakMap<Step, Texts>();
  readonly #stopTick: () => void;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#stopTick = clock.every(TICK_MS, () => this.#flush(clock.monotonic() - WAIT_MS));
  }

  /** The SDP of a step: as it came, and as it left. */
  note(step: Step, received: string, returned: string): void {
    this.#texts.set(step, { received, returned });
  }

  /** A request has ended. */
  add(callId: string, step: Step): void {
    const waiting = this.#waiting.get(callId);
    if (waiting === undefined) {
      this.#waiting.set(callId, { since: this.#clock.monotonic(), steps: [step] });
      if (this.#waiting.size > MAX_WAITING) this.#flush(Number.POSITIVE_INFINITY);
    } else if (waiting.steps.length < MAX_STEPS) waiting.steps.push(step);
    else this.counters.droppedSteps++;
  }

  /** All that is known of a call, oldest first. */
  of(callId: string): Step[] {
    const stored = this.#store.stepsOf(callId).flatMap((text): Step[] => JSON.parse(text));

    return [...stored, ...(this.#waiting.get(callId)?.steps ?? []).map((step) => this.#complete(step))];
  }

  /** Writes what waits. */
  stop(): void {
    this.#stopTick();
    while (this.#waiting.size > 0) this.#flush(Number.POSITIVE_INFINITY);
  }

  /** Writes some of the calls that wait since `before` (monotonic ms), oldest first. */
  #flush(before: number): void {
    let rows = 0;
    for (const [callId, { since, steps }] of this.#waiting) {
      if (since > before || rows >= ROWS_AT_A_TIME) break;
      rows++;
      this.#waiting.delete(callId);
      const complete = steps.map((step) => this.#complete(step));
      this.#store.noteSteps(callId, steps[0]?.at ?? 0, JSON.stringify(complete));
    }
    this.counters.rows += rows;
  }

  /** A step with the addresses of its SDP. */
  #complete(step: Step): Step {
    const texts = this.#texts.get(step);
    if (texts === undefined) return step;

    return {
      ...step,
      received: addressesIn(texts.received),
      returned: addressesIn(texts.returned),
    };
  }
}
