/**
 * Requests of clients that were answered lately or are under way, so that a retransmission gets the reply of the first one
 * (reference: ng-protocol 1.2 and 14). As in rtpengine two generations take turns, so nothing is ever searched for what is old.
 *
 * Unlike rtpengine's, this memory compares the request itself too: a proxy that restarts in a container has the process id and the
 * counter it had before, hence the same cookies, and must not get the reply to another question.
 */

import type { Clock } from '../util/clock.ts';

/**
 * Age at which a generation is put aside, ms; an entry is kept for one to two of these. 30 s are asked for from the reply on, and
 * no request is under way for longer than the rest.
 */
const TURN_MS = 40_000;

/** How much one generation may hold; beyond, it is put aside early, and the one before is forgotten. */
export interface GenerationBounds {
  readonly entries: number;
  /** Bytes of keys and replies, and `ENTRY_BYTES` for each entry. */
  readonly bytes: number;
}

/** What an entry costs besides its key and its reply: promise, buffer, hash, and its place in the map (measured). */
const ENTRY_BYTES = 600;
/** At most 48 MB in both generations together. At 900 bytes for an offer, one holds those of 5 s at 5000 requests per second. */
const BOUNDS: GenerationBounds = { entries: 50_000, bytes: 24 * 1024 * 1024 };

/** A request and its reply to be. */
export interface Duplicate {
  /** 64 bits over the payload. */
  readonly hash: number | bigint;
  /** Of the payload, bytes. */
  readonly length: number;
  readonly reply: Promise<Buffer>;
}

export class Duplicates {
  readonly #clock: Clock;
  readonly #bounds: GenerationBounds;
  #young = new Map<string, Duplicate>();
  #old = new Map<string, Duplicate>();
  /** Of the young generation. */
  #bytes = 0;
  /** When the young generation began, monotonic ms. */
  #turnedAt: number;
  #forgotten = 0;

  constructor(clock: Clock, bounds: GenerationBounds = BOUNDS) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#turnedAt = clock.monotonic();
  }

  /** Requests kept. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Requests forgotten before their time, since the bounds were reached. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The reply to the same request under this key, which may still be to come; undefined if it was not asked lately. */
  find(key: string, hash: number | bigint, length: number): Promise<Buffer> | undefined {
    this.#age();
    const known = this.#young.get(key) ?? this.#old.get(key);

    return known !== undefined && known.hash === hash && known.length === length ? known.reply : undefined;
  }

  /** Keeps a request; another one under the same key is forgotten. */
  add(key: string, request: Duplicate): void {
    this.#age();
    if (this.#young.size >= this.#bounds.entries || this.#bytes >= this.#bounds.bytes) {
      this.#forgotten += this.#old.size;
      this.#turn();
    }
    this.#young.set(key, request);
    this.#bytes += key.length + ENTRY_BYTES;
  }

  /** Counts the bytes of a reply that has come now. */
  weigh(bytes: number): void {
    this.#bytes += bytes;
  }

  #age(): void {
    const age = this.#clock.monotonic() - this.#turnedAt;
    if (age < TURN_MS) return;
    this.#turn();
    // After a silence the young one is too old as well.
    if (age >= 2 * TURN_MS) this.#old = new Map();
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
    this.#turnedAt = this.#clock.monotonic();
  }
}
