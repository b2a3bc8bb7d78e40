/**
 * What it means that audio passes by another address of the node than the one its SDP shows. Mostly that is the public address of a 1:1 NAT,
 * which no host inside can reach, and all is well. A wrong address looks much the same, so whatever tells them apart is looked at. Pure.
 */

import { type MediaAddress, type Node, whereabouts } from '../domain/node.ts';
import { familyOf, isPrivate, sameAddress } from '../util/ip.ts';
import { type Check, finding } from './report.ts';

/** An address that a reader was shown and that nothing came through by. */
export type Unreached = Pick<MediaAddress, 'side' | 'family' | 'address'>;

/** What is said of it: the result, what was seen, what to do. */
type Meaning = readonly [result: Check['result'], detail: string, advice: string];

/** @param others the nodes of the fleet: the address may be one of theirs */
export function detourCheck(node: Node, others: readonly Node[], unreached: Unreached): Check {
  const { side, family } = unreached;
  const [result, detail, advice] = meaningElsewhere(node, others, unreached) ?? meaningHere(node, unreached);

  return { ...finding('media', result, detail, { advice }), side, family };
}

/** If a node on another host has the address. */
function meaningElsewhere(
  node: Node,
  others: readonly Node[],
  { side, address }: Unreached,
): Meaning | undefined {
  const elsewhere = others.filter(
    ({ id, socket }) => id !== node.id && !isAt(socket, whereabouts(node.socket)),
  );
  const host = elsewhere.find(({ socket }) => isAt(socket, address));
  if (host !== undefined) {
    return [
      'failed',
      `nothing came through by ${address}, which is the host of node ${host.id}`,
      `Correct the ${side} address of this node: audio of its calls goes to another relay`,
    ];
  }
  const sharer = elsewhere.find(({ mediaAddresses }) =>
    mediaAddresses.some((each) => sameAddress(each.address, address)),
  );
  if (sharer === undefined) return undefined;

  return [
    'warning',
    `nothing came through by ${address}, which node ${sharer.id} has as well, on another host`,
    `One of the two is wrong, unless a NAT gives both relays one address and each its own ports; a call from side ${side} through each of them proves it`,
  ];
}

function meaningHere(node: Node, { side, address }: Unreached): Meaning {
  const host = whereabouts(node.socket);
  const other = node.mediaAddresses.find((each) => each.side !== 'inner' && isPrivate(each.address));
  if (side === 'inner' && !isPrivate(address) && other !== undefined) {
    return [
      'warning',
      `nothing came through by ${address}, a public address, and side ${other.side} is shown ${other.address}, a private one`,
      `The addresses of inner and ${other.side} look exchanged: correct the node`,
    ];
  }
  const isInside = familyOf(host) === undefined || isPrivate(host);
  if (side !== 'inner' && !isPrivate(address) && isInside) {
    return [
      'skipped',
      `${address} cannot be tried from this host, as is usual for the public address of a 1:1 NAT`,
      `Nothing, if a call from side ${side} has audio both ways: that alone proves this address`,
    ];
  }

  return [
    'warning',
    `nothing came through by ${address}, which the SDP shows`,
    `Compare ${address} with the addresses at which the relay takes audio; impose mode media-address changes the SDP and nothing else. If it is right, only this host is kept away from it: a call from side ${side} with audio both ways proves that`,
  ];
}

function isAt(socket: string, address: string): boolean {
  const host = whereabouts(socket);

  return host === address || sameAddress(host, address);
}
