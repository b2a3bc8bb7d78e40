import { describe, expect, spyOn, test } from 'bun:test';
import { BUDGET_MS } from '../../fakes/cluster.ts';
import { makeCall } from '../../fakes/store.ts';
import { unreadable } from '../store/unreadable.ts';
import { detailsOf, good, restarted, watched } from './watched.ts';

describe('an order', () => {
  test('stands in the database, says who and why, and is an event', async () => {
    const cluster = await watched(2);
    good(await cluster.orders.drain(0, { by: 'root@a', reason: 'kernel', deadlineS: 60 }));
    const at = cluster.clock.utc();
    const admin = { order: 'drain', by: 'root@a', reason: 'kernel', at, until: at + 60_000 } as const;
    expect(cluster.member.admin).toEqual(admin);
    expect(cluster.store.fleet.loadNodes()[0]?.admin).toEqual(admin);
    expect(await detailsOf(cluster, 'node.drain')).toEqual([
      { by: 'root@a', reason: 'kernel', until: at + 60_000, from: 'ready', calls: 2 },
    ]);
  });

  test('given again changes what is said with it, and is the same order all the same', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { by: 'root@a', reason: 'kernel', deadlineS: 60 }));
    const { at, until } = cluster.member.admin;
    await cluster.clock.advance(5000);
    good(await cluster.orders.drain(0, { reason: 'new kernel' }));
    expect(cluster.member.admin).toEqual({ order: 'drain', by: 'root@a', reason: 'new kernel', at, until });
    good(await cluster.orders.drain(0, { deadlineS: null }));
    expect(cluster.member.admin.until).toBeNull();
  });

  test('takes nothing over from another order before it', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { by: 'root@a', reason: 'kernel', deadlineS: 60 }));
    good(cluster.orders.maint(0, {}));
    expect(cluster.member.admin).toMatchObject({ order: 'maint', by: '', reason: '', until: null });
    good(await cluster.orders.ready(0, { by: 'x' }));
    expect(cluster.member.admin).toMatchObject({ order: 'ready', by: 'x', until: null });
    expect(cluster.member.verdict('new')).toBe('yes');
  });

  test('that takes the last node for new calls out of its set stands, with a warning', async () => {
    const { orders } = await watched();
    expect(good(await orders.drain(0, {})).warning).toBeNull();
    expect(good(orders.maint(1, {})).warning).toBe('no node of set 0 takes new calls any more');
    expect(good(await orders.drain(0, {})).warning).toBe('no node of set 0 takes new calls any more');
  });

  test('to nobody, or to be over in the past, is refused', async () => {
    const cluster = await watched();
    expect(await cluster.orders.drain(7, {})).toMatchObject({ code: 'RTPC_NODE_UNKNOWN' });
    expect(cluster.orders.maint(0, { until: cluster.clock.utc() })).toMatchObject({
      code: 'RTPC_BAD_PARAMETER',
    });
    expect(cluster.member.order).toBe('ready');
  });

  test('that cannot be written is refused, and nothing is told', async () => {
    const cluster = await watched();
    cluster.open.database.run('PRAGMA query_only = 1');
    expect(await cluster.orders.drain(0, { tellRelay: true })).toMatchObject({ code: 'RTPC_NOT_DURABLE' });
    expect([cluster.member.order, cluster.monitor(0).limits]).toEqual(['ready', []]);
    cluster.open.database.run('PRAGMA query_only = 0');
  });
});

describe('a draining node', () => {
  test('is drained when its last call ends, which is told once', async () => {
    const cluster = await watched(2);
    good(await cluster.orders.drain(0, { by: 'b', reason: 'r' }));
    await cluster.clock.advance(10_000);
    cluster.end('c0');
    await cluster.clock.advance(10_000);
    expect(cluster.drainEnds).toEqual([]);
    cluster.end('c1');
    await cluster.clock.advance(1000);
    expect(cluster.drainEnds).toMatchObject([
      { event: 'drained', node: { id: 0 }, calls: 0, by: 'b', reason: 'r' },
    ]);
    expect(cluster.orders.progressOf(cluster.member)?.isDrained).toBe(true);
    await cluster.clock.advance(20_000);
    expect(await detailsOf(cluster, 'node.drained')).toEqual([
      { by: 'b', reason: 'r', took_s: 21, others_sessions: 0 },
    ]);
    expect(cluster.drainEnds).toHaveLength(1);
  });

  test('without calls is drained only after offers that were under way have ended', async () => {
    const cluster = await watched();
    cluster.clock.now += 999 - (cluster.clock.now % 1000);
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(BUDGET_MS - 100);
    expect(cluster.drainEnds).toEqual([]);
    await cluster.clock.advance(2000);
    expect(cluster.drainEnds).toHaveLength(1);
  });

  test('that gets a call again, its set being in panic, is not drained a second time', async () => {
    const cluster = await watched();
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(3000);
    cluster.calls.add(makeCall('late'));
    await cluster.clock.advance(3000);
    cluster.end('late');
    await cluster.clock.advance(3000);
    expect(cluster.drainEnds).toHaveLength(1);
  });

  test('is drained again by another order', async () => {
    const cluster = await watched();
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(3000);
    good(await cluster.orders.ready(0, {}));
    await cluster.clock.advance(3000);
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(3000);
    expect(cluster.drainEnds).toHaveLength(2);
  });

  test('that was told to be drained is not told so again after a restart of the program', async () => {
    const cluster = await watched();
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(3000);
    const ends = await restarted(cluster);
    await cluster.clock.advance(5000);
    expect(ends).toEqual([]);
    expect(await detailsOf(cluster, 'node.drained')).toHaveLength(1);
  });

  test('that becomes empty after a restart of the program is told then', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, {}));
    await cluster.clock.advance(3000);
    const ends = await restarted(cluster);
    await cluster.clock.advance(5000);
    cluster.end('c0');
    await cluster.clock.advance(1000);
    expect(ends).toHaveLength(1);
  });

  test('comes into maintenance when its time is over, and its calls go on', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { by: 'b', reason: 'r', deadlineS: 60 }));
    await cluster.clock.advance(59_000);
    expect(cluster.member.order).toBe('drain');
    await cluster.clock.advance(2000);
    expect(cluster.member.admin).toMatchObject({ order: 'maint', by: 'deadline', reason: 'r', until: null });
    expect(cluster.calls.get('c0')).toBeDefined();
    expect(await detailsOf(cluster, 'node.drain_deadline')).toEqual([{ by: 'b', reason: 'r', calls: 1 }]);
    expect(cluster.drainEnds).toMatchObject([{ event: 'deadline', calls: 1, by: 'b' }]);
    await cluster.clock.advance(60_000);
    expect(cluster.drainEnds).toHaveLength(1);
  });

  test('whose time is over while nothing can be written is tried again', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { deadlineS: 5 }));
    await cluster.clock.advance(1000);
    cluster.open.database.run('PRAGMA query_only = 1');
    await cluster.clock.advance(10_000);
    expect([cluster.member.order, cluster.drainEnds]).toEqual(['drain', []]);
    cluster.open.database.run('PRAGMA query_only = 0');
    await cluster.clock.advance(2000);
    expect(cluster.member.order).toBe('maint');
    expect(cluster.drainEnds).toHaveLength(1);
  });

  test('tells how many calls are left, how fast they end and when the last one will', async () => {
    const cluster = await watched(30);
    good(await cluster.orders.drain(0, {}));
    expect(cluster.orders.progressOf(cluster.member)).toEqual({
      callsLeft: 30,
      perMinute: null,
      etaS: null,
      isDrained: false,
    });
    // One each 6 s.
    for (let index = 0; index < 10; index++) {
      await cluster.clock.advance(6000);
      cluster.end(`c${index}`);
    }
    const { callsLeft, perMinute, etaS } = cluster.orders.progressOf(cluster.member) ?? {};
    expect(callsLeft).toBe(20);
    expect(perMinute).toBeWithin(9.9, 10.6);
    expect(etaS).toBeWithin(113, 123);
    expect(cluster.orders.progressOf(cluster.fleet.list()[1] ?? cluster.member)).toBeNull();
  });

  test('that is removed says nothing more', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { deadlineS: 5, tellRelay: true }));
    expect(cluster.roster.remove(0)).toEqual({ calls: 1 });
    await cluster.clock.advance(10_000);
    cluster.end('c0');
    cluster.fleet.forgetRemoved(() => false);
    await cluster.clock.advance(10_000);
    expect(cluster.drainEnds).toEqual([]);
    expect(await detailsOf(cluster, 'node.limit_failed')).toMatchObject([
      { reason: expect.stringContaining('restart it, or set its limit yourself') },
    ]);
  });
});

describe('a maintenance', () => {
  test('that lasts longer than was said is told once for each date, a restart notwithstanding', async () => {
    const cluster = await watched();
    good(cluster.orders.maint(0, { by: 'b', reason: 'r', until: cluster.clock.utc() + 5000 }));
    await cluster.clock.advance(4000);
    expect(await detailsOf(cluster, 'node.maint_overdue')).toEqual([]);
    await cluster.clock.advance(5000);
    await restarted(cluster);
    await cluster.clock.advance(5000);
    expect(await detailsOf(cluster, 'node.maint_overdue')).toHaveLength(1);
    expect(cluster.member.order).toBe('maint');
    good(cluster.orders.maint(0, { until: cluster.clock.utc() + 5000 }));
    await cluster.clock.advance(9000);
    expect(await detailsOf(cluster, 'node.maint_overdue')).toHaveLength(2);
  });
});

describe('events that cannot be read', () => {
  test('hold up no order: what has become of it counts as news, and the next ticks go on', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { by: 'b', reason: 'r' }));
    good(cluster.orders.maint(1, { until: cluster.clock.utc() + 2000 }));
    await cluster.clock.advance(2000);
    const list = spyOn(cluster.store.events, 'list').mockImplementation(() => unreadable(cluster.open));
    cluster.end('c0');
    await cluster.clock.advance(5000);
    list.mockRestore();
    expect(cluster.drainEnds).toMatchObject([{ event: 'drained', node: { id: 0 } }]);
    expect(await detailsOf(cluster, 'node.drained')).toHaveLength(1);
    expect(await detailsOf(cluster, 'node.maint_overdue')).toHaveLength(1);
  });
});
