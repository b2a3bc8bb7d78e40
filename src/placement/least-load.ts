/**
 * Least load by two random choices (Mitzenmacher 2001). Always taking the emptiest node of all would send every call of
 * every instance there until the next figures come in; of two drawn at random the emptier is nearly as good and no herd.
 */

import type { Candidate, Policy } from './policy.ts';
import { sortBy } from './sorting.ts';

function loadPerWeight({ load, weight }: Candidate): number {
  return load / weight;
}

/** Draws one of the candidates but `except`, with probability by weight. */
function drawOne<C extends Candidate>(
  candidates: readonly C[],
  random: () => number,
  except?: C,
): C | undefined {
  let left = 0;
  for (const candidate of candidates) if (candidate !== except) left += candidate.weight;
  left *= random();
  let last: C | undefined;
  for (const candidate of candidates) {
    if (candidate === except) continue;
    last = candidate;
    left -= candidate.weight;
    if (left < 0) break;
  }

  return last;
}

/**
 * Makes the policy: of two different nodes drawn by weight the one with less load per weight, on a tie the first drawn, so
 * that empty nodes get their share too. The others follow by load per weight.
 */
export function createLeastLoad(random: () => number): Policy {
  return <C extends Candidate>(_callId: string, candidates: readonly C[]): C[] => {
    const first = drawOne(candidates, random);
    const second = drawOne(candidates, random, first);
    if (first === undefined || second === undefined) return [...candidates];
    const winner = loadPerWeight(second) < loadPerWeight(first) ? second : first;

    return sortBy(candidates, (node) => (node === winner ? Number.NEGATIVE_INFINITY : loadPerWeight(node)));
  };
}
