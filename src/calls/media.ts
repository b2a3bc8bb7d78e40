/**
 * The use cases: what happens to an offer, an answer, a query, whatever door it came through.
 * How an offer finds its node is in `offering.ts`, the end of calls in `ending.ts`, what a call remembers in `ledger.ts`.
 */

import { type Call, findLeg, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, formatDirection } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Watch } from '../fleet/watch.ts';
import { type NgDict, type RelayCall, RelayFailure } from '../relay/driver.ts';
import { familyOfSdp, findDefect, outline } from '../sdp/outline.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import {
  checkReply,
  downFailure,
  failureOf,
  relayCall,
  relayRequest,
  type SdpRequest,
  wantedAddress,
} from './anchor.ts';
import type { Directions } from './directions.ts';
import type { AnswerFacts, CallFacts, OfferFacts, Relayed } from './facts.ts';
import type { Ledger } from './ledger.ts';
import { NotPlaced, type Offering } from './offering.ts';
import type { Search } from './search.ts';
import { beginStep } from './step.ts';
import type { Strays } from './strays.ts';

/** The parts the use cases work with. */
export interface MediaParts {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly directions: Directions;
  readonly offering: Offering;
  readonly strays: Strays;
  readonly search: Search;
  readonly watch: Pick<Watch, 'recheck' | 'hold'>;
  readonly clock: Clock;
}

export interface MediaOptions {
  /** Time for one request, all tries together, ms. */
  readonly budgetMs: number;
  /** Time for a node that did not answer a check, ms. */
  readonly firstTryMs: number;
}

/** A relay's own words, and the node that said them. */
export interface NodeReply {
  readonly reply: NgDict;
  readonly nodeId: number;
}

export class Media {
  readonly #parts: MediaParts;
  readonly #options: MediaOptions;

  constructor(parts: MediaParts, options: MediaOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Remembers direction and set of a call whose SDP will come later; nothing if the direction cannot be told yet. */
  async announce(facts: CallFacts): Promise<undefined | Failure> {
    const { directions, ledger } = this.#parts;
    if (ledger.get(facts.callId) !== undefined) return undefined;
    const direction = directions.ofUnknownCall(facts);
    if (direction instanceof Failure) return undefined;
    const limit = ledger.limit(undefined, facts.fromTag, facts);
    if (limit === undefined) await ledger.announce(facts, direction);

    return limit;
  }

  /** Anchors an offer on the call's node, or on a chosen one if the call is new, and returns the SDP for its reader. */
  async offer(
    facts: OfferFacts,
    deadline = this.deadline(),
    step = beginStep(this.#parts.clock.utc(), 'offer'),
  ): Promise<Relayed | Failure> {
    const { clock, directions, ledger, offering } = this.#parts;
    step.tag = facts.fromTag;
    step.sdp_received = facts.sdp;
    const sent = outline(facts.sdp);
    const defect = findDefect(facts.sdp, sent);
    if (defect !== undefined) return new Failure('RTPC_BAD_SDP', defect);
    const returning = facts.isInDialog ? this.#returning(facts.callId, facts.fromTag) : undefined;
    if (returning === undefined && facts.isInDialog && ledger.wasHungUp(facts.callId, facts.fromTag))
      return ledger.unknown(facts);
    const call =
      ledger.get(facts.callId) ??
      returning ??
      (facts.isInDialog ? await this.#seek(facts, facts.fromTag) : undefined);
    if (call instanceof Failure) return call;
    const limit = ledger.limit(call, facts.fromTag, facts);
    if (limit !== undefined) return limit;
    // A call that was lost begins anew with the offer of either party: set and sides are those it had.
    const before = call === undefined && facts.isInDialog ? ledger.ended(facts.callId) : undefined;
    const known =
      before === undefined
        ? facts
        : { ...facts, setId: before.setId, isFromCallee: facts.fromTag !== before.callerTag };
    const sides = directions.ofOffer(call ?? before, facts);
    if (sides instanceof Failure) return sides;
    if (call !== undefined && isOfAnotherProxy(call, facts, sides)) {
      return new Failure(
        'RTPC_CALL_ANCHORED',
        `call ${facts.callId} is anchored in set ${call.setId} with this sender on side ${sides.from}; a call can pass the cluster once only, so its second proxy needs a cluster of its own`,
      );
    }
    ledger.reportContradiction(call ?? before, facts.direction, sides);
    step.sides = shownSides(sides);

    const isKept = ledger.returning(facts.callId) !== undefined;
    const request = { facts: known, sdp: facts.sdp, sent, sides, isKept };
    const placed = await offering.place(call, request, deadline, step);
    if (placed instanceof NotPlaced) {
      if (returning !== undefined) return placed.isCallLost ? ledger.unknown(facts) : placed.failure;
      if (call !== undefined && placed.isCallLost) await ledger.lose(call);
      else if (call !== undefined && placed.left !== undefined) ledger.remember(call, placed.left);

      return placed.failure;
    }
    const { sdp, member, reply } = placed;
    step.sdp_returned = sdp;
    if (returning !== undefined) ledger.revive(returning);
    if (reply.isRenewed === true && call !== undefined) ledger.renewed(call);
    const placedNow = await ledger.offered(call, known, member, {
      tag: facts.fromTag,
      branch: facts.branch,
      sides,
      family: familyOfSdp(sent),
      sdp: { received: facts.sdp, returned: sdp },
      reply,
    });
    if (placedNow !== undefined) {
      log.info('call.placed', {
        call_id: facts.callId,
        node: member.id,
        set: placedNow.setId,
        direction: formatDirection(placedNow.direction),
        result: 'ok',
        took_ms: Math.round((clock.monotonic() - deadline + this.#options.budgetMs) * 100) / 100,
      });
    }

    return { sdp, nodeId: member.id };
  }

  /** Passes an answer through the call's node. */
  async answer(
    facts: AnswerFacts,
    deadline = this.deadline(),
    step = beginStep(this.#parts.clock.utc(), 'answer'),
  ): Promise<Relayed | Failure> {
    const { clock, directions, fleet, ledger, strays } = this.#parts;
    step.tag = facts.toTag;
    step.sdp_received = facts.sdp;
    const sent = outline(facts.sdp);
    const defect = findDefect(facts.sdp, sent);
    if (defect !== undefined) return new Failure('RTPC_BAD_SDP', defect);
    const returning = this.#returning(facts.callId, facts.fromTag);
    const known = ledger.get(facts.callId) ?? returning;
    const call = known?.nodeId == null ? await this.#seek(facts, facts.toTag) : known;
    if (call instanceof Failure) return call;
    if (call === undefined) return ledger.unknown(facts);
    const member = fleet.get(call.nodeId);
    if (member === undefined) return ledger.lose(call);
    const limit = ledger.limit(call, facts.toTag, facts);
    if (limit !== undefined) return limit;

    const offerer = findLeg(call, facts.fromTag, facts.branch) ?? findTag(call, facts.fromTag);
    // Of a call that was found on a node nobody knows who offered.
    if (offerer === undefined && !ledger.wasFound(call)) return ledger.unknown(facts);
    const sides = directions.ofAnswer(call, facts);
    step.sides = shownSides(sides);
    step.node = member.id;
    const dead = this.#refuseDead(member);
    if (dead !== undefined) return dead;
    const request = { facts, sdp: facts.sdp, sent, sides };
    const address = wantedAddress(member, request, offerer?.family ?? familyOfSdp(sent));
    if (address instanceof Failure) return address;
    // A node that did not even answer a check does not get all the time there is.
    const patience = member.isSilent ? clock.monotonic() + this.#options.firstTryMs : deadline;
    const reply = await member.driver.answer(
      relayRequest(request, member, address, { isNew: false, isFinal: facts.isFinal, memo: call.memo }),
      Math.min(deadline, patience),
    );
    if (reply instanceof RelayFailure) {
      if (returning !== undefined)
        return reply.kind === 'unknown-call' ? ledger.unknown(facts) : failureOf(member, reply);
      if (reply.kind === 'refused') {
        await ledger.lose(call);

        return new Failure(
          'RTPC_CALL_LOST',
          `node ${member.id} ended the call: "${reply.reason}"`,
          reply.reason,
        );
      }

      if (reply.kind !== 'unknown-call') return failureOf(member, reply);
      // Other branches may have sessions of their own there, and nobody will name them again.
      if (call.memo !== null) strays.add(member.id, call.callId, call.memo);

      return ledger.lose(call);
    }
    const sdp = checkReply(reply.sdp, request, member, address);
    if (sdp instanceof Failure) return sdp;
    step.sdp_returned = sdp;
    if (returning !== undefined) ledger.revive(returning);
    ledger.answered(call, facts, facts.isFinal, {
      tag: facts.toTag,
      branch: facts.branch,
      sides,
      family: familyOfSdp(sent),
      sdp: { received: facts.sdp, returned: sdp },
      reply,
    });

    return { sdp, nodeId: member.id };
  }

  /** A callee has accepted without SDP, or a later request shows that the dialog stands. */
  async confirm(callId: string, tag: string): Promise<void> {
    const call = this.#parts.ledger.get(callId);
    if (call !== undefined) await this.#parts.ledger.confirmed(call, tag);
  }

  /** What the call's node says of it. */
  async query(
    callId: string,
    setId?: number,
    fromTag?: string,
    deadline = this.deadline(),
  ): Promise<NodeReply | Failure> {
    const call = this.#asRelayCall(callId, fromTag);
    const member = await this.#owner(call, setId);
    if (member instanceof Failure) return member;

    return this.#reply(callId, member, await member.driver.query(call, deadline, fromTag));
  }

  /**
   * Sends another command about a call to its node. If the reply brings an SDP (`subscribe request`), the direction
   * says who reads it, and the address is imposed as on an offer.
   */
  async command(message: NgDict, facts: CallFacts, deadline = this.deadline()): Promise<NodeReply | Failure> {
    const { directions, ledger } = this.#parts;
    const call = this.#asRelayCall(facts.callId, facts.fromTag);
    const member = await this.#owner(call, facts.setId);
    if (member instanceof Failure) return member;
    const apart = otherCalls(message).find((other) => ledger.get(other)?.nodeId !== member.id);
    if (apart !== undefined) {
      return new Failure(
        'RTPC_CALLS_APART',
        `call ${apart} is not on node ${member.id}, where call ${facts.callId} is; a relay can only join calls of its own`,
      );
    }
    if (message.command !== 'subscribe request') {
      return this.#reply(facts.callId, member, await member.driver.command(message, call, deadline));
    }
    const asking = { ...facts, extra: message };
    const sides = directions.ofReader(asking);
    if (sides instanceof Failure) return sides;
    const request: SdpRequest = { facts: asking, sdp: '', sent: outline(''), sides };
    const address = wantedAddress(member, request, 'IP4');
    if (address instanceof Failure) return address;
    const byInterface = member.node.mediaAddresses.find((own) => own.address === address.address)?.interface;
    const imposed =
      member.node.imposeMode === 'interface' && byInterface
        ? { ...message, interface: byInterface }
        : { ...message, 'media-address': address.address, 'address-family': address.family };
    const told = await this.#reply(
      facts.callId,
      member,
      await member.driver.command(imposed, call, deadline),
    );
    if (told instanceof Failure) return told;
    const sdp = checkReply(String(told.reply.sdp ?? ''), request, member, address);

    return sdp instanceof Failure ? sdp : { ...told, reply: { ...told.reply, sdp } };
  }

  /** When a request that comes now must be over, monotonic ms. */
  deadline(): number {
    return this.#parts.clock.monotonic() + this.#options.budgetMs;
  }

  /** A call that has ended, and that the relay may still have for this party of it. */
  #returning(callId: string, tag: string): Call | undefined {
    const { fleet, ledger } = this.#parts;
    const call = ledger.returning(callId);
    const member = fleet.get(call?.nodeId ?? null);
    // A relay that begins forgotten calls anew would not tell that it had not kept it.
    const isKept = member !== undefined && !member.driver.renewsCalls;

    return isKept && (tag === call?.callerTag || findTag(call, tag) !== undefined) ? call : undefined;
  }

  async #reply(callId: string, member: Member, reply: NgDict | RelayFailure): Promise<NodeReply | Failure> {
    if (!(reply instanceof RelayFailure)) return { reply, nodeId: member.id };
    const { ledger } = this.#parts;
    if (reply.kind !== 'unknown-call') return failureOf(member, reply);
    const call = ledger.get(callId);

    return call === undefined ? ledger.unknown({ callId }) : ledger.lose(call);
  }

  /** What a request of a call gets whose node is known to be dead. Perhaps it is back: that is looked at once. */
  #refuseDead(member: Member): Failure | undefined {
    if (member.verdict('bound') !== 'no') return undefined;
    this.#parts.watch.recheck(member);

    return downFailure(member);
  }

  /** The node of a call, looked for on the nodes if the cluster does not know the call. */
  async #owner(call: RelayCall, setId: number | undefined): Promise<Member | Failure> {
    const { fleet, ledger, search } = this.#parts;
    const { callId } = call;
    const member = fleet.get(ledger.get(callId)?.nodeId ?? null);
    if (member !== undefined) return this.#refuseDead(member) ?? member;
    if (ledger.hasEnded(callId)) return ledger.unknown({ callId });

    return (await search.find(call, setId)) ?? ledger.unknown({ callId });
  }

  /** A call as its node is told of it, whether we know it or have a tag of it at the most. */
  #asRelayCall(callId: string, tag: string | undefined): RelayCall {
    const call = this.#parts.ledger.get(callId);
    if (call !== undefined) return relayCall(call);

    return { callId, tags: tag === undefined || tag === '' ? [] : [tag] };
  }

  /** Looks for a call on the nodes, and remembers it if one has it. */
  async #seek(facts: CallFacts, senderTag: string): Promise<Call | undefined | Failure> {
    const { directions, ledger, search } = this.#parts;
    if (ledger.hasEnded(facts.callId)) return undefined;
    const { callId, fromTag, toTag } = facts;
    const tags = toTag === undefined ? [fromTag] : [fromTag, toTag];
    const member = await search.find({ callId, tags }, facts.setId);
    if (member === undefined) return undefined;
    // A call that was announced has its direction already.
    const direction = ledger.get(facts.callId)?.direction ?? directions.ofUnknownCall(facts);
    if (direction instanceof Failure) return direction;
    const limit = ledger.limit(undefined, facts.fromTag, facts);

    return limit ?? ledger.adopt(facts, direction, senderTag, member);
  }
}

/** Whether a second proxy on the way of a call offers it to another set, where the sender is on another side. */
function isOfAnotherProxy(call: Call, { toTag, setId, direction }: OfferFacts, { from }: Direction): boolean {
  if (toTag !== undefined || setId === undefined || direction === undefined) return false;

  return setId !== call.setId && direction.from !== from;
}

function shownSides({ from, to }: Direction): string {
  return `${from}>${to}`;
}

/** Call-IDs a command joins with its own (reference: ng-protocol 4). */
function otherCalls(message: NgDict): string[] {
  const named = [message['to-call-id'], message['source-call-id'], message.calls].flat();

  return named
    .filter((value) => value !== undefined)
    .map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)));
}
