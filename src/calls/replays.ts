/** Answers given lately, for the same SIP message coming again: a proxy's other worker, or a retransmission. */

import type { Clock } from '../util/clock.ts';
import type { Relayed } from './facts.ts';

/** A SIP transaction's retransmissions end after 64*T1 (RFC 3261 section 17.1.1.2), ms. */
const KEEP_MS = 32_000;
/** Bytes of SDP kept at most; the oldest calls go first, and their repeated requests are then run again. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Requests of one call that are remembered. */
const MAX_PER_CALL = 4;

interface Replay {
  readonly same: string;
  readonly answer: Relayed;
  /** Monotonic ms. */
  readonly until: number;
}

export class Replays {
  /** Requests answered from here, and calls whose answers were forgotten before their time. */
  readonly counters = { replayed: 0, forgotten: 0 };
  readonly #clock: Clock;
  readonly #byCall = new Map<string, readonly Replay[]>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls with answers that are kept. */
  get size(): number {
    return this.#byCall.size;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get(callId: string, same: string): Relayed | undefined {
    const replay = this.#byCall.get(callId)?.find((known) => known.same === same);

    if (replay === undefined || replay.until <= this.#clock.monotonic()) return undefined;
    this.counters.replayed++;

    return replay.answer;
  }

  put(callId: string, same: string, answer: Relayed): void {
    const replay = { same, answer, until: this.#clock.monotonic() + KEEP_MS };
    const kept = [...(this.#byCall.get(callId) ?? []).filter((known) => known.same !== same), replay].slice(
      -MAX_PER_CALL,
    );
    // Forgotten first, so that the map stays in order of the last use.
    this.forget(callId);
    this.#byCall.set(callId, kept);
    this.#bytes += size(kept);
    for (const oldest of this.#byCall.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.counters.forgotten++;
      this.forget(oldest);
    }
  }

  forget(callId: string): void {
    const replays = this.#byCall.get(callId);
    if (replays === undefined) return;
    this.#byCall.delete(callId);
    this.#bytes -= size(replays);
  }

  /** Forgets what is too old to come again. */
  expire(): void {
    const now = this.#clock.monotonic();
    for (const [callId, replays] of this.#byCall) {
      if (replays.some(({ until }) => until > now)) return;
      this.forget(callId);
    }
  }
}

function size(replays: readonly Replay[]): number {
  return replays.reduce((sum, { same, answer }) => sum + same.length + answer.sdp.length, 0);
}
