/** The flags of `rtp-cluster node add` and `node set` as the fields the API takes. */

import { Failure } from '../domain/errors.ts';
import { type MediaAddress, NODE_KINDS, SOCKET_FORMS, socketFor } from '../domain/node.ts';
import {
  MAX_CAPACITY,
  MAX_ID,
  MAX_PORT,
  MAX_PRIORITY,
  MAX_SET_ID,
  MAX_WEIGHT,
  readNodeTags,
} from '../domain/node-limits.ts';
import { familyOf } from '../util/ip.ts';
import { type Args, type Flags, readInteger, UsageError } from './args.ts';

/** Flags of `node add` and `node set` for the fields of a node. */
export const FIELD_FLAGS = {
  set: 'set',
  inner: 'values',
  outer: 'values',
  address: 'values',
  kind: NODE_KINDS,
  weight: 'value',
  impose: ['media-address', 'interface'],
  priority: 'value',
  capacity: 'value',
  tags: 'value',
  'http-port': 'value',
} as const satisfies Flags;

/** Reads `SIDE=IP[@INTERFACE]`. */
function readMediaAddress(text: string): MediaAddress | UsageError {
  const match = /^([^=@]+)=([^=@]+)(?:@(.+))?$/.exec(text);
  const [, side = '', literal = '', name] = match ?? [];
  const address = /^\[(.*)\]$/.exec(literal)?.[1] ?? literal;
  const family = familyOf(address);
  if (match === null || family === undefined)
    return new UsageError(
      `media address "${text}"; allowed is SIDE=IP or SIDE=IP@INTERFACE with an IP literal`,
    );

  return { side: side.trim().toLowerCase(), family, address, interface: name ?? null };
}

/** The media addresses of the flags, in the order inner, outer, others. */
export function readAddresses(args: Args): MediaAddress[] | UsageError {
  const texts = [
    ...args.all('inner').map((ip) => `inner=${ip}`),
    ...args.all('outer').map((ip) => `outer=${ip}`),
    ...args.all('address'),
  ];
  const addresses: MediaAddress[] = [];
  for (const text of texts) {
    const address = readMediaAddress(text);
    if (address instanceof UsageError) return address;
    if (addresses.some((other) => isSamePlace(other, address)))
      return new UsageError(
        `side ${address.side} has two ${address.family} addresses; allowed is one for each family`,
      );
    addresses.push(address);
  }

  return addresses;
}

/** Whether two media addresses stand for the same side and family; a node has one for each. */
export function isSamePlace(a: { side: unknown; family: unknown }, b: MediaAddress): boolean {
  return a.side === b.side && a.family === b.family;
}

/** The fields of a node that were given, addresses apart, by the names of the API. */
export function readFields(args: Args, socket: string | undefined): Record<string, unknown> | UsageError {
  const fields: Record<string, unknown> = {};
  if (socket !== undefined) {
    // The service knows the kind of a node that is there already, and looks again.
    const said = NODE_KINDS.find((kind) => kind === args.one('kind'));
    if (!NODE_KINDS.some((kind) => (said ?? kind) === kind && socketFor(kind, socket) !== undefined)) {
      const forms =
        said === undefined
          ? `${SOCKET_FORMS.rtpengine}, for rtpproxy ${SOCKET_FORMS.rtpproxy}`
          : SOCKET_FORMS[said];

      return new UsageError(`the socket is "${socket}"; allowed is ${forms}`);
    }
    fields.socket = socket;
  }
  for (const [flag, field, min, max, canBeNone] of [
    ['id', 'id', 0, MAX_ID, false],
    ['set', 'set_id', 0, MAX_SET_ID, false],
    ['weight', 'weight', 0, MAX_WEIGHT, false],
    ['priority', 'priority', 0, MAX_PRIORITY, false],
    ['capacity', 'capacity', 1, MAX_CAPACITY, true],
    ['http-port', 'http_port', 1, MAX_PORT, true],
  ] as const) {
    const text = args.one(flag);
    if (text === undefined) continue;
    const value = canBeNone && text === 'none' ? null : readInteger(text, `--${flag}`, min, max);
    if (value instanceof UsageError) return value;
    fields[field] = value;
  }
  const tags = args.one('tags');
  if (tags !== undefined) {
    const words = tags === 'none' ? [] : readNodeTags(tags.split(','));
    if (words instanceof Failure) return new UsageError(`--tags: ${words.message}`);
    fields.tags = words;
  }
  for (const [flag, field] of [
    ['kind', 'kind'],
    ['impose', 'impose_mode'],
  ] as const)
    if (args.has(flag)) fields[field] = args.one(flag);

  return fields;
}
