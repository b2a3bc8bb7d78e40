/** Removes what is older than it has to be kept, or too much, a slice at a time. */

import type { CallRows } from './call-rows.ts';
import type { EventRows } from './event-rows.ts';
import type { SampleRows } from './sample-rows.ts';
import type { TraceRows } from './trace-rows.ts';

export interface RetentionLimits {
  /** How long ended calls are kept, ms. */
  readonly endedCallMs: number;
  readonly maxEndedCalls: number;
  readonly eventMs: number;
  readonly maxEvents: number;
  /** How long what was done for a call is kept, ms, and how many rows of it at most. */
  readonly traceMs: number;
  readonly maxTraces: number;
}

/** Rows removed per turn, so that nothing on the call path waits for it longer than some ms. */
const ROWS = 200;
/** How often ended calls are counted, ms; it takes some ms when there are many. */
const COUNT_MS = 10_000;

export interface RetentionParts {
  readonly calls: CallRows;
  readonly events: EventRows;
  readonly traces: TraceRows;
  readonly samples: SampleRows;
}

export class Retention {
  readonly #parts: RetentionParts;
  /** When ended calls were last counted, and the end (UTC ms) before which there are too many. */
  #countedAt = 0;
  #excess = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Removes a slice of everything; in one transaction, which its caller opens. @param now UTC ms */
  prune(now: number, limits: RetentionLimits): void {
    const { calls, events, traces, samples } = this.#parts;
    if (now - this.#countedAt > COUNT_MS) {
      this.#countedAt = now;
      this.#excess = calls.endOfNewest(limits.maxEndedCalls);
    }
    calls.prune(Math.max(now - limits.endedCallMs, this.#excess), ROWS);
    events.prune(now - limits.eventMs, limits.maxEvents, ROWS);
    traces.prune(now - limits.traceMs, limits.maxTraces, ROWS);
    samples.pruneGone(ROWS);
  }
}
