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

/** Start of the Call-ID of every probe call; the second it began in follows. */
const PROBE_PREFIX = 'rtp-cluster-probe-';
/** No probe call lives so long, ms: an older one was left behind. */
const PROBE_LIFE_MS = 60_000;

/** A Call-ID for a probe call that begins at `utc` (ms). */
export function newProbe(utc: number): string {
  return `${PROBE_PREFIX}${Math.floor(utc / 1000)}-${randomBytes(8).toString('hex')}`;
}

/** Whether a call is one of ours to test a relay, a canary or a probe: no call of anybody. */
export function isTestCall(callId: string): boolean {
  return callId.startsWith(CANARY_PREFIX) || callId.startsWith(PROBE_PREFIX);
}

/**
 * Whether a test call can be deleted by whoever finds it at `utc` (ms). Canaries are deleted at once by who sent them, and that it is
 * done twice does no harm; a probe has media for a moment, which must not be taken from it.
 */
export function isLeftBehind(callId: string, utc: number): boolean {
  if (callId.startsWith(CANARY_PREFIX)) return true;
  const began = /^(\d{1,12})-/.exec(callId.slice(PROBE_PREFIX.length))?.[1];

  // A clock that was set back makes it look younger than nothing: those are old too.
  return began === undefined || Math.abs(utc - Number(began) * 1000) > PROBE_LIFE_MS;
}
