/** What a supervisor hears of us, and when it hears nothing. */

import { describe, expect, test } from 'bun:test';
import { STATUS_MS, Supervision } from '../../../src/util/supervision.ts';
import { Systemd } from '../../../src/util/systemd.ts';
import { FakeClock } from '../../fakes/clock.ts';

function start({ watchdogMs, isPresent = true }: { watchdogMs?: number; isPresent?: boolean } = {}) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const heard: number[] = [];
  const messenger = {
    send: (message: string): boolean => heard.push(clock.now) > 0 && sent.push(message) > 0,
    monotonicUs: () => undefined,
  };
  const proofs: (() => void)[] = [];
  const state = { status: 'good', isHanging: false, commitMs: 0 };
  const supervision = new Supervision({
    systemd: new Systemd(isPresent ? messenger : undefined, watchdogMs),
    clock,
    status: () => state.status,
    prove: () =>
      state.isHanging
        ? new Promise<void>((resolve) => proofs.push(resolve))
        : clock.until(clock.now + state.commitMs),
  });

  return { clock, sent, heard, supervision, state, proofs };
}

const beats = (sent: readonly string[]): number => sent.filter((message) => message === 'WATCHDOG=1').length;

describe('the status', () => {
  test('comes with the start, and afterwards when it has changed, but not more often than every 5 s', async () => {
    const { clock, sent, supervision, state } = start();
    supervision.start();
    expect(sent).toEqual(['READY=1\nSTATUS=good']);
    await clock.advance(10 * STATUS_MS);
    expect(sent.length).toBe(1);
    for (let i = 0; i < 100; i++) {
      state.status = `call ${i}`;
      await clock.advance(STATUS_MS / 50);
    }
    expect(sent.slice(1)).toEqual(['STATUS=call 49', 'STATUS=call 99']);
  });

  test('is not even asked for where nobody listens', async () => {
    const { clock, sent, supervision, state } = start({ isPresent: false });
    supervision.start();
    expect(clock.timers).toBe(0);
    state.status = 'changed';
    await clock.advance(60_000);
    supervision.reload(() => undefined);
    supervision.stop(1000);
    expect(sent).toEqual([]);
  });
});

describe('the watchdog', () => {
  test('is fed four times in its interval', async () => {
    const { clock, sent, supervision } = start({ watchdogMs: 10_000 });
    supervision.start();
    await clock.advance(30_000);
    expect(beats(sent)).toBe(12);
  });

  test('is fed in time by a disk that takes 7 s for each commit', async () => {
    const { clock, supervision, state, heard } = start({ watchdogMs: 10_000 });
    state.commitMs = 7000;
    supervision.start();
    await clock.advance(120_000);
    const gaps = heard.slice(1).map((at, i) => at - (heard[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(10_000);
    expect(gaps.length).toBeGreaterThan(11);
  });

  test('is not fed if nobody asked for it', async () => {
    const { clock, sent, supervision } = start();
    supervision.start();
    await clock.advance(60_000);
    expect(beats(sent)).toBe(0);
  });

  test('is not fed while a commit hangs, however long; and is again when it has come to its end', async () => {
    const { clock, sent, supervision, state, proofs } = start({ watchdogMs: 10_000 });
    supervision.start();
    state.isHanging = true;
    await clock.advance(100_000);
    expect(beats(sent)).toBe(0);
    // One is enough to wait for.
    expect(proofs.length).toBe(1);
    state.isHanging = false;
    proofs[0]?.();
    await clock.advance(10_000);
    expect(beats(sent)).toBe(5);
  });
});

describe('a reload', () => {
  test('is told before and after, with the status it led to', () => {
    const { sent, supervision, state } = start();
    supervision.start();
    supervision.reload(() => {
      expect(sent.at(-1)).toBe('RELOADING=1');
      state.status = 'restart for ng.listen';
    });
    expect(sent.slice(1)).toEqual(['RELOADING=1', 'READY=1\nSTATUS=restart for ng.listen']);
  });

  test('does not happen while stopping: nobody is told that we are ready', () => {
    const { sent, supervision } = start();
    supervision.start();
    supervision.stop(8000);
    let runs = 0;
    supervision.reload(() => void runs++);
    expect(runs).toBe(0);
    expect(sent.at(-1)).toStartWith('STOPPING=1');
  });
});

test('the stop is told with its time, and nothing comes after it', async () => {
  const { clock, sent, supervision, state, proofs } = start({ watchdogMs: 2000 });
  supervision.start();
  state.isHanging = true;
  await clock.advance(1000);
  supervision.stop(8000);
  proofs[0]?.();
  state.status = 'other';
  await clock.advance(60_000);
  expect(sent.slice(1)).toEqual(['STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=8000000']);
  expect(clock.timers).toBe(0);
});
