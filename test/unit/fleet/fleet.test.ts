import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { Fleet, SET_DEFAULTS } from '../../../src/fleet/fleet.ts';
import { type Member, READY } from '../../../src/fleet/member.ts';
import { choose } from '../../../src/placement/choose.ts';
import type { NodeSet } from '../../../src/store/fleet-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { FakeDriver, fails } from '../../fakes/driver.ts';
import { flush, openStore } from '../../fakes/store.ts';

/** A fleet loaded from a database in which nodes 1 to 3 are removed; and the ids of drivers that were closed. */
function loaded() {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  store.fleet.writeNodes(
    [0, 1, 2, 3].map((id) => ({
      ...makeNode(id),
      admin: READY,
      limited: null,
      removedAt: id === 0 ? null : 5,
    })),
  );
  const closed: number[] = [];
  const fleet = new Fleet(
    store.fleet,
    (node) => Object.assign(new FakeDriver(node.id, clock, []), { close: () => closed.push(node.id) }),
    clock,
    { countCalls: () => 0, countSessions: () => 0, slowMs: 280 },
  );
  fleet.load();

  return { fleet, store, open, closed };
}

describe('forgetRemoved', () => {
  test('forgets removed nodes without calls, in the database too, and no others', () => {
    const { fleet, store, closed } = loaded();
    expect(fleet.forgetRemoved((id) => id === 2)).toBeUndefined();
    expect([0, 1, 2, 3].filter((id) => fleet.get(id) !== undefined)).toEqual([0, 2]);
    expect(store.fleet.loadNodes().map(({ id }) => id)).toEqual([0, 2]);
    expect(closed).toEqual([1, 3]);
    expect(fleet.nextId()).toBe(3);
  });

  test('keeps all of them if the database refuses', () => {
    const { fleet, open, closed } = loaded();
    open.database.run('PRAGMA query_only = 1');
    const failure = fleet.forgetRemoved(() => false);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure?.code).toBe('RTPC_NOT_DURABLE');
    expect([fleet.get(1)?.id, closed]).toEqual([1, []]);
  });

  test('writes nothing if there are none', () => {
    const { fleet, open } = loaded();
    open.database.run('PRAGMA query_only = 1');
    expect(fleet.forgetRemoved(() => true)).toBeUndefined();
  });
});

interface Setup {
  readonly calls?: Readonly<Record<number, number>>;
}

/** A fleet with nodes 0 and 1 over a database of its own. */
function made({ calls = {} }: Setup = {}) {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  const drivers: { readonly id: number; readonly socket: string; readonly driver: FakeDriver }[] = [];
  const counts = new Map(Object.entries(calls).map(([id, count]) => [Number(id), count]));
  const build = () =>
    new Fleet(
      store.fleet,
      ({ id, socket }) => {
        const driver = new FakeDriver(id, clock, []);
        drivers.push({ id, socket, driver });

        return driver;
      },
      clock,
      {
        countCalls: (id) => counts.get(id) ?? 0,
        countSessions: (id) => counts.get(id) ?? 0,
        slowMs: 280,
        random: () => 0.5,
      },
    );
  const fleet = build();
  expect(fleet.put([makeNode(0), makeNode(1)])).toBeUndefined();

  return {
    clock,
    store,
    open,
    fleet,
    drivers,
    counts,
    member(id: number): Member {
      const member = fleet.get(id);
      if (member === undefined) throw new Error(`there is no node ${id}`);

      return member;
    },
    /** The same database, read anew. */
    reloaded(): Fleet {
      const again = build();
      again.load();

      return again;
    },
    /** Everything about the fleet that a person could see. */
    picture: () => ({
      nodes: [...fleet.all()].map((one) => ({ ...one.stored, opinion: one.opinion })),
      listed: fleet.list().map(({ id }) => id),
      bySet: [0, 1, 2].map((id) => fleet.membersOf(id).map((one) => one.id)),
      sets: fleet.sets(),
      open: drivers.filter(({ driver }) => !driver.isClosed).map(({ socket }) => socket),
    }),
  };
}

function setOf(id: number, changes: Partial<NodeSet> = {}): NodeSet {
  return { ...SET_DEFAULTS, id, ...changes };
}

const DRAIN = { order: 'drain', by: 'root@edge1', reason: 'disk', at: 5, until: null } as const;

describe('a whole change', () => {
  test('adds, changes, removes and describes at once, in memory and in the database', () => {
    const { fleet, reloaded, drivers } = made();
    const set = setOf(2, { description: 'two', policy: 'round-robin' });
    const failure = fleet.apply({
      put: [makeNode(0, { weight: 5 }), makeNode(3, { setId: 2 })],
      remove: [1],
      sets: [set],
    });
    expect(failure).toBeUndefined();
    for (const one of [fleet, reloaded()]) {
      expect(one.list().map(({ id, weight }) => [id, weight])).toEqual([
        [0, 5],
        [3, 100],
      ]);
      expect(one.get(1)).toBeUndefined();
      expect(one.membersOf(2).map(({ id }) => id)).toEqual([3]);
      expect(one.set(2)).toEqual(set);
    }
    expect(drivers.find(({ id }) => id === 1)?.driver.isClosed).toBe(true);
  });

  test('changes nothing, here or on disk, when the database refuses', () => {
    const { fleet, picture, open, reloaded, member } = made({ calls: { 1: 2 } });
    member(0).opinion = { ...member(0).opinion, health: 'up' };
    const before = picture();
    open.database.run('PRAGMA query_only = 1');
    const failure = fleet.apply({
      put: [makeNode(0, { socket: 'udp:10.9.9.9:1' }), makeNode(3)],
      remove: [0, 1],
      sets: [setOf(2, { policy: 'round-robin' })],
    });
    expect(failure?.code).toBe('RTPC_NOT_DURABLE');
    expect(failure?.message).toStartWith('nothing was changed: ');
    expect(picture()).toEqual(before);
    open.database.run('PRAGMA query_only = 0');
    expect(
      reloaded()
        .list()
        .map(({ id, socket }) => [id, socket]),
    ).toEqual([
      [0, makeNode(0).socket],
      [1, makeNode(1).socket],
    ]);
  });

  test('is undone as a whole when its last part fails: two nodes of one set with one socket', () => {
    const { fleet, picture } = made();
    const before = picture();
    const failure = fleet.apply({
      put: [makeNode(0, { weight: 1 }), makeNode(5), makeNode(6, { socket: makeNode(5).socket })],
      remove: [1],
      sets: [setOf(4, { description: 'x' })],
    });
    expect(failure).toBeInstanceOf(Failure);
    expect(picture()).toEqual(before);
    expect(fleet.hasSet(4)).toBe(false);
  });

  test.each([0, 3])('gives the socket of a removed node with %p calls to a new one', (count) => {
    const { fleet, member, reloaded, drivers } = made({ calls: { 1: count } });
    const { socket } = makeNode(1);
    expect(fleet.apply({ put: [makeNode(8, { socket })], remove: [1], sets: [] })).toBeUndefined();
    expect(member(8).socket).toBe(socket);
    expect(fleet.list().map(({ id }) => id)).toEqual([0, 8]);
    expect(fleet.get(1)?.removedAt === undefined).toBe(count === 0);
    expect(drivers.find(({ id }) => id === 1)?.driver.isClosed).toBe(count === 0);
    expect(
      reloaded()
        .list()
        .map(({ id }) => id),
    ).toEqual([0, 8]);
  });

  test('takes a removed node out of its set at once, and keeps it for its calls', () => {
    const { fleet, clock, member } = made({ calls: { 1: 2 } });
    fleet.remove(1);
    expect(member(1).removedAt).toBe(clock.utc());
    expect(fleet.membersOf(0).map(({ id }) => id)).toEqual([0]);
    expect(fleet.find(1)).toBeInstanceOf(Failure);
    expect(fleet.get(1)?.id).toBe(1);
  });

  test('of nodes that are not there removes nothing', () => {
    const { fleet, picture } = made();
    const before = picture();
    expect(fleet.remove(77)).toBeUndefined();
    expect(picture()).toEqual(before);
  });
});

describe('orders and opinions', () => {
  test('survive any change of the node, and a restart', () => {
    const { fleet, member, reloaded } = made();
    expect(fleet.order(member(0), { admin: DRAIN, limited: { before: 40 } })).toBeUndefined();
    member(0).opinion = { ...member(0).opinion, health: 'up' };
    const { opinion } = member(0);
    fleet.put([makeNode(0, { weight: 3, setId: 1 })]);
    expect([member(0).admin, member(0).limited, member(0).opinion, member(0).weight]).toEqual([
      DRAIN,
      { before: 40 },
      opinion,
      3,
    ]);
    expect(reloaded().get(0)?.stored).toEqual(member(0).stored);
  });

  test('the order survives another socket; the opinion does not: it was of another relay', () => {
    const { fleet, member, drivers } = made();
    fleet.order(member(0), { admin: DRAIN });
    member(0).opinion = { ...member(0).opinion, health: 'down' };
    fleet.put([makeNode(0, { socket: 'udp:10.9.9.9:1' })]);
    expect([member(0).order, member(0).health, member(0).figures]).toEqual(['drain', 'unknown', null]);
    expect(drivers.filter(({ id }) => id === 0).map(({ driver }) => driver.isClosed)).toEqual([true, false]);
  });

  test('what its relay was told survives another socket, but not another kind: that relay was told nothing', () => {
    const { fleet, member, reloaded } = made();
    const limited = { before: 40 };
    fleet.order(member(0), { admin: DRAIN, limited });
    fleet.put([makeNode(0, { socket: 'udp:10.9.9.9:1' })]);
    expect([member(0).limited, reloaded().get(0)?.limited]).toEqual([limited, limited]);
    fleet.put([makeNode(0, { kind: 'rtpproxy', socket: 'udp:10.9.9.9:1' })]);
    expect([member(0).limited, reloaded().get(0)?.limited]).toEqual([null, null]);
    expect([member(0).order, reloaded().get(0)?.order]).toEqual(['drain', 'drain']);
  });

  test('an order the database refuses is not given', () => {
    const { fleet, member, open } = made();
    open.database.run('PRAGMA query_only = 1');
    expect(fleet.order(member(0), { admin: DRAIN, limited: { before: 1 } })?.code).toBe('RTPC_NOT_DURABLE');
    expect([member(0).order, member(0).limited]).toEqual(['ready', null]);
  });

  test('an order for a node that is gone is nothing', () => {
    const { fleet, member } = made();
    const gone = member(1);
    fleet.remove(1);
    expect(fleet.order(gone, { admin: DRAIN })).toBeUndefined();
    expect(gone.order).toBe('ready');
    expect(fleet.get(1)).toBeUndefined();
  });

  test('what is not said of an order stays', () => {
    const { fleet, member } = made();
    fleet.order(member(0), { admin: DRAIN, limited: { before: null } });
    fleet.order(member(0), { limited: null });
    expect([member(0).admin, member(0).limited]).toEqual([DRAIN, null]);
    fleet.order(member(0), { admin: READY });
    expect([member(0).admin, member(0).limited]).toEqual([READY, null]);
  });

  test('a removed node that comes back begins anew: ready, unknown, its calls kept', () => {
    const { fleet, member, drivers } = made({ calls: { 1: 2 } });
    fleet.order(member(1), { admin: DRAIN });
    member(1).opinion = { ...member(1).opinion, health: 'down', ejections: 3 };
    fleet.remove(1);
    expect(member(1).order).toBe('drain');
    expect(member(1).removedAt).toBeNumber();
    fleet.put([makeNode(1)]);
    expect([member(1).order, member(1).removedAt, member(1).calls]).toEqual(['ready', null, 2]);
    expect(member(1).opinion).toMatchObject({ health: 'unknown', ejections: 0 });
    expect(fleet.membersOf(0).map(({ id }) => id)).toEqual([0, 1]);
    expect(drivers.filter(({ id }) => id === 1).map(({ driver }) => driver.isClosed)).toEqual([false]);
  });

  test('are read back from the database, whole', async () => {
    const { fleet, store, member, reloaded } = made();
    const health = {
      nodeId: 0,
      health: 'ejected',
      since: 11,
      cause: 'why',
      ejections: 2,
      ejectedUntil: 99,
      rampFrom: null,
      startedAt: 7,
    } as const;
    store.noteHealth(health);
    store.noteHealth({ ...health, nodeId: 55 });
    await flush(store);
    const again = reloaded();
    const { nodeId: _, startedAt, ...opinion } = health;
    expect(again.get(0)?.opinion).toEqual({ ...member(0).opinion, ...opinion });
    expect(again.get(0)?.startedAt).toBe(startedAt);
    expect(again.get(1)).toMatchObject({ health: 'unknown', startedAt: null });
    expect(again.list().map(({ id }) => id)).toEqual(fleet.list().map(({ id }) => id));
  });
});

describe('the rules of a set', () => {
  const names = (fleet: Fleet, setId: number, times: number): number[] =>
    Array.from(
      { length: times },
      (_, index) =>
        choose(
          { callId: `c${index}`, require: [], prefer: [], hasSides: () => true },
          fleet.membersOf(setId),
          fleet.rulesOf(setId),
        ).order[0]?.id ?? -1,
    );

  test('are those of its description, and kept as long as nothing changes', () => {
    const { fleet } = made();
    fleet.putSet(setOf(0, { policy: 'least-load', loadBy: 'ports', portReserve: 17 }));
    const rules = fleet.rulesOf(0);
    expect(rules).toMatchObject({ policyName: 'least-load', loadBy: 'ports', portReserve: 17 });
    expect(fleet.rulesOf(0)).toBe(rules);
    fleet.putSet(setOf(0, { policy: 'hash', portReserve: 0 }));
    expect(fleet.rulesOf(0)).toMatchObject({ policyName: 'hash', loadBy: 'sessions', portReserve: 0 });
  });

  test('of a set without description are the defaults; of one that does not exist nothing is kept', () => {
    const { fleet } = made();
    expect(fleet.rulesOf(0)).toMatchObject({ policyName: 'hash', loadBy: 'sessions', portReserve: 5 });
    expect(fleet.rulesOf(0)).toBe(fleet.rulesOf(0));
    expect(fleet.rulesOf(123_456)).not.toBe(fleet.rulesOf(123_456));
  });

  test('remember whose turn it is from call to call', () => {
    const { fleet } = made();
    fleet.apply({
      put: [makeNode(0, { priority: 0 }), makeNode(1, { priority: 0 })],
      remove: [],
      sets: [setOf(0, { policy: 'round-robin' })],
    });
    for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'up' };
    const turns = names(fleet, 0, 6);
    expect(turns.slice(0, 2).toSorted()).toEqual([0, 1]);
    expect(turns).toEqual([turns[0], turns[1], turns[0], turns[1], turns[0], turns[1]].map(Number));
  });

  test('of one set survive a change of another: its turns go on where they were', () => {
    const { fleet } = made();
    fleet.apply({
      put: [0, 1, 2].map((id) => makeNode(id, { priority: 0, setId: 5 })),
      remove: [],
      sets: [setOf(5, { policy: 'round-robin' }), setOf(6)],
    });
    for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'up' };
    const rules = fleet.rulesOf(5);
    const [first, second] = names(fleet, 5, 2);
    fleet.putSet(setOf(6, { policy: 'least-load' }));
    fleet.put([makeNode(9, { setId: 6 })]);
    expect(fleet.rulesOf(5)).toBe(rules);
    const turns = names(fleet, 5, 4);
    expect(new Set([first, second, turns[0]])).toEqual(new Set([0, 1, 2]));
    expect(turns.slice(1)).toEqual([first, second, turns[0]].map(Number));
  });

  test('go back to the defaults with the description of the set', () => {
    const { fleet } = made();
    fleet.putSet(setOf(0, { policy: 'round-robin' }));
    expect(fleet.rulesOf(0).policyName).toBe('round-robin');
    expect(fleet.deleteSet(0)).toBeUndefined();
    expect(fleet.rulesOf(0).policyName).toBe('hash');
  });

  test('stay when the database refuses to forget the set', () => {
    const { fleet, open } = made();
    fleet.putSet(setOf(0, { policy: 'round-robin' }));
    open.database.run('PRAGMA query_only = 1');
    expect(fleet.deleteSet(0)?.code).toBe('RTPC_NOT_DURABLE');
    expect(fleet.rulesOf(0).policyName).toBe('round-robin');
  });
});

describe('evidence', () => {
  test('of a request goes to whoever listens, with the node it is about', async () => {
    const { fleet, member } = made();
    const seen: [number, string][] = [];
    fleet.onEvidence = ({ id }, { kind }) => void seen.push([id, kind]);
    await member(1).driver.query({ callId: 'c1' }, 1);
    await member(0).driver.query({ callId: 'c1' }, 1);
    expect(seen).toEqual([
      [1, 'call-ok'],
      [0, 'call-ok'],
    ]);
  });

  test('of the old relay of a node with another socket is none', async () => {
    const { fleet, member, drivers } = made();
    const seen: string[] = [];
    fleet.onEvidence = (_, { kind }) => void seen.push(kind);
    const reply = Promise.withResolvers<ReturnType<typeof fails>>();
    drivers[0]?.driver.next('query', reply.promise);
    const asked = member(0).driver.query({ callId: 'c1' }, 1);
    fleet.put([makeNode(0, { socket: 'udp:10.9.9.9:1' })]);
    reply.resolve(fails('unreachable'));
    await asked;
    expect(seen).toEqual([]);
    expect(member(0).health).toBe('unknown');
  });
});
