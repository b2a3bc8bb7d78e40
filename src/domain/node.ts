/** A node: one relay process, and the addresses it has as seen from each side. */

import { type Family, familyOf } from '../util/ip.ts';
import type { Side } from './side.ts';

export type NodeKind = 'rtpengine' | 'rtpproxy';

/**
 * How the node is made to show its media address.
 * `media-address`: the key of that name in every offer and answer (reference: ng-protocol 5).
 * `interface`: the names of the relay's logical interfaces per side, for relays configured so (ng-protocol 6.1).
 */
export type ImposeMode = 'media-address' | 'interface';

/** A node's address as seen from one side. */
export interface MediaAddress {
  readonly side: Side;
  readonly family: Family;
  readonly address: string;
  /** The relay's logical interface for this side; wanted by impose mode `interface`, null otherwise. */
  readonly interface: string | null;
}

export interface Node {
  readonly id: number;
  readonly kind: NodeKind;
  /** Control socket as in OpenSIPS's table: `udp:192.168.2.3:7890`, `udp6:[2001:db8::3]:7890`. */
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

/** Where a node's control socket is. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `udp:host:port` and `udp6:[host]:port` (brackets optional), hosts as IP literals; undefined if it is neither. */
export function parseSocket(text: string): SocketAddress | undefined {
  const match = /^(udp6?):(?:\[([0-9a-f:.]+)\]|(.+)):(\d{1,5})$/i.exec(text);
  const host = match?.[2] ?? match?.[3] ?? '';
  const port = Number(match?.[4]);
  const family = familyOf(host);
  if (match === null || family === undefined || port < 1 || port > 65535) return undefined;
  if ((match[1]?.toLowerCase() === 'udp6') !== (family === 'IP6')) return undefined;

  return { host, port };
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
