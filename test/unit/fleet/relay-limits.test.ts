import { describe, expect, test } from 'bun:test';
import { fails } from '../../fakes/driver.ts';
import { detailsOf, good, restarted, watched } from './watched.ts';

describe('a relay that is told', () => {
  test.each([null, 500])('takes no new calls, and has its limit of %p back with "ready"', async (before) => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.sessionLimit = before;
    expect(good(await cluster.orders.drain(0, { tellRelay: true })).warning).toBeNull();
    expect([relay.sessionLimit, cluster.store.fleet.loadNodes()[0]?.limited]).toEqual([0, { before }]);
    expect(good(await cluster.orders.drain(0, { tellRelay: true })).warning).toBeNull();
    expect(good(await cluster.orders.ready(0, {})).warning).toBeNull();
    expect([relay.sessionLimit, cluster.store.fleet.loadNodes()[0]?.limited]).toEqual([before, null]);
    expect(await detailsOf(cluster, 'node.limit_restored')).toEqual([{ limit: before }]);
  });

  test('but refuses: the order stands, with a warning', async () => {
    const cluster = await watched(1);
    cluster.monitor(0).next('limit', fails('rejected'));
    const { warning } = good(await cluster.orders.drain(0, { tellRelay: true }));
    expect(warning).toBe('the relay was not told to take no new calls: the relay says rejected');
    expect([cluster.member.order, cluster.member.limited]).toEqual(['drain', null]);
    await cluster.clock.advance(30_000);
    expect(cluster.monitor(0).count('limit')).toBe(1);
    expect(await detailsOf(cluster, 'node.limit_failed')).toHaveLength(1);
  });

  test('but is silent: the order stands, with a warning, and it is told again until it answers', async () => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.sessionLimit = 500;
    relay.always('limit', fails('silent'));
    const { warning } = good(await cluster.orders.drain(0, { tellRelay: true }));
    expect(warning).toContain('did not say whether it takes no new calls now: the relay says silent');
    expect(cluster.member.order).toBe('drain');
    await cluster.clock.advance(25_000);
    expect(relay.count('limit')).toBeWithin(2, 5);
    relay.always('limit', undefined);
    await cluster.clock.advance(10_000);
    expect([relay.sessionLimit, cluster.member.limited]).toEqual([0, { before: 500 }]);
    expect(await detailsOf(cluster, 'node.limit_failed')).toHaveLength(1);
  });

  test.each([
    ['had obeyed takes calls again', 0, null],
    ['had not obeyed keeps its limit', 500, 500],
  ])('and was silent but %s after "ready"', async (_, limit, after) => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.next('limit', fails('silent'));
    good(await cluster.orders.drain(0, { tellRelay: true }));
    relay.sessionLimit = limit;
    good(await cluster.orders.ready(0, {}));
    expect([relay.sessionLimit, cluster.member.limited]).toEqual([after, null]);
  });

  test('and cannot be told of "ready" is told as soon as it answers, after a restart of the program too', async () => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.sessionLimit = 500;
    good(await cluster.orders.drain(0, { tellRelay: true }));
    relay.always('limit', fails('unreachable'));
    const { warning } = good(await cluster.orders.ready(0, {}));
    expect(warning).toContain('still takes no new calls: the relay says unreachable; tried again every 10 s');
    expect([cluster.member.order, cluster.member.limited]).toEqual(['ready', { before: 500 }]);
    await restarted(cluster);
    await cluster.clock.advance(25_000);
    expect(relay.sessionLimit).toBe(0);
    expect(relay.count('limit')).toBeWithin(4, 7);
    relay.always('limit', undefined);
    await cluster.clock.advance(10_000);
    expect([relay.sessionLimit, cluster.member.limited]).toEqual([500, null]);
    expect(await detailsOf(cluster, 'node.limit_restored')).toHaveLength(1);
    expect(await detailsOf(cluster, 'node.limit_failed')).toHaveLength(1);
  });

  test('and restarts is told again, and gets back the limit it came up with', async () => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.sessionLimit = 500;
    good(await cluster.orders.drain(0, { tellRelay: true }));
    await cluster.clock.advance(5000);
    relay.restart();
    relay.sessionLimit = 800;
    const bornAt = cluster.clock.now;
    relay.statisticsNow = {
      get uptimeS() {
        return (cluster.clock.now - bornAt) / 1000;
      },
    };
    await cluster.clock.advance(15_000);
    expect([relay.sessionLimit, cluster.member.limited]).toEqual([0, { before: 800 }]);
    const asked = relay.count('limit');
    await cluster.clock.advance(60_000);
    expect(relay.count('limit')).toBe(asked);
    good(await cluster.orders.ready(0, {}));
    expect(relay.sessionLimit).toBe(800);
  });

  test('keeps a limit that somebody else set meanwhile', async () => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    good(await cluster.orders.drain(0, { tellRelay: true }));
    relay.sessionLimit = 20;
    good(await cluster.orders.ready(0, {}));
    expect([relay.sessionLimit, cluster.member.limited]).toEqual([20, null]);
  });

  test('keeps its limit through the end of the drain and a maintenance', async () => {
    const cluster = await watched(1);
    good(await cluster.orders.drain(0, { tellRelay: true, deadlineS: 3 }));
    await cluster.clock.advance(30_000);
    expect([cluster.member.order, cluster.monitor(0).sessionLimit]).toEqual(['maint', 0]);
    good(await cluster.orders.ready(0, {}));
    expect(cluster.monitor(0).sessionLimit).toBeNull();
  });

  test('is given one order after the other, however fast they come', async () => {
    const cluster = await watched(1);
    const relay = cluster.monitor(0);
    relay.sessionLimit = 500;
    relay.next('limit', 300);
    const drained = cluster.orders.drain(0, { tellRelay: true });
    const ready = cluster.orders.ready(0, {});
    await cluster.clock.advance(1000);
    await Promise.all([drained, ready]);
    await cluster.clock.advance(2000);
    expect([cluster.member.order, relay.sessionLimit, cluster.member.limited]).toEqual(['ready', 500, null]);
  });
});
