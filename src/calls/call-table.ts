/** The calls in memory: found by Call-ID, counted by node and set, bounded. */

import type { Call } from '../domain/call.ts';
import { endWord } from './ends.ts';

/**
 * How long an ended call stays in memory, ms: retransmitted BYEs and late requests come within 64*T1 of 32 s
 * (RFC 3261 section 17), and must not set off a search on all nodes.
 */
export const ENDED_MS = 64_000;
/** Ended calls in memory; the oldest go first. */
export const MAX_ENDED = 50_000;

export class CallTable {
  /** Calls that may live at a time. */
  readonly max: number;
  /** Calls that were added since the start, those that ended included. */
  begun = 0;
  /** Those that ended since, by the word of their reason. */
  readonly ends = new Map<string, number>();
  readonly #calls = new Map<string, Call>();
  readonly #ended = new Map<string, Call>();
  readonly #byNode = new Map<number, Load>();

  constructor(max: number) {
    this.max = max;
  }

  /** Calls that have not ended. */
  get size(): number {
    return this.#calls.size;
  }

  get isFull(): boolean {
    return this.#calls.size >= this.max;
  }

  /** A call that has not ended. */
  get(callId: string): Call | undefined {
    return this.#calls.get(callId);
  }

  /** A call that ended a short while ago. */
  getEnded(callId: string): Call | undefined {
    return this.#ended.get(callId);
  }

  /** How many calls that ended a short while ago are in memory. */
  get endedSize(): number {
    return this.#ended.size;
  }

  /** Calls that ended a short while ago. */
  ended(): IterableIterator<Call> {
    return this.#ended.values();
  }

  add(call: Call): void {
    this.begun++;
    this.#ended.delete(call.callId);
    this.#calls.set(call.callId, call);
    this.#count(call, 1);
  }

  /** Binds a call to a node, or moves it to another. */
  bind(call: Call, nodeId: number): void {
    if (call.nodeId === nodeId) return;
    this.#count(call, -1);
    call.nodeId = nodeId;
    this.#count(call, 1);
  }

  /** The node of a call has so many sessions for it now. */
  resize(call: Call, sessions: number): void {
    if (call.sessions === sessions) return;
    this.#count(call, -1);
    call.sessions = sessions;
    this.#count(call, 1);
  }

  /** Marks a call as ended. */
  end(call: Call, reason: string, now: number): void {
    const word = endWord(reason);
    this.ends.set(word, (this.ends.get(word) ?? 0) + 1);
    call.state = 'ended';
    call.endReason = reason;
    call.updatedAt = now;
    this.#count(call, -1);
    if (this.#calls.get(call.callId) === call) this.#calls.delete(call.callId);
    this.#ended.set(call.callId, call);
    if (this.#ended.size > MAX_ENDED) this.#dropOldestEnded();
  }

  /** A call that ended before this program started; to be added in the order of their ends. */
  addEnded(call: Call): void {
    this.#ended.set(call.callId, call);
  }

  /** A call that had ended goes on. */
  revive(call: Call): void {
    this.#ended.delete(call.callId);
    this.#calls.set(call.callId, call);
    this.#count(call, 1);
  }

  /** Calls a node has. */
  countOn(nodeId: number): number {
    return this.#byNode.get(nodeId)?.calls ?? 0;
  }

  /** Sessions a node has for these calls. */
  sessionsOn(nodeId: number): number {
    return this.#byNode.get(nodeId)?.sessions ?? 0;
  }

  values(): IterableIterator<Call> {
    return this.#calls.values();
  }

  /** Forgets calls that ended long enough ago. */
  forgetEnded(now: number): void {
    for (const call of this.#ended.values()) {
      if (call.updatedAt > now - ENDED_MS) return;
      this.#ended.delete(call.callId);
    }
  }

  #dropOldestEnded(): void {
    const oldest = this.#ended.keys().next().value;
    if (oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Counts a call on its node, or no more; one that has ended meanwhile counts nowhere. */
  #count(call: Call, change: 1 | -1): void {
    const { callId, nodeId, sessions } = call;
    if (nodeId === null || this.#calls.get(callId) !== call) return;
    const load = this.#byNode.get(nodeId) ?? { calls: 0, sessions: 0 };
    load.calls += change;
    load.sessions += change * sessions;
    if (load.calls === 0) this.#byNode.delete(nodeId);
    else this.#byNode.set(nodeId, load);
  }
}

/** What a node has. */
interface Load {
  calls: number;
  sessions: number;
}
