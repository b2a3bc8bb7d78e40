import { describe, expect, test } from 'bun:test';
import { HEALTHS, ORDERS } from '../../../src/domain/state.ts';
import { SET_DEFAULTS } from '../../../src/fleet/fleet.ts';
import { READY } from '../../../src/fleet/member.ts';
import type { StoredHealth, StoredNode } from '../../../src/store/fleet-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { flush, inDirectory, openStore } from '../../fakes/store.ts';

function stored(id: number, changes: Partial<StoredNode> = {}): StoredNode {
  return { ...makeNode(id), admin: READY, limited: null, removedAt: null, ...changes };
}

function health(nodeId: number, changes: Partial<StoredHealth> = {}): StoredHealth {
  return {
    nodeId,
    health: 'up',
    since: 1,
    cause: 'answered a check',
    ejections: 0,
    ejectedUntil: null,
    rampFrom: null,
    startedAt: null,
    ...changes,
  };
}

function make() {
  const clock = new FakeClock();

  return { clock, ...openStore(clock) };
}

describe('nodes', () => {
  test('are read back as they were written, order, tags and limits too', () => {
    const { store } = make();
    const nodes = [
      stored(0),
      stored(1, {
        kind: 'rtpproxy',
        weight: 0,
        imposeMode: 'interface',
        priority: 65_535,
        capacity: 12,
        tags: ['gpu', 'paris'],
        httpPort: 9900,
        mediaAddresses: [{ side: 'mpls', family: 'IP6', address: '2001:db8::1', interface: 'eth1' }],
        admin: { order: 'maint', by: 'root@edge1', reason: 'disk, "new"', at: 5, until: 9 },
        limited: { before: 200 },
        removedAt: 7,
      }),
      stored(2, { limited: { before: null }, mediaAddresses: [], capacity: 0 }),
    ];
    store.fleet.writeNodes(nodes);
    expect(store.fleet.loadNodes()).toEqual(nodes);
  });

  test.each(ORDERS.map((order) => [order]))('keep the order %s', (order) => {
    const { store } = make();
    const admin = { order, by: 'x', reason: '', at: 1, until: null };
    store.fleet.writeNodes([stored(0, { admin })]);
    expect(store.fleet.loadNodes()[0]?.admin).toEqual(admin);
  });

  test('written again are changed, their addresses replaced, and their health stays', () => {
    const { store } = make();
    store.fleet.writeNodes([stored(0)]);
    store.fleet.writeHealth(health(0, { health: 'down' }));
    const next = stored(0, { weight: 3, mediaAddresses: [], tags: ['x'] });
    store.fleet.writeNodes([next]);
    expect(store.fleet.loadNodes()).toEqual([next]);
    expect(store.fleet.loadHealth().map((row) => row.health)).toEqual(['down']);
  });

  test('are written all or none', () => {
    const { store } = make();
    store.fleet.writeNodes([stored(0)]);
    expect(() =>
      store.fleet.writeFleet({
        put: [stored(0, { weight: 9 }), stored(1), stored(2, { socket: makeNode(1).socket })],
        remove: [],
        sets: [{ ...SET_DEFAULTS, id: 4 }],
      }),
    ).toThrow();
    expect(store.fleet.loadNodes()).toEqual([stored(0)]);
    expect(store.fleet.loadSets()).toEqual([]);
  });

  test('that go leave their socket to those that come in the same change', () => {
    const { store } = make();
    store.fleet.writeNodes([stored(0), stored(1)]);
    const heir = stored(5, { socket: makeNode(1).socket });
    const twin = stored(6, { socket: makeNode(0).socket });
    store.fleet.writeFleet({ put: [stored(0, { removedAt: 4 }), heir, twin], remove: [1], sets: [] });
    expect(store.fleet.loadNodes().map(({ id }) => id)).toEqual([0, 5, 6]);
  });

  test('that go take their addresses and health with them', () => {
    const { store, open } = make();
    store.fleet.writeNodes([stored(0), stored(1)]);
    store.fleet.writeHealth(health(0));
    store.fleet.writeHealth(health(1));
    store.fleet.writeFleet({ put: [], remove: [0], sets: [] });
    expect(store.fleet.loadHealth().map(({ nodeId }) => nodeId)).toEqual([1]);
    const left = open.database
      .query<{ id: number }, []>('SELECT DISTINCT node_id AS id FROM media_address')
      .all();
    expect(left).toEqual([{ id: 1 }]);
  });
});

describe('sets', () => {
  test('are read back as they were written, changed by a second write, and gone when deleted', () => {
    const { store } = make();
    const set = {
      id: 3,
      description: 'Paris',
      direction: 'in',
      policy: 'least-load',
      loadBy: 'ports',
      portReserve: 20,
      mediaProbe: true,
    } as const;
    store.fleet.writeFleet({ put: [], remove: [], sets: [set] });
    expect(store.fleet.loadSets()).toEqual([set]);
    store.fleet.writeFleet({ put: [], remove: [], sets: [{ ...SET_DEFAULTS, id: 3 }] });
    expect(store.fleet.loadSets()).toEqual([{ ...SET_DEFAULTS, id: 3 }]);
    store.fleet.deleteSet(3);
    store.fleet.deleteSet(77);
    expect(store.fleet.loadSets()).toEqual([]);
  });
});

describe('our opinion of a node', () => {
  test.each(HEALTHS.map((one) => [one]))('is read back as it was written (%s)', (one) => {
    const { store } = make();
    store.fleet.writeNodes([stored(0)]);
    const row = health(0, {
      health: one,
      since: 1_800_000_000_123,
      cause: 'a check without reply',
      ejections: 3,
      ejectedUntil: 1_800_000_300_000,
      rampFrom: 1_800_000_000_001,
      startedAt: 1_799_000_000_000,
    });
    store.fleet.writeHealth(row);
    expect(store.fleet.loadHealth()).toEqual([row]);
    store.fleet.writeHealth(health(0));
    expect(store.fleet.loadHealth()).toEqual([health(0)]);
  });

  test('of a node that is not there is not written, and is no error', () => {
    const { store } = make();
    store.fleet.writeNodes([stored(0)]);
    store.fleet.writeHealth(health(5));
    expect(store.fleet.loadHealth()).toEqual([]);
  });

  test('rides along with the next commit; of several the last counts', async () => {
    const { store, clock } = make();
    store.fleet.writeNodes([stored(0), stored(1)]);
    store.noteHealth(health(0, { health: 'falling' }));
    store.noteHealth(health(0, { health: 'down' }));
    store.noteHealth(health(1));
    expect(store.fleet.loadHealth()).toEqual([]);
    await clock.advance(10);
    expect(store.fleet.loadHealth().map((row) => [row.nodeId, row.health])).toEqual([
      [0, 'down'],
      [1, 'up'],
    ]);
    expect(store.counters.commits).toBe(1);
  });

  test('of a node that goes before the commit costs nothing that waits with it', async () => {
    const { store } = make();
    store.fleet.writeNodes([stored(0), stored(1)]);
    store.noteHealth(health(0));
    store.noteHealth(health(1));
    store.event('test.rides_along');
    store.fleet.writeFleet({ put: [], remove: [0], sets: [] });
    await flush(store);
    expect([store.trouble, store.counters.failedCommits]).toEqual([undefined, 0]);
    expect(store.fleet.loadHealth().map(({ nodeId }) => nodeId)).toEqual([1]);
    expect(store.events.list(10, null).map(({ kind }) => kind)).toEqual(['test.rides_along']);
  });

  test('noted while the disk fails is written when it works again', async () => {
    const { store, open, clock } = make();
    store.fleet.writeNodes([stored(0)]);
    open.database.run('PRAGMA query_only = 1');
    store.noteHealth(health(0, { health: 'down' }));
    await clock.advance(20);
    expect(store.trouble).toBeDefined();
    open.database.run('PRAGMA query_only = 0');
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
    expect(store.fleet.loadHealth().map((row) => row.health)).toEqual(['down']);
  });

  test('outlives the program', () =>
    inDirectory((directory) => {
      const path = `${directory}/db`;
      const first = openStore(new FakeClock(), path);
      first.store.fleet.writeNodes([stored(0)]);
      first.store.noteHealth(health(0, { health: 'ejected', ejections: 2 }));
      first.store.close();
      const second = openStore(new FakeClock(), path);
      expect(second.store.fleet.loadHealth()).toEqual([health(0, { health: 'ejected', ejections: 2 })]);
      second.store.close();
    }));
});
