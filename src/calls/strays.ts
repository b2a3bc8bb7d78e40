/**
 * Calls that may be left on a node: an offer whose outcome nobody knows, or which failed in a way that leaves a call
 * behind (reference: ng-protocol 3.1). The node is told to delete until it answers.
 */

import type { Fleet } from '../fleet/fleet.ts';
import { RelayFailure } from '../relay/driver.ts';
import type { Store, Stray } from '../store/store.ts';
import { after, type Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';

/** Time one delete may take, and the first pause after it failed, ms; the pause doubles up to the last. */
const TRY_MS = 500;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;
/** "I do not know this call" is believed this long after the offer, ms: the offer itself may have been delayed. */
const DOUBT_MS = 2000;
/** Relays end unanswered calls themselves after an hour at the latest (`offer-timeout`), so there is nothing left then. */
const MAX_AGE_MS = 3_600_000;
const MAX_STRAYS = 10_000;
const MAX_IN_FLIGHT_PER_NODE = 8;
const TICK_MS = 250;

interface Entry {
  readonly stray: Stray;
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
  readonly #inFlight = new Map<number, number>();
  readonly #stopTick: () => void;

  constructor(fleet: Fleet, store: Store, clock: Clock) {
    this.#fleet = fleet;
    this.#store = store;
    this.#clock = clock;
    for (const stray of store.loadStrays()) this.#enter(stray, clock.monotonic());
    this.#stopTick = clock.every(TICK_MS, () => this.#tick());
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a node still has to be told something. */
  concerns(nodeId: number): boolean {
    return [...this.#entries.values()].some(({ stray }) => stray.nodeId === nodeId);
  }

  /** Tells a node to delete a call, now and until it answers. */
  add(nodeId: number, callId: string): void {
    const now = this.#clock.monotonic();
    const entry = this.#enter({ nodeId, callId, since: this.#clock.utc() }, now + DOUBT_MS);
    entry.doubtUntil = now + DOUBT_MS;
    // Stored at once: a crash in the next moments must not leave the call to the relay's own time-out.
    this.#store.noteStray(entry.stray, false);
    entry.inFlight ??= this.#attempt(entry);
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

    return entry;
  }

  async #attempt(entry: Entry): Promise<void> {
    const { nodeId, callId } = entry.stray;
    const member = this.#fleet.get(nodeId);
    if (member === undefined) {
      this.#remove(entry);

      return;
    }
    this.#inFlight.set(nodeId, (this.#inFlight.get(nodeId) ?? 0) + 1);
    const result = await member.driver.delete({ callId }, this.#clock.monotonic() + TRY_MS);
    this.#inFlight.set(nodeId, (this.#inFlight.get(nodeId) ?? 1) - 1);
    entry.inFlight = undefined;
    const now = this.#clock.monotonic();
    if (!(result instanceof RelayFailure) && (result.found || now >= entry.doubtUntil)) {
      this.counters.settled++;
      this.#remove(entry);

      return;
    }
    if (result instanceof RelayFailure) {
      entry.nextAt = now + entry.pause;
      entry.pause = Math.min(entry.pause * 2, LAST_PAUSE_MS);
    } else {
      entry.nextAt = entry.doubtUntil;
    }
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const utc = this.#clock.utc();
    for (const entry of this.#entries.values()) {
      const { nodeId, since } = entry.stray;
      if (utc - since > MAX_AGE_MS) this.#drop(entry, 'the relay has ended it by itself');
      else if (
        entry.inFlight === undefined &&
        entry.nextAt <= now &&
        (this.#inFlight.get(nodeId) ?? 0) < MAX_IN_FLIGHT_PER_NODE
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
    if (this.#entries.delete(key(entry.stray.nodeId, entry.stray.callId)))
      this.#store.noteStray(entry.stray, true);
  }
}

function key(nodeId: number, callId: string): string {
  return `${nodeId} ${callId}`;
}
