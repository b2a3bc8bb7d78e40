/**
 * Smooth weighted round robin, the algorithm of nginx: weights 5, 1, 1 give a a b a c a a and not a a a a a b c.
 */

import type { Candidate, Policy } from './policy.ts';
import { sortBy } from './sorting.ts';

/** What is remembered of a node. */
interface Turns {
  /**
   * Calls it is owed; less than 0 if it had more than its share. nginx counts in units of weight. In calls it stays true
   * when weights change, and with slow start they do at every call.
   */
  owed: number;
  /** Number of the call at which it was last a candidate. */
  seen: number;
}

/**
 * Nodes that were no candidates for so many calls are forgotten, so at most the nodes of so many calls are remembered. Long
 * enough that a node which refuses calls now and then keeps what it is owed.
 */
export const FORGET_AFTER_CALLS = 10_000;

/** Differences below such a part of a call are errors of floating point, and make no difference. */
const PARTS_OF_CALL = 1e9;

/** Makes the policy, with a state of its own: one for each set, or the sets would take turns from each other. */
export function createRoundRobin(): Policy {
  const turns = new Map<number, Turns>();
  let calls = 0;

  function forget(): void {
    for (const [id, { seen }] of turns) if (calls - seen >= FORGET_AFTER_CALLS) turns.delete(id);
  }

  return <C extends Candidate>(_callId: string, candidates: readonly C[]): C[] => {
    calls++;
    if (calls % FORGET_AFTER_CALLS === 0) forget();
    let total = 0;
    for (const { weight } of candidates) total += weight;
    const order = sortBy(candidates, ({ id, weight }) => {
      const node = turns.get(id) ?? { owed: 0, seen: calls };
      node.owed += weight / total;
      node.seen = calls;
      turns.set(id, node);

      return -Math.round(node.owed * PARTS_OF_CALL);
    });
    const winner = order[0] && turns.get(order[0].id);
    if (winner !== undefined) winner.owed -= 1;

    return order;
  };
}
