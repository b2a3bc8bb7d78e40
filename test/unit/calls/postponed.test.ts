import { describe, expect, test } from 'bun:test';
import type { DeleteFacts } from '../../../src/calls/facts.ts';
import { MAX_POSTPONED, Postponed } from '../../../src/calls/postponed.ts';
import { FakeClock } from '../../fakes/clock.ts';

const facts = (callId: string): DeleteFacts => ({ callId, reason: 'delete' });

function start() {
  const clock = new FakeClock();
  const done: string[] = [];
  const postponed = new Postponed(clock, async ({ callId }) => done.push(callId));

  return { clock, done, postponed };
}

describe('a postponed delete', () => {
  test('is done when its time has come, once, and the timer ends', async () => {
    const { clock, done, postponed } = start();
    expect(postponed.put(facts('a'), 3000)).toBe(true);
    expect(postponed.put(facts('b'), 1000)).toBe(true);
    await clock.advance(999);
    expect(done).toEqual([]);
    await clock.advance(1000);
    expect(done).toEqual(['b']);
    await clock.advance(60_000);
    expect(done).toEqual(['b', 'a']);
    expect([postponed.size, clock.timers]).toEqual([0, 0]);
  });

  test('asked for again keeps its time', async () => {
    const { clock, done, postponed } = start();
    postponed.put(facts('a'), 3000);
    await clock.advance(2500);
    expect(postponed.put(facts('a'), 3000)).toBe(true);
    await clock.advance(1000);
    expect(done).toEqual(['a']);
  });

  test('is not done if the call goes on', async () => {
    const { clock, done, postponed } = start();
    postponed.put(facts('a'), 3000);
    postponed.cancel('b');
    postponed.cancel('a');
    expect([postponed.size, clock.timers]).toEqual([0, 0]);
    await clock.advance(60_000);
    expect(done).toEqual([]);
  });

  test('is done at once at the end of the program', async () => {
    const { clock, done, postponed } = start();
    for (const name of ['a', 'b']) postponed.put(facts(name), 30_000);
    await postponed.flush();
    expect(done).toEqual(['a', 'b']);
    expect(clock.timers).toBe(0);
  });

  test('is refused where too many wait', () => {
    const { postponed } = start();
    for (let i = 0; i < MAX_POSTPONED; i++) postponed.put(facts(`c${i}`), 30_000);
    expect(postponed.put(facts('one more'), 30_000)).toBe(false);
    expect(postponed.put(facts('c0'), 30_000)).toBe(true);
    expect(postponed.size).toBe(MAX_POSTPONED);
  });
});
