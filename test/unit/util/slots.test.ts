import { expect, test } from 'bun:test';
import { Slots } from '../../../src/util/slots.ts';
import { settle } from '../../fakes/clock.ts';

test('so many run at a time, the others in the order in which they came, and some are turned away', async () => {
  const slots = new Slots(2, 2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const results = [0, 1, 2, 3, 4].map((number) =>
    slots.run(async () => {
      begun.push(number);
      await new Promise<void>((end) => ends.push(end));

      return number;
    }),
  );
  expect(await results[4]).toBeUndefined();
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.();
  ends[2]?.();
  await settle();
  ends[3]?.();
  expect(await Promise.all(results)).toEqual([0, 1, 2, 3, undefined]);
  expect(await slots.run(async () => 'free')).toBe('free');
});

test('a failure gives its place back', async () => {
  const slots = new Slots(1, 0);
  await expect(slots.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await slots.run(async () => 1)).toBe(1);
});
