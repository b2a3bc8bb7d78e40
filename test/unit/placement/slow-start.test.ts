import { describe, expect, test } from 'bun:test';
import { SLOW_START_MS } from '../../../src/domain/health.ts';
import { rampOf } from '../../../src/placement/slow-start.ts';

describe('slow start', () => {
  test.each([
    [0, 0.1],
    [SLOW_START_MS / 3, 0.4],
    [SLOW_START_MS / 2, 0.55],
    [SLOW_START_MS, 1],
    [10 * SLOW_START_MS, 1],
  ])('%d ms after it came up, a node has %d of its weight', (elapsed, share) => {
    expect(rampOf(5000, 5000 + elapsed)).toBeCloseTo(share, 10);
  });

  test('gives a node that is past it its whole weight', () => {
    expect(rampOf(null, 0)).toBe(1);
  });

  test('gives a node that begins later, by another reading of the clock, no less than where it begins', () => {
    expect(rampOf(5000, 4000)).toBe(0.1);
  });
});
