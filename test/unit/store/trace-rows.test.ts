import { describe, expect, test } from 'bun:test';
import type { RetentionLimits } from '../../../src/store/retention.ts';
import { type TraceRow, TraceRows } from '../../../src/store/trace-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { fillDisk, flush, inDirectory, openStore } from '../../fakes/store.ts';

function make() {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  const rows = new TraceRows(open.database);
  const insert = (row: TraceRow): void => {
    rows.note(row);
    rows.write();
    rows.written();
  };

  return {
    clock,
    store,
    open,
    rows,
    insert,
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
    const { rows, insert } = make();
    insert({ callId: 'c1', at: 5, steps: '[1]' });
    insert({ callId: 'c2', at: 6, steps: '[2]' });
    insert({ callId: 'c1', at: 1, steps: '[3]' });
    insert({ callId: 'a/b\xe9', at: 1, steps: '[4]' });
    expect(rows.of('c1')).toEqual({ rows: ['[1]', '[3]'], isPartial: false });
    expect(rows.of('a/b\xe9').rows).toEqual(['[4]']);
    expect(['C1', 'c', ''].map((callId) => rows.of(callId).rows)).toEqual([[], [], []]);
  });

  test('of a call with too many: the first one and the newest ones, and it says so', () => {
    const { rows, insert } = make();
    const fill = (callId: string, count: number, text = ''): void => {
      for (let i = 0; i < count; i++) insert({ callId, at: i, steps: `${i}${text}` });
    };
    fill('just', 257);
    expect(rows.of('just').isPartial).toBe(false);
    expect(rows.of('just').rows.length).toBe(257);
    fill('many', 300);
    expect(rows.of('many')).toEqual({
      rows: ['0', ...Array.from({ length: 256 }, (_, i) => String(44 + i))],
      isPartial: true,
    });
    fill('large', 6, 'x'.repeat(600_000));
    const { rows: large, isPartial } = rows.of('large');
    expect(large.map((row) => String(row)[0])).toEqual(['0', '3', '4', '5']);
    expect(isPartial).toBe(true);
  });

  test('are found by an index, not by reading all', () => {
    const { open } = make();
    const plan = open.database
      .query<{ detail: string }, []>(
        "EXPLAIN QUERY PLAN SELECT id, steps FROM trace WHERE call_id = 'x' ORDER BY id DESC LIMIT 9",
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
    const { rows, insert, all } = make();
    for (const at of [10, 20, 30]) insert({ callId: 'c', at, steps: String(at) });
    rows.prune(20, 100, 100);
    expect(all()).toEqual(['20', '30']);
    rows.prune(31, 100, 100);
    expect(all()).toEqual([]);
  });

  test('removes the oldest beyond the number given', () => {
    const { rows, insert, all } = make();
    for (let i = 0; i < 10; i++) insert({ callId: 'c', at: 100, steps: String(i) });
    rows.prune(0, 10, 100);
    expect(all().length).toBe(10);
    rows.prune(0, 3, 100);
    expect(all()).toEqual(['7', '8', '9']);
  });

  test('removes a slice at a time', () => {
    const { rows, insert, all } = make();
    for (let i = 0; i < 10; i++) insert({ callId: 'c', at: i, steps: String(i) });
    rows.prune(0, 100, 4);
    rows.prune(100, 100, 4);
    expect(all()).toEqual(['4', '5', '6', '7', '8', '9']);
    rows.prune(100, 100, 4);
    expect(all()).toEqual(['8', '9']);
  });

  test('keeps up with what is written: the table does not grow between two slices', () => {
    const { rows, insert, all } = make();
    for (let slice = 0; slice < 5; slice++) {
      for (let i = 0; i < 30; i++) insert({ callId: 'c', at: 1, steps: 'x' });
      rows.prune(100, 100, 4);
      expect(all()).toEqual([]);
    }
  });

  test('of nothing is nothing; what comes later is pruned like all', () => {
    const { rows, insert, all } = make();
    rows.prune(100, 0, 4);
    insert({ callId: 'c', at: 1, steps: 'a' });
    rows.prune(100, 100, 4);
    insert({ callId: 'c', at: 2, steps: 'b' });
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
    expect(store.stepsOf('c1').rows).toEqual(['a', 'b']);
    await flush(store);
    expect(store.stepsOf('c1').rows).toEqual(['a', 'b']);
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
      expect(second.store.stepsOf('c1').rows).toEqual(['a']);
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
    expect([store.counters.droppedSteps, store.stepsOf('c1').rows]).toEqual([21, []]);
    makeRoom();
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
    store.noteSteps('c1', 1, 'z');
    await flush(store);
    expect(store.stepsOf('c1').rows).toEqual(['z']);
  });
});
