/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by the logarithm method, Schindelhauer and Schomaker
 * 2005). Every node draws a number from the Call-ID and its own name; the best number wins. So a new node takes only
 * its own share, and the same Call-ID lands alike on every instance, whatever ids its database gave the nodes.
 *
 * With bounded load (Mirrokni, Thorup and Zadimoghaddam 2016): a node with clearly more than its share is passed over until
 * it is below again, as when it has the long calls, or calls of other controllers. Instances that see other loads may then
 * disagree on a Call-ID.
 */

import type { Candidate, Policy } from './policy.ts';
import { sortBy } from './sorting.ts';

/**
 * What a node may have of its share by weight before it is passed over. With less, chance alone would pass nodes over all
 * the time; with more, a node runs hot before anybody helps it.
 */
export const LOAD_BOUND = 1.25;

/** A 64-bit hash as two unsigned halves, to stay out of bigints on the call path. */
interface Halves {
  readonly high: number;
  readonly low: number;
}

/** XXH64 of the UTF-8 bytes; the algorithm is specified, so instances with different Bun versions agree. */
function hash64(text: string): Halves {
  const hash = Bun.hash.xxHash64(text);

  return { high: Number(hash >> 32n), low: Number(hash & 0xffff_ffffn) };
}

/** MurmurHash3's 32-bit finalizer: every input bit changes every output bit with probability one half. */
function scramble(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);

  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in (0, 1), uniform over Call-IDs, independent between nodes. */
function draw(call: Halves, node: Halves): number {
  const first = scramble(scramble(call.low ^ node.low) + node.high);
  const second = scramble(scramble(call.high ^ node.high) ^ first);

  return (first * 2 ** 21 + (second >>> 11) + 0.5) / 2 ** 53;
}

const nodeHashes = new Map<string, Halves>();
/** More nodes than any fleet has; beyond, hashes are computed anew. */
const MAX_CACHED = 65_536;

function nodeHash(socket: string): Halves {
  const known = nodeHashes.get(socket);
  if (known !== undefined) return known;
  const hash = hash64(socket);
  if (nodeHashes.size < MAX_CACHED) nodeHashes.set(socket, hash);

  return hash;
}

/**
 * Orders by hash: first the nodes within their bound, then those beyond it, both in the order of their numbers. The bound
 * counts the call to be placed and is rounded up, so at least one node is always within it.
 */
export const byHash: Policy = <C extends Candidate>(callId: string, candidates: readonly C[]): C[] => {
  if (candidates.length < 2) return [...candidates];
  const call = hash64(callId);
  let load = 1;
  let weight = 0;
  for (const candidate of candidates) {
    load += candidate.load;
    weight += candidate.weight;
  }

  return sortBy(candidates, (node) => {
    const score = -Math.log(draw(call, nodeHash(node.socket))) / node.weight;
    const isWithinBound = node.load < Math.ceil((LOAD_BOUND * load * node.weight) / weight);

    // Scores are positive. This maps them below zero and keeps their order, so that one number says both things.
    return isWithinBound ? -1 / score : score;
  });
};
