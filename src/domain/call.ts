/** A call as the cluster remembers it. */

import type { Family } from '../util/ip.ts';
import type { Direction, Side } from './side.ts';

/**
 * `announced`: direction and set are known, no SDP came yet (delayed offer), so there is no node.
 * `early`: an offer was relayed. `confirmed`: a final answer was relayed. `ended`: deleted, lost or expired.
 */
export type CallState = 'announced' | 'early' | 'confirmed' | 'ended';

/** One tag of a call. With one offer per branch the caller's tag has one leg for each branch. */
export interface Leg {
  readonly tag: string;
  /** Branch id given by the proxy, or '' when one offer serves all branches. */
  readonly branch: string;
  readonly side: Side;
  /** The side which read this leg's last SDP. Branches of one call may lead to different sides. */
  readerSide: Side;
  /** Family of the address in this leg's last SDP: answers to it must use the same. */
  family: Family;
  /** Whether this leg sent a final answer. */
  confirmed: boolean;
  /** Whether this leg sent an offer that has no answer yet. */
  offering: boolean;
  readonly createdAt: number;
  updatedAt: number;
}

/** The last SDP that came from a leg, and what it was turned into. Byte strings. Kept in the database only. */
export interface LegSdp {
  readonly received: string;
  readonly returned: string;
}

/** Call-ID to node, with what later requests of the call need. Time stamps are UTC milliseconds. */
export interface Call {
  readonly callId: string;
  nodeId: number | null;
  readonly setId: number;
  readonly direction: Direction;
  /** The caller's tag: the first From tag seen. */
  readonly callerTag: string;
  state: CallState;
  /** The INVITE that began the call, as `cseq INVITE from-tag`; null if the client names operations, not messages. */
  initial: string | null;
  /** SIP transactions that carried an offer, as `cseq method from-tag`, newest last; at most `MAX_OFFERS`. */
  offers: readonly string[];
  legs: Leg[];
  /** What the driver of its node wants remembered, in words of its own; null if that is nothing. */
  memo: string | null;
  /** Sessions its node has for it, as the node counts them: one, or for rtpproxy one for each stream. */
  sessions: number;
  readonly createdAt: number;
  updatedAt: number;
  /** Why the call ended: `bye`, `cancel`, `busy`, a status code, a text of the proxy; null while it lives. */
  endReason: string | null;
}

/** More transactions than this never overlap in one call; older ones are forgotten. */
export const MAX_OFFERS = 8;

/** More tags than this in one call is abuse; further ones are refused. */
export const MAX_LEGS = 64;

/** The leg of a tag on a branch. */
export function findLeg(call: Call | undefined, tag: string, branch = ''): Leg | undefined {
  return call?.legs.find((leg) => leg.tag === tag && leg.branch === branch);
}

/** The leg of a tag on whatever branch. */
export function findTag(call: Call | undefined, tag: string | undefined): Leg | undefined {
  return call?.legs.find((leg) => leg.tag === tag);
}

/** The first From tag is the caller's; every other tag is on the other side. */
export function sideOfTag(call: Call, tag: string): Side {
  return tag === call.callerTag ? call.direction.from : call.direction.to;
}
