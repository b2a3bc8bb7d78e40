/** What any placement policy must do, whatever its idea of the best node is. */

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Candidate, Policy } from '../../src/placement/policy.ts';

/** A candidate whose load follows what the policy does. */
export interface BusyNode extends Candidate {
  load: number;
}

/** Idle nodes of these weights, with ids from 0. */
export function nodes(...weights: number[]): BusyNode[] {
  return weights.map((weight, id) => ({ id, socket: `udp:192.168.2.${3 + id}:7890`, weight, load: 0 }));
}

/** Whole numbers below 2^32 that are always the same (xorshift32). */
export function numbers(seed: number): () => number {
  let state = seed;

  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;

    return state >>> 0;
  };
}

/** Numbers from 0 to just below 1 that are always the same. */
export function chance(seed: number): () => number {
  const next = numbers(seed);

  return () => next() / 2 ** 32;
}

/** Places calls while others end at random, `live` of them at a time, and counts the calls placed on each node. */
export function runCalls(
  policy: Policy,
  list: readonly BusyNode[],
  { calls, live, seed = 20_261_123 }: { calls: number; live: number; seed?: number },
): number[] {
  const next = numbers(seed);
  const counts = list.map(() => 0);
  const running: BusyNode[] = [];
  for (let index = 0; index < calls; index++) {
    const node = policy(`${index}-${seed}@10.0.0.9`, list)[0];
    if (node === undefined) throw new Error('the policy gave no node');
    counts[node.id] = (counts[node.id] ?? 0) + 1;
    node.load++;
    running.push(node);
    if (running.length <= live) continue;
    const place = next() % running.length;
    const ended = running[place];
    const last = running.pop();
    if (ended !== undefined) ended.load--;
    if (last !== undefined && place < running.length) running[place] = last;
  }

  return counts;
}

/** Sets of candidates as they may be met: idle and busy ones, slow start, every weight. */
export function candidateLists(minLength = 0): fc.Arbitrary<Candidate[]> {
  return fc
    .uniqueArray(
      fc.record({
        id: fc.integer({ min: 0, max: 200 }),
        weight: fc.double({ min: 0.1, max: 65_535, noNaN: true }),
        load: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 10_000, noNaN: true })),
      }),
      { minLength, maxLength: 12, selector: ({ id }) => id },
    )
    .map((list) => list.map((node) => ({ ...node, socket: `udp:10.0.0.${node.id}:7890` })));
}

/** Runs the common tests on a policy. */
export function describePolicy(name: string, create: () => Policy): void {
  const callId = fc.string({ maxLength: 40 });

  describe(`policy ${name}`, () => {
    test('gives every candidate once, and nothing else', () => {
      const policy = create();
      fc.assert(
        fc.property(callId, candidateLists(), (call, list) => {
          const ordered = policy(call, list);
          expect(ordered).toHaveLength(list.length);
          expect(new Set(ordered)).toEqual(new Set(list));
        }),
      );
    });

    test('changes nothing it was given', () => {
      const policy = create();
      fc.assert(
        fc.property(callId, candidateLists(), (call, list) => {
          const frozen = Object.freeze(list.map((candidate) => Object.freeze({ ...candidate })));
          expect(policy(call, frozen)).not.toBe(frozen);
          expect(frozen).toEqual(list);
        }),
      );
    });

    test('gives nothing for no candidates, and the only one for one', () => {
      const policy = create();
      const only = { id: 5, socket: 'udp:10.0.0.5:7890', weight: 0.1, load: 3 };
      expect(policy('c', [])).toEqual([]);
      expect(policy('c', [only])).toEqual([only]);
    });

    test('made anew, decides the same for the same calls and nodes', () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(callId, candidateLists()), { maxLength: 5 }), (calls) => {
          const [one, other] = [create(), create()];
          for (const [call, list] of calls) expect(one(call, list)).toEqual(other(call, list));
        }),
      );
    });

    test.each([[[200, 100, 50, 50]], [[100, 100, 100]], [[4000, 4000]]])(
      'weights %p come out within 5 %% of each share, while calls come and go',
      (weights) => {
        const calls = 60_000;
        const counts = runCalls(create(), nodes(...weights), { calls, live: 4000 });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [id, weight] of weights.entries()) {
          const share = weight / total;
          expect(Math.abs((counts[id] ?? 0) / calls - share) / share).toBeLessThan(0.05);
        }
      },
    );
  });
}
