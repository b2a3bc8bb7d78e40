import { expect, test } from 'bun:test';
import { RecentMax } from '../../../src/util/recent-max.ts';

test('the largest of the last 15 to 30 s is told to every reader, and forgotten after', () => {
  const recent = new RecentMax();
  expect(recent.read(1000)).toBe(0);
  recent.add(3, 1000);
  recent.add(7, 2000);
  recent.add(5, 3000);
  expect([recent.read(3000), recent.read(3000)]).toEqual([7, 7]);
  recent.add(1, 16_000);
  expect(recent.read(29_999)).toBe(7);
  expect(recent.read(30_000)).toBe(1);
  expect(recent.read(45_000)).toBe(0);
});

test('a pause longer than that leaves nothing', () => {
  const recent = new RecentMax();
  recent.add(7, 1000);
  expect(recent.read(100_000)).toBe(0);
});
