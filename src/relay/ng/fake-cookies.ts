import type { Clock } from '../../util/clock.ts';

/** How often a generation is put aside; an entry lives one to two of these, and longer without traffic. */
const ROTATE_MS = 30_000;
/** Bounds of one generation; beyond them it is put aside early. */
const MAX_ENTRIES = 200_000;
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The memory of replies as rtpengine keeps it: the key is the cookie alone, whoever sends it and whatever it asks, and generations
 * change only when a request comes (reference: ng-protocol 1.2).
 */
export class ReplyCache {
  readonly #clock: Clock;
  #young = new Map<string, Buffer>();
  #old = new Map<string, Buffer>();
  #bytes = 0;
  #rotatedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#rotatedAt = clock.monotonic();
  }

  get(cookie: string): Buffer | undefined {
    const found = this.#young.get(cookie) ?? this.#old.get(cookie);
    const now = this.#clock.monotonic();
    if (now - this.#rotatedAt >= ROTATE_MS) this.#rotate(now);

    return found;
  }

  set(cookie: string, reply: Buffer): void {
    if (this.#young.size >= MAX_ENTRIES || this.#bytes >= MAX_BYTES) this.#rotate(this.#clock.monotonic());
    this.#young.set(cookie, reply);
    this.#bytes += reply.length;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#bytes = 0;
  }

  #rotate(now: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
    this.#rotatedAt = now;
  }
}
