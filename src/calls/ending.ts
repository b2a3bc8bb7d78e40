/** The end of a call, of one branch of it, or of one party's part in it. */

import { type Call, MAX_LEGS } from '../domain/call.ts';
import type { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { type NgDict, RelayFailure } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { relayCall } from './anchor.ts';
import type { DeleteFacts } from './facts.ts';
import type { Ledger } from './ledger.ts';
import type { Search } from './search.ts';
import type { Step } from './step.ts';
import type { Strays } from './strays.ts';

export interface EndingParts {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly strays: Strays;
  readonly search: Search;
  readonly clock: Clock;
}

/** Said to a delete of something that is not there (ng-protocol 3.1). */
export const NOT_FOUND = "Call-ID not found or tags didn't match";

const NOTHING_THERE: NgDict = { result: 'ok', warning: NOT_FOUND };

export class Ending {
  readonly #parts: EndingParts;
  /** Time for a delete before it goes on by itself, ms. */
  readonly #firstTryMs: number;
  /** Branches deleted of calls that go on; at most `MAX_LEGS` of a call. */
  readonly #goneBranches = new WeakMap<Call, Set<string>>();

  constructor(parts: EndingParts, firstTryMs: number) {
    this.#parts = parts;
    this.#firstTryMs = firstTryMs;
  }

  /**
   * Ends a call, or one branch of it.
   * @param step gets what the node received to the end, if it said so
   * @returns what the node said, its last statistics; undefined if it did not answer and will be told again
   */
  async delete(
    facts: DeleteFacts,
    step?: Pick<Step, 'streams'>,
  ): Promise<{ reply: NgDict | undefined } | Failure> {
    const { clock, fleet, ledger, search, strays } = this.#parts;
    const call = ledger.get(facts.callId);
    if (call === undefined) {
      if (ledger.hasEnded(facts.callId)) return ledger.unknown(facts);
      const { callId, tags = [], setId } = facts;
      const reply = await search.deleteEverywhere({ callId, tags }, setId);

      return reply === undefined ? ledger.unknown(facts) : { reply };
    }
    const { branch, ng, tags = [] } = facts;
    if (ng !== undefined && !hasParty(call, tags)) return { reply: NOTHING_THERE };
    if (ng !== undefined && isLeaving(call, ng)) {
      ledger.forget(call, (leg) => leg.tag === ng.leaving);

      return { reply: { result: 'ok' } };
    }
    const isBranch = hasBranch(call, branch) && call.legs.some((leg) => leg.branch !== branch);
    // Told of a branch it does not have, rtpengine 10.5 would end the whole call. From an ng client that is meant, unless he repeats
    // himself: a BYE has a Via of its own (ng-protocol 8). From others it is a branch whose offer was refused.
    if (!isBranch && branch !== undefined && this.#isNoBranch(call, branch, ng !== undefined))
      return { reply: NOTHING_THERE };
    const member = fleet.get(call.nodeId);
    // Whatever the node says, the call is over. A dead one is told when it is back.
    const isLater = member?.verdict('end') === 'later';
    const told = isLater
      ? undefined
      : member?.driver
          .delete(
            {
              ...relayCall(call),
              ...(isBranch ? { branch, fromTag: call.callerTag } : {}),
              // As rtpengine 10.5, which tells them to those who name a party.
              ...(ng?.fromTag === undefined || isBranch ? {} : { wantsStatistics: true }),
              ...(ng === undefined || isBranch ? {} : { delayS: ng.delayS ?? null }),
            },
            clock.monotonic() + this.#firstTryMs,
          )
          .then((answer) => {
            // Before the call counts as over: a removed node is forgotten with its last call, unless it has to be told yet.
            if (!isBranch && answer instanceof RelayFailure) strays.add(member.id, call.callId, call.memo);

            return answer;
          });
    if (isLater && !isBranch) strays.add(Number(call.nodeId), call.callId, call.memo);
    if (isBranch) this.#forgetBranch(call, branch);
    else if (ng !== undefined && ng.delayS !== 0) ledger.mayReturn(call);
    if (!isBranch) await ledger.end(call, facts.reason, told);
    const result = await told;
    if (step !== undefined && !isBranch && result !== undefined && !(result instanceof RelayFailure))
      step.streams = result.streams ?? null;
    if (isBranch && result !== undefined && !(result instanceof RelayFailure) && result.left !== undefined) {
      ledger.remember(call, result.left.memo, result.left.sessions);
    }
    if (!isBranch && result !== undefined && !(result instanceof RelayFailure) && !result.found) {
      log.warning('call.was_lost', { call_id: call.callId, node: call.nodeId });
    }

    return { reply: result === undefined || result instanceof RelayFailure ? undefined : result.reply };
  }

  /**
   * Forgets one party of a call that goes on with others. The node is not told: relays end the whole call, or the port
   * the others use, when told to delete one of several answers (reference: ng-protocol 7).
   */
  forget(callId: string, tag: string): void {
    const call = this.#parts.ledger.get(callId);
    if (call !== undefined) this.#parts.ledger.forget(call, (leg) => leg.tag === tag);
  }

  #isNoBranch(call: Call, branch: string, isNg: boolean): boolean {
    if (isNg) return this.#goneBranches.get(call)?.has(branch) === true;

    return !hasBranch(call, branch) && call.legs.some((leg) => leg.branch !== '');
  }

  #forgetBranch(call: Call, branch: string | undefined): void {
    this.#parts.ledger.forget(call, (leg) => leg.branch === branch);
    const gone = this.#goneBranches.get(call) ?? new Set();
    if (branch !== undefined && gone.size < MAX_LEGS) this.#goneBranches.set(call, gone.add(branch));
  }
}

function hasBranch(call: Call, branch: string | undefined): branch is string {
  return branch !== undefined && call.legs.some((leg) => leg.branch === branch);
}

/** Whether one of the parties named is in the call; yes where nobody is named, or only one party is known (ng-protocol 8). */
function hasParty(call: Call, named: readonly string[]): boolean {
  const tags = tagsOf(call);

  return named.length === 0 || tags.size < 2 || named.some((tag) => tags.has(tag));
}

/** Whether one callee leaves others. */
function isLeaving(call: Call, { leaving }: NonNullable<DeleteFacts['ng']>): boolean {
  return leaving !== undefined && leaving !== call.callerTag && tagsOf(call).size > 2;
}

function tagsOf({ callerTag, legs }: Call): ReadonlySet<string> {
  return new Set([callerTag, ...legs.map(({ tag }) => tag)]);
}
