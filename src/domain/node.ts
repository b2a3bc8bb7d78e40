/** A node: one relay process, and the addresses it has as seen from each side. */

import { type Family, familyOf } from '../util/ip.ts';
import type { Side } from './side.ts';

/** Relays that are driven. Each is a tag of its nodes too. */
export const NODE_KINDS = ['rtpengine', 'rtpproxy'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

/**
 * How an rtpengine is made to show its media address; into the SDP of an rtpproxy we write it ourselves, so there it is always
 * `media-address`.
 * `media-address`: the key of that name in every offer and answer (reference: ng-protocol 5).
 * `interface`: the names of the relay's logical interfaces per side, for relays configured so (ng-protocol 6.1).
 */
export type ImposeMode = 'media-address' | 'interface';

/** A node's address as seen from one side. */
export interface MediaAddress {
  readonly side: Side;
  readonly family: Family;
  readonly address: string;
  /**
   * rtpengine: the relay's logical interface for this side; wanted by impose mode `interface`, null otherwise.
   * rtpproxy: which of its sockets faces this side, see `faceOf`; null at all addresses of a node whose relay has one for all.
   */
  readonly interface: string | null;
}

export interface Node {
  readonly id: number;
  readonly kind: NodeKind;
  /** Control socket as in OpenSIPS's table: `udp:192.168.2.3:7890`, `udp6:[2001:db8::3]:7890`; `parseSocket` reads it. */
  readonly socket: string;
  readonly setId: number;
  /** Share of new calls relative to the other nodes of the set; 0 to 65535, 0 takes no new calls. */
  readonly weight: number;
  readonly imposeMode: ImposeMode;
  readonly mediaAddresses: readonly MediaAddress[];
  /** Nodes of the lowest number come first; the next are used when those are full or gone. 0 to 65535. */
  readonly priority: number;
  /** Calls it may have at a time, those of other controllers included; null for no limit. */
  readonly capacity: number | null;
  /** Words a request may require or prefer, in lower case, sorted. */
  readonly tags: readonly string[];
  /** Port of rtpengine's `listen-http` on the host of `socket`; null if it has none (reference: ng-protocol 1.5). */
  readonly httpPort: number | null;
}

/** An address of the internet. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Where a node's control socket is: `unix` takes one command per connection, `cunix` and `tcp` stay open
 * (reference: rtpproxy-protocol 2). rtpengine has `udp` only.
 */
export type ControlSocket =
  | (SocketAddress & { readonly transport: 'udp' | 'tcp' })
  | { readonly transport: 'unix' | 'cunix'; readonly path: string };

/** Longest path a unix socket can have, bytes (`sun_path` of Linux, with its end). */
const MAX_PATH = 107;

/**
 * Reads `udp:host:port`, `udp6:[host]:port`, `tcp:host:port`, `tcp6:[host]:port` (brackets optional), hosts as IP literals, and
 * `unix:/path`, `cunix:/path`; undefined if it is none of these.
 */
export function parseSocket(text: string): ControlSocket | undefined {
  const local = /^(c?unix):(\/\S+)$/i.exec(text);
  const [, scheme = '', path = ''] = local ?? [];
  if (local !== null) {
    if (Buffer.byteLength(path) > MAX_PATH) return undefined;

    return { transport: scheme.toLowerCase() === 'unix' ? 'unix' : 'cunix', path };
  }
  const match = /^(udp|tcp)(6?):(?:\[([0-9a-f:.]+)\]|(.+)):(\d{1,5})$/i.exec(text);
  const host = match?.[3] ?? match?.[4] ?? '';
  const port = Number(match?.[5]);
  const family = familyOf(host);
  if (match === null || family === undefined || port < 1 || port > 65535) return undefined;
  if ((match[2] === '6') !== (family === 'IP6')) return undefined;

  return { transport: match[1]?.toLowerCase() === 'tcp' ? 'tcp' : 'udp', host, port };
}

/** Control sockets a relay of each kind can have, for messages. */
export const SOCKET_FORMS: Readonly<Record<NodeKind, string>> = {
  rtpengine: 'udp:IP:PORT or udp6:[IP]:PORT',
  rtpproxy: 'udp:IP[:PORT], udp6:[IP][:PORT], tcp:IP:PORT, tcp6:[IP]:PORT, unix:/PATH or cunix:/PATH',
};

/** Port of an rtpproxy whose socket names none (reference: rtpproxy-protocol 2). */
const RTPPROXY_PORT = 22222;

/** A socket with rtpproxy's port where it names none, as `udp:192.168.2.3`; any other text as it is. */
export function withPort(text: string): string {
  return /^(udp:[^:]+|udp6:\[[^\]]+\])$/i.test(text) ? `${text}:${RTPPROXY_PORT}` : text;
}

/** A control socket that a relay of the kind can have, with its port; undefined if `text` is none. */
export function socketFor(kind: NodeKind, text: string): string | undefined {
  const socket = kind === 'rtpproxy' ? withPort(text) : text;
  const transport = parseSocket(socket)?.transport;

  return transport === undefined || (kind === 'rtpengine' && transport !== 'udp') ? undefined : socket;
}

/** Where the relay behind a socket is: its host, or its path on this host. '' if the socket cannot be read. */
export function whereabouts(socket: string): string {
  const place = parseSocket(socket);
  if (place === undefined) return '';

  return 'path' in place ? place.path : place.host;
}

/**
 * How an rtpproxy is told which of its sockets is meant (reference: rtpproxy-protocol 4.3). `bridge`: the words `internal` and
 * `external`, for one in bridging mode (`-l INT/EXT`), letters `i` and `e`. `address`: an IP address of its host. `label`: the
 * label of a listen address (3.2 and later). An address and a label go into the modifier `l`.
 */
export type Face = 'bridge' | 'address' | 'label';

/** What the interface of an rtpproxy's media address is; undefined if it can be none. */
export function faceOf(name: string): Face | undefined {
  if (name === 'internal' || name === 'external') return 'bridge';
  if (familyOf(name) !== undefined) return 'address';

  // Without a letter it is a mistyped address.
  return /^(?=.*[a-z_])[\w.-]{1,64}$/i.test(name) ? 'label' : undefined;
}

/** The node's address for a side: in the wanted family if it has one, else in the other. */
export function addressFor(node: Node, side: Side, family: Family): MediaAddress | undefined {
  let other: MediaAddress | undefined;
  for (const address of node.mediaAddresses) {
    if (address.side !== side) continue;
    if (address.family === family) return address;
    other ??= address;
  }

  return other;
}
