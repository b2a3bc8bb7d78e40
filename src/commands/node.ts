/** `rtp-cluster node`: the nodes of the fleet, over the management API. */

import type { MediaAddress } from '../domain/node.ts';
import { parseSocket } from '../domain/node.ts';
import { familyOf } from '../util/ip.ts';
import { type Action, removal, runActions, show } from './actions.ts';
import { type Args, type FlagKind, readInteger, UsageError } from './args.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { isObject, type JsonObject, listOf, textOf } from './json.ts';
import { formatTable, printable } from './table.ts';

export const help = `Usage: rtp-cluster node list
       rtp-cluster node show ID
       rtp-cluster node add SOCKET --set SET --inner IP --outer IP [FLAGS]
       rtp-cluster node set ID [--socket SOCKET] [FLAGS]
       rtp-cluster node remove ID

Shows and changes the nodes (media relays). SOCKET is the control socket as in OpenSIPS's table:
udp:192.168.2.3:7890 or udp6:[2001:db8::3]:7890. "node set" changes only what is given.

  --set SET          The set, a number from 0
  --inner IP         Media address as the inner side sees it; again for the other address family
  --outer IP         Media address as the outer side sees it; again for the other address family
  --address SIDE=IP  The same for any side. After the IP may stand @INTERFACE, the relay's logical
                     interface for that side (--impose interface)
  --id N             Id of a new node; the service chooses one if missing
  --kind KIND        rtpengine (default) or rtpproxy
  --weight N         Share of new calls, 0 to 65535; 0 takes no new calls
  --impose MODE      media-address (default) or interface
${CLIENT_HELP}`;

/** Ids and set ids are 32-bit integers, as in OpenSIPS's table. */
export const MAX_ID = 2_147_483_647;
export const MAX_WEIGHT = 65_535;

const FIELD_FLAGS = {
  set: 'value',
  inner: 'values',
  outer: 'values',
  address: 'values',
  kind: 'value',
  weight: 'value',
  impose: 'value',
} as const satisfies Record<string, FlagKind>;

/** Reads `SIDE=IP[@INTERFACE]`. */
export function readMediaAddress(text: string): MediaAddress | UsageError {
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
function readAddresses(args: Args): MediaAddress[] | UsageError {
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

function isSamePlace(a: { side: unknown; family: unknown }, b: MediaAddress): boolean {
  return a.side === b.side && a.family === b.family;
}

/** The fields of a node that were given, addresses apart, by the names of the API. */
function readFields(args: Args, socket: string | undefined): Record<string, unknown> | UsageError {
  const fields: Record<string, unknown> = {};
  if (socket !== undefined) {
    if (parseSocket(socket) === undefined)
      return new UsageError(
        `the socket is "${socket}"; allowed is udp:IP:PORT or udp6:[IP]:PORT, as in udp:192.168.2.3:7890`,
      );
    fields.socket = socket;
  }
  for (const [flag, field, max] of [
    ['id', 'id', MAX_ID],
    ['set', 'set_id', MAX_ID],
    ['weight', 'weight', MAX_WEIGHT],
  ] as const) {
    const text = args.one(flag);
    if (text === undefined) continue;
    const value = readInteger(text, `--${flag}`, 0, max);
    if (value instanceof UsageError) return value;
    fields[field] = value;
  }
  for (const [flag, field, words] of [
    ['kind', 'kind', ['rtpengine', 'rtpproxy']],
    ['impose', 'impose_mode', ['media-address', 'interface']],
  ] as const) {
    const word = args.one(flag);
    if (word === undefined) continue;
    if (!words.some((allowed) => allowed === word))
      return new UsageError(`--${flag} is "${word}"; allowed is ${words.join(' or ')}`);
    fields[field] = word;
  }

  return fields;
}

function readId(text = ''): number | UsageError {
  return readInteger(text, 'the node id', 0, MAX_ID);
}

const list: Action = {
  words: [],
  flags: {},
  async run(args, _words, api, io) {
    const reply = await api.call('GET', '/v1/nodes');

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, () => nodeTable(listOf(reply.json, 'nodes')));
  },
};

function nodeTable(nodes: readonly JsonObject[]): string[] {
  if (nodes.length === 0) return ['There are no nodes yet; add one with: rtp-cluster node add'];
  const sides = new Set(['inner', 'outer']);
  for (const node of nodes)
    for (const address of listOf(node, 'media_addresses')) sides.add(textOf(address, 'side'));
  const head = [
    'ID',
    'KIND',
    'SOCKET',
    'SET',
    'WEIGHT',
    'CALLS',
    ...[...sides].map((side) => side.toUpperCase()),
  ];

  return formatTable(
    head,
    nodes.map((node) => [
      ...['id', 'kind', 'socket', 'set_id', 'weight', 'calls'].map((field) => textOf(node, field)),
      ...[...sides].map((side) =>
        listOf(node, 'media_addresses')
          .filter((address) => address.side === side)
          .map(addressText)
          .join(', '),
      ),
    ]),
  );
}

function addressText(address: JsonObject): string {
  const name = textOf(address, 'interface');

  return name === '' ? textOf(address, 'address') : `${textOf(address, 'address')}@${name}`;
}

const showOne: Action = {
  words: ['ID'],
  flags: {},
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reply = await api.call('GET', `/v1/nodes/${id}`);

    return reply instanceof ApiError ? reply : show(args, io, reply, () => nodeLines(reply.json));
  },
};

function nodeLines(node: unknown): string[] {
  const lines = [
    ['node', textOf(node, 'id')],
    ['kind', textOf(node, 'kind')],
    ['socket', textOf(node, 'socket')],
    ['set', textOf(node, 'set_id')],
    ['weight', textOf(node, 'weight')],
    ['impose', textOf(node, 'impose_mode')],
    ['calls', textOf(node, 'calls')],
    ...listOf(node, 'media_addresses').map((address) => [textOf(address, 'side'), addressText(address)]),
  ];

  return lines.map(([name = '', value = '']) => `${`${name}:`.padEnd(8)} ${printable(value)}`);
}

const add: Action = {
  words: ['SOCKET'],
  flags: { ...FIELD_FLAGS, id: 'value' },
  async run(args, [socket], api, io) {
    const fields = readFields(args, socket);
    if (fields instanceof UsageError) return fields;
    const addresses = readAddresses(args);
    if (addresses instanceof UsageError) return addresses;
    if (fields.set_id === undefined)
      return new UsageError('--set is missing; give the set of the node, as in --set 0');
    if (addresses.length === 0)
      return new UsageError(
        'no media address is given; give --inner IP and --outer IP (or --address SIDE=IP)',
      );
    const reply = await api.call('POST', '/v1/nodes', { ...fields, media_addresses: addresses });

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, () => [`node ${textOf(reply.json, 'id')} added`, ...nodeLines(reply.json)]);
  },
};

const WRITABLE = ['kind', 'socket', 'set_id', 'weight', 'impose_mode'] as const;

const change: Action = {
  words: ['ID'],
  flags: { ...FIELD_FLAGS, socket: 'value' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const fields = readFields(args, args.one('socket'));
    if (fields instanceof UsageError) return fields;
    const addresses = readAddresses(args);
    if (addresses instanceof UsageError) return addresses;
    if (Object.keys(fields).length === 0 && addresses.length === 0)
      return new UsageError('nothing to change is given; see the flags of "node set"');
    const before = await api.call('GET', `/v1/nodes/${id}`);
    if (before instanceof ApiError) return before;
    // PUT takes the whole node: what was not given stays as it is.
    const reply = await api.call('PUT', `/v1/nodes/${id}`, merged(before.json, fields, addresses));

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, () => [`node ${id} changed`, ...nodeLines(reply.json)]);
  },
};

function merged(
  before: unknown,
  fields: Record<string, unknown>,
  addresses: readonly MediaAddress[],
): JsonObject {
  const old: JsonObject = isObject(before) ? before : {};
  const kept = WRITABLE.flatMap((field) => (field in old ? [[field, old[field]]] : []));
  const oldAddresses = listOf(before, 'media_addresses');
  const others = oldAddresses.filter(
    (had) => !addresses.some((now) => isSamePlace({ side: had.side, family: had.family }, now)),
  );
  const now = addresses.map((address) => {
    const had = oldAddresses.find(({ side, family }) => isSamePlace({ side, family }, address));

    return { ...address, interface: address.interface ?? had?.interface ?? null };
  });

  return { ...Object.fromEntries(kept), ...fields, media_addresses: [...others, ...now] };
}

/** Actions of `rtp-cluster node`. */
export const actions = {
  list,
  show: showOne,
  add,
  set: change,
  remove: removal('node', readId),
} as const;

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('node', actions, argv, io);
}
