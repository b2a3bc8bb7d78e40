import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { align, MAX_CELLS } from '../../../src/ui/page/calls/align.ts';

const same = (a: unknown, b: unknown) => a === b;
const pairsOf = (left: string, right: string) => align([...left], [...right], same);

describe('aligning two lists', () => {
  test('pairs what both have, in order', () => {
    expect(pairsOf('abcd', 'xbyd')).toEqual([
      [1, 1],
      [3, 3],
    ]);
  });

  test('finds the longest common part', () => {
    expect(pairsOf('aXbYc', 'aYbXc').length).toBe(3);
  });

  test('gives nothing for lists that share nothing, or are empty', () => {
    expect(pairsOf('abc', 'xyz')).toEqual([]);
    expect(pairsOf('', 'abc')).toEqual([]);
  });

  test('pairs equal items only, each once, in order, whatever the lists', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.string({ maxLength: 30 }), (a, b) => {
        const [left, right] = [[...a], [...b]];
        const pairs = align(left, right, same);
        for (const [index, [x, y]] of pairs.entries()) {
          expect(left[x]).toBe(right[y] as string);
          const next = pairs[index + 1];
          if (next !== undefined) expect(next[0] > x && next[1] > y).toBe(true);
        }
        // As long a common part as reading the other way round finds.
        expect(align(right, left, same).length).toBe(pairs.length);
      }),
    );
  });

  test('pairs both ends only of lists that are too long to compare in full', () => {
    const size = Math.ceil(Math.sqrt(MAX_CELLS)) + 2;
    const left = ['first', ...Array.from({ length: size }, (_, index) => `l${index}`), 'both', 'last'];
    const right = ['first', 'both', ...Array.from({ length: size }, (_, index) => `r${index}`), 'last'];
    let asked = 0;
    const pairs = align(left, right, (a, b) => {
      asked++;

      return a === b;
    });
    expect(pairs).toEqual([
      [0, 0],
      [left.length - 1, right.length - 1],
    ]);
    expect(asked).toBeLessThan(10);
  });
});
