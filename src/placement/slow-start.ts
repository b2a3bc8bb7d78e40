/** Slow start: a node that just came up, or came back, gets only a part of its share at first. */

import { SLOW_START_MS } from '../domain/health.ts';

/**
 * Where a node begins. Less would hardly try it; much more would send it, as the emptiest of all, a burst of calls before
 * anybody knows whether it opens ports and writes SDP.
 */
export const RAMP_START = 0.1;

/**
 * Share of its weight that counts for a node now, 0.1 to 1, growing evenly for `SLOW_START_MS`. Both times by the same
 * clock, ms; null for a node that is past its slow start.
 */
export function rampOf(rampFrom: number | null, now: number): number {
  if (rampFrom === null) return 1;
  const done = (now - rampFrom) / SLOW_START_MS;
  if (done >= 1) return 1;

  return RAMP_START + (1 - RAMP_START) * Math.max(0, done);
}
