/** What the checks of all kinds of relay have in common. */

import { randomBytes } from 'node:crypto';

/**
 * Time until a check is sent again, ms: seven times within the 500 ms it may take. Where 30 % of the datagrams are lost each way
 * 1 check of 100 fails then, and a fleet without calls goes 10 minutes without taking a living node for dead.
 */
export const CHECK_RETRANSMIT_MS = 70;

/** Start of the Call-ID of every canary, so that one which was left behind is known for what it is. */
const CANARY_PREFIX = 'rtp-cluster-canary-';

/** A Call-ID for a canary. */
export function newCanary(): string {
  return `${CANARY_PREFIX}${randomBytes(8).toString('hex')}`;
}

export function isCanary(callId: string): boolean {
  return callId.startsWith(CANARY_PREFIX);
}
