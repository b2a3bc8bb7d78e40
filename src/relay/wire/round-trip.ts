/**
 * How long to wait for a reply before asking again, from the round trips measured (RFC 6298 section 2). Near a quick node a lost
 * datagram is replaced after 50 ms and not only after 150. The wait is the same before each further transmission, so that 280 ms
 * have room for six: where 30 % are lost each way, 2 requests of 100 fail then, and 13 if the wait doubled each time. What doubling
 * is for, not to drown a node that is slow, comes from `tooShort`: it tells slowness from loss, and counts for all requests.
 */

/** Shortest wait, ms: twice what 99 of 100 offers take at a node with 64 in flight (10 to 22 ms, ng-protocol 13). */
export const MIN_WAIT_MS = 50;

export class RoundTrip {
  readonly #maxMs: number;
  readonly #tickMs: number;
  #smoothedMs: number | null = null;
  #variationMs = 0;
  #waitMs: number;

  /**
   * @param maxMs longest wait, and the wait until something was measured; below `MIN_WAIT_MS` it is the only one
   * @param tickMs granularity of the timer that waits
   */
  constructor(maxMs: number, tickMs: number) {
    this.#maxMs = maxMs;
    this.#tickMs = tickMs;
    this.#waitMs = maxMs;
  }

  /** Smoothed round trip, ms; null before the first one. */
  get smoothedMs(): number | null {
    return this.#smoothedMs;
  }

  /** Time until a request sent now is sent again, ms. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /** A request that was sent once has been answered after `ms`. */
  measured(ms: number): void {
    if (this.#smoothedMs === null) {
      this.#smoothedMs = ms;
      this.#variationMs = ms / 2;
    } else {
      this.#variationMs += (Math.abs(this.#smoothedMs - ms) - this.#variationMs) / 4;
      this.#smoothedMs += (ms - this.#smoothedMs) / 8;
    }
    this.#wait(this.#smoothedMs + Math.max(this.#tickMs, 4 * this.#variationMs));
  }

  /**
   * A second reply came, or one to a request given up: the datagram was not lost, the node is slow. When it became slow all at once,
   * no request is answered before it is sent again, so nothing is measured and only this lengthens the wait. RFC 6298 does so after
   * each retransmission; lost datagrams bring no second reply and do not count here.
   */
  tooShort(): void {
    this.#wait(2 * this.#waitMs);
  }

  #wait(ms: number): void {
    this.#waitMs = Math.min(this.#maxMs, Math.max(MIN_WAIT_MS, ms));
  }
}
