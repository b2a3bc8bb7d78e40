import { describe, expect, test } from 'bun:test';
import { Duplicates } from '../../../src/front/duplicates.ts';
import { FakeClock } from '../../fakes/clock.ts';

const reply = (text: string): Promise<Buffer> => Promise.resolve(Buffer.from(text));

function start(bounds?: { entries: number; bytes: number }) {
  const clock = new FakeClock();
  const duplicates = new Duplicates(clock, bounds);

  return { clock, duplicates };
}

describe('a request', () => {
  test('is found by its key, hash and length, with the very promise that was given', () => {
    const { duplicates } = start();
    const first = reply('a');
    duplicates.add('10.0.0.1 0 c', { hash: 1n, length: 20, reply: first });
    expect(duplicates.find('10.0.0.1 0 c', 1n, 20)).toBe(first);
  });

  test.each([
    ['another key', '10.0.0.2 0 c', 1n, 20],
    ['another hash', '10.0.0.1 0 c', 2n, 20],
    ['another length', '10.0.0.1 0 c', 1n, 21],
  ])('is not found with %s', (_name, key, hash, length) => {
    const { duplicates } = start();
    duplicates.add('10.0.0.1 0 c', { hash: 1n, length: 20, reply: reply('a') });
    expect(duplicates.find(key, hash, length)).toBeUndefined();
  });

  test('takes the place of another one with the same key', () => {
    const { duplicates } = start();
    const second = reply('b');
    duplicates.add('k', { hash: 1n, length: 20, reply: reply('a') });
    duplicates.add('k', { hash: 2n, length: 20, reply: second });
    expect(duplicates.find('k', 1n, 20)).toBeUndefined();
    expect(duplicates.find('k', 2n, 20)).toBe(second);
    expect(duplicates.size).toBe(1);
  });
});

describe('with time', () => {
  test('a request is kept for 35 s at least, wherever in a generation it came', async () => {
    for (const start_ of [0, 1, 20_000, 39_999]) {
      const { clock, duplicates } = start();
      await clock.advance(start_);
      duplicates.add('k', { hash: 1n, length: 20, reply: reply('a') });
      for (let passed = 0; passed < 35_000; passed += 5000) {
        await clock.advance(5000);
        expect(duplicates.find('k', 1n, 20)).toBeDefined();
      }
    }
  });

  test('it is gone after 80 s with traffic', async () => {
    const { clock, duplicates } = start();
    duplicates.add('k', { hash: 1n, length: 20, reply: reply('a') });
    for (let passed = 0; passed < 80_000; passed += 1000) {
      await clock.advance(1000);
      duplicates.add(`other ${passed}`, { hash: 1n, length: 20, reply: reply('b') });
    }
    expect(duplicates.find('k', 1n, 20)).toBeUndefined();
  });

  test('and without any', async () => {
    const { clock, duplicates } = start();
    duplicates.add('k', { hash: 1n, length: 20, reply: reply('a') });
    await clock.advance(80_000);
    expect(duplicates.find('k', 1n, 20)).toBeUndefined();
    expect(duplicates.size).toBe(0);
  });

  test('what was forgotten by age is not counted', async () => {
    const { clock, duplicates } = start();
    duplicates.add('k', { hash: 1n, length: 20, reply: reply('a') });
    await clock.advance(200_000);
    duplicates.add('l', { hash: 1n, length: 20, reply: reply('a') });
    expect(duplicates.forgotten).toBe(0);
  });
});

describe('bounds', () => {
  test('keep the newest requests, never more than twice the entries of a generation, and count the rest', () => {
    const { duplicates } = start({ entries: 10, bytes: 1_000_000 });
    for (let n = 0; n < 100; n++) {
      duplicates.add(`k${n}`, { hash: 1n, length: 20, reply: reply('a') });
      expect(duplicates.size).toBeLessThanOrEqual(20);
    }
    for (let n = 90; n < 100; n++) expect(duplicates.find(`k${n}`, 1n, 20)).toBeDefined();
    expect(duplicates.find('k79', 1n, 20)).toBeUndefined();
    expect(duplicates.forgotten).toBe(80);
  });

  test('hold for the bytes of replies too', () => {
    const { duplicates } = start({ entries: 1000, bytes: 100_000 });
    for (let n = 0; n < 100; n++) {
      duplicates.add(`k${n}`, { hash: 1n, length: 20, reply: reply('a') });
      duplicates.weigh(60_000);
    }
    expect(duplicates.size).toBe(4);
    expect(duplicates.find('k99', 1n, 20)).toBeDefined();
    expect(duplicates.forgotten).toBe(96);
  });
});
