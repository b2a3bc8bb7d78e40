import { describe, expect, test } from 'bun:test';
import { type ColumnRule, FLEET_RULES, NODE_RULES, shown } from '../../../src/series/columns.ts';
import { Summary } from '../../../src/series/summary.ts';

const MEAN: ColumnRule = { name: 'calls', isMax: false, decimals: 1 };
const MAX: ColumnRule = { name: 'commit_ms', isMax: true, decimals: 2 };

describe('a summary', () => {
  test('is the mean of what was known, or the largest', () => {
    const summary = new Summary([MEAN, MAX]);
    summary.add([1, 5]);
    summary.add([2, 9]);
    summary.add([6, 7]);
    expect(summary.take()).toEqual([3, 9]);
  });

  test('leaves out what nobody knew', () => {
    const summary = new Summary([MEAN, MAX]);
    summary.add([Number.NaN, null]);
    expect([summary.isEmpty, summary.take()]).toEqual([true, [Number.NaN, Number.NaN]]);
    summary.add([4, Number.NaN]);
    summary.add([null, -2]);
    expect([summary.isEmpty, summary.take()]).toEqual([false, [4, -2]]);
  });

  test('begins anew when it was taken', () => {
    const summary = new Summary([MEAN, MAX]);
    summary.add([10, 10]);
    summary.take();
    expect(summary.isEmpty).toBe(true);
    summary.add([2, 2]);
    expect(summary.take()).toEqual([2, 2]);
  });
});

describe('the columns', () => {
  test('of delays are maxima, the others means', () => {
    const maxima = [...NODE_RULES, ...FLEET_RULES].filter(({ isMax }) => isMax).map(({ name }) => name);
    expect(maxima).toEqual(['ports_total', 'loop_delay_ms', 'commit_ms']);
  });

  test('are shown with the digits that say something', () => {
    expect(shown(1.23456, MEAN)).toBe(1.2);
    expect(shown(1.23456, MAX)).toBe(1.23);
    expect(shown(0.1 + 0.2, MEAN)).toBe(0.3);
    expect(shown(123_456.7, MEAN)).toBe(123_456.7);
    for (const value of [Number.NaN, Infinity, -Infinity]) expect(shown(value, MEAN)).toBeNull();
  });
});
