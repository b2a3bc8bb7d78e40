import { describe, expect, test } from 'bun:test';
import { CHECK_TIMEOUT_MS, nextCheckIn, RECHECK_INTERVAL_MS } from '../../../src/domain/check-pace.ts';
import { initialHealth } from '../../../src/domain/health.ts';

describe('the next check', () => {
  const pacesOf = (changes: Partial<ReturnType<typeof initialHealth>>) =>
    [0, 0.5, 1].map((random) => nextCheckIn({ ...initialHealth(0), ...changes }, random));

  test.each(['up', 'down', 'ejected'] as const)(
    'of a node that is %s comes after 2 s, 10 % more or less',
    (health) => {
      expect(pacesOf({ health })).toEqual([1800, 2000, 2200]);
    },
  );

  test.each(['unknown', 'falling', 'rising'] as const)(
    'of a node that is %s comes after 500 ms',
    (health) => {
      expect(pacesOf({ health })).toEqual([500, 500, 500]);
    },
  );

  test('of an ejected node comes after 500 ms if it left one out', () => {
    expect(pacesOf({ health: 'ejected', failures: 1 })).toEqual([500, 500, 500]);
  });

  test('is never due while one is still under way', () => {
    expect(RECHECK_INTERVAL_MS).toBeGreaterThanOrEqual(CHECK_TIMEOUT_MS);
  });
});
