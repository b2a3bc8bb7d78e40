/** Which calls show all that can be seen of a node: each address is read once, and each two sides talk once. */

import type { MediaAddress, Node } from '../domain/node.ts';
import type { Side } from '../domain/side.ts';
import type { Family } from '../util/ip.ts';

/** A call between two parties of ours. */
export interface Route {
  /** The caller's side, and the side of who reads the offer. */
  readonly from: Side;
  readonly to: Side;
  /** The caller's family; the family of the address that the offer shows follows from it, as in any call. */
  readonly family: Family;
  /** Whether both talk. */
  readonly hasMedia: boolean;
}

/** Calls at a time to one node; a node has no more addresses than this but in tests. */
const MAX_ROUTES = 12;

/** The calls to make. Those without media only if all addresses are wanted. */
export function routesOf(
  { mediaAddresses }: Pick<Node, 'mediaAddresses'>,
  { all, media }: { readonly all: boolean; readonly media: boolean },
): readonly Route[] {
  const routes = mediaAddresses.map((address) => ({ ...routeTo(address, mediaAddresses), hasMedia: false }));
  if (!media) return routes.slice(0, MAX_ROUTES);
  // The last of each pair: from the side that is named first.
  const talking = new Set(new Map(routes.map((route) => [pairOf(route), route])).values());
  const withMedia = routes.map((route) => ({ ...route, hasMedia: talking.has(route) }));

  return withMedia.filter(({ hasMedia }) => all || hasMedia).slice(0, MAX_ROUTES);
}

function pairOf({ from, to, family }: Route): string {
  return [...[from, to].sort(), family].join(' ');
}

/** A call whose offer shows this address: from another side if that can be, as most calls are. */
function routeTo({ side, family }: MediaAddress, all: readonly MediaAddress[]): Omit<Route, 'hasMedia'> {
  const hasBoth = all.some((each) => each.side === side && each.family !== family);
  // Who has no address of this family is shown the other one if there is one.
  const other =
    all.find((each) => each.side !== side && each.family === family) ??
    (hasBoth ? undefined : all.find((each) => each.side !== side));

  return { from: other?.side ?? side, to: side, family: other?.family ?? family };
}
