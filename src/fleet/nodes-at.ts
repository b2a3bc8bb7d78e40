/** Which nodes an IP address belongs to: a relay that tells something unasked is known by nothing else. */

import { parseSocket } from '../domain/node.ts';
import { sameAddress } from '../util/ip.ts';
import type { Fleet } from './fleet.ts';

const NONE: ReadonlySet<number> = new Set();

/** The nodes that have the address: for their control socket, or for media. Walks the whole fleet. */
export function nodesAt(fleet: Fleet, sender: string): ReadonlySet<number> {
  const ids = new Set<number>();
  const address = plain(sender);
  for (const { id, node } of fleet.all()) {
    const own = [...hostsOf(node.socket), ...node.mediaAddresses.map((media) => media.address)];
    if (own.some((each) => sameAddress(each, address))) ids.add(id);
  }

  return ids;
}

/**
 * Which nodes a notice may come from that nobody has to sign: those at its address. None is named if it comes from this host (null
 * for a unix socket), since a relay here may use another address than that of its node. Undefined for a stranger.
 */
export function tellersAt(fleet: Fleet, sender: string | null): ReadonlySet<number> | undefined {
  if (sender === null || /^(127\.|::1$)/.test(plain(sender))) return NONE;
  const nodes = nodesAt(fleet, sender);

  return nodes.size > 0 ? nodes : undefined;
}

/** An IPv4 sender at a socket that takes both families. */
function plain(sender: string): string {
  return sender.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The addresses of a control socket; the relay behind a path is on this host. */
function hostsOf(socket: string): readonly string[] {
  const place = parseSocket(socket);
  if (place === undefined) return [];

  return 'path' in place ? ['127.0.0.1', '::1'] : [place.host];
}
