import { expect, test } from 'bun:test';
import { EVERY_MS, LoopDelay } from '../../../src/metrics/loop-delay.ts';
import { FakeClock } from '../../fakes/clock.ts';

test('a timer on time counts as no delay, a late one as what it was late', async () => {
  const clock = new FakeClock();
  const delay = new LoopDelay(clock);
  await clock.advance(5 * EVERY_MS);
  expect([delay.histogram.total, delay.histogram.sum, delay.max]).toEqual([5, 0, 0]);
  // The loop is held up: the clock goes on, and no timer comes.
  clock.now += 300;
  await clock.advance(EVERY_MS);
  expect(delay.max).toBeCloseTo(0.3, 1);
  expect(delay.histogram.counts.at(8)).toBe(1);
  delay.stop();
  const { total } = delay.histogram;
  await clock.advance(1000);
  expect(delay.histogram.total).toBe(total);
});
