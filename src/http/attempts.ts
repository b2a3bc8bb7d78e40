/** Wrong tokens, counted by address: who gives too many has to wait. */

import type { Clock } from '../util/clock.ts';
import { toNumber } from '../util/ip.ts';

/** Wrong tokens that an address may give in a window. */
export const MAX_ATTEMPTS = 10;
/** From the first wrong token on, ms. */
const WINDOW_MS = 60_000;
/** Addresses that are remembered; beyond, the one whose window is oldest is forgotten, and may try anew. */
const MAX_ADDRESSES = 10_000;

export class Attempts {
  readonly #clock: Clock;
  /** In the order in which the windows began. */
  readonly #windows = new Map<string, { readonly since: number; count: number }>();
  /** Addresses forgotten before their time since the start, for want of room. */
  forgotten = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#windows.size;
  }

  /** Seconds this one has to wait, 0 if none. */
  waitS(who: string): number {
    const window = this.#windows.get(who);
    if (window === undefined || window.count < MAX_ATTEMPTS) return 0;

    return Math.max(0, Math.ceil((window.since + WINDOW_MS - this.#clock.monotonic()) / 1000));
  }

  /** Counts a wrong token, and says how many it has been in this window. */
  failed(who: string): number {
    const now = this.#clock.monotonic();
    const window = this.#windows.get(who);
    if (window !== undefined && now - window.since < WINDOW_MS) return ++window.count;
    // Those that are over stand in front, this one's too.
    for (const [oldest, { since }] of this.#windows) {
      const isOver = now - since >= WINDOW_MS;
      if (!isOver && this.#windows.size < MAX_ADDRESSES) break;
      if (!isOver) this.forgotten++;
      this.#windows.delete(oldest);
    }
    this.#windows.set(who, { since: now, count: 1 });

    return 1;
  }
}

/** Who is counted as one: an IPv4 address, or the /64 of an IPv6 address, of which a host has as many as it likes. */
export function clientOf(address: string): string {
  if (!address.includes(':')) return address;

  // A link-local address may carry a zone.
  return `${(toNumber(address.split('%')[0] ?? '') >> 64n).toString(16)}::/64`;
}
