import { describe, expect, spyOn, test } from 'bun:test';
import { Strays } from '../../../src/calls/strays.ts';
import type { Health } from '../../../src/domain/state.ts';
import { type Cluster, makeCluster, phoneSdp, relayed, sip } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { flush } from '../../fakes/store.ts';

describe('calls that may be left on a node', () => {
  test('the node is told to delete at once', () => {
    const cluster = makeCluster();
    cluster.strays.add(0, 'c1');
    expect(cluster.asked()).toEqual(['0 delete']);
    expect(cluster.relay(0).deletes).toEqual([{ callId: 'c1', memo: null }]);
  });

  test('a delete that found the call settles it', async () => {
    const cluster = makeCluster();
    cluster.relay(0).calls.add('c1');
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(60_000);
    expect(cluster.asked()).toEqual(['0 delete']);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.strays.counters.settled).toBe(1);
  });

  test('"unknown call" is not believed before 2 s, because the offer itself may have been delayed', async () => {
    const cluster = makeCluster();
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(1500);
    expect(cluster.strays.size).toBe(1);
    cluster.relay(0).calls.add('c1');
    await cluster.clock.advance(1000);
    expect(cluster.relay(0).calls.size).toBe(0);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.asked()).toEqual(['0 delete', '0 delete']);
  });

  test('a silent node is told again, with pauses that double up to 30 s', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('unreachable'));
    cluster.strays.add(0, 'c1');
    const start = cluster.clock.now;
    const times: number[] = [];
    for (let passed = 0; passed < 130_000; passed += 250) {
      const before = cluster.trace.length;
      await cluster.clock.advance(250);
      if (cluster.trace.length > before) times.push(cluster.clock.now - start);
    }
    const pauses = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(30_250);
    expect(cluster.strays.size).toBe(0);
  });

  test('a delete is repeated for as long as nobody answers it, be it for days', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('unreachable')).calls.add('c1');
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(2 * 3_600_000);
    expect(cluster.strays.size).toBe(1);
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(30_250);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.relay(0).calls.size).toBe(0);
  });

  test.each(['rejected', 'unknown-call', 'refused'] as const)(
    '"%s" is an answer: the node is not told again once it is beyond doubt',
    async (kind) => {
      const cluster = makeCluster();
      cluster.relay(0).always('delete', fails(kind));
      cluster.strays.add(0, 'c1');
      await cluster.clock.advance(60_000);
      expect(cluster.asked()).toEqual(['0 delete', '0 delete']);
      expect(cluster.strays.size).toBe(0);
    },
  );

  test('a stray of a node that is gone is forgotten', async () => {
    const cluster = makeCluster();
    cluster.strays.add(7, 'c1');
    await cluster.clock.advance(0);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.asked()).toEqual([]);
  });

  test('claim waits for a delete under way, and no delete follows it', async () => {
    const cluster = makeCluster();
    const reply = Promise.withResolvers<ReturnType<typeof fails>>();
    cluster.relay(0).next('delete', reply.promise);
    cluster.strays.add(0, 'c1');
    let claimed: boolean | undefined;
    const claim = cluster.strays.claim(0, 'c1', cluster.clock.now + 300).then((safe) => {
      claimed = safe;
    });
    await cluster.clock.advance(100);
    expect(claimed).toBeUndefined();
    reply.resolve(fails('silent'));
    await claim;
    expect(claimed).toBe(true);
    await cluster.clock.advance(60_000);
    expect(cluster.asked()).toEqual(['0 delete']);
    expect(cluster.strays.size).toBe(0);
  });

  test('claim says no when the delete took until the deadline', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('delete', 'never');
    cluster.strays.add(0, 'c1');
    const claim = cluster.strays.claim(0, 'c1', cluster.clock.now + 300);
    await cluster.clock.advance(600);
    expect(await claim).toBe(false);
  });

  test('claim of another node or another call does not wait', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('delete', 'never');
    cluster.strays.add(0, 'c1');
    const deadline = cluster.clock.now + 300;
    expect(await cluster.strays.claim(1, 'c1', deadline)).toBe(true);
    expect(await cluster.strays.claim(0, 'c2', deadline)).toBe(true);
  });

  test('at most 8 deletes are under way to one node from the queue; the rest follows', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('unreachable'));
    for (let i = 0; i < 20; i++) cluster.strays.add(0, `c${i}`);
    await cluster.clock.advance(0);
    const before = cluster.trace.length;
    const gates = Array.from({ length: 20 }, () => Promise.withResolvers<{ result: string }>());
    cluster.relay(0).next('delete', ...gates.map(({ promise }) => promise));
    await cluster.clock.advance(750);
    expect(cluster.trace.length - before).toBe(8);
    for (const { resolve } of gates) resolve({ result: 'ok' });
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(10_000);
    expect(cluster.strays.size).toBe(0);
  });

  test('beyond 10,000 strays the oldest is dropped and counted', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('unreachable'));
    for (let i = 0; i <= 10_000; i++) cluster.strays.add(0, `c${i}`);
    expect(cluster.strays.size).toBe(10_000);
    expect(cluster.strays.counters.dropped).toBe(1);
    cluster.strays.stop();
  });

  test('an unsettled stray survives a restart; a settled one does not come back', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('delete', fails('silent'));
    cluster.relay(1).next('delete', fails('silent'));
    cluster.strays.add(0, 'c1');
    cluster.strays.add(1, 'c1');
    await cluster.clock.advance(100);
    cluster.relay(1).calls.add('c1');
    cluster.relay(0).always('delete', fails('silent'));
    await cluster.clock.advance(1000);
    cluster.strays.stop();
    await flush(cluster.store);
    expect(cluster.store.loadStrays().map(({ nodeId, callId }) => [nodeId, callId])).toEqual([[0, 'c1']]);

    cluster.relay(0).always('delete', undefined).calls.add('c1');
    const again = new Strays(cluster.fleet, cluster.store, cluster.clock);
    expect(again.size).toBe(1);
    await cluster.clock.advance(500);
    expect(again.size).toBe(0);
    expect(cluster.relay(0).calls.size).toBe(0);
    await flush(cluster.store);
    expect(cluster.store.loadStrays()).toEqual([]);
  });
});

describe('what the driver remembers of a stray', () => {
  test('is handed to every delete of it', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('delete', fails('silent'), fails('busy'));
    cluster.strays.add(0, 'c1', 'memo');
    await cluster.clock.advance(60_000);
    const deletes = cluster.relay(0).deletes;
    expect(deletes.length).toBeGreaterThanOrEqual(3);
    expect(deletes).toEqual(deletes.map(() => ({ callId: 'c1', memo: 'memo' })));
  });

  test('is what it remembers of the call now, in memory and on disk, when the stray is added again', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('silent'));
    cluster.strays.add(0, 'c1', 'old');
    await cluster.clock.advance(100);
    await flush(cluster.store);
    cluster.strays.add(0, 'c1', 'new');
    expect(cluster.strays.get(0, 'c1')).toMatchObject({ nodeId: 0, callId: 'c1', memo: 'new' });
    expect(cluster.strays.size).toBe(1);
    await flush(cluster.store);
    expect(cluster.store.loadStrays().map(({ callId, memo }) => [callId, memo])).toEqual([['c1', 'new']]);
    await cluster.clock.advance(1500);
    expect(cluster.relay(0).deletes.map(({ memo }) => memo)).toEqual(['old', 'new', 'new']);
  });

  test.each([
    ['found the call', { result: 'ok' }],
    ['was not answered', fails('silent')],
    ['found nothing', fails('unknown-call')],
  ])('is told anew at once if it grew while a delete was under way, even one that %s', async (_, reply) => {
    const cluster = makeCluster();
    const gate = Promise.withResolvers<typeof reply>();
    cluster.relay(0).next('delete', gate.promise).calls.add('c1');
    cluster.strays.add(0, 'c1', 'older');
    await cluster.clock.advance(2500);
    cluster.strays.add(0, 'c1', 'newer');
    gate.resolve(reply);
    await cluster.clock.advance(0);
    expect(cluster.strays.get(0, 'c1')).toMatchObject({ memo: 'newer' });
    cluster.relay(0).calls.add('c1');
    await cluster.clock.advance(250);
    expect(cluster.relay(0).deletes.map(({ memo }) => memo)).toEqual(['older', 'newer']);
    expect(cluster.strays.size).toBe(0);
  });

  test('is there after a restart of our program', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('silent'));
    cluster.strays.add(0, 'c1', 'memo');
    cluster.strays.add(0, 'c2');
    await flush(cluster.store);
    cluster.strays.stop();
    cluster.relay(0).deletes.length = 0;
    cluster.relay(0).always('delete', undefined);
    const again = new Strays(cluster.fleet, cluster.store, cluster.clock);
    await cluster.clock.advance(500);
    expect(again.size).toBe(0);
    expect(cluster.relay(0).deletes).toEqual([
      { callId: 'c1', memo: 'memo' },
      { callId: 'c2', memo: null },
    ]);
  });
});

describe('strays of a node that is down', () => {
  function makeDown(cluster: Cluster): void {
    setHealth(cluster, 'down');
  }

  function setHealth({ fleet }: Cluster, health: Health): void {
    const member = fleet.get(0);
    if (member === undefined) throw new Error('there is a node 0');
    member.opinion = { ...member.opinion, health };
  }

  test('wait: it is not asked', async () => {
    const cluster = makeCluster();
    makeDown(cluster);
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(120_000);
    expect(cluster.asked()).toEqual([]);
    expect(cluster.strays.has(0, 'c1')).toBe(true);
    await flush(cluster.store);
    expect(cluster.store.loadStrays().map(({ callId }) => callId)).toEqual(['c1']);
  });

  test('are told at once when it is back, all of them', async () => {
    const cluster = makeCluster();
    makeDown(cluster);
    for (let i = 0; i < 100; i++) {
      cluster.strays.add(0, `c${i}`);
      cluster.relay(0).calls.add(`c${i}`);
    }
    setHealth(cluster, 'rising');
    cluster.strays.hurry(0);
    await cluster.clock.advance(0);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.relay(0).calls.size).toBe(0);
    expect(cluster.relay(0).deletes.length).toBe(100);
  });

  test('are in doubt again when it is back: the offer may have waited in its socket', async () => {
    const cluster = makeCluster();
    makeDown(cluster);
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(60_000);
    setHealth(cluster, 'rising');
    cluster.strays.hurry(0);
    await cluster.clock.advance(100);
    expect(cluster.strays.size).toBe(1);
    cluster.relay(0).calls.add('c1');
    await cluster.clock.advance(2500);
    expect(cluster.relay(0).calls.size).toBe(0);
    expect(cluster.strays.size).toBe(0);
  });

  test('are told once more after a restart of the relay, and any answer settles them', async () => {
    const cluster = makeCluster();
    makeDown(cluster);
    cluster.strays.add(0, 'c1');
    cluster.strays.add(1, 'other');
    setHealth(cluster, 'up');
    cluster.strays.restarted(0);
    await cluster.clock.advance(0);
    expect(cluster.asked()).toEqual(['1 delete', '0 delete']);
    expect(cluster.strays.has(0, 'c1')).toBe(false);
    expect(cluster.strays.has(1, 'other')).toBe(true);
  });

  test('go on as before if it does not answer after its restart either', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('delete', fails('silent'), fails('silent'));
    cluster.strays.add(0, 'c1');
    await cluster.clock.advance(0);
    cluster.strays.restarted(0);
    await cluster.clock.advance(400);
    expect(cluster.strays.size).toBe(1);
    await cluster.clock.advance(500);
    expect(cluster.strays.size).toBe(0);
  });

  test('a Call-ID that was claimed for a new call while others are told is not deleted', async () => {
    const cluster = makeCluster();
    makeDown(cluster);
    for (let i = 0; i < 9; i++) cluster.strays.add(0, `c${i}`);
    setHealth(cluster, 'up');
    const gate = Promise.withResolvers<{ result: string }>();
    cluster.relay(0).next('delete', ...Array.from({ length: 8 }, () => gate.promise));
    cluster.strays.hurry(0);
    expect(await cluster.strays.claim(0, 'c8', cluster.clock.now + 300)).toBe(true);
    gate.resolve({ result: 'ok' });
    await cluster.clock.advance(10_000);
    expect(cluster.relay(0).deletes.filter(({ callId }) => callId === 'c8')).toEqual([]);
  });

  test('the watch tells when a node is back', async () => {
    const cluster = makeCluster({ isWatched: true });
    await cluster.clock.advance(1000);
    cluster.monitor(0).all(fails('unreachable'));
    await cluster.clock.advance(5000);
    expect(cluster.fleet.get(0)?.health).toBe('down');
    cluster.strays.add(0, 'c1');
    cluster.relay(0).calls.add('c1');
    await cluster.clock.advance(5000);
    expect(cluster.relay(0).calls.size).toBe(1);
    cluster.monitor(0).all(undefined);
    await cluster.clock.advance(2500);
    expect(cluster.relay(0).calls.size).toBe(0);
  });
});

describe('a removed node', () => {
  /** Node 0 has call c1, and was removed. */
  async function removedWithCall(): Promise<Cluster> {
    const cluster = makeCluster();
    relayed(await cluster.requests.auto(sip({ method: 'INVITE' }, phoneSdp('10.9.9.9'))));
    cluster.roster.remove(0);

    return cluster;
  }

  /** Nobody else knows node 0: not the fleet, and not the next start. */
  function isForgotten({ fleet, store }: Cluster): boolean {
    return fleet.get(0) === undefined && store.fleet.loadNodes().every(({ id }) => id !== 0);
  }

  test('whose last call ends without an answer to the delete stays until it is told', async () => {
    const cluster = await removedWithCall();
    cluster.relay(0).always('delete', 'never');
    const end = cluster.requests.delete({ callId: 'c1', reason: 'bye' });
    await cluster.clock.advance(2000);
    await end;
    expect([isForgotten(cluster), cluster.strays.has(0, 'c1')]).toEqual([false, true]);
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(30_000);
    expect(cluster.relay(0).calls.size).toBe(0);
    expect([isForgotten(cluster), cluster.strays.size]).toEqual([true, 0]);
  });

  test('without calls stays too while it has to be told something, and takes no new ones', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('silent')).calls.add('c1');
    cluster.strays.add(0, 'c1');
    cluster.roster.remove(0);
    await cluster.clock.advance(1000);
    expect(isForgotten(cluster)).toBe(false);
    expect(cluster.fleet.list().map(({ id }) => id)).toEqual([1]);
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(30_000);
    expect(cluster.relay(0).calls.size).toBe(0);
    expect(isForgotten(cluster)).toBe(true);
  });

  test('with strays stays for its calls', async () => {
    const cluster = await removedWithCall();
    cluster.strays.add(0, 'c2');
    await cluster.clock.advance(10_000);
    expect(cluster.strays.size).toBe(0);
    expect(cluster.fleet.get(0)?.removedAt).not.toBeNull();
    await cluster.requests.delete({ callId: 'c1', reason: 'bye' });
    expect(isForgotten(cluster)).toBe(true);
  });

  test('goes with the last of its strays, in one write', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('delete', fails('silent'));
    for (let i = 0; i < 50; i++) cluster.strays.add(0, `c${i}`);
    cluster.strays.add(1, 'other');
    cluster.roster.remove(0);
    const writes = spyOn(cluster.store.fleet, 'writeFleet');
    cluster.relay(0).always('delete', undefined);
    cluster.relay(1).always('delete', fails('silent'));
    await cluster.clock.advance(60_000);
    expect(isForgotten(cluster)).toBe(true);
    expect(writes).toHaveBeenCalledTimes(1);
    expect(cluster.strays.size).toBe(1);
  });

  test('whose calls last longer than an hour is told of each that ends', async () => {
    const cluster = makeCluster();
    for (const callId of ['c1', 'c2']) {
      relayed(await cluster.requests.auto(sip({ method: 'INVITE', callId }, phoneSdp('10.9.9.9'))));
    }
    cluster.roster.remove(0);
    await cluster.clock.advance(2 * 3_600_000);
    cluster.relay(0).always('delete', fails('silent'));
    await cluster.requests.delete({ callId: 'c1', reason: 'bye' });
    await cluster.clock.advance(10_000);
    expect(cluster.strays.has(0, 'c1')).toBe(true);
    cluster.relay(0).always('delete', undefined);
    await cluster.clock.advance(30_000);
    expect([...cluster.relay(0).calls]).toEqual(['c2']);
    expect(cluster.strays.counters.dropped).toBe(0);
  });

  test('that is dead is given up an hour after its removal, with all it should have been told', async () => {
    const cluster = makeCluster();
    const member = cluster.fleet.get(0);
    if (member === undefined) throw new Error('there is a node 0');
    member.opinion = { ...member.opinion, health: 'down' };
    for (let i = 0; i < 3; i++) cluster.strays.add(0, `c${i}`);
    cluster.roster.remove(0);
    const writes = spyOn(cluster.store.fleet, 'writeFleet');
    await cluster.clock.advance(3_600_000);
    expect([isForgotten(cluster), cluster.strays.size]).toEqual([false, 3]);
    await cluster.clock.advance(500);
    expect([isForgotten(cluster), cluster.strays.size]).toEqual([true, 0]);
    expect(cluster.strays.counters).toEqual({ settled: 0, dropped: 3 });
    expect(writes).toHaveBeenCalledTimes(1);
    await flush(cluster.store);
    expect(cluster.store.loadStrays()).toEqual([]);
  });
});
