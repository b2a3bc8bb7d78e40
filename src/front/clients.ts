/** Whose datagrams are read: those of the networks of `ng.clients`, each address up to a rate. The protocol itself asks nobody who he is (reference: ng-protocol 1.1). */

import type { Clock } from '../util/clock.ts';
import { isInNetwork, type Network } from '../util/ip.ts';
import { log } from '../util/log.ts';

/** Datagrams of one address per second, and at once after a pause. A busy proxy sends some thousands; those dropped cost it 1 s each. */
export const RATE = 50_000;
/** Addresses whose bucket is kept. Beyond, all are forgotten and begin with a full one: nobody has as many proxies. */
export const MAX_CLIENTS = 4096;
/** Strangers that are known as such; beyond, all are forgotten and looked at anew. */
const MAX_STRANGERS = 4096;
/** An address is complained of at most so often, ms. */
const QUIET_MS = 60_000;
/** Addresses complained of in that time; those beyond are only counted, since anybody can write any sender. */
export const MAX_COMPLAINTS = 20;

/** A token bucket: full it has `RATE` tokens, each datagram takes one, `RATE` come back every second. */
interface Bucket {
  tokens: number;
  /** When tokens were last added, monotonic ms. */
  filledAt: number;
}

export class Clients {
  /** Datagrams dropped: of addresses not allowed, and beyond the rate. */
  readonly counters = { strangers: 0, overRate: 0 };
  #networks: readonly Network[];
  readonly #clock: Clock;
  // Looking an address up in networks takes microseconds, which is too long to do for every datagram.
  readonly #buckets = new Map<string, Bucket>();
  readonly #strangers = new Set<string>();
  /** When an address was last complained of, monotonic ms; longest ago first. */
  readonly #complaints = new Map<string, number>();

  constructor(networks: readonly Network[], clock: Clock) {
    this.#networks = networks;
    this.#clock = clock;
  }

  /** From now on these may ask, and no others. */
  replace(networks: readonly Network[]): void {
    this.#networks = networks;
    this.#buckets.clear();
    this.#strangers.clear();
  }

  /** Whether to read a datagram from this IP address. An IPv4 address mapped into IPv6 counts as IPv4. */
  admits(address: string): boolean {
    const bucket = this.#buckets.get(address) ?? this.#meet(address);
    if (bucket === undefined) {
      this.counters.strangers++;
      this.#complain('ng.stranger', address);

      return false;
    }
    const now = this.#clock.monotonic();
    bucket.tokens = Math.min(RATE, bucket.tokens + ((now - bucket.filledAt) * RATE) / 1000);
    bucket.filledAt = now;
    if (bucket.tokens < 1) {
      this.counters.overRate++;
      this.#complain('ng.rate', address);

      return false;
    }
    bucket.tokens--;

    return true;
  }

  /** A full bucket for an address seen for the first time; undefined for a stranger. */
  #meet(address: string): Bucket | undefined {
    if (this.#strangers.has(address)) return undefined;
    if (!this.#networks.some((network) => isInNetwork(address, network))) {
      if (this.#strangers.size >= MAX_STRANGERS) this.#strangers.clear();
      this.#strangers.add(address);

      return undefined;
    }
    const bucket = { tokens: RATE, filledAt: this.#clock.monotonic() };
    if (this.#buckets.size >= MAX_CLIENTS) this.#buckets.clear();
    this.#buckets.set(address, bucket);

    return bucket;
  }

  #complain(event: string, address: string): void {
    const now = this.#clock.monotonic();
    const last = this.#complaints.get(address);
    if (last !== undefined && now - last < QUIET_MS) return;
    if (last === undefined && this.#complaints.size >= MAX_COMPLAINTS) {
      const [[oldest, at] = ['', now]] = this.#complaints;
      if (now - at < QUIET_MS) return;
      this.#complaints.delete(oldest);
    }
    // Deleted first, so that it goes to the end.
    this.#complaints.delete(address);
    this.#complaints.set(address, now);
    log.warning(event, { address });
  }
}
