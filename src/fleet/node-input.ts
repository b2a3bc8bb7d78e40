/** A node as people describe it, and the same checked by itself, without a look at the rest of the fleet. */

import { Failure } from '../domain/errors.ts';
import { type ImposeMode, type MediaAddress, type Node, type NodeKind, parseSocket } from '../domain/node.ts';
import {
  MAX_CAPACITY,
  MAX_PORT,
  MAX_PRIORITY,
  MAX_SET_ID,
  MAX_WEIGHT,
  readTags,
} from '../domain/node-limits.ts';
import { findSide, type Sides } from '../domain/side.ts';
import { familyOf, isUnspecified } from '../util/ip.ts';

/** A node by the names of the API. What is left out keeps its value, or has its default in a new node. */
export interface NodeInput {
  readonly id?: number | undefined;
  readonly kind?: string | undefined;
  readonly socket?: string | undefined;
  readonly set_id?: number | undefined;
  readonly weight?: number | undefined;
  readonly impose_mode?: string | undefined;
  readonly priority?: number | undefined;
  readonly capacity?: number | null | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly http_port?: number | null | undefined;
  readonly media_addresses?: readonly AddressInput[] | undefined;
  /** The author's columns: short for the addresses of sides `inner` and `outer`. */
  readonly inner_media_ip?: string | undefined;
  readonly out_media_ip?: string | undefined;
}

export interface AddressInput {
  readonly side: string;
  readonly address: string;
  readonly interface?: string | null | undefined;
}

/** A node without its id: what a description says. */
export type NodeFields = Omit<Node, 'id'>;

/** Names of the fields of a node, for whoever looks for typing errors. */
export const NODE_KEYS = [
  'id',
  'kind',
  'socket',
  'set_id',
  'weight',
  'impose_mode',
  'priority',
  'capacity',
  'tags',
  'http_port',
  'media_addresses',
  'inner_media_ip',
  'out_media_ip',
] as const satisfies readonly (keyof NodeInput)[];

/** The same for a media address; `family` follows from the address. */
export const ADDRESS_KEYS = ['side', 'address', 'interface', 'family'] as const;

/** Checks a description; `before` has the values of what it leaves out. */
export function readFields(
  input: NodeInput,
  before: NodeFields | undefined,
  sides: Sides,
): NodeFields | Failure {
  const socket = input.socket?.trim() ?? before?.socket;
  if (socket === undefined) return bad('socket is missing; write it as udp:192.168.2.3:7890');
  if (parseSocket(socket) === undefined) {
    return bad(
      `socket is "${socket}"; allowed are udp:IPV4:PORT and udp6:[IPV6]:PORT with IP addresses, as in udp:192.168.2.3:7890`,
    );
  }
  if (isNoHost(hostOf(socket))) {
    return bad(
      `socket is "${socket}"; its address must be that of one host, no multicast, broadcast or unspecified one`,
    );
  }
  // Another host has other addresses: those of the old one would be wrong in every SDP.
  const isMoved = before !== undefined && hostOf(before.socket) !== hostOf(socket);
  const kind = readKind(input.kind ?? before?.kind ?? 'rtpengine');
  if (kind instanceof Failure) return kind;
  const imposeMode = readImposeMode(input.impose_mode ?? before?.imposeMode ?? 'media-address');
  if (imposeMode instanceof Failure) return imposeMode;
  const tags = input.tags === undefined ? (before?.tags ?? []) : readTags(input.tags);
  if (tags instanceof Failure) return tags;
  const numbers = {
    setId: input.set_id ?? before?.setId ?? 0,
    weight: input.weight ?? before?.weight ?? 100,
    priority: input.priority ?? before?.priority ?? 0,
    capacity: input.capacity === undefined ? (before?.capacity ?? null) : input.capacity,
    httpPort: input.http_port === undefined ? (before?.httpPort ?? null) : input.http_port,
  };
  const wrong =
    outside('set_id', numbers.setId, 0, MAX_SET_ID) ??
    outside('weight', numbers.weight, 0, MAX_WEIGHT) ??
    outside('priority', numbers.priority, 0, MAX_PRIORITY) ??
    outside('capacity', numbers.capacity, 1, MAX_CAPACITY) ??
    outside('http_port', numbers.httpPort, 1, MAX_PORT);
  if (wrong !== undefined) return wrong;
  const mediaAddresses = readAddresses(input, isMoved ? [] : (before?.mediaAddresses ?? []), sides);
  if (mediaAddresses instanceof Failure) return mediaAddresses;
  if (mediaAddresses.length === 0 && isMoved) {
    return bad(
      `the node moves from ${before.socket} to ${socket}, another host; give its media addresses too (inner_media_ip and out_media_ip, or media_addresses)`,
    );
  }
  if (mediaAddresses.length === 0)
    return bad('the node has no media address; give inner_media_ip and out_media_ip, or media_addresses');
  const bare = mediaAddresses.find((address) => address.interface === null);
  if (imposeMode === 'interface' && bare !== undefined) {
    return bad(
      `impose_mode is "interface", but the address ${bare.address} of side ${bare.side} names no interface`,
    );
  }

  return { kind, socket, imposeMode, ...numbers, mediaAddresses, tags };
}

function hostOf(socket: string): string {
  return parseSocket(socket)?.host ?? '';
}

/** Multicast, broadcast, or no address at all. */
function isNoHost(host: string): boolean {
  return isUnspecified(host) || /^(22[4-9]\.|2[3-5]\d\.|ff[0-9a-f]{2}:)/i.test(host);
}

/** A node by the names of the API. */
export function nodeShown(node: Node) {
  return {
    id: node.id,
    kind: node.kind,
    socket: node.socket,
    set_id: node.setId,
    weight: node.weight,
    impose_mode: node.imposeMode,
    priority: node.priority,
    capacity: node.capacity,
    tags: node.tags,
    http_port: node.httpPort,
    media_addresses: [...node.mediaAddresses].sort(byPlace),
  };
}

/** The failure of a value that is no whole number of the range; null is no value at all. */
export function outside(
  name: string,
  value: number | null,
  least: number,
  most: number,
): Failure | undefined {
  if (value === null || (Number.isInteger(value) && value >= least && value <= most)) return undefined;

  return bad(`${name} is ${value}; it must be a whole number from ${least} to ${most}`);
}

function readAddresses(
  input: NodeInput,
  before: readonly MediaAddress[],
  sides: Sides,
): readonly MediaAddress[] | Failure {
  const short = [
    { side: 'inner', address: input.inner_media_ip, name: 'inner_media_ip' },
    { side: 'outer', address: input.out_media_ip, name: 'out_media_ip' },
  ].flatMap(({ address, ...rest }) => (address === undefined ? [] : [{ ...rest, address }]));
  const given: (AddressInput & { name: string })[] = [
    ...short,
    ...(input.media_addresses ?? []).map((address) => ({ ...address, name: 'media_addresses' })),
  ];
  if (given.length === 0) return before;
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
    if (name !== null && !/^[\w.:-]{1,64}$/.test(name))
      return bad(`${key}: interface is "${name}"; it must be a name of up to 64 letters, digits and ._:-`);
    if (read.some((other) => other.side === side && other.family === family)) {
      return bad(`${key}: side ${side} has two ${family} addresses; a node has one for each side and family`);
    }
    read.push({ side, family, address, interface: name });
  }
  // The short form of one side leaves the other as it was.
  const isShort = input.media_addresses === undefined;
  const kept = isShort
    ? before.filter((old) => !read.some(({ side, family }) => old.side === side && old.family === family))
    : [];

  return [...kept, ...read].sort(byPlace);
}

function byPlace(a: MediaAddress, b: MediaAddress): number {
  return a.side.localeCompare(b.side) || a.family.localeCompare(b.family);
}

function readKind(text: string): NodeKind | Failure {
  if (text === 'rtpengine') return text;
  if (text === 'rtpproxy') return bad('kind is "rtpproxy"; this version drives rtpengine only');

  return bad(`kind is "${text}"; it must be "rtpengine"`);
}

function readImposeMode(text: string): ImposeMode | Failure {
  if (text === 'media-address' || text === 'interface') return text;

  return bad(`impose_mode is "${text}"; it must be "media-address" or "interface"`);
}

function bad(message: string): Failure {
  return new Failure('RTPC_BAD_PARAMETER', message);
}
