/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by the logarithm method, Schindelhauer and Schomaker
 * 2005). Every node draws a number from the Call-ID and its own name; the best number wins. So a new node takes only
 * its own share, and the same Call-ID lands alike on every instance, whatever ids its database gave the nodes.
 */

import type { Candidate, Policy } from './policy.ts';

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

export const byHash: Policy = <C extends Candidate>(callId: string, candidates: readonly C[]): C[] => {
  if (candidates.length < 2) return [...candidates];
  const call = hash64(callId);

  return candidates
    .map((node) => ({ node, score: -Math.log(draw(call, nodeHash(node.socket))) / node.weight }))
    .sort((a, b) => a.score - b.score)
    .map(({ node }) => node);
};
