import { describe, expect, test } from 'bun:test';
import { Replays } from '../../../src/calls/replays.ts';
import { FakeClock } from '../../fakes/clock.ts';

const answer = (sdp: string) => ({ sdp, nodeId: 1 });

describe('answers kept for repeated messages', () => {
  test('an answer is found by call and message, and by nothing else', () => {
    const replays = new Replays(new FakeClock());
    replays.put('c', 'm', answer('x'));
    expect(replays.get('c', 'm')).toEqual(answer('x'));
    expect(replays.get('c', 'n')).toBeUndefined();
    expect(replays.get('d', 'm')).toBeUndefined();
  });

  test('an answer is given until 32 s have passed, and not after', async () => {
    const clock = new FakeClock();
    const replays = new Replays(clock);
    replays.put('c', 'm', answer('x'));
    await clock.advance(31_999);
    expect(replays.get('c', 'm')).toEqual(answer('x'));
    await clock.advance(1);
    expect(replays.get('c', 'm')).toBeUndefined();
  });

  test('a later answer to the same message takes the place of the earlier', () => {
    const replays = new Replays(new FakeClock());
    replays.put('c', 'm', answer('x'));
    replays.put('c', 'm', answer('y'));
    expect(replays.get('c', 'm')).toEqual(answer('y'));
  });

  test('only the four newest messages of a call are kept', () => {
    const replays = new Replays(new FakeClock());
    for (const message of ['1', '2', '3', '4', '5']) replays.put('c', message, answer(message));
    expect(['1', '2', '3', '4', '5'].map((message) => replays.get('c', message)?.sdp)).toEqual([
      undefined,
      '2',
      '3',
      '4',
      '5',
    ]);
  });

  test('a forgotten call is answered from memory no more', () => {
    const replays = new Replays(new FakeClock());
    replays.put('c', 'm', answer('x'));
    replays.forget('c');
    expect(replays.get('c', 'm')).toBeUndefined();
  });

  test('beyond 8 MB the calls used longest ago go first', () => {
    const replays = new Replays(new FakeClock());
    const megabyte = 'x'.repeat(1024 * 1024);
    for (const call of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) replays.put(call, 'm', answer(megabyte));
    replays.put('a', 'n', answer('small'));
    replays.put('h', 'm', answer(megabyte));
    expect(replays.get('a', 'm')?.sdp.length).toBe(megabyte.length);
    expect(replays.get('b', 'm')).toBeUndefined();
    expect(replays.get('h', 'm')?.sdp.length).toBe(megabyte.length);
  });

  test('room taken by forgotten and expired calls is free again', async () => {
    const clock = new FakeClock();
    const replays = new Replays(clock);
    const half = 'x'.repeat(3 * 1024 * 1024);
    replays.put('a', 'm', answer(half));
    replays.forget('a');
    replays.put('b', 'm', answer(half));
    await clock.advance(32_001);
    replays.expire();
    replays.put('c', 'm', answer(half));
    replays.put('d', 'm', answer(half));
    expect(replays.get('c', 'm')?.sdp.length).toBe(half.length);
    expect(replays.get('d', 'm')?.sdp.length).toBe(half.length);
  });
});
