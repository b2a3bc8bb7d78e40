/** Brings an offer to a node: which nodes may take it, in which order, and what happens when one does not. */

import { type Call, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { addressFor } from '../domain/node.ts';
import type { Direction } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Watch } from '../fleet/watch.ts';
import { choose, type Decision } from '../placement/choose.ts';
import { type MediaReply, RelayFailure } from '../relay/driver.ts';
import { familyOfSdp } from '../sdp/outline.ts';
import type { Clock } from '../util/clock.ts';
import type { Family } from '../util/ip.ts';
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
import { wishesOf } from './kinds.ts';
import type { Step, Try } from './step.ts';
import type { Strays } from './strays.ts';

export interface OfferingParts {
  readonly fleet: Fleet;
  readonly strays: Strays;
  readonly watch: Pick<Watch, 'recheck' | 'hold'>;
  readonly clock: Clock;
}

/** A node has taken the offer; the SDP is checked. */
export interface Placed {
  readonly sdp: string;
  readonly reply: MediaReply;
  readonly member: Member;
}

/** No node has taken the offer. */
export class NotPlaced {
  constructor(
    readonly failure: Failure,
    /** Whether the node that had the call does not have it any more. */
    readonly isCallLost: boolean,
    /** What is to be remembered of the call now, which its node still has; undefined if that is nothing new. */
    readonly left?: string,
  ) {}
}

/** A try shorter than this, ms, is not worth a packet. */
const LEAST_TRY_MS = 20;
/** Nodes known to be dead that are tried for one call. */
const MAX_DEAD = 3;

export class Offering {
  readonly #parts: OfferingParts;
  /** Time for the first node of a new call, ms. */
  readonly #firstTryMs: number;

  constructor(parts: OfferingParts, firstTryMs: number) {
    this.#parts = parts;
    this.#firstTryMs = firstTryMs;
  }

  /**
   * Offers to one candidate after the other until one takes the call or the time is up.
   * @param call the call as it is known; its node comes first
   * @param deadline monotonic ms
   * @param step is told what was considered and tried
   */
  async place(
    call: Call | undefined,
    request: SdpRequest,
    deadline: number,
    step: Step,
  ): Promise<Placed | NotPlaced> {
    const { clock } = this.#parts;
    const candidates = this.#candidates(call, request, step);
    if (candidates instanceof NotPlaced) return candidates;
    const family = familyOfReader(call, request);
    let last: Failure | undefined;
    let isCallLost = false;
    let left: string | undefined;
    let dead = 0;
    for (const [index, member] of candidates.entries()) {
      const now = clock.monotonic();
      if (deadline - now < LEAST_TRY_MS) break;
      const isLast = index === candidates.length - 1;
      const isKnownDead = member.health === 'down';
      // Counted from the choice on, without a turn between, so that calls that come at once see each other.
      const isOffered = call?.nodeId !== member.id;
      if (isOffered) member.offers++;
      const outcome = await this.#try(member, call, request, family, {
        // The last hope gets all the time there is, unless it did not even answer a check.
        deadline: isLast && !member.isSilent ? deadline : Math.min(deadline, now + this.#firstTryMs),
        isLast,
      });
      if (isOffered) member.offers--;
      step.tries.push({
        node: member.id,
        result: outcome.result,
        reason: outcome.result === 'ok' ? '' : outcome.reason,
        took_ms: Math.round((clock.monotonic() - now) * 100) / 100,
      });
      if (outcome.result === 'ok') return { sdp: outcome.sdp, reply: outcome.reply, member };
      // An SDP that one kind cannot carry is no final word while a node of the other kind was only full or silent.
      if (last === undefined || outcome.result !== 'bad-sdp') last = outcome.failure ?? last;
      isCallLost ||= outcome.isCallLost;
      left ??= outcome.left;
      // In panic dead nodes are tried too, but no call waits for two of them, nor knocks at many closed doors.
      if (outcome.isFinal || (isKnownDead && (outcome.result === 'silent' || ++dead >= MAX_DEAD))) break;
    }
    const silent = 'the time for this request was over before a node could be asked';

    return new NotPlaced(last ?? new Failure('RTPC_RELAY_SILENT', silent), isCallLost, left);
  }

  /** Offers to one node. */
  async #try(
    member: Member,
    call: Call | undefined,
    request: SdpRequest,
    family: Family,
    { deadline, isLast }: { readonly deadline: number; readonly isLast: boolean },
  ): Promise<Outcome> {
    const { strays, watch } = this.#parts;
    const { callId } = request.facts;
    const isOwner = call?.nodeId === member.id;
    const memo = isOwner ? call.memo : null;
    const isKnownDead = member.health === 'down';
    const address = wantedAddress(member, request, family);
    if (address instanceof Failure) return refusal('rejected', address);
    if (isOwner && member.verdict('bound') === 'no') {
      watch.recheck(member);
      if (!isLast) strays.add(member.id, callId, memo);

      return { ...refusal('node-down', downFailure(member)), isFinal: false, isCallLost: !isLast };
    }
    // The owner too: a delete may be waiting for it since an offer whose outcome nobody knows.
    const old = strays.get(member.id, callId);
    const hadStray = old !== undefined;
    if (!(await strays.claim(member.id, callId, deadline))) {
      return {
        result: 'still-deleting',
        failure: undefined,
        reason: 'a delete for an earlier try is not answered yet',
        isFinal: false,
        isCallLost: false,
      };
    }
    const isDoubtful = isOwner && (call.state === 'ended' || hasRestartedSince(member, call.updatedAt));
    if (isDoubtful && !member.driver.renewsCalls) {
      // Asked first: a relay that forgot the call would take the offer for a new one, and the other party hears nothing.
      const record = await member.driver.query(relayCall(call), deadline);
      if (record instanceof RelayFailure && record.kind === 'unknown-call') {
        const lost = `node ${member.id} does not know call ${callId} any more`;

        return {
          ...refusal(record.kind, new Failure('RTPC_CALL_LOST', lost)),
          isFinal: isLast,
          isCallLost: true,
        };
      }
    }
    const reply = await member.driver.offer(
      relayRequest(request, member, address, { isNew: !isOwner, memo }),
      deadline,
    );
    if (!(reply instanceof RelayFailure)) {
      const sdp = checkReply(reply.sdp, request, member, address);
      if (!(sdp instanceof Failure)) return { result: 'ok', sdp, reply };
      log.error('node.bad_sdp', { node: member.id, call_id: callId, cause: sdp.message });
      if (!isOwner) strays.add(member.id, callId, reply.memo);

      return {
        ...refusal('wrong-address', sdp),
        isFinal: isOwner,
        left: isOwner ? (reply.memo ?? undefined) : undefined,
      };
    }
    const { kind, reason, isUncertain, left } = reply;
    log.warning('media.try_failed', { call_id: callId, node: member.id, cause: kind, reason });
    if (kind === 'refused') watch.hold(member);
    if (isOwner && kind === 'refused') {
      const ended = new Failure('RTPC_CALL_LOST', `node ${member.id} ended the call: "${reason}"`, reason);

      return { ...refusal(kind, ended, reason), isCallLost: true };
    }
    // A call which the node may have now, and which nobody will use: told to delete before the next node is asked.
    // The owner may have it even if it was not asked now.
    const isUnsent = kind === 'busy' || kind === 'too-large' || kind === 'bad-sdp';
    // A node that was dead before and refuses now has nothing of it.
    const isDead = isKnownDead && kind === 'unreachable' && !hadStray;
    const isLeft = isOwner
      ? (isUncertain || kind === 'busy') && !isLast
      : ((isUncertain || left !== undefined) && !isDead) || kind === 'rejected' || (isUnsent && hadStray);
    if (isLeft) strays.add(member.id, callId, left ?? memo ?? old?.memo);

    return {
      ...refusal(kind, failureOf(member, reply), reason),
      isFinal: kind === 'rejected' || kind === 'too-large',
      isCallLost: isLeft && isOwner,
      left: isOwner ? left : undefined,
    };
  }

  /**
   * The nodes an offer may go to, best first. A call stays on its node. Only while nobody has anything of it but the party
   * that offers again (an INVITE repeated with credentials, or to the next gateway) may it go elsewhere.
   */
  #candidates(
    call: Call | undefined,
    { facts, sdp, sides }: SdpRequest,
    step: Step,
  ): readonly Member[] | NotPlaced {
    const { fleet } = this.#parts;
    const owner = fleet.get(call?.nodeId ?? null);
    if (call !== undefined && call.nodeId !== null) {
      if (owner === undefined) {
        const failure = new Failure('RTPC_CALL_LOST', `node ${call.nodeId}, which had the call, is gone`);

        return new NotPlaced(failure, true);
      }
      const { fromTag, branch = '' } = facts;
      const isAlone = call.legs.every((leg) => leg.tag === fromTag && leg.branch === branch);
      if (call.state !== 'early' || facts.toTag !== undefined || !isAlone) return [owner];
    }
    const setId = call?.setId ?? facts.setId ?? 0;
    const members = fleet.membersOf(setId);
    const { order, decision } = choose(
      {
        callId: facts.callId,
        ...wishesOf(facts, sdp, members),
        hasSides: ({ node }) =>
          addressFor(node, sides.from, 'IP4') !== undefined &&
          addressFor(node, sides.to, 'IP4') !== undefined,
      },
      members,
      fleet.rulesOf(setId),
    );
    step.decision = decision;
    if (owner !== undefined) return [owner, ...order.filter(({ id }) => id !== owner.id)];
    if (order.length > 0) return order;

    return new NotPlaced(new Failure('RTPC_NO_NODE', whyNone(setId, sides, decision)), false);
  }
}

/** What came of one try. */
type Outcome =
  | { readonly result: 'ok'; readonly sdp: string; readonly reply: MediaReply }
  | {
      readonly result: Exclude<Try['result'], 'ok'>;
      readonly failure: Failure | undefined;
      /** In the relay's own words where it spoke. */
      readonly reason: string;
      /** Whether other nodes would say the same, or must not be asked. */
      readonly isFinal: boolean;
      /** Whether the node had the call and has it no more. */
      readonly isCallLost: boolean;
      /** What the node that has the call wants remembered of it now. */
      readonly left?: string | undefined;
    };

function refusal(result: Exclude<Try['result'], 'ok'>, failure: Failure, reason = failure.message) {
  return { result, failure, reason, isFinal: true, isCallLost: false } as const;
}

/** By its own uptime, so also if it happened while we were not looking. */
function hasRestartedSince({ startedAt, restartedAt }: Member, at: number): boolean {
  return Math.max(startedAt ?? 0, restartedAt ?? 0) > at;
}

/** Why no node of a set may have a call, in words that say what to do. */
function whyNone(setId: number, { from, to }: Direction, { filtered, filteredCount }: Decision): string {
  if (filteredCount === 0) return `set ${setId} has no node; see "rtp-cluster node list"`;
  if (filtered.every(({ rule }) => rule === 'sides'))
    return `set ${setId} has no node with media addresses for both ${from} and ${to}; see "rtp-cluster node list"`;
  const shown = filtered.slice(0, MAX_SHOWN).map(({ id, figure }) => `node ${id}: ${figure}`);
  const more = filteredCount > MAX_SHOWN ? ` and ${filteredCount - MAX_SHOWN} more` : '';

  return `no node of set ${setId} can take the call (${shown.join('; ')}${more}); see "rtp-cluster node list"`;
}

/** Nodes named in an error message. */
const MAX_SHOWN = 4;

/** The family asked for, else the one the reader is known to use, else the sender's. */
function familyOfReader(call: Call | undefined, { facts, sent }: SdpRequest): Family {
  const asked = facts.extra['address-family'];
  if (asked === 'IP4' || asked === 'IP6') return asked;

  return findTag(call, facts.toTag)?.family ?? familyOfSdp(sent);
}
