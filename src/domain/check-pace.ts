/** When a node is checked next: seldom while our opinion of it is settled, at once again while it is changing. Pure. */

import type { HealthState } from './health.ts';

/** From the start of a check to the start of the next while the opinion is settled, ms; 10 % more or less of it. */
export const CHECK_INTERVAL_MS = 2000;
/** Part of the interval by which a check may come early or late, so that those of many nodes do not come at once. */
export const CHECK_JITTER = 0.1;
/**
 * The same while the opinion is changing, ms. Counted from start to start and as long as a check may last, so three silent
 * checks take 1.5 s.
 */
export const RECHECK_INTERVAL_MS = 500;
/** How long a check may wait for its reply, its retransmissions included, ms. */
export const CHECK_TIMEOUT_MS = 500;

/** Time from the start of the last check to the start of the next, ms. `random` is from 0 to 1. */
export function nextCheckIn({ health, failures }: HealthState, random: number): number {
  const isSettled = health === 'up' || health === 'down' || (health === 'ejected' && failures === 0);
  if (!isSettled) return RECHECK_INTERVAL_MS;

  return CHECK_INTERVAL_MS * (1 + CHECK_JITTER * (2 * random - 1));
}
