/** Asks the node of a call whether it still has it: a relay ends calls by its own timers, or restarts, and tells nobody. */

import type { Call } from '../domain/call.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { RelayFailure } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import { relayCall } from './anchor.ts';
import type { CallTable } from './call-table.ts';
import type { Ledger } from './ledger.ts';

/**
 * `kept`: the node has the call. `lost`: it had it no more, and the call was ended here. `unsure`: nobody can tell now, so the
 * call was left alone. `over`: the call ended or moved meanwhile, so the question had no object.
 */
export type Finding = 'kept' | 'lost' | 'unsure' | 'over';

export interface CheckupParts {
  readonly fleet: Fleet;
  readonly calls: CallTable;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Whether requests of a call are under way. */
  readonly isBusy: (callId: string) => boolean;
}

/** Time a question may take, ms. Nobody waits for it. */
const QUERY_MS = 1000;
/** Calls without news: questions at a time and per second, over all nodes. */
const MAX_IN_FLIGHT = 8;
const RATE = 20;

export class Checkup {
  readonly counters = { asked: 0, lost: 0, unsure: 0 };
  readonly #parts: CheckupParts;
  /** Time without news after which a call is asked for, ms. */
  readonly #afterMs: number;
  /** When a call was last asked for or seen on its node, monotonic ms. */
  readonly #checkedAt = new WeakMap<Call, number>();
  #inFlight = 0;
  #tokens = 1;
  #filledAt: number;

  /** @param afterMs time without news after which `consider` asks for a call */
  constructor(parts: CheckupParts, afterMs: number) {
    this.#parts = parts;
    this.#afterMs = afterMs;
    this.#filledAt = parts.clock.monotonic();
  }

  /** The call has just been seen on its node. */
  note(call: Call): void {
    this.#checkedAt.set(call, this.#parts.clock.monotonic());
  }

  /** Asks for a call if nothing was heard of it for long enough and there is room; else it comes again in the next round. */
  consider(call: Call): void {
    const { clock, fleet, ledger } = this.#parts;
    if (clock.utc() - call.updatedAt < this.#afterMs) return;
    const now = clock.monotonic();
    if (now - (this.#checkedAt.get(call) ?? Number.NEGATIVE_INFINITY) < this.#afterMs) return;
    if (this.#inFlight >= MAX_IN_FLIGHT || fleet.get(call.nodeId)?.verdict('bound') !== 'yes') return;
    if (!this.#takeToken(now)) return;
    this.#inFlight++;
    this.check(call, () => ledger.lose(call, 'no-news')).finally(() => this.#inFlight--);
  }

  /**
   * Asks the node of a call, without its line: a request of the call need not wait for us. What came meanwhile counts more
   * than the answer: "unknown" is believed only if nothing happened to the call since the question.
   * @param end ends the call here if its node does not know it
   */
  async check(call: Call, end: () => Promise<unknown>): Promise<Finding> {
    const { fleet, calls, clock, isBusy } = this.#parts;
    const member = fleet.get(call.nodeId);
    if (calls.get(call.callId) !== call || member === undefined) return 'over';
    // Whatever is under way finds out by itself.
    if (isBusy(call.callId)) return 'unsure';
    this.counters.asked++;
    this.note(call);
    const { updatedAt } = call;
    const record = await member.driver.query(relayCall(call), clock.monotonic() + QUERY_MS);
    if (calls.get(call.callId) !== call || call.nodeId !== member.id) return 'over';
    if (!(record instanceof RelayFailure)) return 'kept';
    // The node may have got another socket meanwhile: then another relay has spoken than the one that is asked now.
    const isValid = fleet.get(member.id) === member && call.updatedAt === updatedAt && !isBusy(call.callId);
    if (record.kind !== 'unknown-call' || !isValid) {
      this.counters.unsure++;

      return 'unsure';
    }
    this.counters.lost++;
    await end();

    return 'lost';
  }

  #takeToken(now: number): boolean {
    this.#tokens = Math.min(MAX_IN_FLIGHT, this.#tokens + ((now - this.#filledAt) / 1000) * RATE);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;

    return true;
  }
}
