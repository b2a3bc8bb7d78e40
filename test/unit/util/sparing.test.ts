import { expect, test } from 'bun:test';
import { Sparing } from '../../../src/util/sparing.ts';
import { FakeClock } from '../../fakes/clock.ts';

test('lets so many through in a minute, and tells the next one how many it kept back', async () => {
  const clock = new FakeClock();
  const sparing = new Sparing(clock, 2);
  expect([sparing.pass(), sparing.pass(), sparing.pass(), sparing.pass()]).toEqual([
    0,
    0,
    undefined,
    undefined,
  ]);
  await clock.advance(59_999);
  expect(sparing.pass()).toBeUndefined();
  await clock.advance(1);
  expect([sparing.pass(), sparing.pass(), sparing.pass()]).toEqual([3, 0, undefined]);
});
