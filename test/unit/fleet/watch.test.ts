import { describe, expect, spyOn, test } from 'bun:test';
import fc from 'fast-check';
import { CHECK_TIMEOUT_MS } from '../../../src/domain/check-pace.ts';
import { EJECT_AFTER, EJECTION_MS } from '../../../src/domain/health.ts';
import type { Node } from '../../../src/domain/node.ts';
import type { Order } from '../../../src/domain/state.ts';
import { Fleet } from '../../../src/fleet/fleet.ts';
import { type Member, READY } from '../../../src/fleet/member.ts';
import { Watch, type WatchOptions } from '../../../src/fleet/watch.ts';
import type { RelayFailureKind } from '../../../src/relay/driver.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { FakeDriver, fails } from '../../fakes/driver.ts';
import { FakeMonitor, QUIET } from '../../fakes/monitor.ts';
import { flush, openStore } from '../../fakes/store.ts';

/** One process of a relay: its uptime follows the clock, in whole seconds as relays count. */
interface Process {
  /** UTC ms. */
  startedAt: number;
}

const THREE: readonly Node[] = [0, 1, 2].map((id) => makeNode(id));

/** A database, a clock and relays that outlive our program; `start` runs it, as often as a test likes. */
function makeWorld(nodes: readonly Node[] = THREE) {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  store.fleet.writeNodes(nodes.map((node) => ({ ...node, admin: READY, limited: null, removedAt: null })));
  const processes = new Map<number, Process>();
  const scripts = new Map<number, (monitor: FakeMonitor) => void>();
  const monitors: { readonly id: number; readonly monitor: FakeMonitor }[] = [];
  const calls = new Map<number, number>();
  const sessions = new Map<number, number>();
  const processOf = (id: number): Process => {
    const process = processes.get(id) ?? { startedAt: clock.utc() - 1_000_000 };
    processes.set(id, process);

    return process;
  };
  const monitorOf = (id: number): FakeMonitor => {
    const found = monitors.findLast((made) => made.id === id)?.monitor;
    if (found === undefined) throw new Error(`nobody watches node ${id}`);

    return found;
  };

  return {
    clock,
    store,
    open,
    /** Our calls on each node. */
    calls,
    /** Its sessions for them; as many unless a test says otherwise. */
    sessions,
    /** All monitors ever made, in order. */
    monitors,
    monitorOf,
    /** What a relay does from now on, whoever watches it. */
    relay(id: number, script: (monitor: FakeMonitor) => void): void {
      scripts.set(id, script);
      const made = monitors.findLast((one) => one.id === id);
      if (made !== undefined) script(made.monitor);
    },
    /** A relay begins anew. */
    restart(id: number): void {
      processOf(id).startedAt = clock.utc();
    },
    /** A relay claims to have begun at another time. */
    startedAt(id: number, utc: number): void {
      processOf(id).startedAt = utc;
    },
    start(options: Partial<WatchOptions> = {}) {
      const drivers = new Map<number, FakeDriver>();
      const fleet = new Fleet(
        store.fleet,
        (node) => {
          const driver = new FakeDriver(node.id, clock, []);
          drivers.set(node.id, driver);

          return driver;
        },
        clock,
        {
          countCalls: (id) => calls.get(id) ?? 0,
          countSessions: (id) => sessions.get(id) ?? calls.get(id) ?? 0,
          slowMs: 280,
        },
      );
      fleet.load();
      const watch = new Watch(
        fleet,
        store,
        clock,
        ({ id }) => {
          const monitor = new FakeMonitor(id, clock);
          Object.defineProperty(monitor.statisticsNow, 'uptimeS', {
            enumerable: true,
            get: () => Math.floor((clock.utc() - processOf(id).startedAt) / 1000),
          });
          scripts.get(id)?.(monitor);
          monitors.push({ id, monitor });

          return monitor;
        },
        { canary: false, slowMs: 280, random: () => 0.5, ...options },
      );

      return {
        fleet,
        watch,
        member(id: number): Member {
          const member = fleet.get(id);
          if (member === undefined) throw new Error(`there is no node ${id}`);

          return member;
        },
        healths: () => [...fleet.all()].map(({ health }) => health),
        /** A call of ours asks a node something, and this comes back. */
        async ask(id: number, reply: RelayFailureKind | 'ok', callId = 'c1') {
          const driver = drivers.get(id);
          if (reply !== 'ok') driver?.next('query', fails(reply));
          else driver?.next('query', { result: 'ok' });
          await fleet.get(id)?.driver.query({ callId }, clock.now + 100);
        },
        driver(id: number): FakeDriver {
          const driver = drivers.get(id);
          if (driver === undefined) throw new Error(`there is no node ${id}`);

          return driver;
        },
      };
    },
    /** Events whose kind begins so, oldest first: kind, node, and some of what they say. */
    async events(start = '') {
      await settle();
      await flush(store);

      return store.events
        .list(1000, null)
        .filter(({ kind }) => kind.startsWith(start))
        .reverse();
    },
  };
}

type World = ReturnType<typeof makeWorld>;
type Program = ReturnType<World['start']>;

/** Our program over relays that were all found good, and past their slow start. */
async function settled(nodes: readonly Node[] = THREE, options: Partial<WatchOptions> = {}) {
  const world = makeWorld(nodes);
  const program = world.start(options);
  await world.clock.advance(40_000);

  return { world, program, ...program };
}

function order({ fleet, member }: Program, id: number, to: Order): void {
  const failure = fleet.order(member(id), {
    admin: { order: to, by: 'root@edge1', reason: 'test', at: 1, until: null },
  });
  if (failure !== undefined) throw new Error(failure.message);
}

/** Times between the pings of a node for a while, ms. */
async function gaps({ clock, monitorOf }: World, ms: number, id = 0): Promise<number[]> {
  const times: number[] = [];
  let seen = monitorOf(id).count('ping');
  for (const end = clock.now + ms; clock.now < end; ) {
    await clock.advance(10);
    const now = monitorOf(id).count('ping');
    if (now > seen) times.push(clock.now);
    seen = now;
  }

  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}

/** Five calls in a row of which a node says nothing, while it answers checks a little later. */
async function provoke({ world, program }: { world: World; program: Program }, id: number) {
  world.relay(id, (monitor) => monitor.all(undefined).always('ping', 40));
  for (let i = 0; i < EJECT_AFTER; i++) await program.ask(id, 'silent', `lost-${world.clock.now}-${i}`);
  await world.clock.advance(600);
}

describe('the pace of checks', () => {
  test.each([
    [0, 1800],
    [0.5, 2000],
    [1, 2200],
  ])('with the random number %p a good node is checked every %p ms', async (random, wanted) => {
    const { world } = await settled(THREE, { random: () => random });
    expect(new Set(await gaps(world, 20_000))).toEqual(new Set([wanted]));
  });

  test('a node that has not yet proven anything is checked at once and every 500 ms', async () => {
    const world = makeWorld();
    world.relay(0, (monitor) => monitor.next('ping', fails('garbled'), fails('garbled')));
    const program = world.start();
    await world.clock.advance(50);
    expect(world.monitorOf(0).count('ping')).toBe(1);
    expect(program.member(0).health).toBe('unknown');
    expect((await gaps(world, 1200)).length).toBeGreaterThan(0);
    expect(program.member(0).health).toBe('up');
    expect(world.monitorOf(0).count('ping')).toBe(3);
  });

  test('while the opinion changes, 500 ms lie between the starts of two checks, long as they take', async () => {
    const { world, member } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', 'never'));
    const start = world.clock.now;
    const found = await gaps(world, 3600);
    expect(found.slice(0, 2)).toEqual([500, 500]);
    expect(member(0).health).toBe('down');
    expect(member(0).opinion.since - 1_800_000_000_000 - start).toBeLessThanOrEqual(2000 + 1500);
  });

  test('a dead node is checked every 2 s again, and one that answers proves itself within 500 ms', async () => {
    const { world, member } = await settled();
    world.relay(0, (monitor) => monitor.all(fails('unreachable')));
    await world.clock.advance(4000);
    expect(member(0).health).toBe('down');
    expect(new Set(await gaps(world, 10_000))).toEqual(new Set([2000]));
    world.relay(0, (monitor) => monitor.all(undefined));
    while (member(0).health !== 'rising') await world.clock.advance(10);
    const answered = world.clock.now;
    while (member(0).health !== 'up') await world.clock.advance(10);
    expect(world.clock.now - answered).toBeLessThanOrEqual(510);
    expect(world.clock.now - answered).toBeGreaterThanOrEqual(490);
  });

  test('a node is never asked by two checks at a time, whatever asks for one', async () => {
    const { world, watch, member } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', 'never'));
    const before = world.monitorOf(0).count('ping');
    for (let i = 0; i < 20; i++) {
      watch.recheck(member(0));
      await world.clock.advance(20);
    }
    expect(world.monitorOf(0).count('ping')).toBe(before + 1);
    expect(watch.counters.failedChecks).toBe(0);
  });

  test('each check has 500 ms; checks and failed ones are counted', async () => {
    const { world, watch, member } = await settled();
    const { checks, failedChecks } = watch.counters;
    world.relay(0, (monitor) => monitor.always('ping', 'never'));
    watch.recheck(member(0));
    expect(world.monitorOf(0).deadlines.at(-1)).toBe(world.clock.now + CHECK_TIMEOUT_MS);
    expect(watch.counters.checks).toBe(checks + 1);
    await world.clock.advance(CHECK_TIMEOUT_MS);
    expect(watch.counters.failedChecks).toBe(failedChecks + 1);
  });

  test('the time of checks is smoothed: one slow reply moves it by an eighth', async () => {
    const { world, watch, member } = await settled();
    expect(member(0).rttMs).toBe(1);
    world.relay(0, (monitor) => monitor.next('ping', 81));
    watch.recheck(member(0));
    await world.clock.advance(81);
    expect(member(0).rttMs).toBe(1 + 80 / 8);
  });
});

describe('the monitor of a node', () => {
  test('is one for each node, and stays while the node stays as it is', async () => {
    const { world, fleet, watch, member } = await settled();
    expect(world.monitors.map(({ id }) => id)).toEqual([0, 1, 2]);
    fleet.put([makeNode(0, { weight: 7, tags: ['gpu'], capacity: 9 })]);
    await world.clock.advance(1000);
    expect(world.monitors.length).toBe(3);
    expect(watch.monitorOf(member(0))).toBe(world.monitorOf(0));
  });

  test.each([
    ['socket', { socket: 'udp:127.0.0.1:9999' }],
    ['HTTP port', { httpPort: 9900 }],
  ])('is another when the node gets another %s; the old one is closed', async (_, changes) => {
    const { world, fleet } = await settled();
    const old = world.monitorOf(0);
    fleet.put([makeNode(0, changes)]);
    await world.clock.advance(50);
    expect(world.monitors.length).toBe(4);
    expect([old.isClosed, world.monitorOf(0).isClosed]).toEqual([true, false]);
    const asked = old.asked.length;
    await world.clock.advance(20_000);
    expect(old.asked.length).toBe(asked);
    expect(world.monitorOf(0).count('ping')).toBeGreaterThan(5);
  });

  test('alone is another when the HTTP port changes: driver, opinion, figures and calls stay', async () => {
    const { world, fleet, member, driver } = await settled();
    world.calls.set(0, 3);
    world.relay(0, (monitor) => monitor.all(fails('unreachable')));
    await world.clock.advance(5000);
    const [before, old, { opinion, figures }] = [member(0), driver(0), member(0)];
    expect(before.health).toBe('down');
    fleet.put([makeNode(0, { httpPort: 9900 })]);
    await world.clock.advance(5000);
    expect(world.monitors.length).toBe(4);
    expect(member(0)).toBe(before);
    expect(driver(0)).toBe(old);
    expect(old.isClosed).toBe(false);
    expect(member(0)).toMatchObject({ opinion, figures, calls: 3 });
    expect((await world.events('node.')).at(-1)).toMatchObject({ kind: 'node.down', nodeId: 0 });
  });

  test('is closed when the node goes, and a reply that comes later counts for nothing', async () => {
    const { world, fleet, watch, member } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', fails('unreachable')));
    const gone = member(0);
    world.relay(0, (monitor) => monitor.always('ping', 'never').always('statistics', 'never'));
    watch.recheck(gone);
    fleet.remove(0);
    await world.clock.advance(5000);
    expect(world.monitorOf(0).isClosed).toBe(true);
    expect(gone.health).toBe('up');
    expect(await world.events('node.falling')).toEqual([]);
  });

  test('of a node that has gone or moved this very moment is not believed: it was of another relay', async () => {
    for (const change of ['remove', 'move'] as const) {
      const { world, fleet, watch, member } = await settled();
      const reply = world.monitorOf(0).next('ping', 10);
      const old = member(0);
      old.opinion = { ...old.opinion, health: 'down' };
      watch.recheck(old);
      if (change === 'remove') fleet.remove(0);
      else fleet.put([makeNode(0, { socket: 'udp:127.0.0.1:9999' })]);
      await world.clock.advance(20);
      expect(reply.count('ping')).toBeGreaterThan(0);
      expect(old.health).toBe('down');
      expect(await world.events('node.rising')).toEqual([]);
    }
  });

  test('of a removed node with calls goes on: the calls need it', async () => {
    const { world, fleet, member } = await settled();
    world.calls.set(0, 1);
    fleet.remove(0);
    world.relay(0, (monitor) => monitor.always('ping', fails('unreachable')));
    await world.clock.advance(3000);
    expect(member(0).health).toBe('down');
    expect(world.monitorOf(0).isClosed).toBe(false);
  });

  test('of an added node comes by itself, and the node is up within 100 ms', async () => {
    const { world, fleet, member } = await settled();
    fleet.put([makeNode(7)]);
    expect(member(7).health).toBe('unknown');
    await world.clock.advance(100);
    expect(member(7).health).toBe('up');
  });
});

describe('what calls show of a node', () => {
  test('nobody listens: it is down at once, and the event says why', async () => {
    const { world, member, ask } = await settled();
    world.calls.set(1, 3);
    await ask(1, 'unreachable');
    expect(member(1).health).toBe('down');
    const [event, ...others] = await world.events('node.down');
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      nodeId: 1,
      detail: {
        from: 'up',
        socket: 'udp:127.0.0.1:7891',
        set_id: 0,
        cause: 'the relay says unreachable',
        evidence: 'call-refused',
        order: 'ready',
        calls: 3,
      },
    });
  });

  test('silence: it is falling, and checked at once; an answer makes it up again', async () => {
    const { world, member, ask } = await settled();
    world.relay(0, (monitor) => monitor.next('ping', 30));
    const pings = world.monitorOf(0).count('ping');
    await ask(0, 'silent');
    expect(member(0).health).toBe('falling');
    expect(world.monitorOf(0).count('ping')).toBe(pings + 1);
    await world.clock.advance(30);
    expect(member(0).health).toBe('up');
    expect((await world.events('node.')).slice(-2)).toMatchObject([
      {
        kind: 'node.falling',
        detail: { from: 'up', cause: 'a call without reply', evidence: 'call-silent' },
      },
      {
        kind: 'node.up',
        detail: { from: 'falling', cause: 'answered a check', evidence: 'check-ok', after_ms: 30 },
      },
    ]);
  });

  test('silence of a dead node is down 1.5 s after the first silent call', async () => {
    const { world, member, ask } = await settled();
    world.relay(0, (monitor) => monitor.all('never'));
    await world.clock.advance(20);
    await ask(0, 'silent');
    const start = world.clock.now;
    while (member(0).health !== 'down' && world.clock.now < start + 5000) await world.clock.advance(10);
    expect(world.clock.now - start).toBe(1500);
  });

  test.each(['ok', 'rejected', 'refused', 'unknown-call'] as const)(
    'an answer (%s) is a sign of life, whatever it says: nothing changes, and no event is written',
    async (reply) => {
      const { world, member, ask } = await settled();
      const { opinion } = member(0);
      const before = (await world.events('node.')).length;
      for (let i = 0; i < 20; i++) await ask(0, reply, `c${i}`);
      expect(member(0).opinion).toBe(opinion);
      expect((await world.events('node.')).length).toBe(before);
    },
  );

  test.each(['ok', 'rejected', 'refused', 'unknown-call'] as const)(
    'an answer (%s) brings a falling node up',
    async (reply) => {
      const { world, member, ask } = await settled();
      world.relay(0, (monitor) => monitor.always('ping', 'never'));
      await ask(0, 'silent');
      await ask(0, reply);
      expect(member(0).health).toBe('up');
    },
  );

  test.each(['garbled', 'busy', 'too-large'] as const)(
    'what is no reply of the relay to the call (%s) says nothing: neither good nor bad',
    async (kind) => {
      const { world, member, ask } = await settled();
      const { opinion } = member(0);
      for (let i = 0; i < 20; i++) await ask(0, kind, `c${i}`);
      expect(member(0).opinion).toBe(opinion);
      world.relay(0, (monitor) => monitor.always('ping', 'never'));
      await ask(0, 'silent');
      await ask(0, kind);
      expect(member(0).health).toBe('falling');
    },
  );

  test('a dead node that answers a call is checked at once, and not trusted before it answered checks', async () => {
    const { world, member, ask } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', fails('unreachable')));
    await ask(0, 'unreachable');
    await world.clock.advance(5000);
    world.relay(0, (monitor) => monitor.always('ping', 20));
    const pings = world.monitorOf(0).count('ping');
    await ask(0, 'ok');
    expect([member(0).health, world.monitorOf(0).count('ping')]).toEqual(['down', pings + 1]);
    await world.clock.advance(20);
    expect(member(0).health).toBe('rising');
  });
});

describe('events and rows of an opinion', () => {
  test('every change is one event with from and cause, and a node that stays the same has none', async () => {
    const { world, watch } = await settled();
    expect((await world.events('node.')).map(({ kind, nodeId }) => `${kind} ${nodeId}`)).toEqual([
      'node.up 0',
      'node.up 1',
      'node.up 2',
    ]);
    world.relay(1, (monitor) => monitor.all('never'));
    await world.clock.advance(10_000);
    world.relay(1, (monitor) => monitor.all(undefined));
    await world.clock.advance(10_000);
    expect(
      (await world.events('node.'))
        .slice(3)
        .map(({ kind, nodeId, detail }) => [kind, nodeId, detail.from, detail.cause]),
    ).toEqual([
      ['node.falling', 1, 'up', 'a check without reply'],
      ['node.down', 1, 'falling', '3 checks without reply'],
      ['node.rising', 1, 'down', 'answered a check'],
      ['node.up', 1, 'rising', 'answered 2 checks'],
    ]);
    watch.stop();
  });

  test('a check that finds nobody listening makes a node down at once', async () => {
    const { world, watch, member } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', fails('unreachable')));
    watch.recheck(member(0));
    expect(await world.events('node.falling')).toEqual([]);
    expect((await world.events('node.down')).map(({ detail }) => detail)).toMatchObject([
      { from: 'up', cause: 'the relay says unreachable', evidence: 'check-refused' },
    ]);
  });

  test('a check that cannot be read counts as silence, and the event says what was read', async () => {
    const { world, member } = await settled();
    world.relay(0, (monitor) => monitor.always('ping', fails('garbled')));
    await world.clock.advance(5000);
    expect(member(0).health).toBe('down');
    expect((await world.events('node.down'))[0]?.detail).toMatchObject({
      cause: '3 checks without a good reply: the relay says garbled',
      evidence: 'check-failed',
    });
  });

  test('after a restart of our program nothing is new: up stays up and past its slow start, no event is written', async () => {
    const { world, watch, fleet, member } = await settled();
    const before = [0, 1, 2].map((id) => member(id).opinion);
    const events = (await world.events('node.')).length;
    watch.stop();
    fleet.close();
    await world.clock.advance(60_000);
    const again = world.start();
    expect([0, 1, 2].map((id) => again.member(id).opinion)).toEqual(before);
    expect([0, 1, 2].map((id) => again.member(id).ramp)).toEqual([1, 1, 1]);
    await world.clock.advance(10_000);
    expect(again.healths()).toEqual(['up', 'up', 'up']);
    expect((await world.events('node.')).length).toBe(events);
  });

  test('a slow start goes on where it was', async () => {
    const world = makeWorld();
    const first = world.start();
    await world.clock.advance(10_000);
    const { ramp } = first.member(0);
    expect(ramp).toBeLessThan(0.5);
    await flush(world.store);
    first.watch.stop();
    const second = world.start();
    expect(second.member(0).ramp).toBe(ramp);
    await world.clock.advance(10_000);
    expect(second.member(0).ramp).toBeCloseTo(ramp + 0.3, 5);
  });

  test('a dead node stays down over a restart of our program until it has answered twice', async () => {
    const { world, watch, ask } = await settled();
    world.relay(1, (monitor) => monitor.all(fails('unreachable')));
    await ask(1, 'unreachable');
    await flush(world.store);
    watch.stop();
    const again = world.start();
    expect(again.member(1).health).toBe('down');
    await world.clock.advance(20_000);
    expect(again.member(1).health).toBe('down');
    expect((await world.events('node.down')).length).toBe(1);
    world.relay(1, (monitor) => monitor.all(undefined));
    await world.clock.advance(2600);
    expect((await world.events('node.')).slice(-2).map(({ kind }) => kind)).toEqual([
      'node.rising',
      'node.up',
    ]);
    expect(again.member(1).ramp).toBeLessThan(0.2);
  });

  test('an ejection goes on over a restart of our program, and ends when it would have ended', async () => {
    const { world, program, watch, member } = await settled();
    await provoke({ world, program }, 0);
    expect(member(0).health).toBe('ejected');
    const { ejectedUntil, since } = member(0).opinion;
    expect(ejectedUntil).toBe(since + EJECTION_MS);
    await flush(world.store);
    watch.stop();
    await world.clock.advance(10_000);
    const again = world.start();
    expect(again.member(0).opinion).toMatchObject({ health: 'ejected', ejectedUntil, ejections: 1 });
    await world.clock.advance(15_000);
    expect(again.member(0).health).toBe('ejected');
    await world.clock.advance(7000);
    expect(again.member(0).opinion).toMatchObject({ health: 'up', ejections: 1 });
  });

  test('the row of a node that went meanwhile does not break the commit: what waits with it is written', async () => {
    const { world, fleet, ask } = await settled();
    await ask(0, 'unreachable');
    fleet.remove(0);
    world.store.event('test.rides_along');
    await flush(world.store);
    expect(world.store.trouble).toBeUndefined();
    expect(world.store.counters.failedCommits).toBe(0);
    expect((await world.events('test.')).length).toBe(1);
    expect(world.store.fleet.loadHealth().map(({ nodeId }) => nodeId)).toEqual([1, 2]);
  });
});

describe('figures', () => {
  test('are asked for at once, and then every 10 s', async () => {
    const world = makeWorld([makeNode(0)]);
    const { member } = world.start();
    await world.clock.advance(0);
    expect(world.monitorOf(0).count('statistics')).toBe(1);
    expect(member(0).figures).toMatchObject({ ...QUIET, uptimeS: 1000 });
    await world.clock.advance(100);
    const counted: number[] = [];
    let seen = world.monitorOf(0).count('statistics');
    for (const end = world.clock.now + 60_000; world.clock.now < end; await world.clock.advance(50)) {
      const now = world.monitorOf(0).count('statistics');
      if (now > seen) counted.push(world.clock.now);
      seen = now;
    }
    expect(counted.slice(1).map((at, i) => at - (counted[i] ?? 0))).toEqual([10_000, 10_000, 10_000, 10_000]);
  });

  test('hold what the node had when they came: our calls of that moment', async () => {
    const { world, member } = await settled();
    world.calls.set(0, 5);
    world.relay(0, (monitor) => {
      monitor.calls = new Set(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
    });
    await world.clock.advance(10_500);
    expect(member(0).figures).toMatchObject({ sessions: 8, ourCalls: 5 });
    expect(member(0).figures?.at).toBeGreaterThan(world.clock.now - 11_000);
  });

  test('hold the sessions a node had for our calls when they came', async () => {
    const { world, member } = await settled();
    world.calls.set(0, 2);
    world.sessions.set(0, 5);
    world.relay(0, (monitor) => {
      monitor.statisticsNow = { uptimeS: null, sessions: 8 };
    });
    await world.clock.advance(10_500);
    world.calls.set(0, 3);
    world.sessions.set(0, 9);
    expect(member(0).figures).toMatchObject({ sessions: 8, ourCalls: 2, ourSessions: 5 });
    expect(member(0).sessions).toBe(3 + (8 - 5));
  });

  test('are old ones while a node does not tell: nothing is thrown away', async () => {
    const { world, member } = await settled();
    const { figures } = member(0);
    world.relay(0, (monitor) => monitor.always('statistics', 'never'));
    await world.clock.advance(25_000);
    expect(member(0).figures?.at).toBe(figures?.at);
    expect(member(0).health).toBe('up');
  });

  test('are asked for at once when a node comes back', async () => {
    const { world, member, ask } = await settled();
    world.relay(0, (monitor) => monitor.all(fails('unreachable')));
    await ask(0, 'unreachable');
    await world.clock.advance(12_000);
    world.relay(0, (monitor) => monitor.all(undefined));
    const before = world.monitorOf(0).count('statistics');
    while (member(0).health !== 'rising') await world.clock.advance(10);
    await world.clock.advance(100);
    expect(world.monitorOf(0).count('statistics')).toBeGreaterThanOrEqual(before + 1);
    expect(member(0).figures?.at).toBeGreaterThan(world.clock.now - 200);
  });

  test('come soon after a node refused a call for lack of room, and it comes after others for 1 s', async () => {
    const { world, watch, member } = await settled();
    await world.clock.advance(1000);
    const before = world.monitorOf(0).count('statistics');
    watch.hold(member(0));
    expect(member(0).isHeld).toBe(true);
    await world.clock.advance(300);
    expect(world.monitorOf(0).count('statistics')).toBe(before + 1);
    await world.clock.advance(699);
    expect(member(0).isHeld).toBe(true);
    await world.clock.advance(1);
    expect(member(0).isHeld).toBe(false);
  });

  test('are not asked for more often than every 200 ms, however many calls are refused', async () => {
    const { world, watch, member } = await settled();
    const before = world.monitorOf(0).count('statistics');
    for (let i = 0; i < 100; i++) {
      watch.hold(member(0));
      await world.clock.advance(10);
    }
    expect(world.monitorOf(0).count('statistics') - before).toBeLessThanOrEqual(6);
    expect(world.monitorOf(0).count('statistics') - before).toBeGreaterThanOrEqual(2);
  });
});

describe('a restart of a relay', () => {
  /** A watch that notes whose restart it was told. */
  function told(watch: Watch): number[] {
    const restarted: number[] = [];
    watch.onRestart = ({ id }) => void restarted.push(id);

    return restarted;
  }

  test('is seen by its uptime; whoever wants to know is told once, with one event', async () => {
    const { world, watch, member } = await settled();
    const restarted = told(watch);
    world.calls.set(1, 4);
    await world.clock.advance(5000);
    world.restart(1);
    await world.clock.advance(60_000);
    expect(restarted).toEqual([1]);
    expect(watch.counters.restarts).toBe(1);
    const events = await world.events('node.restarted');
    expect(events).toMatchObject([{ nodeId: 1, detail: { calls: 4 } }]);
    expect(Number(events[0]?.detail.uptime_s)).toBeLessThan(11);
    expect(Number(events[0]?.detail.expected_s)).toBeGreaterThan(1040);
    expect(member(1).restartedAt).not.toBeNull();
    expect([member(0).restartedAt, member(2).restartedAt]).toEqual([null, null]);
  });

  test('with silence between is seen before the node is trusted again', async () => {
    const { world, watch, member, ask } = await settled();
    const restarted = told(watch);
    world.relay(0, (monitor) => monitor.all(fails('unreachable')));
    await ask(0, 'unreachable');
    await world.clock.advance(3000);
    world.restart(0);
    world.relay(0, (monitor) => monitor.all(undefined));
    while (member(0).health !== 'up') await world.clock.advance(10);
    expect(restarted).toEqual([0]);
  });

  test('is not what a few seconds of a bad clock are', async () => {
    const { world, watch } = await settled();
    const restarted = told(watch);
    world.startedAt(0, world.clock.utc() - 1_040_000 + 3000);
    await world.clock.advance(30_000);
    expect(restarted).toEqual([]);
    world.startedAt(0, world.clock.utc() - 1_070_000 + 3000 + 5000);
    await world.clock.advance(30_000);
    expect(restarted).toEqual([0]);
  });

  test('while our program did not run is seen by the first figures', async () => {
    const { world, watch } = await settled();
    await flush(world.store);
    watch.stop();
    await world.clock.advance(30_000);
    world.restart(1);
    await world.clock.advance(30_000);
    const again = world.start();
    const restarted = told(again.watch);
    await world.clock.advance(60_000);
    expect(restarted).toEqual([1]);
    expect((await world.events('node.restarted')).map(({ nodeId }) => nodeId)).toEqual([1]);
  });

  test('that was seen is not seen again after a restart of our program', async () => {
    const { world, watch } = await settled();
    world.restart(1);
    await world.clock.advance(11_000);
    expect(watch.counters.restarts).toBe(1);
    await flush(world.store);
    watch.stop();
    await world.clock.advance(30_000);
    const again = world.start();
    await world.clock.advance(30_000);
    expect(again.watch.counters.restarts).toBe(0);
  });

  test('cannot be told of a node that is new to us', async () => {
    const world = makeWorld();
    world.startedAt(0, world.clock.utc());
    const { watch } = world.start();
    await world.clock.advance(30_000);
    expect(watch.counters.restarts).toBe(0);
  });
});

describe('a restart of a relay that does not tell its uptime', () => {
  /** Node 0 tells counters only, `growing` of now. Who is told of restarts is noted. */
  async function counting(growing: number[]) {
    const world = makeWorld();
    const tell = (now: number[]) =>
      world.relay(0, (monitor) => {
        monitor.statisticsNow = { uptimeS: null, growing: now };
      });
    tell(growing);
    const program = world.start();
    const restarted: number[] = [];
    program.watch.onRestart = ({ id }) => void restarted.push(id);
    await world.clock.advance(40_000);

    return { world, restarted, tell, ...program };
  }

  test('is seen when one of its counters has fallen; the event says nothing of an uptime', async () => {
    const { world, watch, restarted, tell, member } = await counting([100, 5000]);
    world.calls.set(0, 4);
    tell([120, 17]);
    const before = world.clock.utc();
    await world.clock.advance(60_000);
    expect(restarted).toEqual([0]);
    expect(watch.counters.restarts).toBe(1);
    const events = await world.events('node.restarted');
    expect(events.map(({ nodeId, detail }) => [nodeId, detail])).toEqual([[0, { calls: 4 }]]);
    expect(member(0).restartedAt).toBeGreaterThan(before);
    expect(member(0).startedAt).toBeNull();
  });

  test('is seen each time it happens', async () => {
    const { world, restarted, tell } = await counting([100]);
    for (const now of [[3], [50], [0], [7]]) {
      tell(now);
      await world.clock.advance(10_500);
    }
    expect(restarted).toEqual([0, 0]);
  });

  test.each([
    ['grow', [101, 6000]],
    ['stay', [100, 5000]],
    ['grow or stay', [100, 5001]],
  ])('is not seen while its counters %s, nor by the time that passes', async (_, later) => {
    const { world, watch, restarted, tell, member } = await counting([100, 5000]);
    tell(later);
    await world.clock.advance(600_000);
    expect([restarted, watch.counters.restarts]).toEqual([[], 0]);
    expect([member(0).startedAt, member(0).restartedAt]).toEqual([null, null]);
    expect(await world.events('node.restarted')).toEqual([]);
    expect(member(0).hasFigures).toBe(true);
  });

  test('is not what a counter is that was told for the first time', async () => {
    const { world, restarted, tell } = await counting([]);
    tell([0, 0]);
    await world.clock.advance(10_500);
    tell([5, 5]);
    await world.clock.advance(10_500);
    expect(restarted).toEqual([]);
  });

  test('while our program did not run is not seen: nobody remembers what it had counted', async () => {
    const { world, watch, tell } = await counting([100]);
    await flush(world.store);
    watch.stop();
    tell([0]);
    const again = world.start();
    await world.clock.advance(30_000);
    expect(again.watch.counters.restarts).toBe(0);
  });
});

describe('canaries', () => {
  test('go to every node about once a minute, to its inner address; off, to none', async () => {
    const on = await settled(THREE, { canary: true });
    const off = await settled(THREE, { canary: false });
    for (const { world } of [on, off]) await world.clock.advance(600_000);
    expect(on.world.monitorOf(0).canaries.length).toBeGreaterThanOrEqual(10);
    expect(on.world.monitorOf(0).canaries.length).toBeLessThanOrEqual(12);
    expect(new Set(on.world.monitorOf(0).canaries.map(({ address }) => address))).toEqual(
      new Set(['10.0.0.1']),
    );
    expect(off.world.monitorOf(0).canaries).toEqual([]);
    expect(await on.world.events('node.canary_failed')).toEqual([]);
  });

  test('do not go to a node in maintenance nor to a dead one, but to one that is drained', async () => {
    const { world, program, ask } = await settled(THREE, { canary: true });
    await world.clock.advance(60_000);
    order(program, 0, 'maint');
    order(program, 2, 'drain');
    world.relay(1, (monitor) => monitor.always('ping', fails('unreachable')));
    await ask(1, 'unreachable');
    const before = [0, 1, 2].map((id) => world.monitorOf(id).canaries.length);
    await world.clock.advance(300_000);
    const after = [0, 1, 2].map((id) => world.monitorOf(id).canaries.length);
    expect(after.map((count, id) => count > (before[id] ?? 0))).toEqual([false, false, true]);
  });

  test('a failed one is an event with its reason; the node is not judged by an error', async () => {
    const { world, member } = await settled([makeNode(0)], { canary: true });
    world.relay(0, (monitor) => monitor.next('canary', fails('rejected')));
    await world.clock.advance(70_000);
    expect(await world.events('node.canary_failed')).toMatchObject([
      { nodeId: 0, detail: { cause: 'rejected', reason: 'the relay says rejected' } },
    ]);
    expect(member(0).health).toBe('up');
    expect(await world.events('node.falling')).toEqual([]);
  });

  test('a silent one makes the node suspect, and checked at once; five of them in a row eject it', async () => {
    const { world, member } = await settled(THREE, { canary: true });
    world.relay(0, (monitor) => monitor.always('canary', 'never').always('ping', 20));
    await world.clock.advance(70_000);
    expect((await world.events('node.falling')).map(({ nodeId }) => nodeId)).toEqual([0]);
    await world.clock.advance(240_000);
    expect((await world.events('node.ejected')).map(({ nodeId }) => nodeId)).toEqual([0]);
    expect(member(0).opinion.cause).not.toBe('');
  });
});

describe('ejection', () => {
  test('takes a node out that answers checks but not calls', async () => {
    const { world, program, member } = await settled();
    await provoke({ world, program }, 0);
    expect(member(0).health).toBe('ejected');
    expect((await world.events('node.ejected')).map(({ nodeId, detail }) => [nodeId, detail.cause])).toEqual([
      [0, '5 calls in a row without reply, but checks are answered'],
    ]);
  });

  test.each([1, 2])('never one of %p nodes', async (count) => {
    const { world, program, healths } = await settled(THREE.slice(0, count));
    for (let id = 0; id < count; id++) await provoke({ world, program }, id);
    expect(healths()).toEqual(THREE.slice(0, count).map(() => 'up'));
    expect(await world.events('node.ejected')).toEqual([]);
    // Nobody is to think that all is well with it.
    expect(await world.events('node.not_ejected')).toMatchObject(
      THREE.slice(0, count).map(({ id }) => ({
        nodeId: id,
        detail: {
          set_id: 0,
          cause: 'calls are without reply, though checks are answered',
          reason:
            count === 1
              ? 'no other node of set 0 takes calls'
              : 'set 0 has 2 nodes that are ready and 0 of them ejected; no more than a third may be',
        },
      })),
    );
  });

  test('never more than a third of a set', async () => {
    const nodes = [0, 1, 2, 3, 4, 5, 6].map((id) => makeNode(id));
    const { world, program, healths } = await settled(nodes);
    for (const { id } of nodes) await provoke({ world, program }, id);
    expect(healths().filter((health) => health === 'ejected').length).toBe(2);
  });

  test('counts the set of the node only, and of it only nodes under order ready', async () => {
    const nodes = [0, 1, 2].map((id) => makeNode(id, id === 2 ? { setId: 1 } : {}));
    const apart = await settled(nodes);
    await provoke(apart, 0);
    expect(apart.healths()[0]).toBe('up');
    const drained = await settled();
    order(drained.program, 2, 'drain');
    await provoke(drained, 0);
    expect(drained.healths()[0]).toBe('up');
  });

  test('never the last node that takes calls: others that are down, or have weight 0, take none', async () => {
    const dead = await settled();
    for (const id of [1, 2]) {
      dead.world.relay(id, (monitor) => monitor.all(fails('unreachable')));
      await dead.ask(id, 'unreachable');
    }
    await provoke(dead, 0);
    expect(dead.healths()).toEqual(['up', 'down', 'down']);
    const idle = await settled([makeNode(0), makeNode(1, { weight: 0 }), makeNode(2, { weight: 0 })]);
    await provoke(idle, 0);
    expect(idle.healths()).toEqual(['up', 'up', 'up']);
  });

  test('ends by itself; a second one is twice as long', async () => {
    const { world, program, member } = await settled();
    await provoke({ world, program }, 0);
    await world.clock.advance(EJECTION_MS + 1500);
    expect(member(0).health).toBe('up');
    await provoke({ world, program }, 0);
    const { ejectedUntil, since } = member(0).opinion;
    expect(Number(ejectedUntil) - since).toBe(2 * EJECTION_MS);
    expect((await world.events('node.')).map(({ kind }) => kind).slice(3)).toEqual([
      'node.falling',
      'node.ejected',
      'node.rising',
      'node.up',
      'node.falling',
      'node.ejected',
    ]);
  });
});

describe('a set that lost more than half of its weight', () => {
  async function kill({ world, program }: { world: World; program: Program }, id: number) {
    world.relay(id, (monitor) => monitor.all(fails('unreachable')));
    await program.ask(id, 'unreachable');
    // Sets are weighed at the next tick.
    await world.clock.advance(50);
  }

  test('is said to be in panic once, and once to be calm', async () => {
    const { world, program, watch } = await settled();
    await kill({ world, program }, 0);
    expect(watch.isInPanic(0)).toBe(false);
    await kill({ world, program }, 1);
    expect(watch.isInPanic(0)).toBe(true);
    await world.clock.advance(20_000);
    expect(await world.events('set.')).toMatchObject([
      { kind: 'set.panic', detail: { set_id: 0, healthy_weight: 100, weight: 300 } },
    ]);
    world.relay(0, (monitor) => monitor.all(undefined));
    await world.clock.advance(20_000);
    expect((await world.events('set.')).map(({ kind, detail }) => [kind, detail.healthy_weight])).toEqual([
      ['set.panic', 100],
      ['set.calm', 200],
    ]);
    expect(watch.isInPanic(0)).toBe(false);
  });

  test('exactly half is no panic', async () => {
    const { world, program, watch } = await settled([makeNode(0), makeNode(1)]);
    await kill({ world, program }, 0);
    await world.clock.advance(2000);
    expect(watch.isInPanic(0)).toBe(false);
  });

  test('counts weights, not nodes', async () => {
    const nodes = [makeNode(0, { weight: 300 }), makeNode(1), makeNode(2)];
    const heavy = await settled(nodes);
    await kill(heavy, 0);
    expect(heavy.watch.isInPanic(0)).toBe(true);
    const light = await settled(nodes);
    for (const id of [1, 2]) await kill(light, id);
    expect(light.watch.isInPanic(0)).toBe(false);
  });

  test('counts only nodes under order ready: what people took out they meant', async () => {
    const { world, program, watch } = await settled();
    for (const id of [0, 1]) order(program, id, id === 0 ? 'drain' : 'maint');
    await world.clock.advance(2000);
    expect(watch.isInPanic(0)).toBe(false);
    await kill({ world, program }, 0);
    await kill({ world, program }, 1);
    await world.clock.advance(2000);
    expect(watch.isInPanic(0)).toBe(false);
    await kill({ world, program }, 2);
    expect(watch.isInPanic(0)).toBe(true);
    order(program, 2, 'maint');
    await world.clock.advance(1000);
    expect((await world.events('set.')).map(({ kind }) => kind)).toEqual(['set.panic', 'set.calm']);
  });

  test('an order that brings dead nodes back is seen within a second though no opinion changed', async () => {
    const { world, program, watch } = await settled();
    order(program, 0, 'maint');
    order(program, 1, 'maint');
    await kill({ world, program }, 0);
    await kill({ world, program }, 1);
    order(program, 0, 'ready');
    order(program, 1, 'ready');
    await world.clock.advance(1050);
    expect(watch.isInPanic(0)).toBe(true);
  });

  test('does not count removed nodes, though calls keep them', async () => {
    const { world, program, watch, fleet } = await settled();
    for (const id of [0, 1]) {
      world.calls.set(id, 1);
      fleet.remove(id);
      await kill({ world, program }, id);
    }
    await world.clock.advance(2000);
    expect(program.healths()).toEqual(['down', 'down', 'up']);
    expect(watch.isInPanic(0)).toBe(false);
  });

  test('is calm when its nodes have gone', async () => {
    const { world, program, watch, fleet } = await settled([makeNode(0)]);
    await kill({ world, program }, 0);
    expect(watch.isInPanic(0)).toBe(true);
    fleet.remove(0);
    await world.clock.advance(1100);
    expect((await world.events('set.')).map(({ kind }) => kind)).toEqual(['set.panic', 'set.calm']);
  });
});

describe('what our own host could not send', () => {
  test('teaches nothing of a node that is up', async () => {
    const { world, watch, member } = await settled();
    const { failedChecks } = watch.counters;
    const { opinion } = member(0);
    const before = await world.events();
    world.relay(0, (monitor) => monitor.always('ping', fails('busy')));
    await world.clock.advance(30_000);
    expect(watch.counters.failedChecks).toBeGreaterThan(failedChecks + 10);
    expect(member(0).opinion).toEqual(opinion);
    expect(await world.events()).toEqual(before);
  });

  test('teaches nothing of a node that is down, and it is checked on', async () => {
    const { world, member } = await settled();
    world.relay(0, (monitor) => monitor.all(fails('unreachable')));
    await world.clock.advance(3000);
    world.relay(0, (monitor) => monitor.all(fails('busy')));
    await world.clock.advance(30_000);
    expect(member(0).health).toBe('down');
    world.relay(0, (monitor) => monitor.all(undefined));
    await world.clock.advance(3000);
    expect(member(0).health).toBe('up');
  });

  test('does not count among the checks in a row that make a node down', async () => {
    const { world, member } = await settled();
    const [silent, busy] = [fails('silent'), fails('busy')];
    world.relay(0, (monitor) => monitor.next('ping', silent, busy, silent, busy, busy));
    await world.clock.advance(10_000);
    expect(member(0).health).toBe('up');
    expect((await world.events('node.')).map(({ kind }) => kind)).not.toContain('node.down');
  });
});

describe('a node that lives but does not tell its figures', () => {
  test('is told once, when the old ones count no more, and once when it tells them again', async () => {
    const { world, member } = await settled();
    world.relay(0, (monitor) => monitor.always('statistics', fails('garbled')));
    await world.clock.advance(24_000);
    expect(await world.events('node.figures')).toEqual([]);
    await world.clock.advance(300_000);
    expect(await world.events('node.figures')).toMatchObject([
      {
        kind: 'node.figures_lost',
        nodeId: 0,
        detail: { cause: 'garbled', reason: 'the relay says garbled' },
      },
    ]);
    expect([member(0).health, member(0).hasFigures]).toEqual(['up', false]);
    world.relay(0, (monitor) => monitor.always('statistics', undefined));
    await world.clock.advance(60_000);
    expect((await world.events('node.figures')).map(({ kind }) => kind)).toEqual([
      'node.figures_lost',
      'node.figures_back',
    ]);
    expect(member(0).hasFigures).toBe(true);
  });

  test('is told to tell them again when a change of its HTTP port has helped', async () => {
    const { world, fleet } = await settled();
    world.relay(0, (monitor) => monitor.always('statistics', fails('garbled')));
    await world.clock.advance(60_000);
    fleet.put([makeNode(0, { httpPort: 9900 })]);
    await world.clock.advance(60_000);
    expect((await world.events('node.figures')).map(({ kind }) => kind)).toEqual(['node.figures_lost']);
    world.relay(0, (monitor) => monitor.always('statistics', undefined));
    await world.clock.advance(60_000);
    expect((await world.events('node.figures')).map(({ kind }) => kind)).toEqual([
      'node.figures_lost',
      'node.figures_back',
    ]);
  });

  test('is told again when it happens again', async () => {
    const { world } = await settled();
    for (let i = 0; i < 2; i++) {
      world.relay(0, (monitor) => monitor.always('statistics', 'never'));
      await world.clock.advance(60_000);
      world.relay(0, (monitor) => monitor.always('statistics', undefined));
      await world.clock.advance(20_000);
    }
    expect((await world.events('node.figures')).map(({ kind }) => kind)).toEqual([
      'node.figures_lost',
      'node.figures_back',
      'node.figures_lost',
      'node.figures_back',
    ]);
  });

  test('is not told of one that missed some but not all, nor of one that is down', async () => {
    const { world } = await settled();
    const garbled = fails('garbled');
    world.relay(0, (monitor) => monitor.next('statistics', garbled, garbled));
    world.relay(1, (monitor) => monitor.all('never'));
    await world.clock.advance(120_000);
    expect(await world.events('node.figures')).toEqual([]);
  });
});

describe('a node that flaps', () => {
  /** A call without reply, a check with one: falling, and up again. */
  async function flap({ world, program }: { world: World; program: Program }, times: number, everyMs = 500) {
    for (let i = 0; i < times; i++) {
      await program.ask(0, 'silent', `lost-${world.clock.now}`);
      await world.clock.advance(everyMs / 2);
      await program.ask(0, 'ok');
      await world.clock.advance(everyMs / 2);
    }
  }

  /** Kinds of what was told of node 0 since it was first up, each with what it came from. */
  async function told(world: World) {
    const events = (await world.events('node.')).filter(({ nodeId }) => nodeId === 0);

    return events.slice(1).map(({ kind, detail }) => `${detail.from}>${kind.replace('node.', '')}`);
  }

  test('is told to fall at most six times a minute', async () => {
    const { world, ...watched } = await settled();
    await flap({ world, ...watched }, 40);
    expect(watched.member(0).health).toBe('up');
    expect(await told(world)).toEqual(Array.from({ length: 6 }, () => ['up>falling', 'falling>up']).flat());
    await world.clock.advance(60_000);
    await flap({ world, ...watched }, 40);
    expect((await told(world)).length).toBe(24);
  });

  test('is told to fall after all, if it stays so for five seconds', async () => {
    const { world, ...watched } = await settled();
    await flap({ world, ...watched }, 20);
    const before = (await told(world)).length;
    // It answers checks later than a call would wait.
    world.relay(0, (monitor) => monitor.always('ping', 400));
    await world.clock.advance(4000);
    expect(watched.member(0).health).toBe('falling');
    expect((await told(world)).length).toBe(before);
    await world.clock.advance(6000);
    expect((await told(world)).slice(before)).toEqual(['up>falling']);
  });

  test('is told to be down though nobody was told that it fell: from what was told last', async () => {
    const { world, ...watched } = await settled();
    await flap({ world, ...watched }, 20);
    world.relay(0, (monitor) => monitor.always('ping', 'never'));
    await world.clock.advance(6000);
    expect(watched.member(0).health).toBe('down');
    world.relay(0, (monitor) => monitor.always('ping', undefined));
    await world.clock.advance(6000);
    expect((await told(world)).slice(-4)).toEqual(['falling>up', 'up>down', 'down>rising', 'rising>up']);
    expect(world.store.fleet.loadHealth().find(({ nodeId }) => nodeId === 0)?.health).toBe('up');
  });
});

describe('many nodes that change at once', () => {
  test('have the sets weighed once, and the panic told once', async () => {
    const world = makeWorld(Array.from({ length: 500 }, (_, id) => makeNode(id, { setId: 5 })));
    const { member } = world.start({ random: () => 0.5 });
    await world.clock.advance(5000);
    for (const { monitor } of world.monitors) monitor.always('ping', fails('unreachable'));
    const weighed = spyOn(Map, 'groupBy');
    try {
      while (member(0).health !== 'down') {
        weighed.mockClear();
        await world.clock.advance(50);
      }
      await world.clock.advance(50);
      expect(weighed.mock.calls.length).toBeWithin(1, 3);
    } finally {
      weighed.mockRestore();
    }
    expect((await world.events('node.down')).length).toBe(500);
    expect(await world.events('set.')).toMatchObject([
      { kind: 'set.panic', detail: { set_id: 5, healthy_weight: 0, weight: 50_000 } },
    ]);
  });
});

describe('whatever happens to three nodes', () => {
  const node = fc.integer({ min: 0, max: 2 });
  const happening = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('relay' as const),
        node,
        how: fc.constantFrom('good', 'never', 'unreachable', 'garbled', 'slow', 'restart'),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        node,
        reply: fc.constantFrom('ok', 'silent', 'silent', 'unreachable', 'refused', 'garbled', 'busy'),
        times: fc.integer({ min: 1, max: 7 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('program' as const) }) },
  );

  test('its events are an unbroken chain from unknown to what it is now, over restarts of our program too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (happenings) => {
        const world = makeWorld();
        let program = world.start();
        let calls = 0;
        for (const one of happenings) {
          if (one.do === 'wait') await world.clock.advance(one.ms);
          else if (one.do === 'program') {
            await flush(world.store);
            program.watch.stop();
            program.fleet.close();
            program = world.start();
          } else if (one.do === 'ask') {
            for (let i = 0; i < one.times; i++) await program.ask(one.node, one.reply, `call-${calls++}`);
          } else if (one.how === 'restart') world.restart(one.node);
          else {
            const { how } = one;
            world.relay(one.node, (monitor) => {
              monitor.all(
                how === 'never' ? how : how === 'unreachable' || how === 'garbled' ? fails(how) : undefined,
              );
              if (how === 'slow') monitor.always('ping', 120);
            });
          }
          const ejected = program.healths().filter((health) => health === 'ejected').length;
          expect(ejected).toBeLessThanOrEqual(1);
        }
        const events = (await world.events('node.')).filter(
          ({ kind }) => !/restarted|figures|not_ejected/.test(kind),
        );
        for (const { id, health } of program.fleet.all()) {
          const own = events.filter(({ nodeId }) => nodeId === id);
          expect(own.map(({ detail }) => `node.${String(detail.from)}`)).toEqual(
            ['node.unknown', ...own.map(({ kind }) => kind)].slice(0, own.length),
          );
          expect(own.at(-1)?.kind ?? 'node.unknown').toBe(`node.${health}`);
          expect(own.every(({ detail }) => detail.cause !== '' && detail.evidence !== '')).toBe(true);
        }
        await flush(world.store);
        const stored = new Map(world.store.fleet.loadHealth().map((row) => [row.nodeId, row]));
        for (const member of program.fleet.all()) {
          const { health, since, cause, rampFrom, ejectedUntil } = member.opinion;
          if (health !== 'unknown')
            expect(stored.get(member.id)).toMatchObject({ health, since, cause, rampFrom, ejectedUntil });
        }
      }),
      { numRuns: 80 },
    );
  }, 60_000);
});

describe('stop', () => {
  test('closes every monitor and leaves no timer', async () => {
    const { world, watch, fleet } = await settled();
    await flush(world.store);
    await world.clock.advance(100);
    expect(world.clock.timers).toBe(1);
    watch.stop();
    expect(world.clock.timers).toBe(0);
    expect(world.monitors.map(({ monitor }) => monitor.isClosed)).toEqual([true, true, true]);
    const asked = world.monitors.map(({ monitor }) => monitor.asked.length);
    fleet.put([makeNode(9)]);
    await world.clock.advance(60_000);
    expect(world.monitors.map(({ monitor }) => monitor.asked.length)).toEqual(asked);
  });

  test('with checks under way: what they bring changes nothing, and nothing is written any more', async () => {
    const { world, watch, healths, member } = await settled();
    for (const id of [0, 1, 2]) {
      world.relay(id, (monitor) => monitor.all('never'));
      watch.recheck(member(id));
    }
    const events = (await world.events()).length;
    watch.stop();
    await world.clock.advance(5000);
    expect(healths()).toEqual(['up', 'up', 'up']);
    expect((await world.events()).length).toBe(events);
  });

  test('and what calls show after it changes nothing either', async () => {
    const { world, watch, healths, ask } = await settled();
    watch.stop();
    await ask(0, 'unreachable');
    await ask(1, 'silent');
    expect(healths()).toEqual(['up', 'up', 'up']);
    expect(await world.events('node.down')).toEqual([]);
  });

  test('a request that outlives it opens no monitor that nobody would close', async () => {
    const { world, watch, member } = await settled();
    watch.stop();
    watch.recheck(member(0));
    watch.hold(member(0));
    expect(world.monitors.every(({ monitor }) => monitor.isClosed)).toBe(true);
  });
});
