import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createLeastLoad } from '../../../src/placement/least-load.ts';
import type { Candidate } from '../../../src/placement/policy.ts';
import { candidateLists, chance, describePolicy, nodes, runCalls } from '../../suites/policy.ts';

describePolicy('createLeastLoad', () => createLeastLoad(chance(7)));

/** Random numbers that are given one by one. */
function given(...values: number[]): () => number {
  return () => values.shift() ?? 0;
}

function loaded(...loads: number[]): Candidate[] {
  return loads.map((load, id) => ({ id, socket: `udp:10.0.0.${id}:7890`, weight: 100, load }));
}

function ids(list: readonly Candidate[]): number[] {
  return list.map(({ id }) => id);
}

describe('placement by least load', () => {
  test('takes the one with less load of the two drawn, and the others by load', () => {
    const list = loaded(30, 10, 20, 0);
    // Of 0 to 3 the first number draws 0; of the rest (1, 2, 3) the second draws 2.
    expect(ids(createLeastLoad(given(0.1, 0.5))('c', list))).toEqual([2, 3, 1, 0]);
    expect(ids(createLeastLoad(given(0.3, 0.1))('c', list))).toEqual([1, 3, 2, 0]);
  });

  test('compares load by weight', () => {
    const list = loaded(30, 20).map((node) => ({ ...node, weight: node.id === 0 ? 200 : 100 }));
    expect(ids(createLeastLoad(chance(1))('c', list))).toEqual([0, 1]);
  });

  test('of two nodes takes the one with less load, whatever is drawn', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1 }), (a, b, seed) => {
        const chosen = createLeastLoad(chance(seed))('c', loaded(a, b))[0];
        expect(chosen?.load).toBe(Math.min(a, b));
      }),
    );
  });

  test('never takes the node with the most load by weight, if others have less', () => {
    fc.assert(
      fc.property(candidateLists(2), fc.integer({ min: 1 }), (list, seed) => {
        const ratios = list.map(({ load, weight }) => load / weight);
        const most = Math.max(...ratios);
        fc.pre(ratios.filter((ratio) => ratio === most).length === 1);
        const chosen = createLeastLoad(chance(seed))('c', list)[0];
        expect(chosen && chosen.load / chosen.weight).toBeLessThan(most);
      }),
    );
  });

  test('gives idle nodes calls by weight', () => {
    const policy = createLeastLoad(chance(99));
    const list = nodes(300, 100);
    const calls = 20_000;
    let big = 0;
    for (let index = 0; index < calls; index++) if (policy('c', list)[0]?.id === 0) big++;
    expect(big / calls).toBeCloseTo(0.75, 1);
  });

  test.each([[[200, 100, 50, 50]], [[100, 100, 100]], [[4000, 4000]]])(
    'keeps the running calls of weights %p within 5 %% of each share',
    (weights) => {
      const list = nodes(...weights);
      runCalls(createLeastLoad(chance(3)), list, { calls: 40_000, live: 4000 });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const { load, weight } of list) {
        const share = (4000 * weight) / total;
        expect(Math.abs(load - share) / share).toBeLessThan(0.05);
      }
    },
  );

  test('fills a new node without sending it every call', () => {
    const list = nodes(100, 100, 100, 100, 100);
    for (const node of list) node.load = node.id === 4 ? 0 : 1000;
    const [, , , , fresh = 0] = runCalls(createLeastLoad(chance(5)), list, { calls: 1000, live: 0 });
    expect(fresh / 1000).toBeGreaterThan(0.3);
    expect(fresh / 1000).toBeLessThan(0.5);
  });
});
