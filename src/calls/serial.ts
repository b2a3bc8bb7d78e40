/** One request at a time per call, and the same request at the same time only once. */

import { Failure } from '../domain/errors.ts';

/** Requests that may wait for one call. A proxy retransmits, a broken script loops. */
const MAX_WAITING = 32;

interface Line {
  /** Ends when the last request in the line has ended. */
  tail: Promise<unknown>;
  /** Requests in the line, by what they ask; equal ones share one execution. */
  readonly running: Map<string, Promise<unknown>>;
}

export class Serial {
  /** Requests that shared the execution of an equal one, and those refused since too many waited for their call. */
  readonly counters = { shared: 0, refused: 0 };
  readonly #lines = new Map<string, Line>();

  /** Calls with a request under way. */
  get size(): number {
    return this.#lines.size;
  }

  /** Whether a request of the call is under way. */
  has(callId: string): boolean {
    return this.#lines.has(callId);
  }

  /**
   * Runs `work` when no earlier request of the call is under way.
   * @param same names what is asked; a request with the same name that has not ended yet lends its result
   */
  run<T>(callId: string, same: string, work: () => Promise<T>): Promise<T | Failure> {
    const line = this.#lines.get(callId);
    const twin = line?.running.get(same);
    // The name holds everything that decides the type of the result.
    if (twin !== undefined) {
      this.counters.shared++;

      return twin as Promise<T>;
    }
    if (line !== undefined && line.running.size >= MAX_WAITING) {
      this.counters.refused++;

      return Promise.resolve(
        new Failure('RTPC_BUSY', `${MAX_WAITING} requests wait for this call already; is a script looping?`),
      );
    }
    const owner: Line = line ?? { tail: Promise.resolve(), running: new Map() };
    if (line === undefined) this.#lines.set(callId, owner);
    const result = line === undefined ? work() : owner.tail.then(work, work);
    owner.running.set(same, result);
    const leave = (): void => {
      owner.running.delete(same);
      if (owner.running.size === 0) this.#lines.delete(callId);
    };
    owner.tail = result.then(leave, leave);

    return result;
  }
}
