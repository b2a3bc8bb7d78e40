import { describe, expect, spyOn, test } from 'bun:test';
import fc from 'fast-check';
import type { Call } from '../../../src/domain/call.ts';
import { SET_DEFAULTS } from '../../../src/fleet/fleet.ts';
import { READY } from '../../../src/fleet/member.ts';
import { EndedCalls, type EndedRow, NEWEST } from '../../../src/store/ended-calls.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { fillDisk, flush, makeCall, makeLeg, openStore } from '../../fakes/store.ts';

const SDP = { received: 'v=0\r\nreceived', returned: 'v=0\r\nreturned' };
const BIG = { received: 'x'.repeat(20_000), returned: 'y'.repeat(20_000) };

function ended(callId: string, updatedAt: number, changes: Partial<Call> = {}): Call {
  return makeCall(callId, { state: 'ended', endReason: 'bye', updatedAt, ...changes });
}

/** What a stored node has besides itself while it is in its set. */
const PRESENT = { admin: READY, limited: null, removedAt: null };

describe('group commit', () => {
  test('everything of one turn is one transaction, and nobody is told before it is written', async () => {
    const { store } = openStore();
    let told = 0;
    const promises = Array.from({ length: 50 }, (_, index) =>
      store.saveCall(makeCall(`c${index}`), { isNew: true }).then(() => {
        told++;
        expect(store.loadLiveCalls()).toHaveLength(50);
      }),
    );
    await Promise.resolve();
    expect(told).toBe(0);
    expect(store.loadLiveCalls()).toEqual([]);
    await Promise.all(promises);
    expect(told).toBe(50);
    expect(store.counters).toMatchObject({ commits: 1, failedCommits: 0 });
  });

  test('what nobody waits for is written with what somebody waits for', async () => {
    const { store } = openStore();
    store.noteCall(makeCall('a'), { isNew: true });
    store.event('x.y');
    store.noteStray({ nodeId: 1, callId: 's', since: 5, memo: null }, false);
    await store.saveCall(makeCall('b'), { isNew: true });
    expect(store.counters.commits).toBe(1);
    expect(store.loadLiveCalls().map(({ callId }) => callId)).toEqual(['a', 'b']);
    expect(store.events.list(10, null).map(({ kind }) => kind)).toEqual(['x.y']);
    expect(store.loadStrays()).toEqual([{ nodeId: 1, callId: 's', since: 5, memo: null }]);
  });

  test('what is noted last is written: a call changed twice in a turn, a stray that settled at once', async () => {
    const { store } = openStore();
    const call = makeCall('a');
    store.noteCall(call, { isNew: true });
    call.state = 'confirmed';
    call.nodeId = 7;
    store.noteCall(call);
    store.noteStray({ nodeId: 1, callId: 's', since: 5, memo: null }, false);
    store.noteStray({ nodeId: 1, callId: 's', since: 5, memo: null }, true);
    await flush(store);
    expect(store.loadLiveCalls()).toEqual([call]);
    expect(store.loadStrays()).toEqual([]);
  });

  test('closing writes what is noted', async () => {
    const { store, open } = openStore();
    let rows: unknown;
    store.noteCall(makeCall('a'), { isNew: true });
    const spied = new Store(
      {
        database: open.database,
        walSync: undefined,
        close: () => {
          rows = open.database.query('SELECT call_id FROM call').all();
        },
      },
      new FakeClock(),
    );
    spied.noteCall(makeCall('b'), { isNew: true });
    spied.close();
    expect(rows).toEqual([{ call_id: 'b' }]);
    await flush(store);
  });
});

describe('what was written is read back', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const word = fc.string({ unit: byte, minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0'));

  test('calls, legs and SDP, with any bytes in identifiers and texts', async () => {
    const { store } = openStore();
    await fc.assert(
      fc.asyncProperty(
        word,
        word,
        word,
        fc.string({ unit: byte, maxLength: 60 }),
        async (callId, tag, branch, text) => {
          const leg = makeLeg(tag, { branch, family: 'IP6', confirmed: true, side: 'mpls' });
          const call = makeCall(callId, {
            callerTag: tag,
            legs: [leg],
            offers: [`1 INVITE ${tag.replaceAll('\n', '')}`],
          });
          const sdp = { received: text.replaceAll('\0', ''), returned: `${text.replaceAll('\0', '')}\xff` };
          await store.saveCall(call, { isNew: true, leg, sdp });
          expect(store.loadLiveCalls().filter((each) => each.callId === callId)).toEqual([call]);
          expect([...store.sdpOf(callId).values()]).toEqual([sdp]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('memo and sessions of a call as they are written last, also none', async () => {
    const { store } = openStore();
    const call = makeCall('a', { memo: '["m\xff\n"]', sessions: 3 });
    await store.saveCall(call, { isNew: true });
    expect(store.loadLiveCalls()).toEqual([call]);
    Object.assign(call, { memo: 'other', sessions: 0 });
    await store.saveCall(call);
    expect(store.loadLiveCalls()).toEqual([call]);
    Object.assign(call, { memo: null, sessions: 1, state: 'ended', endReason: 'bye' });
    await store.saveCall(call);
    expect(store.findEndedCall('a')).toEqual(call);
  });

  test('strays; one that is noted again has the memo of the last time, over a restart too', async () => {
    const { store } = openStore();
    const stray = { nodeId: 1, callId: 'caf\xe9', since: 5, memo: null };
    const others = [
      { ...stray, nodeId: 2, memo: 'of another node' },
      { ...stray, callId: 'd', memo: 'of another call' },
    ];
    for (const each of [stray, ...others]) store.noteStray(each, false);
    await flush(store);
    expect(new Set(store.loadStrays())).toEqual(new Set([stray, ...others]));
    const again = { ...stray, since: 9, memo: '["\xff"]' };
    store.noteStray(again, false);
    await flush(store);
    expect(new Set(store.loadStrays())).toEqual(new Set([again, ...others]));
    store.noteStray(stray, true);
    await flush(store);
    expect(new Set(store.loadStrays())).toEqual(new Set(others));
  });

  test('bytes 0x80 to 0xff one by one', async () => {
    const { store } = openStore();
    const bytes = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1)).join('');
    const leg = makeLeg('t\xe4g');
    const call = makeCall('caf\xe9@\xff', { legs: [leg] });
    await store.saveCall(call, { isNew: true, leg, sdp: { received: bytes, returned: '' } });
    expect(store.loadLiveCalls()[0]?.callId).toBe('caf\xe9@\xff');
    expect(store.sdpOf('caf\xe9@\xff').get('t\xe4g ')?.received).toBe(bytes);
  });

  test('nodes with their addresses, and sets', () => {
    const { store } = openStore();
    const node = { ...makeNode(3), ...PRESENT };
    store.fleet.writeNodes([node]);
    store.fleet.writeNodes([{ ...node, weight: 5, mediaAddresses: node.mediaAddresses.slice(0, 1) }]);
    expect(store.fleet.loadNodes()).toEqual([
      { ...node, weight: 5, mediaAddresses: node.mediaAddresses.slice(0, 1) },
    ]);
    store.fleet.writeFleet({
      put: [],
      remove: [],
      sets: [{ ...SET_DEFAULTS, id: 4, description: 'x', direction: 'out' }],
    });
    store.fleet.writeFleet({ put: [], remove: [], sets: [{ ...SET_DEFAULTS, id: 4, description: 'y' }] });
    expect(store.fleet.loadSets()).toEqual([{ ...SET_DEFAULTS, id: 4, description: 'y' }]);
    store.fleet.writeFleet({ put: [], remove: [3], sets: [] });
    store.fleet.deleteSet(4);
    expect([store.fleet.loadNodes(), store.fleet.loadSets()]).toEqual([[], []]);
  });

  test('nodes all or none: two on one socket of a set are refused together', () => {
    const { store } = openStore();
    const nodes = [makeNode(0), makeNode(1, { socket: makeNode(0).socket })];
    expect(() => store.fleet.writeNodes(nodes.map((node) => ({ ...node, ...PRESENT })))).toThrow('UNIQUE');
    expect(store.fleet.loadNodes()).toEqual([]);
  });

  test('nodes and sets wait for the disk, whether or not the database takes them; nothing else does', async () => {
    const { store, open } = openStore();
    const { database } = open;
    const level = "insert into seen select '%', synchronous from pragma_synchronous; end";
    database.run('create temp table seen (what text, level integer)');
    for (const table of ['node', 'node_set', 'call']) {
      for (const event of ['insert', 'delete'])
        database.run(
          `create temp trigger ${table}_${event} after ${event} on ${table} begin ${level.replace('%', `${event} ${table}`)}`,
        );
    }
    const nodes = [{ ...makeNode(1), ...PRESENT }];
    store.fleet.writeNodes(nodes);
    expect(() => store.fleet.writeNodes(nodes.map((node) => ({ ...node, id: 2 })))).toThrow('UNIQUE');
    store.fleet.writeFleet({ put: [], remove: [], sets: [{ ...SET_DEFAULTS, id: 4 }] });
    await store.saveCall(makeCall('a'), { isNew: true });
    store.fleet.deleteSet(4);
    store.fleet.writeFleet({ put: [], remove: [1], sets: [] });
    // 1 is NORMAL, 2 is FULL.
    expect(database.query('select what, level from seen').values()).toEqual([
      ['insert node', 2],
      ['insert node_set', 2],
      ['insert call', 1],
      ['delete node_set', 2],
      ['delete node', 2],
    ]);
  });

  test('a forgotten leg is gone with its SDP, one that comes back is there again', async () => {
    const { store } = openStore();
    const leg = makeLeg('B');
    const call = makeCall('a', { legs: [leg] });
    await store.saveCall(call, { isNew: true, leg, sdp: SDP });
    call.legs = [];
    await store.saveCall(call, { forgotten: leg });
    expect(store.loadLiveCalls()[0]?.legs).toEqual([]);
    expect(store.sdpOf('a').size).toBe(0);
    store.noteCall(call, { forgotten: leg });
    await store.saveCall(call, { leg: makeLeg('B'), sdp: SDP });
    expect(store.loadLiveCalls()[0]?.legs).toHaveLength(1);
    expect(store.sdpOf('a').size).toBe(1);
  });

  test('a call with the Call-ID of an ended one has none of its legs', async () => {
    const { store } = openStore();
    const old = makeLeg('OLD');
    await store.saveCall(ended('a', 1, { legs: [old] }), { isNew: true, leg: old, sdp: SDP });
    const young = makeLeg('NEW');
    const call = makeCall('a', { legs: [young] });
    await store.saveCall(call, { isNew: true, leg: young });
    expect(store.loadLiveCalls()).toEqual([call]);
    expect(store.sdpOf('a').size).toBe(0);
    expect(store.findEndedCall('a')).toBeUndefined();
  });

  test('a call that ends and begins anew within one turn is the new one', async () => {
    const { store } = openStore();
    const old = makeLeg('OLD');
    const first = makeCall('a', { legs: [old] });
    await store.saveCall(first, { isNew: true, leg: old, sdp: SDP });
    first.state = 'ended';
    store.noteCall(first);
    const second = makeCall('a', { legs: [makeLeg('NEW')], nodeId: 9 });
    await store.saveCall(second, { isNew: true, leg: makeLeg('NEW') });
    expect(store.loadLiveCalls()).toEqual([second]);
  });
});

describe('ended calls', () => {
  async function withEnded(): Promise<Store> {
    const { store } = openStore();
    for (let index = 0; index < 25; index++) {
      // Several end in the same millisecond.
      store.noteCall(
        ended(`c\xe9${index}`, 1000 + Math.floor(index / 4), { nodeId: index % 2, setId: index % 3 }),
        {
          isNew: true,
        },
      );
    }
    await store.saveCall(makeCall('live'), { isNew: true });

    return store;
  }

  /** All of them in slices of `count`. */
  function slices(store: Store, count: number, since = 0): EndedRow[][] {
    const list: EndedRow[][] = [];
    for (let place = NEWEST; list.length < 100; ) {
      const slice = store.ended.slice(place, since, count);
      list.push([...slice]);
      if (slice.length < count) return list;
      place = slice.at(-1) ?? place;
    }
    throw new Error('the slices never end');
  }

  test.each([1, 2, 4, 7, 25, 100])(
    'come newest end first in slices of %d, none twice and none left out',
    async (count) => {
      const store = await withEnded();
      const list = slices(store, count).flat();
      expect(list).toHaveLength(25);
      expect(new Set(list.map(({ callId }) => callId)).size).toBe(25);
      expect(list.some(({ callId }) => callId === 'live')).toBe(false);
      const times = list.map(({ callId }) => store.findEndedCall(callId)?.updatedAt ?? 0);
      expect(times).toEqual([...times].sort((a, b) => b - a));
    },
  );

  test('come with their node, set, beginning and end, and only those that ended late enough', async () => {
    const store = await withEnded();
    const [last] = store.ended.slice(NEWEST, 0, 1);
    expect(last).toMatchObject({ callId: 'c\xe924', nodeId: 0, setId: 0, updatedAt: 1006 });
    expect(last?.createdAt).toBe(store.findEndedCall('c\xe924')?.createdAt ?? -1);
    expect(slices(store, 4, 1005).flat()).toHaveLength(5);
    expect(slices(store, 4, 1007).flat()).toEqual([]);
  });

  test('come with their legs, each with its own, and no query is prepared for it', async () => {
    const { store, open } = openStore();
    const calls = Array.from({ length: 20 }, (_, index) =>
      ended(`c${index}`, 100 - index, {
        legs: ['A', `B${index}`].slice(index % 3).map((tag) => makeLeg(tag)),
      }),
    );
    for (const call of calls) {
      store.noteCall(call, { isNew: true });
      for (const leg of call.legs) store.noteCall(call, { leg });
    }
    const live = makeLeg('LIVE');
    await store.saveCall(makeCall('live', { legs: [live] }), { isNew: true, leg: live });
    const prepare = spyOn(open.database, 'prepare');
    const ids = store.ended.slice(NEWEST, 0, 50).map(({ id }) => id);
    expect(store.loadCalls(ids)).toEqual(calls);
    expect(store.loadCalls([...ids].reverse())).toEqual(calls.toReversed());
    expect(store.loadCalls([0, ...ids.slice(0, 1), 12_345])).toEqual(calls.slice(0, 1));
    expect(store.findEndedCall('c4')).toEqual(calls[4]);
    expect(prepare).not.toHaveBeenCalled();
  });

  test('of a late slice are found by the index, those of one millisecond too', () => {
    const { open } = openStore();
    const query = spyOn(open.database, 'query');
    new EndedCalls(open.database);
    const texts = query.mock.calls.map(([sql]) => sql);
    query.mockRestore();
    const plans = texts.map((text) =>
      String(open.database.query(`explain query plan ${text}`).values(1, 1, 1)),
    );
    expect(plans).toEqual([
      expect.stringContaining('USING INDEX call_ended (updated_at=? AND rowid<?)'),
      expect.stringContaining('USING INDEX call_ended (updated_at>? AND updated_at<?)'),
    ]);
    expect(plans.join()).not.toContain('TEMP B-TREE');
  });
});

describe('retention', () => {
  const LIMITS = {
    endedCallMs: 1000,
    maxEndedCalls: 1_000_000,
    eventMs: 1000,
    maxEvents: 1_000_000,
    traceMs: 1000,
    maxTraces: 1_000_000,
  };

  test('removes ended calls and events older than told, in slices of 200, and live calls never', async () => {
    const clock = new FakeClock();
    const { store } = openStore(clock);
    for (let index = 0; index < 300; index++) {
      store.noteCall(ended(`c${index}`, clock.utc()), { isNew: true });
      store.event('old', {});
    }
    await store.saveCall(makeCall('live'), { isNew: true });
    await clock.advance(1001);
    store.noteCall(ended('young', clock.utc()), { isNew: true });
    store.event('young');
    await flush(store);
    const count = () => store.ended.slice(NEWEST, 0, 1000).length;
    const events = () => store.events.list(1000, null).length;
    expect([count(), events()]).toEqual([302, 301]);
    store.prune(LIMITS);
    expect([count(), events()]).toEqual([102, 101]);
    store.prune(LIMITS);
    store.prune(LIMITS);
    expect(store.events.list(10, null).map(({ kind }) => kind)).toEqual(['young']);
    expect(store.findEndedCall('young')?.callId).toBe('young');
    expect(store.findEndedCall('c0')).toBeUndefined();
    expect(store.loadLiveCalls()).toHaveLength(1);
  });

  test('keeps only the newest of more ended calls and events than told', async () => {
    const clock = new FakeClock();
    const { store } = openStore(clock);
    for (let index = 0; index < 50; index++) {
      store.noteCall(ended(`c${index}`, clock.utc() + index), { isNew: true });
      store.event(`e${index}`);
    }
    await store.saveCall(makeCall('live'), { isNew: true });
    await clock.advance(20_000);
    const limits = { ...LIMITS, endedCallMs: 1e9, eventMs: 1e9, maxEndedCalls: 10, maxEvents: 10 };
    for (let i = 0; i < 3; i++) store.prune(limits);
    expect(store.ended.slice(NEWEST, 0, 100).map(({ callId }) => callId)).toEqual(
      Array.from({ length: 10 }, (_, index) => `c${49 - index}`),
    );
    expect(store.events.list(100, null).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 10 }, (_, index) => `e${49 - index}`),
    );
  });

  test('lists events newest first, page by page', async () => {
    const { store } = openStore();
    for (let index = 0; index < 7; index++)
      store.event(`e${index}`, { nodeId: index, callId: 'c\xe9', why: 'x' });
    await flush(store);
    const first = store.events.list(3, null);
    expect(first.map(({ kind }) => kind)).toEqual(['e6', 'e5', 'e4']);
    expect(first[0]).toMatchObject({ nodeId: 6, callId: 'c\xe9', detail: { why: 'x' } });
    const rest = store.events.list(100, first.at(-1)?.id ?? 0);
    expect(rest.map(({ kind }) => kind)).toEqual(['e3', 'e2', 'e1', 'e0']);
  });
});

describe('a disk that is full', () => {
  test('lets calls go on, says why, and everything is written by itself when there is room', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    await store.saveCall(makeCall('before'), { isNew: true });
    const makeRoom = fillDisk(open);
    const calls = Array.from({ length: 30 }, (_, index) => makeCall(`c${index}`));
    for (const call of calls) {
      const leg = makeLeg('A');
      call.legs.push(leg);
      await store.saveCall(call, { isNew: true, leg, sdp: BIG });
    }
    expect(store.trouble).toContain('the disk is full; make room');
    expect(store.counters.failedCommits).toBeGreaterThan(0);
    expect(store.loadLiveCalls().map(({ callId }) => callId)).toEqual(['before']);
    expect(store.sdpOf('c0').get('A ')).toEqual(BIG);

    await clock.advance(5000);
    expect(store.trouble).toContain('the disk is full');
    makeRoom();
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
    expect(store.loadLiveCalls()).toHaveLength(31);
    expect(store.sdpOf('c29').get('A ')).toEqual(BIG);
    await flush(store);
    expect(store.events.list(10, null).map(({ kind }) => kind)).toEqual([
      'store.durability_regained',
      'store.durability_lost',
    ]);
    expect(clock.timers).toBe(0);
  });

  test('writes half a turn never: it is all there or not at all', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    store.noteCall(makeCall('small'), { isNew: true });
    await store.saveCall(makeCall('large', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    expect(store.loadLiveCalls()).toEqual([]);
    makeRoom();
    await clock.advance(1000);
    expect(store.loadLiveCalls()).toHaveLength(2);
  });

  test('keeps the last state of a call that changed and ended meanwhile', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const call = makeCall('old');
    await store.saveCall(call, { isNew: true });
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(call, { leg, sdp: BIG });
    call.state = 'ended';
    call.endReason = 'bye';
    await store.saveCall(call);
    makeRoom();
    await clock.advance(1000);
    expect(store.loadLiveCalls()).toEqual([]);
    expect(store.findEndedCall('old')?.endReason).toBe('bye');
  });

  test('remembers no call that began and ended meanwhile', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(makeCall('first', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    expect(store.trouble).toBeDefined();
    for (let index = 0; index < 100; index++) {
      const call = makeCall(`c${index}`);
      await store.saveCall(call, { isNew: true, leg, sdp: BIG });
      call.state = 'ended';
      await store.saveCall(call);
    }
    makeRoom();
    await clock.advance(1000);
    expect(store.loadLiveCalls().map(({ callId }) => callId)).toEqual(['first']);
    expect(store.ended.slice(NEWEST, 0, 10)).toEqual([]);
  });

  test('does not bring back a call that ended meanwhile, even when its Call-ID was used again', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const first = makeCall('a');
    await store.saveCall(first, { isNew: true });
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(makeCall('large', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    first.state = 'ended';
    await store.saveCall(first);
    const second = makeCall('a');
    await store.saveCall(second, { isNew: true });
    second.state = 'ended';
    await store.saveCall(second);
    makeRoom();
    await clock.advance(1000);
    expect(store.loadLiveCalls().map(({ callId }) => callId)).toEqual(['large']);
  });

  test('drops SDP texts beyond 10,000, counted, and no binding', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    for (let index = 0; index <= 10_000; index++) {
      const leg = makeLeg('A');
      store.noteCall(makeCall(`c${index}`, { legs: [leg] }), { isNew: true, leg, sdp: SDP });
    }
    await flush(store);
    expect(store.counters.droppedSdp).toBe(10_001);
    makeRoom();
    await clock.advance(1000);
    expect(store.loadLiveCalls()).toHaveLength(10_001);
    expect(store.sdpOf('c0').size).toBe(0);
  });

  test('keeps the newest 1000 events and counts the rest', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(makeCall('large', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    for (let index = 0; index < 1500; index++) store.event(`e${index}`);
    expect(store.counters.droppedEvents).toBe(501);
    makeRoom();
    await clock.advance(1000);
    await flush(store);
    const kinds = store.events.list(2000, null).map(({ kind }) => kind);
    expect(kinds).toHaveLength(1001);
    expect(kinds.slice(0, 2)).toEqual(['store.durability_regained', 'e1499']);
  });

  test('does not stop pruning from being tried later, nor throws', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(makeCall('large', { legs: [leg] }), { isNew: true, leg, sdp: BIG });
    store.prune({ endedCallMs: 1, maxEndedCalls: 1, eventMs: 1, maxEvents: 1, traceMs: 1, maxTraces: 1 });
    expect(store.trouble).toBeDefined();
    makeRoom();
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
  });
});
