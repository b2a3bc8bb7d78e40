/** One request of a call as `explain` tells it: what was asked, what was done for it, and why. */

import type { Door } from '../domain/door.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Decision } from '../placement/choose.ts';
import type { CallStream } from '../relay/call-streams.ts';
import type { RelayFailureKind } from '../relay/driver.ts';

/** One try to hand an offer to a node. */
export interface Try {
  readonly node: number;
  readonly result: 'ok' | 'wrong-address' | 'still-deleting' | 'node-down' | RelayFailureKind;
  /** The relay's own words, or ours; '' if it worked. */
  readonly reason: string;
  readonly took_ms: number;
}

/** One request of a call, while it runs and after. */
export interface Step {
  /** UTC ms. */
  readonly at: number;
  /** What was asked: `offer`, `answer`, `delete`, `query`, the name of a command. */
  readonly operation: string;
  /** The SIP message behind it, as `INVITE` or `200 INVITE`; null if the client named the operation. */
  readonly message: string | null;
  readonly door: Door;
  took_ms: number;
  result: 'ok' | ErrorCode;
  /** Why it failed; '' if it did not. */
  reason: string;
  node: number | null;
  /** Sender's and reader's side, as `inner>outer`; null where there is no SDP. */
  sides: string | null;
  /** Tag of the party that sent the SDP; null where there is none. */
  tag: string | null;
  /** Why it was placed where it was; null if there was nothing to place. */
  decision: Decision | null;
  tries: Try[];
  /** The SDP as it came, and as it left; null where there is none, or none is kept. Byte strings. */
  sdp_received: string | null;
  sdp_returned: string | null;
  /** Whether an SDP is not kept whole, for its length or for want of room. */
  is_sdp_cut: boolean;
  /** What the node received of each stream until the call was deleted; null where it did not say. */
  streams: readonly CallStream[] | null;
}

/** A request begins. @param at UTC ms */
export function beginStep(
  at: number,
  operation: string,
  message: string | null = null,
  door: Door = 'http',
): Step {
  return {
    at,
    operation,
    message,
    door,
    took_ms: 0,
    result: 'ok',
    reason: '',
    node: null,
    sides: null,
    tag: null,
    decision: null,
    tries: [],
    sdp_received: null,
    sdp_returned: null,
    is_sdp_cut: false,
    streams: null,
  };
}

/** Longest SDP kept of a step, bytes; an offer of a browser with all its candidates has half of it. */
export const MAX_SDP = 16_384;

/** Characters of SDP in a step. */
export function sdpLength({
  sdp_received,
  sdp_returned,
}: Pick<Step, 'sdp_received' | 'sdp_returned'>): number {
  return (sdp_received?.length ?? 0) + (sdp_returned?.length ?? 0);
}

/** Cuts what is longer than `MAX_SDP`, after a whole line where there is one. */
export function cutSdp(step: Step): void {
  step.sdp_received = cut(step, step.sdp_received);
  step.sdp_returned = cut(step, step.sdp_returned);
}

/** Forgets the SDP of a step. */
export function dropSdp(step: Step): void {
  step.is_sdp_cut ||= sdpLength(step) > 0;
  step.sdp_received = null;
  step.sdp_returned = null;
}

function cut(step: Step, sdp: string | null): string | null {
  if (sdp === null || sdp.length <= MAX_SDP) return sdp;
  step.is_sdp_cut = true;
  const end = sdp.lastIndexOf('\n', MAX_SDP - 1);

  return sdp.slice(0, end === -1 ? MAX_SDP : end + 1);
}
