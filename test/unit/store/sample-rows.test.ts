import { describe, expect, test } from 'bun:test';
import { FLEET_COLUMNS, NODE_COLUMNS, SAMPLES_MS, type SampleRow } from '../../../src/store/sample-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { fillDisk, flush, inDirectory, type OpenStore, openStore } from '../../fakes/store.ts';

const AT = 1_800_000_000_000;
const STEP = 300_000;

/** Adds a node, or changes it if it is there. */
function add({ store }: OpenStore, id: number): void {
  const admin = { order: 'ready', by: '', reason: '', at: 0, until: null } as const;
  store.fleet.writeNodes([{ ...makeNode(id), admin, limited: null, removedAt: null }]);
}

function withNodes(...ids: number[]): OpenStore {
  const opened = openStore(new FakeClock());
  for (const id of ids) add(opened, id);

  return opened;
}

function remove({ store }: OpenStore, id: number): void {
  store.fleet.writeFleet({ put: [], remove: [id], sets: [] });
}

function prune({ store }: OpenStore): void {
  const [ms, max] = [1000, 10];
  store.prune({
    ...{ endedCallMs: ms, maxEndedCalls: max, eventMs: ms, maxEvents: max, traceMs: ms, maxTraces: max },
  });
}

const count = ({ open }: OpenStore, table: string): number =>
  open.database.query<{ count: number }, []>(`SELECT count(*) AS count FROM ${table}`).get()?.count ?? -1;

function row(nodeId: number | null, at: number, value: number | null = 1): SampleRow {
  const columns = nodeId === null ? FLEET_COLUMNS : NODE_COLUMNS;

  return { nodeId, at, values: columns.map((_, index) => (value === null ? null : value + index)) };
}

const times = ({ store }: OpenStore, nodeId: number | null): number[] =>
  store.samples.read(nodeId, 0, Number.MAX_SAFE_INTEGER, 10_000).map(([at]) => at);

describe('samples', () => {
  test.each([
    ['a node', 7, NODE_COLUMNS.length],
    ['the fleet', null, FLEET_COLUMNS.length],
  ])('of %s are read as they were written, column by column', (_, nodeId, count) => {
    const opened = withNodes(7);
    expect(opened.store.writeSamples([row(nodeId, AT, 0.5), row(nodeId, AT + STEP, null)])).toBe(true);
    expect(opened.store.samples.read(nodeId, 0, AT + STEP, 10)).toEqual([
      [AT, ...Array.from({ length: count }, (_, index) => index + 0.5)],
      [AT + STEP, ...new Array<null>(count).fill(null)],
    ]);
  });

  test('are stored under the names of their columns', () => {
    const { open, store } = withNodes(7);
    store.writeSamples([row(7, AT), row(null, AT)]);
    const one = (table: string): unknown => open.database.query(`SELECT * FROM ${table}`).get();
    const named = (columns: readonly string[]) =>
      Object.fromEntries(columns.map((name, index) => [name, index + 1]));
    expect(one('node_sample')).toEqual({ series: 1, at: AT, ...named(NODE_COLUMNS) });
    expect(one('node_series')).toEqual({ id: 1, node_id: 7 });
    expect(one('fleet_sample')).toEqual({ at: AT, ...named(FLEET_COLUMNS) });
  });

  test('are read after one time, up to another, the oldest first, as many as wanted', () => {
    const opened = withNodes(7, 8);
    for (const step of [3, 1, 2, 4]) opened.store.writeSamples([row(7, step), row(8, step), row(null, step)]);
    for (const nodeId of [7, null]) {
      const read = (after: number, until: number, limit: number): number[] =>
        opened.store.samples.read(nodeId, after, until, limit).map(([at]) => at);
      expect([read(0, 9, 9), read(1, 3, 9), read(0, 9, 2), read(4, 9, 9)]).toEqual([
        [1, 2, 3, 4],
        [2, 3],
        [1, 2],
        [],
      ]);
    }
  });

  test('of the same time replace what was there: a clock was set back', () => {
    const opened = withNodes(7);
    for (const value of [1, 5]) opened.store.writeSamples([row(7, AT, value), row(null, AT, value)]);
    for (const nodeId of [7, null])
      expect(opened.store.samples.read(nodeId, 0, AT, 9).map(([, first]) => first)).toEqual([5]);
  });

  test('of a node that is gone are left out, and are not to be seen from then on', () => {
    const opened = withNodes(7, 8);
    opened.store.writeSamples([row(7, AT), row(8, AT), row(99, AT)]);
    remove(opened, 7);
    opened.store.writeSamples([row(7, AT + STEP), row(8, AT + STEP)]);
    expect([7, 8, 99].map((id) => times(opened, id))).toEqual([[], [AT, AT + STEP], []]);
  });

  test('of a node are none of another one that gets its id, whatever time it is then', () => {
    const opened = withNodes(7);
    opened.store.writeSamples([row(7, AT), row(7, AT + STEP)]);
    remove(opened, 7);
    add(opened, 7);
    expect(times(opened, 7)).toEqual([]);
    opened.store.writeSamples([row(7, AT - STEP), row(7, AT)]);
    prune(opened);
    expect(times(opened, 7)).toEqual([AT - STEP, AT]);
    expect(count(opened, 'node_sample')).toBe(2);
  });

  test('stay when their node changes', () => {
    const opened = withNodes(7);
    opened.store.writeSamples([row(7, AT)]);
    add(opened, 7);
    prune(opened);
    expect(times(opened, 7)).toEqual([AT]);
  });

  test('of nodes that are gone are removed in slices of 200, then what named them; the others stay', () => {
    const opened = withNodes(7, 8, 9);
    for (const id of [7, 8, 9])
      opened.store.writeSamples(Array.from({ length: 300 }, (_, step) => row(id, AT + step * STEP)));
    remove(opened, 7);
    remove(opened, 9);
    const left: number[][] = [];
    for (let turn = 0; turn < 5; turn++) {
      prune(opened);
      left.push([count(opened, 'node_sample'), count(opened, 'node_series')]);
    }
    expect(left).toEqual([
      [700, 3],
      [600, 2],
      [400, 2],
      [300, 1],
      [300, 1],
    ]);
    expect(times(opened, 8)).toHaveLength(300);
  });

  test('of a node that went before a kill are removed by the next run', () =>
    inDirectory((directory) => {
      const path = `${directory}/samples.db`;
      const first = openStore(new FakeClock(), path);
      for (const id of [7, 8]) add(first, id);
      first.store.writeSamples([row(7, AT), row(8, AT)]);
      remove(first, 7);
      first.store.close();
      const second = openStore(new FakeClock(), path);
      expect(count(second, 'node_sample')).toBe(2);
      prune(second);
      expect([count(second, 'node_sample'), times(second, 8)]).toEqual([1, [AT]]);
      second.store.close();
    }));

  test('that are gone need no search: the rows of others are not looked at', () => {
    const { open } = openStore();
    const plan = open.database
      .query<{ detail: string }, []>(
        'EXPLAIN QUERY PLAN SELECT id FROM node_series WHERE node_id IS NULL LIMIT 1',
      )
      .all();
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^SEARCH node_series USING COVERING INDEX .*\(node_id=\?\)$/),
    ]);
  });

  test('older than a week are removed as new ones are written, of the same node only', () => {
    const opened = withNodes(7, 8);
    opened.store.writeSamples([row(7, AT), row(8, AT), row(null, AT)]);
    opened.store.writeSamples([row(7, AT + SAMPLES_MS), row(null, AT + SAMPLES_MS)]);
    expect([times(opened, 7), times(opened, null)]).toEqual([
      [AT, AT + SAMPLES_MS],
      [AT, AT + SAMPLES_MS],
    ]);
    opened.store.writeSamples([row(7, AT + SAMPLES_MS + 1), row(null, AT + SAMPLES_MS + 1)]);
    for (const nodeId of [7, null])
      expect(times(opened, nodeId)).toEqual([AT + SAMPLES_MS, AT + SAMPLES_MS + 1]);
    expect(times(opened, 8)).toEqual([AT]);
  });

  test('are removed a few at a time: a clock that is wrong for a moment does not cost a week', () => {
    const opened = withNodes(7);
    for (let step = 0; step < 20; step++) opened.store.writeSamples([row(7, AT + step * STEP)]);
    opened.store.writeSamples([row(7, AT + 10 * SAMPLES_MS)]);
    expect(times(opened, 7)).toHaveLength(17);
  });

  test('are refused while the disk fails, and taken when it works again', async () => {
    const clock = new FakeClock();
    const opened = openStore(clock);
    const makeRoom = fillDisk(opened.open);
    for (let index = 0; index < 200; index++) opened.store.event('test.filler', { text: 'x'.repeat(500) });
    await flush(opened.store);
    expect(opened.store.trouble).toContain('the disk is full');
    expect([opened.store.writeSamples([row(null, AT)]), times(opened, null)]).toEqual([false, []]);
    makeRoom();
    await clock.advance(2000);
    expect([opened.store.writeSamples([row(null, AT)]), times(opened, null)]).toEqual([true, [AT]]);
  });

  test('that fill the disk themselves are dropped, all of a slice, and calls go on being written', async () => {
    const opened = withNodes(7);
    fillDisk(opened.open);
    const many = Array.from({ length: 5000 }, (_, index) => row(7, AT + index));
    expect(opened.store.writeSamples(many)).toBe(false);
    expect([times(opened, 7), opened.store.trouble]).toEqual([[], undefined]);
  });
});
