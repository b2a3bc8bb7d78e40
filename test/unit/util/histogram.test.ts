import { describe, expect, test } from 'bun:test';
import { Histogram, quantile } from '../../../src/util/histogram.ts';

describe('a histogram', () => {
  test('counts a value within the first bound it does not exceed, and beyond the last one', () => {
    const histogram = new Histogram([0.1, 1]);
    for (const value of [0, 0.1, 0.100001, 1, 1.5]) histogram.add(value);
    expect([...histogram.counts]).toEqual([2, 2, 1]);
    expect(histogram.total).toBe(5);
    expect(histogram.sum).toBeCloseTo(2.700001, 9);
  });

  test('takes what is no time at all for 0: its sum only grows', () => {
    const histogram = new Histogram([1]);
    histogram.add(-5);
    histogram.add(Number.NaN);
    expect([[...histogram.counts], histogram.sum]).toEqual([[2, 0], 0]);
  });
});

describe('a quantile', () => {
  test.each([
    [0, 0],
    [0.25, 0.025],
    [0.5, 0.05],
    [0.75, 0.525],
    [1, 1],
  ])('of %p is interpolated within its bound: %p', (share, expected) => {
    expect(quantile([0.05, 1], [4, 4, 0], share)).toBeCloseTo(expected, 9);
  });

  test('of nothing is null, and beyond the last bound it is that bound', () => {
    expect(quantile([0.1, 1], [0, 0, 0], 0.99)).toBeNull();
    expect(quantile([0.1, 1], [0, 0, 7], 0.5)).toBe(1);
  });

  test('skips bounds within which there was nothing', () => {
    expect(quantile([0.1, 1, 2], [0, 0, 10, 0], 0.5)).toBeCloseTo(1.5, 9);
  });
});
