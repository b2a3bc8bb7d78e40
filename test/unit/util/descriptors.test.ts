/** When the process tells that it has too many files and connections open. */

import { describe, expect, test } from 'bun:test';
import { COUNT_MS, Descriptors } from '../../../src/util/descriptors.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { logged } from '../front/logged.ts';

const events = logged();

function start(limit = 100) {
  const clock = new FakeClock();
  const state: { open: number | string } = { open: 10 };
  const descriptors = new Descriptors({
    clock,
    limit,
    list: async () => {
      if (typeof state.open === 'string') throw Object.assign(new Error('no'), { code: state.open });

      return Array.from({ length: state.open }, String);
    },
  });

  return { clock, state, descriptors };
}

describe('file descriptors', () => {
  test('that are enough are not worth a word', async () => {
    const { clock, state, descriptors } = start();
    state.open = 89;
    await clock.advance(10 * COUNT_MS);
    expect(descriptors.note).toBe('');
    expect(await events()).toEqual([]);
  });

  test('nine tenths of which are in use are told, in the log once a minute', async () => {
    const { clock, state, descriptors } = start();
    state.open = 90;
    await clock.advance(COUNT_MS);
    expect(descriptors.note).toBe('90 of 100 file descriptors in use');
    state.open = 95;
    await clock.advance(59_000);
    expect(descriptors.note).toBe('95 of 100 file descriptors in use');
    expect(await events()).toMatchObject([
      { level: 'warning', event: 'process.descriptors', open: 90, limit: 100 },
    ]);
    await clock.advance(2 * COUNT_MS);
    expect((await events()).length).toBe(2);
    state.open = 10;
    await clock.advance(COUNT_MS);
    expect(descriptors.note).toBe('');
  });

  test('of which none is left to count them are all in use', async () => {
    const { clock, state, descriptors } = start();
    state.open = 'EMFILE';
    await clock.advance(COUNT_MS);
    expect(descriptors.note).toBe('100 of 100 file descriptors in use');
  });

  test('that cannot be counted are not told', async () => {
    const { clock, state, descriptors } = start();
    state.open = 'ENOENT';
    await clock.advance(COUNT_MS);
    expect(descriptors.note).toBe('');
    expect(start(Number.POSITIVE_INFINITY).descriptors.note).toBe('');
  });

  test('of this very process are counted against its limit', async () => {
    const clock = new FakeClock();
    const descriptors = new Descriptors({ clock, limit: 1 });
    await clock.advance(COUNT_MS);
    const end = performance.now() + 5000;
    while (descriptors.note === '' && performance.now() < end) await clock.advance(1);
    expect(descriptors.note).toMatch(/^[1-9]\d* of 1 file descriptors in use$/);
    descriptors.stop();
    expect(clock.timers).toBe(0);
  });
});
