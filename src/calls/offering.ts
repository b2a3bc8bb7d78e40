/** Brings an offer to a node: which nodes may take it, in which order, and what happens when one does not. */

import { type Call, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { addressFor } from '../domain/node.ts';
import type { Fleet, Member } from '../fleet/fleet.ts';
import type { Policy } from '../placement/policy.ts';
import { RelayFailure } from '../relay/driver.ts';
import { familyOfSdp } from '../sdp/outline.ts';
import type { Clock } from '../util/clock.ts';
import type { Family } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { checkReply, failureOf, relayRequest, type SdpRequest, wantedAddress } from './anchor.ts';
import type { Strays } from './strays.ts';

export interface OfferingParts {
  readonly fleet: Fleet;
  readonly strays: Strays;
  readonly policy: Policy;
  readonly clock: Clock;
}

/** A node has taken the offer; the SDP is checked. */
export interface Placed {
  readonly sdp: string;
  readonly member: Member;
}

/** No node has taken the offer. */
export class NotPlaced {
  constructor(
    readonly failure: Failure,
    /** Whether the node that had the call does not have it any more. */
    readonly isCallLost: boolean,
  ) {}
}

/** A try shorter than this, ms, is not worth a packet. */
const LEAST_TRY_MS = 20;

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
   */
  async place(call: Call | undefined, request: SdpRequest, deadline: number): Promise<Placed | NotPlaced> {
    const { clock, strays } = this.#parts;
    const { callId } = request.facts;
    const candidates = this.#candidates(call, request);
    if (candidates instanceof NotPlaced) return candidates;
    const family = familyOfReader(call, request);
    let last: Failure | undefined;
    let isCallLost = false;
    for (const [index, member] of candidates.entries()) {
      const now = clock.monotonic();
      if (deadline - now < LEAST_TRY_MS) break;
      const isOwner = call?.nodeId === member.id;
      const isLast = index === candidates.length - 1;
      const tryDeadline = isLast ? deadline : Math.min(deadline, now + this.#firstTryMs);
      const address = wantedAddress(member, request, family);
      if (address instanceof Failure) return new NotPlaced(address, isCallLost);
      // The owner too: a delete may be waiting for it since an offer whose outcome nobody knows.
      if (!(await strays.claim(member.id, callId, tryDeadline))) continue;
      const reply = await member.driver.offer(relayRequest(request, member, address, !isOwner), tryDeadline);
      if (!(reply instanceof RelayFailure)) {
        const sdp = checkReply(reply, request, member, address);
        if (!(sdp instanceof Failure)) return { sdp, member };
        log.error('node.bad_sdp', { node: member.id, call_id: callId, cause: sdp.message });
        if (isOwner) return new NotPlaced(sdp, false);
        strays.add(member.id, callId);
        last = sdp;
        continue;
      }
      const { kind, reason, isUncertain } = reply;
      log.warning('media.try_failed', { call_id: callId, node: member.id, cause: kind, reason });
      last = failureOf(member, reply);
      if (isOwner && kind === 'refused') {
        return new NotPlaced(
          new Failure('RTPC_CALL_LOST', `node ${member.id} ended the call: "${reason}"`),
          true,
        );
      }
      // A call which the node may have now, and which nobody will use: told to delete before the next node is asked.
      const isLeft = isOwner ? isUncertain && !isLast : isUncertain || kind === 'rejected';
      if (isLeft) strays.add(member.id, callId);
      isCallLost ||= isLeft && isOwner;
      if (kind === 'rejected' || kind === 'too-large') break;
    }
    const silent = 'the time for this request was over before a node could be asked';

    return new NotPlaced(last ?? new Failure('RTPC_RELAY_SILENT', silent), isCallLost);
  }

  /**
   * The nodes an offer may go to, best first. A call stays on its node. Only while nobody has anything of it but the party
   * that offers again (an INVITE repeated with credentials, or to the next gateway) may it go elsewhere.
   */
  #candidates(call: Call | undefined, { facts, sides }: SdpRequest): readonly Member[] | NotPlaced {
    const { fleet, policy } = this.#parts;
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

    return new NotPlaced(
      new Failure('RTPC_NO_NODE', `set ${setId} ${why}; see "rtp-cluster node list"`),
      false,
    );
  }
}

/** The family asked for, else the one the reader is known to use, else the sender's. */
function familyOfReader(call: Call | undefined, { facts, sent }: SdpRequest): Family {
  const asked = facts.extra['address-family'];
  if (asked === 'IP4' || asked === 'IP6') return asked;

  return findTag(call, facts.toTag)?.family ?? familyOfSdp(sent);
}
