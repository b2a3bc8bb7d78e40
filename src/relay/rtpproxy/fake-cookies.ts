import type { Clock } from '../../util/clock.ts';

/** How long a reply is kept at least; here up to 1 s longer, with the daemon up to 3 s. */
const LIFE_MS = 35_000;
/** Replies that came within this time are forgotten together: to delete them one by one would cost more than the commands. */
const SLICE_MS = 1000;
/** Replies kept; beyond them the oldest slice is forgotten early. */
const MAX_REPLIES = 200_000;

interface Slice {
  readonly endsAt: number;
  readonly replies: Map<string, string>;
}

/**
 * The memory of replies as rtpproxy keeps it: the key is the cookie alone, whoever sends it and whatever it asks
 * (reference: rtpproxy-protocol 2). rtpengine's is another one: two generations, which only requests change.
 */
export class ReplyMemory {
  readonly #clock: Clock;
  /** Oldest first; seconds without commands have none. */
  #slices: Slice[] = [];
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(cookie: string): string | undefined {
    this.#forget(this.#clock.monotonic() - LIFE_MS);
    for (let i = this.#slices.length - 1; i >= 0; i--) {
      const reply = this.#slices[i]?.replies.get(cookie);
      if (reply !== undefined) return reply;
    }

    return undefined;
  }

  /** Keeps the reply to a cookie that is not known. */
  set(cookie: string, reply: string): void {
    const now = this.#clock.monotonic();
    let slice = this.#slices.at(-1);
    if (slice === undefined || slice.endsAt <= now) {
      slice = { endsAt: now + SLICE_MS, replies: new Map() };
      this.#slices.push(slice);
    }
    slice.replies.set(cookie, reply);
    this.#size++;
    if (this.#size > MAX_REPLIES) this.#forgetOldest();
  }

  clear(): void {
    this.#slices = [];
    this.#size = 0;
  }

  #forget(until: number): void {
    while ((this.#slices[0]?.endsAt ?? Number.POSITIVE_INFINITY) <= until) this.#forgetOldest();
  }

  #forgetOldest(): void {
    this.#size -= this.#slices.shift()?.replies.size ?? 0;
  }
}
