import { describe, expect, test } from 'bun:test';
import type { RetentionLimits } from '../../../src/store/store.ts';
import { TraceRows } from '../../../src/store/trace-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { fillDisk, flush, inDirectory, openStore } from '../../fakes/store.ts';

function make() {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  const rows = new TraceRows(open.database);

  return {
    clock,
    store,
    open,
    rows,
    /** The steps of all rows, oldest row first. */
    all: () =>
      open.database
        .query<{ steps: string }, []>('SELECT steps FROM trace ORDER BY id')
        .all()
        .map(({ steps }) => steps),
  };
}

/** Keeps everything but what a test is about. */
const FOR_EVER: RetentionLimits = {
  endedCallMs: 1e12,
  maxEndedCalls: 1e9,
  eventMs: 1e12,
  maxEvents: 1e9,
  traceMs: 1e12,
  maxTraces: 1e9,
};

describe('rows of steps', () => {
  test('are found by Call-ID, byte for byte, oldest first', () => {
    const { rows } = make();
    rows.insert({ callId: 'c1', at: 5, steps: '[1]' });
    rows.insert({ callId: 'c2', at: 6, steps: '[2]' });
    rows.insert({ callId: 'c1', at: 1, steps: '[3]' });
    rows.insert({ callId: 'a/b\xe9', at: 1, steps: '[4]' });
    expect(rows.of('c1')).toEqual(['[1]', '[3]']);
    expect(rows.of('a/b\xe9')).toEqual(['[4]']);
    expect([rows.of('C1'), rows.of('c'), rows.of('')]).toEqual([[], [], []]);
  });

  test('are found by an index, not by reading all', () => {
    const { open } = make();
    const plan = open.database
      .query<{ detail: string }, []>(
        "EXPLAIN QUERY PLAN SELECT steps FROM trace WHERE call_id = 'x' ORDER BY id",
      )
      .all()
      .map(({ detail }) => detail)
      .join();
    expect(plan).toContain('trace_call');
    expect(plan).not.toContain('SCAN');
  });
});

describe('pruning', () => {
  test('removes rows older than the time given, and no others', () => {
    const { rows, all } = make();
    for (const at of [10, 20, 30]) rows.insert({ callId: 'c', at, steps: String(at) });
    rows.prune(20, 100, 100);
    expect(all()).toEqual(['20', '30']);
    rows.prune(31, 100, 100);
    expect(all()).toEqual([]);
  });

  test('removes the oldest beyond the number given', () => {
    const { rows, all } = make();
    for (let i = 0; i < 10; i++) rows.insert({ callId: 'c', at: 100, steps: String(i) });
    rows.prune(0, 10, 100);
    expect(all().length).toBe(10);
    rows.prune(0, 3, 100);
    expect(all()).toEqual(['7', '8', '9']);
  });

  test('removes a slice at a time', () => {
    const { rows, all } = make();
    for (let i = 0; i < 10; i++) rows.insert({ callId: 'c', at: i, steps: String(i) });
    rows.prune(0, 100, 4);
    rows.prune(100, 100, 4);
    expect(all()).toEqual(['4', '5', '6', '7', '8', '9']);
    rows.prune(100, 100, 4);
    expect(all()).toEqual(['8', '9']);
  });

  test('keeps up with what is written: the table does not grow between two slices', () => {
    const { rows, all } = make();
    for (let slice = 0; slice < 5; slice++) {
      for (let i = 0; i < 30; i++) rows.insert({ callId: 'c', at: 1, steps: 'x' });
      rows.prune(100, 100, 4);
      expect(all()).toEqual([]);
    }
  });

  test('of nothing is nothing; what comes later is pruned like all', () => {
    const { rows, all } = make();
    rows.prune(100, 0, 4);
    rows.insert({ callId: 'c', at: 1, steps: 'a' });
    rows.prune(100, 100, 4);
    rows.insert({ callId: 'c', at: 2, steps: 'b' });
    expect(all()).toEqual(['b']);
    rows.prune(100, 100, 4);
    expect(all()).toEqual([]);
  });

  test('is done by the store: by age, and beyond the number', async () => {
    const { clock, store, all } = make();
    store.noteSteps('c1', clock.utc(), 'old');
    await flush(store);
    await clock.advance(60_000);
    for (let i = 0; i < 5; i++) store.noteSteps('c2', clock.utc(), `new ${i}`);
    await flush(store);
    store.prune(FOR_EVER);
    expect(all().length).toBe(6);
    store.prune({ ...FOR_EVER, traceMs: 30_000 });
    expect(all()).toEqual(['new 0', 'new 1', 'new 2', 'new 3', 'new 4']);
    store.prune({ ...FOR_EVER, maxTraces: 2 });
    expect(all()).toEqual(['new 3', 'new 4']);
  });
});

describe('steps handed to the store', () => {
  test('are there at once, and in the right order once they are written', async () => {
    const { store } = make();
    store.noteSteps('c1', 1, 'a');
    await flush(store);
    store.noteSteps('c1', 2, 'b');
    store.noteSteps('c2', 2, 'x');
    expect(store.stepsOf('c1')).toEqual(['a', 'b']);
    await flush(store);
    expect(store.stepsOf('c1')).toEqual(['a', 'b']);
  });

  test('ride along within 10 ms: nobody waits for them', async () => {
    const { clock, store, all } = make();
    store.noteSteps('c1', 1, 'a');
    await clock.advance(9);
    expect(all()).toEqual([]);
    await clock.advance(1);
    expect(all()).toEqual(['a']);
  });

  test('outlive the program', () =>
    inDirectory(async (directory) => {
      const path = `${directory}/db`;
      const first = openStore(new FakeClock(), path);
      first.store.noteSteps('c1', 1, 'a');
      first.store.close();
      const second = openStore(new FakeClock(), path);
      expect(second.store.stepsOf('c1')).toEqual(['a']);
      second.store.close();
    }));

  test('are dropped and counted while the disk fails, and cost no binding', async () => {
    const { clock, store, open } = make();
    const makeRoom = fillDisk(open);
    for (let i = 0; i < 20; i++) store.noteSteps('c1', 1, 'x'.repeat(4000));
    await clock.advance(20);
    expect(store.trouble).toBeDefined();
    expect(store.counters.droppedSteps).toBe(20);
    store.noteSteps('c1', 1, 'y');
    expect([store.counters.droppedSteps, store.stepsOf('c1')]).toEqual([21, []]);
    makeRoom();
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
    store.noteSteps('c1', 1, 'z');
    await flush(store);
    expect(store.stepsOf('c1')).toEqual(['z']);
  });
});
