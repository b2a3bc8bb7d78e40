/**
 * Relays may tell that they ended a call because no media came. What they tell is a hint only: the node is asked, and the call
 * ends here if the node does not have it. So neither a notice that is late nor one that is forged ends a call that lives.
 */

import type { Call } from '../domain/call.ts';
import type { NodeKind } from '../domain/node.ts';
import { after, type Clock, turn } from '../util/clock.ts';
import { log } from '../util/log.ts';
import type { CallTable } from './call-table.ts';
import type { Checkup } from './checkup.ts';
import type { Ledger } from './ledger.ts';

/** What a relay told: the call, or nothing but the tag of one of its parties. Byte strings. */
export type Notice = { readonly callId: string } | { readonly tag: string };

/** Who told. */
interface Teller {
  /** Ids of the nodes that may have sent it. */
  readonly senders: ReadonlySet<number>;
  readonly by: NodeKind;
}

export interface NoticeParts {
  readonly calls: CallTable;
  readonly ledger: Ledger;
  readonly checkup: Checkup;
  readonly clock: Clock;
}

/** Calls that wait for their question, and tags that wait for their call. Beyond, calls are found by the usual checks. */
const MAX_WAITING = 10_000;
/** Questions at a time. */
const WIDTH = 20;
/** A call with a request under way, or whose node is silent, is asked for again after this, ms, so often. */
const AGAIN_MS = 500;
const MAX_TRIES = 4;
/** Complaints of one kind are logged at most so often, ms: whoever may send notices must not fill the disk. */
const QUIET_MS = 60_000;
/** Calls looked at for tags before others have their turn: some tenths of a millisecond. */
const CALLS_PER_TURN = 2000;

export class Notices {
  readonly counters = { heard: 0, ended: 0, unknown: 0, misdirected: 0, refuted: 0, dropped: 0 };
  readonly #parts: NoticeParts;
  /** With the kind of relay that told of each. */
  readonly #calls = new Map<Call, NodeKind>();
  #tags = new Map<string, Teller>();
  /** When a complaint was last logged, monotonic ms. */
  readonly #loggedAt = new Map<string, number>();
  #isAsking = false;
  #isLooking = false;

  constructor(parts: NoticeParts) {
    this.#parts = parts;
  }

  /**
   * A relay of the kind `by` says that it ended a call.
   * @param senders ids of the nodes at the address it came from; none if that does not say which node it was
   */
  hear(notice: Notice, senders: ReadonlySet<number>, by: NodeKind): void {
    this.counters.heard++;
    if ('callId' in notice) {
      const call = this.#parts.calls.get(notice.callId);
      if (call === undefined) this.counters.unknown++;
      else this.#suspect(call, { senders, by });
    } else if (this.#tags.size < MAX_WAITING) {
      this.#tags.set(notice.tag, { senders, by });
      if (!this.#isLooking) void this.#look();
    } else this.counters.dropped++;
  }

  /** Finds the calls of the tags that wait, all in one walk: nobody keeps calls by tag for these rare notices. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#tags.size > 0) {
      // Notices come in bursts.
      await turn();
      const tags = this.#tags;
      this.#tags = new Map();
      let looked = 0;
      for (const call of this.#parts.calls.values()) {
        for (const { tag } of call.legs) {
          const teller = tags.get(tag);
          // Another call may have the same tag, on a node that said nothing.
          if (teller !== undefined && isFrom(call, teller)) this.#suspect(call, teller);
        }
        if (++looked % CALLS_PER_TURN === 0) await turn();
      }
    }
    this.#isLooking = false;
  }

  #suspect(call: Call, teller: Teller): void {
    if (!isFrom(call, teller)) {
      const senders = [...teller.senders];
      this.counters.misdirected++;
      this.#complain('notice.misdirected', { call_id: call.callId, node: call.nodeId, senders });
    } else if (this.#calls.size < MAX_WAITING) {
      this.#calls.set(call, teller.by);
      if (!this.#isAsking) void this.#ask();
    } else this.counters.dropped++;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    while (this.#calls.size > 0) {
      await turn();
      const some = [...this.#calls].slice(0, WIDTH);
      for (const [call] of some) this.#calls.delete(call);
      await Promise.all(some.map(([call, by]) => this.#confirm(call, by)));
    }
    this.#isAsking = false;
  }

  async #confirm(call: Call, by: NodeKind): Promise<void> {
    const { checkup, ledger, clock } = this.#parts;
    const end = () => ledger.timeOut(call, by);
    for (let tries = 1; ; tries++) {
      const finding = await checkup.check(call, end);
      if (finding === 'unsure' && tries < MAX_TRIES) {
        await after(clock, AGAIN_MS);
        continue;
      }
      if (finding === 'lost') this.counters.ended++;
      else if (finding !== 'over') {
        this.counters.refuted++;
        // rtpproxy tells of each stream by itself, and the others may go on.
        const isOdd = finding === 'unsure' || call.sessions === 1;
        if (isOdd) this.#complain('notice.refuted', { call_id: call.callId, node: call.nodeId, finding });
      }

      return;
    }
  }

  #complain(event: string, fields: Record<string, unknown>): void {
    const now = this.#parts.clock.monotonic();
    const loggedAt = this.#loggedAt.get(event);
    if (loggedAt !== undefined && now - loggedAt < QUIET_MS) return;
    this.#loggedAt.set(event, now);
    log.warning(event, { ...fields, ...this.counters });
  }
}

/** Whether the notice may come from the call's node: from its address, or from one that says nothing. */
function isFrom({ nodeId }: Call, { senders }: Teller): boolean {
  return senders.size === 0 || (nodeId !== null && senders.has(nodeId));
}
