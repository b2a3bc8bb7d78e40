import { describe, expect, test } from 'bun:test';
import { POINTS, Ring } from '../../../src/series/ring.ts';

const known = (values: readonly number[]): number[] => values.filter((value) => !Number.isNaN(value));

describe('a ring', () => {
  test('is unknown at first, and always as long', () => {
    const ring = new Ring(2);
    expect(ring.read(0)).toEqual(new Array(POINTS).fill(Number.NaN));
    ring.put(5, [1, Number.NaN]);
    expect([ring.read(0).length, ring.read(1).length]).toEqual([POINTS, POINTS]);
    expect([ring.read(0).at(-1), known(ring.read(0)), known(ring.read(1))]).toEqual([1, [1], []]);
  });

  test('keeps the last hour, the newest last', () => {
    const ring = new Ring(1);
    for (let step = 1; step <= POINTS + 7; step++) ring.put(step, [step]);
    expect(ring.read(0)).toEqual(Array.from({ length: POINTS }, (_, index) => index + 8));
  });

  test.each([1, 100, POINTS - 1, POINTS, POINTS + 1, 10 * POINTS])(
    'knows nothing of %d steps left out',
    (missed) => {
      const ring = new Ring(1);
      for (let step = 1; step <= 400; step++) ring.put(step, [step]);
      const last = 400 + missed + 1;
      ring.put(last, [last]);
      const expected = Array.from({ length: POINTS }, (_, index) => {
        const step = last - POINTS + 1 + index;

        return step <= 400 || step === last ? step : Number.NaN;
      });
      expect(ring.read(0)).toEqual(expected);
    },
  );

  test('knows of a column that came later since when', () => {
    const ring = new Ring(2);
    ring.put(1, [1, Number.NaN]);
    ring.put(2, [2, Number.NaN]);
    ring.put(3, [3, 30]);
    ring.put(4, [4, Number.NaN]);
    ring.put(5, [5, 50]);
    expect(ring.read(1).slice(-5)).toEqual([Number.NaN, Number.NaN, 30, Number.NaN, 50]);
    expect(ring.read(0).slice(-5)).toEqual([1, 2, 3, 4, 5]);
  });
});
