/** A node as people describe it, and the same checked by itself, without a look at the rest of the fleet. */

import { Failure } from '../domain/errors.ts';
import {
  type ImposeMode,
  NODE_KINDS,
  type Node,
  type NodeKind,
  SOCKET_FORMS,
  socketFor,
  whereabouts,
} from '../domain/node.ts';
import {
  MAX_CAPACITY,
  MAX_PORT,
  MAX_PRIORITY,
  MAX_SET_ID,
  MAX_WEIGHT,
  readNodeTags,
} from '../domain/node-limits.ts';
import type { Sides } from '../domain/side.ts';
import { type AddressesInput, bad, byPlace, isNoHost, readAddresses } from './address-input.ts';

/** A node by the names of the API. What is left out keeps its value, or has its default in a new node. */
export interface NodeInput extends AddressesInput {
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

/** Checks a description; `before` has the values of what it leaves out. */
export function readFields(
  input: NodeInput,
  before: NodeFields | undefined,
  sides: Sides,
): NodeFields | Failure {
  const kind = readKind(input.kind ?? before?.kind ?? 'rtpengine');
  if (kind instanceof Failure) return kind;
  const socket = readSocket(input.socket?.trim() ?? before?.socket, kind);
  if (socket instanceof Failure) return socket;
  // What an old relay was told is nothing to another one.
  const old = before?.kind === kind ? before : undefined;
  const imposeMode = readImposeMode(input.impose_mode ?? old?.imposeMode ?? 'media-address', kind);
  if (imposeMode instanceof Failure) return imposeMode;
  const tags = input.tags === undefined ? (before?.tags ?? []) : readNodeTags(input.tags);
  if (tags instanceof Failure) return tags;
  const numbers = {
    setId: input.set_id ?? before?.setId ?? 0,
    weight: input.weight ?? before?.weight ?? 100,
    priority: input.priority ?? before?.priority ?? 0,
    capacity: input.capacity === undefined ? (before?.capacity ?? null) : input.capacity,
    httpPort: input.http_port === undefined ? (old?.httpPort ?? null) : input.http_port,
  };
  const wrong =
    outside('set_id', numbers.setId, 0, MAX_SET_ID) ??
    outside('weight', numbers.weight, 0, MAX_WEIGHT) ??
    outside('priority', numbers.priority, 0, MAX_PRIORITY) ??
    outside('capacity', numbers.capacity, 1, MAX_CAPACITY) ??
    outside('http_port', numbers.httpPort, 1, MAX_PORT);
  if (wrong !== undefined) return wrong;
  if (kind === 'rtpproxy' && numbers.httpPort !== null)
    return bad(`http_port is ${numbers.httpPort}; an rtpproxy has none, only rtpengine has`);
  const moved = before === undefined ? undefined : moveOf(before, { kind, socket });
  const mediaAddresses = readAddresses(input, {
    before: moved === undefined ? (before?.mediaAddresses ?? []) : [],
    sides,
    kind,
    imposeMode,
  });
  if (mediaAddresses instanceof Failure) return mediaAddresses;
  if (mediaAddresses.length === 0 && moved !== undefined)
    return bad(
      `${moved}; give its media addresses too (inner_media_ip and out_media_ip, or media_addresses)`,
    );
  if (mediaAddresses.length === 0)
    return bad('the node has no media address; give inner_media_ip and out_media_ip, or media_addresses');

  return { kind, socket, imposeMode, ...numbers, mediaAddresses, tags };
}

function readSocket(text: string | undefined, kind: NodeKind): string | Failure {
  if (text === undefined) return bad('socket is missing; write it as udp:192.168.2.3:7890');
  const socket = socketFor(kind, text);
  if (socket === undefined) {
    const other = NODE_KINDS.find((each) => socketFor(each, text) !== undefined);
    const guess = other === undefined ? ', as in udp:192.168.2.3:7890' : `; is its kind ${other}?`;

    return bad(`socket is "${text}"; allowed for ${kind} is ${SOCKET_FORMS[kind]}${guess}`);
  }
  const place = whereabouts(socket);
  if (!place.startsWith('/') && isNoHost(place)) {
    return bad(
      `socket is "${socket}"; its address must be that of one host, no multicast, broadcast or unspecified one`,
    );
  }

  return socket;
}

/**
 * How a node becomes another relay, if it does. Another relay has other addresses: those of the old one would be wrong in every
 * SDP, and interfaces mean different things to relays of different kinds.
 */
function moveOf(before: NodeFields, now: Pick<NodeFields, 'kind' | 'socket'>): string | undefined {
  if (before.kind !== now.kind) return `the node changes from ${before.kind} to ${now.kind}, another relay`;
  const [from, to] = [before, now].map(({ socket }) => whereabouts(socket));
  if (from === to) return undefined;

  return `the node moves from ${before.socket} to ${now.socket}, another ${to?.startsWith('/') ? 'relay' : 'host'}`;
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

function readKind(text: string): NodeKind | Failure {
  const kind = NODE_KINDS.find((each) => each === text);

  return kind ?? bad(`kind is "${text}"; it must be ${NODE_KINDS.map((each) => `"${each}"`).join(' or ')}`);
}

function readImposeMode(text: string, kind: NodeKind): ImposeMode | Failure {
  if (text !== 'media-address' && text !== 'interface')
    return bad(`impose_mode is "${text}"; it must be "media-address" or "interface"`);
  if (kind === 'rtpproxy' && text === 'interface') {
    return bad(
      'impose_mode is "interface"; it is for rtpengine only. The SDP of an rtpproxy is written here, and the interfaces of its media addresses choose its sockets as they are',
    );
  }

  return text;
}
