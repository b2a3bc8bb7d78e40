/** The media addresses of a node as people describe them, and the same checked. */

import { Failure } from '../domain/errors.ts';
import { faceOf, type ImposeMode, type MediaAddress, type NodeKind } from '../domain/node.ts';
import { findSide, type Sides } from '../domain/side.ts';
import { type Family, familyOf, isMulticast, isUnspecified } from '../util/ip.ts';

/** A media address by the names of the API. */
export interface AddressInput {
  readonly side: string;
  readonly address: string;
  readonly interface?: string | null | undefined;
}

/** The fields of a node that say its media addresses. */
export interface AddressesInput {
  readonly media_addresses?: readonly AddressInput[] | undefined;
  /** The author's columns: short for the addresses of sides `inner` and `outer`. */
  readonly inner_media_ip?: string | undefined;
  readonly out_media_ip?: string | undefined;
}

/** What the addresses are looked at with: those of before, and the node they belong to. */
interface Around {
  readonly before: readonly MediaAddress[];
  readonly sides: Sides;
  readonly kind: NodeKind;
  readonly imposeMode: ImposeMode;
}

/** Names of the fields of a media address, for whoever looks for typing errors; `family` follows from the address. */
export const ADDRESS_KEYS = ['side', 'address', 'interface', 'family'] as const;

/** The media addresses of a description: none if it has none and there were none before. */
export function readAddresses(
  input: AddressesInput,
  { before, sides, kind, imposeMode }: Around,
): readonly MediaAddress[] | Failure {
  const short = [
    { side: 'inner', address: input.inner_media_ip, name: 'inner_media_ip' },
    { side: 'outer', address: input.out_media_ip, name: 'out_media_ip' },
  ].flatMap(({ address, ...rest }) => (address === undefined ? [] : [{ ...rest, address }]));
  const given: (AddressInput & { name: string })[] = [
    ...short,
    ...(input.media_addresses ?? []).map((address) => ({ ...address, name: 'media_addresses' })),
  ];
  const read: MediaAddress[] = [];
  for (const { side: sideText, address: text, interface: name = null, name: key } of given) {
    const side = findSide(sideText, sides);
    if (side === undefined)
      return bad(`${key}: there is no side "${sideText}"; there are ${sides.names.join(', ')}`);
    const address = text.trim().replace(/^\[(.*)\]$/, '$1');
    const family = familyOf(address);
    if (family === undefined || isUnspecified(address)) {
      return bad(
        `${key} is "${text}"; it must be an IP address, IPv4 or IPv6, that the ${side} side can reach`,
      );
    }
    const wrong = name === null ? undefined : wrongName(name, kind, family);
    if (wrong !== undefined) return bad(`${key}: interface is "${name}"; ${wrong}`);
    if (read.some((other) => other.side === side && other.family === family)) {
      return bad(`${key}: side ${side} has two ${family} addresses; a node has one for each side and family`);
    }
    read.push({ side, family, address, interface: name });
  }
  // The short form of one side leaves the other as it was.
  const isShort = given.length === short.length;
  const kept = isShort
    ? before.filter((old) => !read.some(({ side, family }) => old.side === side && old.family === family))
    : [];
  const all = [...kept, ...read].sort(byPlace);
  const fault = kind === 'rtpproxy' ? mixedFaces(all) : missingName(all, imposeMode);

  return fault === undefined ? all : bad(fault);
}

/** Order of the media addresses of a node. */
export function byPlace(a: MediaAddress, b: MediaAddress): number {
  return a.side.localeCompare(b.side) || a.family.localeCompare(b.family);
}

/** Why a name can be no interface of a relay of the kind, at an address of the family; undefined if it can. */
function wrongName(name: string, kind: NodeKind, family: Family): string | undefined {
  if (kind === 'rtpengine')
    return /^[\w.:-]{1,64}$/.test(name)
      ? undefined
      : 'it must be a name of up to 64 letters, digits and ._:-';
  const face = faceOf(name);
  if (face === undefined)
    return 'for rtpproxy it must be internal, external, an IP address of its host, or the label of a listen address';
  if (face !== 'address') return undefined;
  if (isNoHost(name)) return 'it must be the address of one host';

  return familyOf(name) === family
    ? undefined
    : `it must have the family of the address beside it, ${family}`;
}

/** Whether an rtpengine that is told interfaces lacks one. */
function missingName(addresses: readonly MediaAddress[], imposeMode: ImposeMode): string | undefined {
  const bare = addresses.find((address) => address.interface === null);
  if (imposeMode === 'media-address' || bare === undefined) return undefined;

  return `impose_mode is "interface", but the address ${bare.address} of side ${bare.side} names no interface`;
}

/**
 * Whether the interfaces of an rtpproxy do not go together. One that is chosen for one party holds for the other too unless that
 * has its own, and bridging mode takes no others (reference: rtpproxy-protocol 3.1 and 4.3).
 */
function mixedFaces(addresses: readonly MediaAddress[]): string | undefined {
  const faces = new Set(addresses.map(({ interface: name }) => (name === null ? null : faceOf(name))));
  if (faces.size < 2) return undefined;
  const bare = addresses.find(({ interface: name }) => name === null);
  if (bare !== undefined)
    return `the address ${bare.address} of side ${bare.side} names no interface, but others do; an rtpproxy has one at all its media addresses or at none`;

  return faces.has('bridge')
    ? 'some interfaces are "internal" or "external", others are not; an rtpproxy in bridging mode has these two only'
    : undefined;
}

/** Multicast, broadcast, or no address at all. */
export function isNoHost(host: string): boolean {
  return isUnspecified(host) || isMulticast(host) || /^2[45]\d\./.test(host);
}

/** The failure of a field. */
export function bad(message: string): Failure {
  return new Failure('RTPC_BAD_PARAMETER', message);
}
