import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Candidate, Policy } from '../../../src/placement/policy.ts';
import { createRoundRobin, FORGET_AFTER_CALLS } from '../../../src/placement/round-robin.ts';
import { describePolicy, nodes } from '../../suites/policy.ts';

describePolicy('createRoundRobin', createRoundRobin);

/** The nodes that get the next calls, as in `001020`. */
function turns(policy: Policy, list: readonly Candidate[], calls: number): string {
  return Array.from({ length: calls }, () => policy('c', list)[0]?.id).join('');
}

function only(list: readonly Candidate[], ...ids: number[]): Candidate[] {
  return list.filter(({ id }) => ids.includes(id));
}

function count(text: string, id: number): number {
  return text.split(String(id)).length - 1;
}

describe('placement by round robin', () => {
  test('gives nodes of one weight calls in turn', () => {
    expect(turns(createRoundRobin(), nodes(100, 100, 100), 9)).toBe('012012012');
  });

  test('gives the sequence that nginx gives for the weights 5, 1 and 1', () => {
    expect(turns(createRoundRobin(), nodes(5, 1, 1), 14)).toBe('00102000010200');
  });

  test('gives each node its exact share in each round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }), (weights) => {
        const policy = createRoundRobin();
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        for (let again = 0; again < 3; again++) {
          const shown = turns(policy, nodes(...weights), round);
          expect(weights.map((_, id) => count(shown, id))).toEqual(weights);
        }
      }),
    );
  });

  test('has the nodes whose turn is next as the next tries', () => {
    const policy = createRoundRobin();
    const order = () => policy('c', nodes(100, 100, 100)).map(({ id }) => id);
    expect([order(), order(), order()]).toEqual([
      [0, 1, 2],
      [1, 2, 0],
      [2, 0, 1],
    ]);
  });

  test('goes on evenly between the others when a node is gone, and when it is back', () => {
    const policy = createRoundRobin();
    const all = nodes(100, 100, 100, 100);
    turns(policy, all, 6);
    const without = turns(policy, only(all, 0, 1, 3), 30);
    for (const id of [0, 1, 3]) expect(Math.abs(count(without, id) - 10)).toBeLessThanOrEqual(1);
    const again = turns(policy, all, 40);
    for (const { id } of all) expect(Math.abs(count(again, id) - 10)).toBeLessThanOrEqual(1);
  });

  test('gives a new node its turn and no burst', () => {
    const policy = createRoundRobin();
    const all = nodes(100, 100, 100, 100);
    turns(policy, only(all, 0, 1, 2), 1001);
    const shown = turns(policy, all, 40);
    expect(count(shown, 3)).toBe(10);
    expect(shown).not.toContain('33');
  });

  test('gives a node its share under another weight at once, however heavy it was', () => {
    const policy = createRoundRobin();
    turns(policy, nodes(65_535, 65_535), 7);
    const shown = turns(policy, nodes(1, 1), 10);
    expect(count(shown, 0)).toBe(5);
  });

  test('for some nodes of a set does not disturb the turns of the others', () => {
    const all = nodes(3, 1, 2, 5);
    const [mixed, left, right] = [createRoundRobin(), createRoundRobin(), createRoundRobin()];
    for (let index = 0; index < 50; index++) {
      expect(turns(mixed, only(all, 0, 1), 1)).toBe(turns(left, only(all, 0, 1), 1));
      expect(turns(mixed, only(all, 2, 3), 1)).toBe(turns(right, only(all, 2, 3), 1));
    }
  });

  test('never forgets a node that gets calls', () => {
    expect(turns(createRoundRobin(), nodes(100, 100), 2 * FORGET_AFTER_CALLS)).toEndWith('0101');
  });

  test('remembers a node for a while after it was last seen, and forgets it then', () => {
    const all = nodes(100, 100, 100);
    for (const [calls, expected] of [
      [10, 1],
      [2 * FORGET_AFTER_CALLS, 0],
    ] as const) {
      const policy = createRoundRobin();
      expect(turns(policy, only(all, 0, 1), 1)).toBe('0');
      turns(policy, only(all, 2), calls);
      expect(turns(policy, only(all, 0, 1), 1)).toBe(String(expected));
    }
  });
});
