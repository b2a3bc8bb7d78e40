/**
 * Wakes a daemon that says it has no ports though its calls have ended. It closes their sockets in the thread that carries media,
 * and where no media flows and no session can be opened that one may sleep for good (measured, 2.2 to 3.2; 2.1 is not concerned).
 */

import type { Clock } from '../../util/clock.ts';
import { newCanary } from '../checks.ts';
import type { RtpproxyClient } from './client.ts';
import { deleteCommand, streamCommand } from './commands.ts';

/** Least time between two attempts, ms: a daemon that is really full says so all the time. */
const EVERY_MS = 250;
/** An address which every Linux host has and no relay uses, so that there are ports. */
const ELSEWHERE = '127.72.72.72';

export class Waker {
  readonly #client: RtpproxyClient;
  readonly #clock: Clock;
  /** Monotonic ms before which nothing is tried. */
  #notBefore = Number.NEGATIVE_INFINITY;
  /** Whether it had no ports when it was asked last. */
  #isFull = false;

  constructor(client: RtpproxyClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** What the daemon said when it was asked for a port: a full one is woken, that it may see what has ended meanwhile. */
  said(reply: string, deadline: number): void {
    this.#isFull = reply === 'E71' || reply === 'E72';
    if (this.#isFull) void this.#wake(deadline);
  }

  /** A call has ended: a daemon that was full has ports to free now. */
  ended(deadline: number): void {
    if (this.#isFull) void this.#wake(deadline);
  }

  /** Opens a session where there are ports, and ends it. Nobody need wait for it: if it fails, the next refusal tries again. */
  async #wake(deadline: number): Promise<void> {
    if (this.#clock.monotonic() < this.#notBefore) return;
    this.#notBefore = this.#clock.monotonic() + EVERY_MS;
    const name = newCanary();
    const tags = { offerer: 'wake' };
    // An address for documentation (RFC 5737): nobody sends there.
    const there = { address: '192.0.2.1', family: 'IP4', port: 9, formats: [] } as const;
    const socket = { address: ELSEWHERE };
    await this.#client.request(streamCommand({ letter: 'U', name, n: 1, tags, ...there, socket }), deadline);
    await this.#client.request(deleteCommand(name, tags), deadline);
  }
}
