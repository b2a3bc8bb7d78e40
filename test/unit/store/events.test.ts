import type { SQLQueryBindings } from 'bun:sqlite';
import { describe, expect, spyOn, test } from 'bun:test';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/bun-sqlite';
import {
  type EventFilter,
  type EventRange,
  EventRows,
  lets,
  type StoredEvent,
} from '../../../src/store/event-rows.ts';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { fillDisk, flush, inDirectory, makeCall, makeLeg, openStore } from '../../fakes/store.ts';

const BIG = { received: 'x'.repeat(20_000), returned: 'y'.repeat(20_000) };

const kinds = (events: readonly StoredEvent[]): string[] => events.map(({ kind }) => kind);

/** Ten events a second apart: node.removed and call.lost by turns, of the nodes 0 to 3. */
async function withEvents() {
  const clock = new FakeClock();
  const opened = openStore(clock);
  const start = clock.utc();
  for (let index = 0; index < 10; index++) {
    const kind = index % 2 === 0 ? 'node.removed' : 'call.lost';
    opened.store.event(kind, { nodeId: index % 4, ...(index % 2 === 0 ? {} : { callId: `c${index % 4}` }) });
    await flush(opened.store);
    clock.now += 1000;
  }

  return { ...opened, clock, start };
}

describe('the list of events', () => {
  const CASES: [string, EventFilter & EventRange, number[]][] = [
    ['all of them', {}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ['one kind', { kinds: ['node.removed'] }, [9, 7, 5, 3, 1]],
    ['all kinds of an area', { kinds: ['call.*'] }, [10, 8, 6, 4, 2]],
    ['several kinds, in one order', { kinds: ['call.*', 'node.removed'] }, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ['a kind there is not', { kinds: ['store.*'] }, []],
    ['one node', { nodeId: 1 }, [10, 6, 2]],
    ['one node and one kind', { nodeId: 2, kinds: ['node.*'] }, [7, 3]],
    ['one node and a kind it does not have', { nodeId: 1, kinds: ['node.*'] }, []],
    ['one call', { callIds: ['c3'] }, [8, 4]],
    ['one call, of two spellings', { callIds: ['c1', 'c3'] }, [10, 8, 6, 4, 2]],
    ['one call and one kind', { callIds: ['c3'], kinds: ['call.lost'] }, [8, 4]],
    ['those after an id', { after: 8 }, [10, 9]],
  ];

  test.each(CASES)('has %s', async (_what, filter, ids) => {
    const { store } = await withEvents();
    const found = store.events.list(100, null, filter);
    expect(found.map(({ id }) => id)).toEqual(ids);
    // What the table says and what is said of a single event are the same.
    const all = store.events.list(100, null, { after: filter.after });
    expect(all.filter((event) => lets(filter, event))).toEqual(found);
  });

  test('ends at the limit, and goes on before an id', async () => {
    const { store } = await withEvents();
    const filter = { kinds: ['node.*'] };
    expect(store.events.list(2, null, filter).map(({ id }) => id)).toEqual([9, 7]);
    expect(store.events.list(2, 7, filter).map(({ id }) => id)).toEqual([5, 3]);
  });

  test.each([
    [0, 0, [1]],
    [1, 0, []],
    [2500, 4000, [5, 4]],
    [9000, 9000, [10]],
    [9001, 99_000, []],
    [-5000, 1000, [2, 1]],
  ])('between %d and %d ms has what happened then', async (since, until, ids) => {
    const { store, start } = await withEvents();
    const found = store.events.list(100, null, { since: start + since, until: start + until });
    expect(found.map(({ id }) => id)).toEqual(ids);
  });

  test('finds a time among ids of which some are gone', async () => {
    const { store, open, start } = await withEvents();
    open.database.run('DELETE FROM event WHERE id < 4 OR id IN (6, 7)');
    expect(store.events.list(100, null, { since: start + 5000 }).map(({ id }) => id)).toEqual([10, 9, 8]);
    expect(store.events.list(100, null, { until: start + 5000 }).map(({ id }) => id)).toEqual([5, 4]);
  });

  test('of a node and kinds is right too where both are many', async () => {
    const { open } = await withEvents();
    open.database.run(
      `WITH RECURSIVE n(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i < 8010)
       INSERT INTO event (at, kind, node_id, detail)
       SELECT 1, CASE WHEN i % 2 THEN 'call.lost' ELSE 'call.found' END, i % 4, '{}' FROM n`,
    );
    const rows = new EventRows(drizzle(open.database));
    const ids = (filter: EventFilter & EventRange, before: number | null = null) =>
      rows.list(3, before, filter).map(({ id }) => id);
    expect(ids({ nodeId: 1, kinds: ['call.*'] })).toEqual([8009, 8005, 8001]);
    expect(ids({ nodeId: 1, kinds: ['call.*'] }, 14)).toEqual([13, 10, 6]);
    expect(ids({ nodeId: 1, kinds: ['call.found', 'node.*'] })).toEqual([]);
    expect(ids({ nodeId: 2, kinds: ['call.found', 'node.*'] }, 18)).toEqual([14, 7, 3]);
  });

  test.each<[string, EventFilter & EventRange]>([
    ['kinds', { kinds: ['node.*', 'call.lost'] }],
    ['a node', { nodeId: 1 }],
    ['a node and kinds', { nodeId: 1, kinds: ['node.*'] }],
    ['a call', { callIds: ['c1'] }],
    ['a time', { since: 1, until: 5 }],
    ['nothing', {}],
  ])('of %s is read along an index: never the whole table, and nothing is sorted', async (_what, filter) => {
    const { open } = await withEvents();
    const asked: { query: string; params: unknown[] }[] = [];
    const logger = { logQuery: (query: string, params: unknown[]) => void asked.push({ query, params }) };
    const rows = new EventRows(drizzle(open.database, { logger }));
    asked.length = 0;
    rows.list(10, 9, filter);
    const plans = asked.flatMap(({ query, params }) =>
      open.database
        .query<{ detail: string }, SQLQueryBindings[]>(`EXPLAIN QUERY PLAN ${query}`)
        .all(...(params as SQLQueryBindings[]))
        .map(({ detail }) => detail),
    );
    expect(plans.length).toBeGreaterThan(0);
    const costly = plans.filter((step) => /SCAN event|TEMP B-TREE/.test(step));
    expect(costly).toEqual([]);
  });
});

test('on a disk that works no event is dropped, however many come at once', async () => {
  const { store } = openStore(new FakeClock());
  for (let index = 0; index < 3000; index++) store.event('node.down', { nodeId: index });
  await flush(store);
  expect([store.events.list(5000, null).length, store.counters.droppedEvents]).toEqual([3000, 0]);
});

describe('what follows an event', () => {
  test('comes oldest first, in slices', async () => {
    const { store } = await withEvents();
    expect(store.events.after(0, 3).map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(store.events.after(8, 3).map(({ id }) => id)).toEqual([9, 10]);
    expect(store.events.after(10, 3)).toEqual([]);
  });

  test('is told of once for each commit that wrote events, when it can be read', async () => {
    const { store } = openStore();
    const seen: string[][] = [];
    const stop = store.events.onNew(() => seen.push(kinds(store.events.after(0, 10))));
    store.event('a.b');
    store.event('a.c');
    expect(seen).toEqual([]);
    await flush(store);
    expect(seen).toEqual([['a.b', 'a.c']]);
    await store.saveCall(makeCall('no event'), { isNew: true });
    expect(seen).toHaveLength(1);
    stop();
    store.event('a.d');
    await flush(store);
    expect(seen).toHaveLength(1);
  });

  test('begins where the last run ended, even if all was pruned meanwhile', async () => {
    const { store, open } = await withEvents();
    open.database.run('DELETE FROM event');
    expect(new EventRows(drizzle(open.database)).lastId).toBe(10);
    expect(store.events.lastId).toBe(10);
  });

  test('is shown when it is safe on the disk, not when SQLite has it', () =>
    inDirectory(async (directory) => {
      const open = openDatabase({ path: join(directory, 'cluster.db'), synchronous: 'full' });
      if (open instanceof DatabaseProblem || open.walSync === undefined) throw new Error('no log to sync');
      const synced: ((error: Error | null) => void)[] = [];
      const sync = spyOn(open.walSync, 'afterSync').mockImplementation((done) => void synced.push(done));
      const clock = new FakeClock();
      const store = new Store(open, clock);
      let told = 0;
      store.events.onNew(() => told++);
      const shown = () => [told, kinds(store.events.after(0, 10)), kinds(store.events.list(10, null))];
      store.event('a.b');
      await clock.advance(10);
      store.event('a.c');
      await clock.advance(10);
      expect([synced.length, store.events.writtenId, ...shown()]).toEqual([2, 2, 0, [], []]);
      synced[0]?.(null);
      expect(shown()).toEqual([1, ['a.b'], ['a.b']]);
      // The second is written, but whether it is on the disk nobody knows, until a later commit has made it so.
      synced[1]?.(new Error('EIO'));
      expect(shown()).toEqual([1, ['a.b'], ['a.b']]);
      await clock.advance(1000);
      synced[2]?.(null);
      expect(shown()[1]).toEqual(['a.b', 'a.c', 'store.durability_lost']);
      sync.mockRestore();
      store.close();
    }));

  test('waits while the disk fails, and comes once with its final id when it works again', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    const told: number[] = [];
    store.events.onNew(() => told.push(store.events.lastId));
    const leg = makeLeg('A');
    await store.saveCall(makeCall('large', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    store.event('a.b');
    await clock.advance(1000);
    expect(told).toEqual([]);
    expect(store.events.after(0, 10)).toEqual([]);
    makeRoom();
    await clock.advance(2000);
    expect(kinds(store.events.after(0, 10))).toEqual([
      'store.durability_lost',
      'a.b',
      'store.durability_regained',
    ]);
    expect(told).toEqual([2, 3]);
  });
});

describe('how far webhooks have been told', () => {
  const URLS = ['http://a.example/', 'http://b.example/'];
  const told = (store: Store, urls = URLS) => [...store.events.webhooks(urls)];

  test('is written with the next commit', async () => {
    const { store } = openStore();
    store.noteWebhook('http://a.example/', 7);
    store.noteWebhook('http://a.example/', 9);
    expect(told(store)).toEqual([]);
    await flush(store);
    expect(told(store)).toEqual([['http://a.example/', 9]]);
    store.noteWebhook('http://a.example/', 12);
    await flush(store);
    expect(told(store)).toEqual([['http://a.example/', 12]]);
  });

  test('is forgotten for URLs that are not in the settings any more', async () => {
    const { store } = openStore();
    for (const url of URLS) store.noteWebhook(url, 7);
    await flush(store);
    store.events.webhooks(URLS.slice(0, 1));
    expect(told(store)).toEqual([['http://a.example/', 7]]);
  });
});
