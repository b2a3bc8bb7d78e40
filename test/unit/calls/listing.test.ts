import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { CallTable } from '../../../src/calls/call-table.ts';
import { type CallPage, type CallQuery, type CallStore, Listing } from '../../../src/calls/listing.ts';
import type { Call } from '../../../src/domain/call.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { flush, makeCall, openStore } from '../../fakes/store.ts';

const ALL: CallQuery = { state: 'all', order: 'oldest', limit: 1000 };

async function make(live: readonly Call[] = [], ended: readonly Call[] = []) {
  const { store, open } = openStore();
  const table = new CallTable(200_000);
  for (const call of live) table.add(call);
  for (const call of ended) store.noteCall(call, { isNew: true });
  if (ended.length > 0) await store.saveCall(makeCall('the-commit'), { isNew: true });
  const listing = new Listing(table, store);
  const page = async (query: Partial<CallQuery>): Promise<CallPage> => {
    const result = await listing.page({ ...ALL, ...query });
    if (result instanceof Failure) throw new Error(result.message);

    return result;
  };
  const find = async (query: Partial<CallQuery>): Promise<string[]> =>
    (await page(query)).calls.map(({ callId }) => callId);
  /** All pages, one after the other. */
  const walk = async (query: Partial<CallQuery>, between = (): void => undefined): Promise<string[]> => {
    const seen: string[] = [];
    for (let after: string | undefined; ; between()) {
      const { calls, next } = await page({ ...query, after });
      seen.push(...calls.map(({ callId }) => callId));
      if (next === null) return seen;
      after = next;
    }
  };

  return { store, open, table, listing, page, find, walk };
}

/** Numbered calls; each began a second after the one before. */
function calls(prefix: string, count: number, changes: (i: number) => Partial<Call> = () => ({})): Call[] {
  return Array.from({ length: count }, (_, i) =>
    makeCall(`${prefix}${i}`, { createdAt: 1000 * (i + 1), updatedAt: 1000 * (i + 1), ...changes(i) }),
  );
}

const ended = (prefix: string, count: number): Call[] =>
  calls(prefix, count, (i) => ({ state: 'ended', updatedAt: 1000 * (i + 1) + 500 }));

describe('a page of calls', () => {
  test('has live ones in the order of their beginning, either way', async () => {
    const { find } = await make(calls('c', 4).toReversed());
    expect(await find({ state: 'live' })).toEqual(['c0', 'c1', 'c2', 'c3']);
    expect(await find({ state: 'live', order: 'newest', limit: 2 })).toEqual(['c3', 'c2']);
  });

  test('has live ones before ended ones, the ended newest end first', async () => {
    const { find, walk } = await make(calls('c', 3), ended('e', 3));
    const all = ['c0', 'c1', 'c2', 'e2', 'e1', 'e0'];
    expect(await find({})).toEqual(all);
    for (const limit of [1, 2, 3, 4, 5, 6]) expect([limit, await walk({ limit })]).toEqual([limit, all]);
    expect(await find({ state: 'ended' })).toEqual(['e2', 'e1', 'e0']);
  });

  test.each([
    [{ nodeId: 1 }, ['c1', 'e1']],
    [{ setId: 2 }, ['c2', 'e2']],
    [{ nodeId: 0, setId: 2 }, []],
    [{ since: 2000 }, ['c1', 'c2', 'e2', 'e1']],
    [{ until: 1999 }, ['c0', 'e0']],
    [{ since: 2000, until: 2000 }, ['c1', 'e1']],
    [{ since: 3001 }, []],
    [{ state: 'early' as const }, ['c0']],
    [{ state: 'ended' as const, nodeId: 1 }, ['e1']],
    [{ state: 'live' as const, since: 2000 }, ['c1', 'c2']],
  ])('%j has %j', async (query, expected) => {
    const spread = (list: Call[]) => list.map((call, i) => ({ ...call, nodeId: i, setId: i }));
    const live = spread(calls('c', 3)).map(
      (call, i) => ({ ...call, state: i === 0 ? 'early' : 'confirmed' }) as Call,
    );
    const { find } = await make(live, spread(ended('e', 3)));
    expect(await find(query)).toEqual(expected);
  });
});

describe('a search', () => {
  test('finds any part of a Call-ID, letter case counting', async () => {
    const { find } = await make(
      [makeCall('abc-1@host'), makeCall('x-ABC')],
      [makeCall('zabcz', { state: 'ended' })],
    );
    expect(await find({ search: 'abc' })).toEqual(['abc-1@host', 'zabcz']);
    expect(await find({ search: 'ABC' })).toEqual(['x-ABC']);
    expect(await find({ search: 'nothing' })).toEqual([]);
    expect(await find({ search: '%' })).toEqual([]);
  });

  test('tells the call with exactly this Call-ID first, and once', async () => {
    const live = calls('call-', 30);
    const over = ended('over-call-1', 3);
    const { find, walk } = await make(live, [...over, makeCall('call-1-', { state: 'ended' })]);
    expect((await find({ search: 'call-1' }))[0]).toBe('call-1');
    const all = await walk({ search: 'call-1', limit: 2 });
    expect(all[0]).toBe('call-1');
    expect(all).toHaveLength(new Set(all).size);
    expect(all).toHaveLength(11 + 3 + 1);
    expect((await find({ search: 'over-call-11' }))[0]).toBe('over-call-11');
  });

  test('of one or two characters finds the call with exactly this Call-ID only', async () => {
    const { find } = await make(
      [makeCall('a'), makeCall('ab'), makeCall('abc')],
      [makeCall('b', { state: 'ended' })],
    );
    expect(await find({ search: 'a' })).toEqual(['a']);
    expect(await find({ search: 'ab' })).toEqual(['ab']);
    expect(await find({ search: 'b' })).toEqual(['b']);
    expect(await find({ search: 'b', state: 'live' })).toEqual([]);
    expect(await find({ search: 'a', nodeId: 9 })).toEqual([]);
    expect(await find({ search: 'abc' })).toEqual(['abc']);
  });

  test('finds bytes that are not UTF-8 as they are shown, and UTF-8 as text', async () => {
    const { find } = await make([makeCall('xx-caf\xe9-1'), makeCall('xx-tsch\xc3\xbcss')]);
    expect(await find({ search: '-caf\u00e9-' })).toEqual(['xx-caf\xe9-1']);
    expect(await find({ search: 'tsch\u00fcss' })).toEqual(['xx-tsch\xc3\xbcss']);
  });
});

describe('a cursor', () => {
  test('survives calls that end, and begin, between two pages: none of the others is left out or told twice', async () => {
    const live = calls('c', 20);
    const { table, walk } = await make(live);
    let turn = 0;
    const seen = await walk({ state: 'live', limit: 5 }, () => {
      // The one the page ended with, and others; and new calls begin.
      for (const i of [turn * 5 + 4, turn * 5 + 2]) {
        const call = live[i];
        if (call !== undefined) table.end(call, 'bye', 1);
      }
      table.add(makeCall(`new${turn}`, { createdAt: 100_000 + turn++ }));
    });
    expect(seen.filter((callId) => callId.startsWith('c'))).toEqual(live.map(({ callId }) => callId));
    expect(seen.filter((callId) => callId.startsWith('new'))).toEqual(
      ['new0', 'new1', 'new2', 'new3', 'new4'].slice(0, turn),
    );
  });

  test('survives a restart', async () => {
    const live = calls('c', 6);
    const before = await make(live);
    const { next } = await before.page({ state: 'live', limit: 3 });
    const after = await make(live.toReversed());
    expect(await after.find({ state: 'live', after: next ?? '' })).toEqual(['c3', 'c4', 'c5']);
  });

  test.each([
    '',
    'x',
    'c5',
    'live',
    'live x y',
    'ended 1',
    'ended 1 x',
    'ended x 1',
    'dead 1 1',
    'ended 12345678901234567 1',
  ])('that is none, %j, is refused', async (after) => {
    const { listing } = await make();
    expect(await listing.page({ ...ALL, after })).toMatchObject({ code: 'RTPC_BAD_PARAMETER' });
  });

  test('of ended calls goes on where it was, also among those of one millisecond', async () => {
    const same = ended('e', 50).map((call) => ({ ...call, updatedAt: 7 }));
    const { walk } = await make([], same);
    const seen = await walk({ state: 'ended', limit: 7 });
    expect(seen).toHaveLength(50);
    expect(new Set(seen).size).toBe(50);
  });
});

describe('many calls', () => {
  test('are looked through in slices: others have their turn meanwhile', async () => {
    const { page } = await make(calls('c', 20_000), ended('e', 5000));
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { calls: found, isPartial } = await page({ search: 'nowhere' });
    isOver = true;
    expect([found.length, isPartial]).toEqual([0, false]);
    expect(turns).toBeGreaterThan(8);
  });

  test('are looked through by one search at a time, and a queue that is full says so', async () => {
    const { listing, page } = await make(calls('c', 5000));
    const all = Array.from({ length: 40 }, () => listing.page({ ...ALL, search: 'c4999' }));
    const results = await Promise.all(all);
    const refused = results.flatMap((result) => (result instanceof Failure ? [result.code] : []));
    expect(refused).toEqual(Array(8).fill('RTPC_BUSY'));
    expect((await page({ search: 'c4999' })).calls).toHaveLength(1);
  });

  test('beyond 200,000 ended ones make a partial page, and the next goes on', async () => {
    const rows = Array.from({ length: 250_000 }, (_, i) => {
      const id = 250_000 - i;

      return {
        id,
        callId: id === 1 ? 'needle' : `hay${id}`,
        createdAt: 5,
        updatedAt: id,
        nodeId: 0,
        setId: 0,
      };
    });
    const store: CallStore = {
      ended: {
        slice: ({ updatedAt }, _, count) => rows.slice(Math.max(0, 250_001 - updatedAt)).slice(0, count),
      },
      loadCalls: (ids) => ids.map((id) => makeCall(String(rows[250_000 - id]?.callId))),
      findEndedCall: () => undefined,
    };
    const listing = new Listing(new CallTable(1), store);
    const query = { ...ALL, state: 'ended' as const, search: 'needl' };
    const first = await listing.page(query);
    expect(first).toEqual({ calls: [], next: 'ended 50001 50001', isPartial: true });
    expect(await listing.page({ ...query, after: 'ended 50001 50001' })).toMatchObject({
      calls: [{ callId: 'needle' }],
      next: null,
      isPartial: false,
    });
  });
});

test('pages of any query, put together, are what looking at each call by itself finds', () => {
  const query = fc.record({
    state: fc.constantFrom('live', 'ended', 'all', 'early', 'confirmed'),
    order: fc.constantFrom('oldest', 'newest'),
    limit: fc.integer({ min: 1, max: 7 }),
    nodeId: fc.option(fc.nat(2), { nil: undefined }),
    setId: fc.option(fc.nat(1), { nil: undefined }),
    search: fc.option(fc.constantFrom('aba', 'bab', 'ab', 'a', 'abab', 'zzz'), { nil: undefined }),
    since: fc.option(fc.nat(8), { nil: undefined }),
    until: fc.option(fc.nat(8), { nil: undefined }),
  });
  const some = fc.uniqueArray(
    fc.record({
      callId: fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 }),
      state: fc.constantFrom('early', 'confirmed', 'ended'),
      nodeId: fc.nat(2),
      setId: fc.nat(1),
      createdAt: fc.nat(8),
      lasted: fc.nat(4),
    }),
    { maxLength: 30, selector: ({ callId }) => callId },
  );

  return fc.assert(
    fc.asyncProperty(some, query, async (made, asked) => {
      const all = made.map(({ lasted, ...more }) =>
        makeCall(more.callId, { ...more, updatedAt: more.createdAt + lasted } as Partial<Call>),
      );
      const over = all.filter(({ state }) => state === 'ended');
      const { walk } = await make(
        all.filter(({ state }) => state !== 'ended'),
        over,
      );
      const { search = '', state, nodeId, setId, since = 0, until = 99 } = asked;
      const expected = all
        .filter(
          (call) => state === 'all' || call.state === state || (state === 'live' && call.state !== 'ended'),
        )
        .filter((call) => (nodeId ?? call.nodeId) === call.nodeId && (setId ?? call.setId) === call.setId)
        .filter((call) => call.createdAt >= since && call.createdAt <= until)
        .filter(({ callId }) =>
          search.length < 3 && search !== '' ? callId === search : callId.includes(search),
        )
        .map(({ callId }) => callId);
      const seen = await walk(asked as Partial<CallQuery>);
      expect(seen.toSorted()).toEqual(expected.toSorted());
    }),
    { numRuns: 60 },
  );
});

test('calls that are not on the disk yet are told once they are', async () => {
  const { store, find } = await make();
  store.noteCall(makeCall('young', { state: 'ended' }), { isNew: true });
  await flush(store);
  expect(await find({ state: 'ended', search: 'young' })).toEqual(['young']);
});
