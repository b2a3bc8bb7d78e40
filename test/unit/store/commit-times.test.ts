import { expect, test } from 'bun:test';
import { CommitTimes } from '../../../src/store/commit-times.ts';
import { FakeClock } from '../../fakes/clock.ts';

test('with nothing to write there is no lag, however long ago the last commit was', () => {
  const clock = new FakeClock();
  const times = new CommitTimes(clock);
  times.noted();
  times.end(times.begin());
  clock.now += 3_600_000;
  expect([times.lag, times.histogram.total]).toEqual([0, 1]);
});

test('lag is the age of the oldest change until it is on the disk, not until it is written', () => {
  const clock = new FakeClock();
  const times = new CommitTimes(clock);
  times.noted();
  clock.now += 100;
  times.noted();
  expect(times.lag).toBeCloseTo(0.1, 9);
  const first = times.begin();
  clock.now += 50;
  times.noted();
  const second = times.begin();
  clock.now += 50;
  expect(times.lag).toBeCloseTo(0.2, 9);
  times.end(first);
  expect(times.lag).toBeCloseTo(0.05, 9);
  times.end(second);
  expect(times.lag).toBe(0);
  expect(times.histogram.sum).toBeCloseTo(0.15, 9);
  expect(times.slowest).toBeCloseTo(0.1, 9);
});

test('what was in a commit that failed waits on from when it was noted, and counts as no commit', () => {
  const clock = new FakeClock();
  const times = new CommitTimes(clock);
  times.noted();
  const commit = times.begin();
  clock.now += 1000;
  times.noted();
  times.fail(commit);
  clock.now += 1000;
  expect([times.lag, times.histogram.total, times.slowest]).toEqual([2, 0, 0]);
  times.end(times.begin());
  expect(times.lag).toBe(0);
});
