/** Whether a daemon can tell that a session has ended for want of media: only if it was started with `-n` (rtpproxy-protocol 6). */

import type { Clock } from '../../util/clock.ts';
import { RelayFailure } from '../driver.ts';
import type { RtpproxyClient } from './client.ts';

/** The capability (rtpproxy-protocol 3.4). */
const STAMP = '20081224';
/** How long a "no" is believed, ms: the daemon may be restarted with `-n`. */
const NO_MS = 60_000;

export class NoticeSupport {
  /** The socket as the daemon's own `-n` names it. */
  readonly socket: string;
  readonly #client: RtpproxyClient;
  readonly #clock: Clock;
  #known: boolean | undefined;
  #asking: Promise<boolean> | undefined;
  /** Monotonic ms until which a "no" is believed. */
  #noUntil = 0;

  constructor(client: RtpproxyClient, clock: Clock, socket: string) {
    this.#client = client;
    this.#clock = clock;
    this.socket = socket;
  }

  /** Asks once, and again some time after a "no". No answer counts as "no" for this time only. */
  isSupported(deadline: number): Promise<boolean> | boolean {
    if (this.#known === true) return true;
    if (this.#known === false && this.#clock.monotonic() < this.#noUntil) return false;
    this.#asking ??= this.#ask(deadline).finally(() => {
      this.#asking = undefined;
    });

    return this.#asking;
  }

  /** It said so, and then refused a socket. */
  lost(): void {
    this.#known = false;
    this.#noUntil = this.#clock.monotonic() + NO_MS;
  }

  async #ask(deadline: number): Promise<boolean> {
    const now = this.#clock.monotonic();
    // Most of the time is for the call.
    const reply = await this.#client.request(`VF ${STAMP}`, now + (deadline - now) / 3);
    if (reply instanceof RelayFailure) return false;
    if (reply === '1') this.#known = true;
    else this.lost();

    return reply === '1';
  }
}
