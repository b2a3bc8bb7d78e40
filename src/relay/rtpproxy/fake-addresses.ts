/** Addresses a fake rtpproxy has sockets on: those it was started with, and those named later (reference: rtpproxy-protocol 4). */

import { type Family, familyOf, isUnspecified, sameAddress } from '../../util/ip.ts';

/** An address of the daemon's host, as its option `-l` names it. */
export interface FakeListen {
  /** IP literal; 0.0.0.0 or :: = all addresses, and then replies name none. */
  readonly address: string;
  /** What replies show in its place; any text. */
  readonly advertised?: string;
  readonly label?: string;
}

/** An address a leg can be on. */
export interface Place {
  readonly address: string;
  readonly family: Family;
  /** What follows the port in a reply; '' for all addresses. */
  readonly shown: string;
  readonly label: string | undefined;
  /** Whether sockets can be bound to it. */
  readonly isLocal: boolean;
}

/** Addresses named by commands that are remembered; further ones are refused with E31. */
const MAX_PLACES = 256;

export class FakeAddresses {
  /** Where legs are without a direction, and the external side in bridging mode. */
  readonly internal: Place;
  readonly external: Place | undefined;
  /** Newest first, the order in which the daemon searches. */
  readonly #places: Place[] = [];

  /** What places without an advertised address of their own show. */
  readonly #advertised: string | undefined;

  /**
   * The first listen address is the internal one; without any it is 127.0.0.1. `isAdvertisedForAll`: what that one advertises is
   * shown for all but the external one.
   */
  constructor(listen: readonly FakeListen[], bridgedTo: FakeListen | undefined, isAdvertisedForAll = false) {
    const [first = { address: '127.0.0.1' }, ...others] = listen;
    this.#advertised = isAdvertisedForAll ? first.advertised : undefined;
    this.internal = this.#add(first, true);
    this.external = bridgedTo === undefined ? undefined : this.#add(bridgedTo, true);
    for (const other of others) this.#add(other, true);
  }

  byLabel(label: string): Place | undefined {
    return this.#places.find((place) => place.label === label);
  }

  byFamily(family: Family): Place | undefined {
    return this.#places.find((place) => place.family === family);
  }

  /** The place of an address, which need not be known yet; undefined if it is no address or too many were named. */
  byAddress(address: string): Place | undefined {
    const known = this.#places.find((place) => sameAddress(place.address, address));
    if (known !== undefined || familyOf(address) === undefined) return known;

    return this.#places.length < MAX_PLACES ? this.#add({ address }, isLoopback(address)) : undefined;
  }

  /** The place from which packets to an address would leave: a guess, for there is no routing table here. */
  towards(address: string): Place | undefined {
    const family = familyOf(address);
    if (family === undefined) return undefined;
    if (isLoopback(address)) return this.byAddress(family === 'IP6' ? '::1' : '127.0.0.1');

    return this.byFamily(family);
  }

  #add({ address, advertised, label }: FakeListen, isLocal: boolean): Place {
    const family = familyOf(address) ?? 'IP4';
    const shown = isUnspecified(address)
      ? ''
      : ` ${advertised ?? this.#advertised ?? address}${family === 'IP6' ? ' 6' : ''}`;
    const place = { address, family, shown, label, isLocal };
    this.#places.unshift(place);

    return place;
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
