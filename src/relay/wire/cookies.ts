/**
 * The cookies of one client: making them, and knowing them again when a reply comes out of turn (reference: ng-protocol 1.2,
 * rtpproxy-protocol 2).
 */

/** How long, and how many, given-up cookies are remembered, so that a late reply is known as one. */
export const REMEMBER_MS = 30_000;
export const MAX_REMEMBERED = 4096;

/** How many answered cookies are known to be duplicates when they come again. */
const ANSWERED = 1024;

/** What a reply to no request in flight is. */
export type Unawaited = 'late' | 'duplicates' | 'unknown';

export class Cookies {
  readonly #prefix: string;
  #serial = 0;
  /** Cookies given up, oldest first, and until when they are remembered. */
  readonly #givenUp = new Map<string, number>();
  /** Cookies answered, each at the place its serial number falls on. */
  readonly #answered = new Array<string>(ANSWERED).fill('');

  /**
   * `prefix` starts every cookie and has no spaces; 96 random bits by default: a relay remembers the cookies of all its clients
   * together, and its memory outlives us.
   */
  constructor(prefix: string = Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex')) {
    this.#prefix = prefix;
  }

  next(): string {
    this.#serial++;

    return `${this.#prefix}_${this.#serial.toString(36)}`;
  }

  answered(cookie: string): void {
    this.#answered[this.#place(cookie)] = cookie;
  }

  givenUp(cookie: string, now: number): void {
    if (this.#givenUp.size >= MAX_REMEMBERED) {
      for (const oldest of this.#givenUp.keys()) {
        this.#givenUp.delete(oldest);
        break;
      }
    }
    this.#givenUp.set(cookie, now + REMEMBER_MS);
  }

  /** What a reply with this cookie is; late is told once. */
  classify(cookie: string, now: number): Unawaited {
    this.forget(now);
    if (this.#givenUp.delete(cookie)) {
      this.answered(cookie);

      return 'late';
    }

    return this.#answered[this.#place(cookie)] === cookie ? 'duplicates' : 'unknown';
  }

  /** Drops what is remembered for long enough. */
  forget(now: number): void {
    for (const [cookie, until] of this.#givenUp) {
      if (until > now) return;
      this.#givenUp.delete(cookie);
    }
  }

  #place(cookie: string): number {
    return Number.parseInt(cookie.slice(this.#prefix.length + 1), 36) % ANSWERED;
  }
}
