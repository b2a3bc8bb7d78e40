/**
 * Calls that may be left on a node: an offer whose outcome nobody knows, or which failed in a way that leaves a call
 * behind (reference: ng-protocol 3.1), a delete nobody answered. The node is told to delete until it answers; one that is down
 * is told when it is back.
 */

import type { Fleet } from '../fleet/fleet.ts';
import { RelayFailure } from '../relay/driver.ts';
import type { Store } from '../store/store.ts';
import type { Stray } from '../store/stray-rows.ts';
import { after, type Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';

/** Time one delete may take, and the first pause after it failed, ms; the pause doubles up to the last. */
const TRY_MS = 500;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;
/**
 * "I do not know this call" is believed this long after the offer, or after the node came back, ms: the offer itself may have
 * been delayed, or may wait in the node's socket.
 */
const DOUBT_MS = 2000;
/** Of all nodes together; the oldest are dropped first, and end by the relay's own timers. */
const MAX_STRAYS = 10_000;
/** A node that was removed, and is dead, is told no more after this time, ms: nobody brings it back as what it was. */
const REMOVED_MS = 3_600_000;
const MAX_IN_FLIGHT_PER_NODE = 8;
const TICK_MS = 250;

interface Entry {
  stray: Stray;
  /** Monotonic ms: until then "unknown call" proves nothing. */
  doubtUntil: number;
  nextAt: number;
  pause: number;
  inFlight: Promise<void> | undefined;
}

export class Strays {
  readonly counters = { settled: 0, dropped: 0 };
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** Entries of each node that has any. */
  readonly #perNode = new Map<number, number>();
  readonly #inFlight = new Map<number, number>();
  readonly #stopTick: () => void;
  #isStopped = false;

  constructor(fleet: Fleet, store: Store, clock: Clock) {
    this.#fleet = fleet;
    this.#store = store;
    this.#clock = clock;
    fleet.isNeeded = (nodeId) => this.concerns(nodeId);
    for (const stray of store.loadStrays()) this.#enter(stray, clock.monotonic());
    this.#stopTick = clock.every(TICK_MS, () => this.#tick());
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a node still has to be told to delete this call. */
  has(nodeId: number, callId: string): boolean {
    return this.#entries.has(key(nodeId, callId));
  }

  /** What a node still has to be told to delete of this call. */
  get(nodeId: number, callId: string): Stray | undefined {
    return this.#entries.get(key(nodeId, callId))?.stray;
  }

  /** Whether a node still has to be told something. */
  concerns(nodeId: number): boolean {
    return this.#perNode.has(nodeId);
  }

  /**
   * Tells a node to delete a call, now and until it answers.
   * @param memo what the driver remembers of the call
   */
  add(nodeId: number, callId: string, memo: string | null = null): void {
    const now = this.#clock.monotonic();
    const stray = { nodeId, callId, since: this.#clock.utc(), memo };
    const entry = this.#enter(stray, now + DOUBT_MS);
    entry.stray = stray;
    entry.doubtUntil = now + DOUBT_MS;
    // Stored at once: a crash in the next moments must not leave the call to the relay's own time-out.
    this.#store.noteStray(entry.stray, false);
    if (this.#mayAsk(nodeId)) entry.inFlight ??= this.#attempt(entry);
  }

  /** A node answers again: tells it at once what it missed. */
  hurry(nodeId: number): void {
    void this.#tellAll(nodeId, this.#clock.monotonic() + DOUBT_MS);
  }

  /** A relay has restarted, and all that waited for it is gone: it is told once more, and whatever it says settles it. */
  restarted(nodeId: number): void {
    void this.#tellAll(nodeId, this.#clock.monotonic());
  }

  /**
   * Before the same Call-ID is offered to a node anew: makes sure that no delete can hit the new call.
   * @param deadline monotonic ms
   * @returns whether it is safe to offer
   */
  async claim(nodeId: number, callId: string, deadline: number): Promise<boolean> {
    const entry = this.#entries.get(key(nodeId, callId));
    if (entry === undefined) return true;
    if (entry.inFlight !== undefined) {
      await Promise.race([entry.inFlight, after(this.#clock, deadline - this.#clock.monotonic())]);
      // Still under way: it may hit whatever is offered now, and it must go on until it is answered.
      if (entry.inFlight !== undefined) return false;
    }
    this.#remove(entry);

    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTick();
  }

  #enter(stray: Stray, doubtUntil: number): Entry {
    const name = key(stray.nodeId, stray.callId);
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const oldest = this.#entries.values().next().value;
    if (this.#entries.size >= MAX_STRAYS && oldest !== undefined) this.#drop(oldest, 'there are too many');
    const entry: Entry = {
      stray,
      doubtUntil,
      nextAt: this.#clock.monotonic(),
      pause: FIRST_PAUSE_MS,
      inFlight: undefined,
    };
    this.#entries.set(name, entry);
    this.#perNode.set(stray.nodeId, (this.#perNode.get(stray.nodeId) ?? 0) + 1);

    return entry;
  }

  /** Tells a node all it has to be told, as fast as it answers. */
  async #tellAll(nodeId: number, doubtUntil: number): Promise<void> {
    const entries = [...this.#entries.values()].filter(({ stray }) => stray.nodeId === nodeId);
    for (const entry of entries) {
      entry.doubtUntil = doubtUntil;
      entry.nextAt = this.#clock.monotonic();
      entry.pause = FIRST_PAUSE_MS;
    }
    for (let from = 0; from < entries.length && this.#mayAsk(nodeId); from += MAX_IN_FLIGHT_PER_NODE) {
      const some = entries
        .slice(from, from + MAX_IN_FLIGHT_PER_NODE)
        .filter((entry) => this.#isCurrent(entry) && entry.nextAt <= this.#clock.monotonic());
      await Promise.all(
        some.map((entry) => {
          entry.inFlight ??= this.#attempt(entry);

          return entry.inFlight;
        }),
      );
    }
  }

  /** Whether it is still to be told: the Call-ID may have been claimed for a new call meanwhile. */
  #isCurrent(entry: Entry): boolean {
    return this.#entries.get(key(entry.stray.nodeId, entry.stray.callId)) === entry;
  }

  /** A node that is known to be dead is not asked: it is told when it is back. */
  #mayAsk(nodeId: number): boolean {
    return !this.#isStopped && this.#fleet.get(nodeId)?.verdict('end') !== 'later';
  }

  async #attempt(entry: Entry): Promise<void> {
    const { stray } = entry;
    const { nodeId, callId, memo } = stray;
    const member = this.#fleet.get(nodeId);
    if (member === undefined) {
      this.#remove(entry);

      return;
    }
    this.#inFlight.set(nodeId, (this.#inFlight.get(nodeId) ?? 0) + 1);
    const result = await member.driver.delete({ callId, memo }, this.#clock.monotonic() + TRY_MS);
    this.#inFlight.set(nodeId, (this.#inFlight.get(nodeId) ?? 1) - 1);
    entry.inFlight = undefined;
    const now = this.#clock.monotonic();
    const isAnswered = !(result instanceof RelayFailure) || (!result.isUncertain && result.kind !== 'busy');
    const isFound = !(result instanceof RelayFailure) && result.found;
    // More may have been left meanwhile than the node was told of.
    if (entry.stray !== stray) entry.nextAt = now;
    else if (isFound || (isAnswered && now >= entry.doubtUntil)) {
      this.counters.settled++;
      this.#remove(entry);
    } else if (isAnswered) {
      entry.nextAt = entry.doubtUntil;
    } else {
      entry.nextAt = now + entry.pause;
      entry.pause = Math.min(entry.pause * 2, LAST_PAUSE_MS);
    }
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const forgotten = this.#clock.utc() - REMOVED_MS;
    for (const entry of this.#entries.values()) {
      const { nodeId } = entry.stray;
      const removedAt = this.#fleet.get(nodeId)?.removedAt ?? null;
      if (removedAt !== null && Math.max(removedAt, entry.stray.since) < forgotten)
        this.#drop(entry, 'its node was removed long ago');
      else if (
        entry.inFlight === undefined &&
        entry.nextAt <= now &&
        (this.#inFlight.get(nodeId) ?? 0) < MAX_IN_FLIGHT_PER_NODE &&
        this.#mayAsk(nodeId)
      ) {
        entry.inFlight = this.#attempt(entry);
      }
    }
  }

  #drop(entry: Entry, why: string): void {
    this.counters.dropped++;
    log.warning('stray.dropped', { node: entry.stray.nodeId, call_id: entry.stray.callId, why });
    this.#remove(entry);
  }

  #remove(entry: Entry): void {
    const { nodeId, callId } = entry.stray;
    if (!this.#isCurrent(entry)) return;
    this.#entries.delete(key(nodeId, callId));
    this.#store.noteStray(entry.stray, true);
    const left = (this.#perNode.get(nodeId) ?? 1) - 1;
    if (left > 0) {
      this.#perNode.set(nodeId, left);

      return;
    }
    this.#perNode.delete(nodeId);
    // A removed node goes with the last it had to be told.
    const member = this.#fleet.get(nodeId);
    if (member !== undefined && member.removedAt !== null && member.calls === 0) this.#fleet.remove(nodeId);
  }
}

function key(nodeId: number, callId: string): string {
  return `${nodeId} ${callId}`;
}
