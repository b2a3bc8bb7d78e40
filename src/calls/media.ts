/**
 * The use cases: what happens to an offer, an answer, a delete, a query, whatever door it came through.
 * Here alone policy meets relays.
 */

import { type Call, findLeg, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { addressFor } from '../domain/node.ts';
import type { Direction } from '../domain/side.ts';
import type { Fleet, Member } from '../fleet/fleet.ts';
import type { Policy } from '../placement/policy.ts';
import { type NgDict, RelayFailure } from '../relay/driver.ts';
import { familyOfSdp, findDefect, outline } from '../sdp/outline.ts';
import type { Clock } from '../util/clock.ts';
import type { Family } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { checkReply, failureOf, relayRequest, type SdpRequest, wantedAddress } from './anchor.ts';
import type { Directions } from './directions.ts';
import type { AnswerFacts, CallFacts, DeleteFacts, OfferFacts, Relayed } from './facts.ts';
import type { Ledger } from './ledger.ts';
import type { Search } from './search.ts';
import type { Strays } from './strays.ts';

/** The parts the use cases work with. */
export interface MediaParts {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly directions: Directions;
  readonly strays: Strays;
  readonly search: Search;
  readonly policy: Policy;
  readonly clock: Clock;
}

export interface MediaOptions {
  /** Time for one request, all tries together, ms. */
  readonly budgetMs: number;
  /** Time for the first node of a new call, and for a delete before it goes on by itself, ms. */
  readonly firstTryMs: number;
}

/** A try shorter than this, ms, is not worth a packet. */
const LEAST_TRY_MS = 20;

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
    const limit = ledger.limit(undefined, facts.fromTag, facts.branch);
    if (limit === undefined) await ledger.announce(facts, direction);

    return limit;
  }

  /** Anchors an offer on the call's node, or on a chosen one if the call is new, and returns the SDP for its reader. */
  async offer(facts: OfferFacts): Promise<Relayed | Failure> {
    const { directions, ledger } = this.#parts;
    const deadline = this.#deadline();
    const sent = outline(facts.sdp);
    const defect = findDefect(facts.sdp, sent);
    if (defect !== undefined) return new Failure('RTPC_BAD_SDP', defect);
    if (facts.isInDialog && ledger.wasHungUp(facts.callId)) return ledger.unknown(facts);
    const call =
      ledger.get(facts.callId) ?? (facts.isInDialog ? await this.#seek(facts, facts.fromTag) : undefined);
    if (call instanceof Failure) return call;
    const limit = ledger.limit(call, facts.fromTag, facts.branch);
    if (limit !== undefined) return limit;
    const sides = directions.ofOffer(call, facts);
    if (sides instanceof Failure) return sides;
    ledger.reportContradiction(call, facts.direction, sides);

    const candidates = this.#candidates(call, facts, sides);
    if (candidates instanceof Failure) return candidates;
    const placed = await this.#tryOffer(candidates, call, { facts, sdp: facts.sdp, sent, sides }, deadline);
    if (placed instanceof Failure) {
      return placed.code === 'RTPC_CALL_LOST' && call !== undefined
        ? ledger.lose(call, placed.message)
        : placed;
    }
    const { sdp, member } = placed;
    await ledger.offered(call, facts, member, {
      tag: facts.fromTag,
      branch: facts.branch,
      sides,
      family: familyOfSdp(sent),
      sdp: { received: facts.sdp, returned: sdp },
    });

    return { sdp, nodeId: member.id };
  }

  /** Passes an answer through the call's node. */
  async answer(facts: AnswerFacts): Promise<Relayed | Failure> {
    const { directions, fleet, ledger } = this.#parts;
    const deadline = this.#deadline();
    const sent = outline(facts.sdp);
    const defect = findDefect(facts.sdp, sent);
    if (defect !== undefined) return new Failure('RTPC_BAD_SDP', defect);
    const known = ledger.get(facts.callId);
    const call = known?.nodeId == null ? await this.#seek(facts, facts.toTag) : known;
    if (call instanceof Failure) return call;
    if (call === undefined) return ledger.unknown(facts);
    const member = fleet.get(call.nodeId);
    if (member === undefined) return ledger.lose(call);
    const limit = ledger.limit(call, facts.toTag, facts.branch);
    if (limit !== undefined) return limit;

    const sides = directions.ofAnswer(call, facts);
    const offerer = findLeg(call, facts.fromTag, facts.branch) ?? findTag(call, facts.fromTag);
    const request = { facts, sdp: facts.sdp, sent, sides };
    const address = wantedAddress(member, request, offerer?.family ?? familyOfSdp(sent));
    if (address instanceof Failure) return address;
    const reply = await member.driver.answer(relayRequest(request, member, address, false), deadline);
    if (reply instanceof RelayFailure) {
      return reply.kind === 'unknown-call' ? ledger.lose(call) : failureOf(member, reply);
    }
    const sdp = checkReply(reply, request, member, address);
    if (sdp instanceof Failure) return sdp;
    await ledger.answered(call, facts, facts.isFinal, {
      tag: facts.toTag,
      branch: facts.branch,
      sides,
      family: familyOfSdp(sent),
      sdp: { received: facts.sdp, returned: sdp },
    });

    return { sdp, nodeId: member.id };
  }

  /**
   * Ends a call, or one branch of it.
   * @returns what the node said, its last statistics; undefined if it did not answer and will be told again
   */
  async delete(facts: DeleteFacts): Promise<{ reply: NgDict | undefined } | Failure> {
    const { clock, fleet, ledger, search, strays } = this.#parts;
    const call = ledger.get(facts.callId);
    if (call === undefined) {
      if (ledger.hasEnded(facts.callId)) return ledger.unknown(facts);
      const reply = await search.deleteEverywhere(facts.callId, facts.setId);

      return reply === undefined ? ledger.unknown(facts) : { reply };
    }
    const { branch } = facts;
    const isBranch = branch !== undefined && call.legs.some((leg) => leg.branch !== branch);
    const member = fleet.get(call.nodeId);
    // Whatever the node says, the call is over.
    const told = member?.driver.delete(
      isBranch ? { callId: call.callId, branch, fromTag: call.callerTag } : { callId: call.callId },
      clock.monotonic() + this.#options.firstTryMs,
    );
    if (isBranch) ledger.forget(call, (leg) => leg.branch === branch);
    else await ledger.end(call, facts.reason, told);
    const result = await told;
    if (!isBranch) {
      if (result instanceof RelayFailure) strays.add(Number(call.nodeId), call.callId);
      else if (result?.found === false) {
        log.warning('call.was_lost', { call_id: call.callId, node: call.nodeId });
      }
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

  /** What the call's node says of it. */
  async query(callId: string, setId?: number, fromTag?: string): Promise<NodeReply | Failure> {
    const member = await this.#owner(callId, setId);
    if (member instanceof Failure) return member;

    return this.#reply(callId, member, await member.driver.query(callId, this.#deadline(), fromTag));
  }

  /**
   * Sends any other command about a call to its node. If the reply brings an SDP (`subscribe request`), the direction
   * says who reads it, and the address is imposed as on an offer.
   */
  async command(message: NgDict, facts: CallFacts): Promise<NodeReply | Failure> {
    const { ledger } = this.#parts;
    const member = await this.#owner(facts.callId, facts.setId);
    if (member instanceof Failure) return member;
    const apart = otherCalls(message).find((other) => ledger.get(other)?.nodeId !== member.id);
    if (apart !== undefined) {
      return new Failure(
        'RTPC_CALLS_APART',
        `call ${apart} is not on node ${member.id}, where call ${facts.callId} is; a relay can only join calls of its own`,
      );
    }
    if (message.command !== 'subscribe request') {
      return this.#reply(facts.callId, member, await member.driver.command(message, this.#deadline()));
    }
    if (facts.direction === undefined) {
      return new Failure(
        'RTPC_DIRECTION_UNKNOWN',
        'direction is missing; it says which side reads the SDP that comes back',
      );
    }
    const request: SdpRequest = { facts, sdp: '', sent: outline(''), sides: facts.direction };
    const address = wantedAddress(member, request, 'IP4');
    if (address instanceof Failure) return address;
    const imposed = { ...message, 'media-address': address.address, 'address-family': address.family };
    const result = this.#reply(facts.callId, member, await member.driver.command(imposed, this.#deadline()));
    const told = await result;
    if (told instanceof Failure) return told;
    const sdp = checkReply(String(told.reply.sdp ?? ''), request, member, address);

    return sdp instanceof Failure ? sdp : { ...told, reply: { ...told.reply, sdp } };
  }

  #deadline(): number {
    return this.#parts.clock.monotonic() + this.#options.budgetMs;
  }

  async #reply(callId: string, member: Member, reply: NgDict | RelayFailure): Promise<NodeReply | Failure> {
    if (!(reply instanceof RelayFailure)) return { reply, nodeId: member.id };
    const { ledger } = this.#parts;
    if (reply.kind !== 'unknown-call') return failureOf(member, reply);
    const call = ledger.get(callId);

    return call === undefined ? ledger.unknown({ callId }) : ledger.lose(call);
  }

  /** The node of a call, looked for on the nodes if the cluster does not know the call. */
  async #owner(callId: string, setId: number | undefined): Promise<Member | Failure> {
    const { fleet, ledger, search } = this.#parts;
    const member = fleet.get(ledger.get(callId)?.nodeId ?? null);
    if (member !== undefined) return member;
    if (ledger.hasEnded(callId)) return ledger.unknown({ callId });

    return (await search.find(callId, setId)) ?? ledger.unknown({ callId });
  }

  /** Looks for a call on the nodes, and remembers it if one has it. */
  async #seek(facts: CallFacts, senderTag: string): Promise<Call | undefined | Failure> {
    const { directions, ledger, search } = this.#parts;
    if (ledger.hasEnded(facts.callId)) return undefined;
    const member = await search.find(facts.callId, facts.setId);
    if (member === undefined) return undefined;
    // A call that was announced has its direction already.
    const direction = ledger.get(facts.callId)?.direction ?? directions.ofUnknownCall(facts);
    if (direction instanceof Failure) return direction;
    const limit = ledger.limit(undefined, facts.fromTag, facts.branch);

    return limit ?? ledger.adopt(facts, direction, senderTag, member);
  }

  /** The nodes an offer may go to, best first. Only while no dialog depends on a node may the offer go elsewhere. */
  #candidates(call: Call | undefined, facts: OfferFacts, sides: Direction): readonly Member[] | Failure {
    const { fleet, policy } = this.#parts;
    const owner = fleet.get(call?.nodeId ?? null);
    if (call !== undefined && call.nodeId !== null) {
      if (owner !== undefined && (call.state !== 'early' || facts.toTag !== undefined)) return [owner];
      if (owner === undefined)
        return new Failure('RTPC_CALL_LOST', `node ${call.nodeId}, which had the call, is gone`);
    }
    const setId = call?.setId ?? facts.setId ?? 0;
    const placeable = fleet.placeable(setId);
    const able = placeable.filter(({ node }) =>
      [sides.from, sides.to].every((side) => addressFor(node, side, 'IP4')),
    );
    const ranked = policy(facts.callId, able);
    if (owner !== undefined) return [owner, ...ranked.filter(({ id }) => id !== owner.id)];
    if (ranked.length > 0) return ranked;
    const why =
      placeable.length === 0
        ? 'has no node that takes calls'
        : `has no node with media addresses for both ${sides.from} and ${sides.to}`;

    return new Failure('RTPC_NO_NODE', `set ${setId} ${why}; see "rtp-cluster node list"`);
  }

  /** Offers to one candidate after the other until one takes the call or the time is up. */
  async #tryOffer(
    candidates: readonly Member[],
    call: Call | undefined,
    request: SdpRequest,
    deadline: number,
  ): Promise<{ sdp: string; member: Member } | Failure> {
    const { clock, strays } = this.#parts;
    const { callId } = request.facts;
    const family = this.#familyOfReader(call, request);
    let last: Failure | undefined;
    for (const [index, member] of candidates.entries()) {
      const now = clock.monotonic();
      if (deadline - now < LEAST_TRY_MS) break;
      const isNew = call?.nodeId !== member.id;
      const isLast = index === candidates.length - 1;
      const tryDeadline = isLast ? deadline : Math.min(deadline, now + this.#options.firstTryMs);
      const address = wantedAddress(member, request, family);
      if (address instanceof Failure) return address;
      // The owner too: a delete may be waiting for it since an offer whose outcome nobody knows.
      if (!(await strays.claim(member.id, callId, tryDeadline))) continue;
      const reply = await member.driver.offer(relayRequest(request, member, address, isNew), tryDeadline);
      if (!(reply instanceof RelayFailure)) {
        const sdp = checkReply(reply, request, member, address);
        if (!(sdp instanceof Failure)) return { sdp, member };
        log.error('node.wrong_address', { node: member.id, call_id: callId, cause: sdp.message });
        if (!isNew) return sdp;
        strays.add(member.id, callId);
        last = sdp;
        continue;
      }
      log.warning('media.try_failed', {
        call_id: callId,
        node: member.id,
        cause: reply.kind,
        reason: reply.reason,
      });
      last = failureOf(member, reply);
      // A call which the node may have now, and which nobody will use: told to delete before the next node is asked.
      if (isNew ? reply.isUncertain || reply.kind === 'rejected' : reply.isUncertain && !isLast) {
        strays.add(member.id, callId);
      }
      if (reply.kind === 'refused' && !isNew) {
        return new Failure('RTPC_CALL_LOST', `node ${member.id} ended the call: "${reply.reason}"`);
      }
      if (reply.kind === 'rejected' || reply.kind === 'too-large') return last;
    }

    return (
      last ??
      new Failure('RTPC_RELAY_SILENT', 'the time for this request was over before a node could be asked')
    );
  }

  /** The family asked for, else the one the reader is known to use, else the sender's. */
  #familyOfReader(call: Call | undefined, { facts, sent }: SdpRequest): Family {
    const asked = facts.extra['address-family'];
    if (asked === 'IP4' || asked === 'IP6') return asked;

    return findTag(call, facts.toTag)?.family ?? familyOfSdp(sent);
  }
}

/** Call-IDs a command joins with its own (reference: ng-protocol 4). */
function otherCalls(message: NgDict): string[] {
  const named = [message['to-call-id'], message['source-call-id'], message.calls].flat();

  return named.filter((value): value is string => typeof value === 'string');
}
