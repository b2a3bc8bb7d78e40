/** Our calls against those of a node: what was lost, what was left there, what is none of our business. */

import { describe, expect, test } from 'bun:test';
import { newCanary, newProbe } from '../../../src/relay/checks.ts';
import { type Cluster, makeNode, RECONCILE_MS } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { events, finished, live, memberOf, reconcile, start } from './reconciling.ts';

describe('calls of ours', () => {
  test('stay if the node lists them, and the node is asked nothing else', async () => {
    const cluster = start();
    for (const id of ['a', 'b']) await live(cluster, id);
    expect(await reconcile(cluster)).toMatchObject({ asked: 2, kept: 2, lost: 0, strays: 0, foreign: 0 });
    expect(cluster.asked()).toEqual([]);
  });

  test('end with an event if the node neither lists them nor knows them when asked', async () => {
    const cluster = start();
    const [gone, kept] = [await live(cluster, 'gone', {}, false), await live(cluster, 'kept')];
    expect(await reconcile(cluster)).toMatchObject({ asked: 2, kept: 1, lost: 1, unsure: 0 });
    expect([gone.state, gone.endReason, kept.state]).toEqual(['ended', 'lost', 'confirmed']);
    await cluster.events();
    expect(events(cluster, 'call.lost')).toMatchObject([
      { callId: 'gone', nodeId: 0, detail: { cause: 'reconcile' } },
    ]);
    expect(events(cluster, 'node.reconciled')).toMatchObject([
      { nodeId: 0, detail: { cause: 'demand', lost: 1 } },
    ]);
  });

  test('stay if the list does not name them but the node knows them', async () => {
    const cluster = start();
    const call = await live(cluster, 'c1');
    cluster.monitor(0).calls = new Set();
    expect(await reconcile(cluster)).toMatchObject({ kept: 1, lost: 0 });
    expect(call.state).toBe('confirmed');
  });

  test.each(['silent', 'garbled', 'rejected', 'busy', 'unreachable', 'refused'] as const)(
    'stay, as unsure, if the node answers the question for them with "%s"',
    async (kind) => {
      const cluster = start();
      const call = await live(cluster, 'c1', {}, false);
      cluster.relay(0).next('query', fails(kind));
      expect(await reconcile(cluster)).toMatchObject({ asked: 1, kept: 0, lost: 0, unsure: 1 });
      expect(call.state).toBe('confirmed');
    },
  );

  test('on other nodes, or on none yet, are not touched', async () => {
    const cluster = start();
    const other = await live(cluster, 'other', { nodeId: 1 }, false);
    const announced = await live(cluster, 'announced', { nodeId: null, state: 'announced' });
    expect(await reconcile(cluster)).toMatchObject({ asked: 0 });
    expect([other.state, announced.state]).toEqual(['confirmed', 'announced']);
  });

  test('of which a request is under way are left to it', async () => {
    const cluster = start();
    const call = await live(cluster, 'c1', {}, false);
    cluster.relay(0).next('query', 'never');
    const query = cluster.requests.query('c1');
    expect(await reconcile(cluster)).toMatchObject({ asked: 1, unsure: 1 });
    expect(call.state).toBe('confirmed');
    await cluster.clock.advance(1000);
    await query;
  });

  test('are asked for 20 at a time when many are missing', async () => {
    const cluster = start();
    for (let i = 0; i < 50; i++) await live(cluster, `c${i}`, {}, false);
    const gates = Array.from({ length: 50 }, () => Promise.withResolvers<ReturnType<typeof fails>>());
    cluster.relay(0).next('query', ...gates.map(({ promise }) => promise));
    const run = cluster.reconcile.run(memberOf(cluster));
    for (let i = 0; i < 5; i++) await cluster.clock.advance(0);
    expect(cluster.relay(0).queries.length).toBe(20);
    for (const { resolve } of gates) resolve(fails('unknown-call'));
    expect(await finished(cluster, run)).toMatchObject({ lost: 50 });
  });

  test('of a node that goes down in the middle are left alone, and not asked for', async () => {
    const cluster = start();
    for (let i = 0; i < 50; i++) await live(cluster, `c${i}`, {}, false);
    const gate = Promise.withResolvers<ReturnType<typeof fails>>();
    cluster.relay(0).always('query', gate.promise);
    const run = cluster.reconcile.run(memberOf(cluster));
    for (let i = 0; i < 5; i++) await cluster.clock.advance(0);
    const member = memberOf(cluster);
    member.opinion = { ...member.opinion, health: 'down' };
    gate.resolve(fails('silent'));
    expect(await finished(cluster, run)).toMatchObject({ asked: 50, lost: 0, unsure: 50 });
    expect(cluster.relay(0).queries.length).toBe(20);
  });
});

describe('while a node is asked for a call', () => {
  /** A call the node will say it does not know, when the test lets it. */
  async function asked(cluster: Cluster) {
    const call = await live(cluster, 'c1', {}, false);
    const gate = Promise.withResolvers<ReturnType<typeof fails>>();
    cluster.relay(0).next('query', gate.promise);
    const run = cluster.reconcile.run(memberOf(cluster));
    for (let i = 0; i < 3; i++) await cluster.clock.advance(1);
    expect(cluster.relay(0).queries.length).toBe(1);

    return {
      call,
      async answer() {
        gate.resolve(fails('unknown-call'));

        return finished(cluster, run);
      },
    };
  }

  test('the call may end: it keeps the reason it has', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    await cluster.ledger.end(call, 'bye');
    expect(await answer()).toMatchObject({ asked: 0, lost: 0, unsure: 0 });
    expect(call.endReason).toBe('bye');
  });

  test('the call may move to another node: it stays', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    cluster.calls.bind(call, 1);
    expect(await answer()).toMatchObject({ asked: 0, lost: 0 });
    expect(call.state).toBe('confirmed');
  });

  test('the call may be made anew under the same Call-ID: the new one stays', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    await cluster.ledger.end(call, 'busy');
    const again = await live(cluster, 'c1');
    expect(await answer()).toMatchObject({ asked: 0, lost: 0 });
    expect(again.state).toBe('confirmed');
  });

  test('there may be news of the call: they count more than the answer', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    await cluster.clock.advance(5);
    call.updatedAt = cluster.clock.utc();
    expect(await answer()).toMatchObject({ lost: 0, unsure: 1 });
    expect(call.state).toBe('confirmed');
  });

  test('a request of the call may begin: it is left to it', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    cluster.relay(0).next('query', 'never');
    const query = cluster.requests.query('c1');
    expect(await answer()).toMatchObject({ lost: 0, unsure: 1 });
    expect(call.state).toBe('confirmed');
    await cluster.clock.advance(1000);
    await query;
  });

  test('the node may get another socket: what the old one says proves nothing', async () => {
    const cluster = start();
    const { call, answer } = await asked(cluster);
    cluster.fleet.put([makeNode(0, { socket: 'udp:127.0.0.1:9999' })]);
    expect(await answer()).toMatchObject({ lost: 0 });
    expect(call.state).toBe('confirmed');
  });
});

describe('a node that cannot list all its calls', () => {
  test.each([
    ['a list as long as the limit', undefined],
    ['no list at all', fails('rejected')],
    ['a list that cannot be read', fails('garbled')],
    ['a list that never comes', 'never'],
  ] as const)('%s makes nobody lost who is there when asked', async (_, reply) => {
    const cluster = start();
    await live(cluster, 'there');
    const gone = await live(cluster, 'gone', {}, false);
    if (reply === undefined) {
      cluster.monitor(0).next('list', fails('too-large'));
      cluster.monitor(0).calls = new Set(Array.from({ length: 1000 }, (_, i) => `other${i}`));
    } else cluster.monitor(0).always('list', reply);
    expect(await reconcile(cluster, 0, 100)).toMatchObject({ asked: 2, kept: 1, lost: 1 });
    expect(gone.endReason).toBe('lost');
  });

  test('is asked for each call, 200 a second', async () => {
    const cluster = start();
    cluster.monitor(0).always('list', fails('rejected'));
    for (let i = 0; i < 100; i++) await live(cluster, `c${i}`);
    const run = cluster.reconcile.run(memberOf(cluster));
    await cluster.clock.advance(50);
    expect(cluster.relay(0).queries.length).toBe(20);
    await cluster.clock.advance(200);
    expect(cluster.relay(0).queries.length).toBe(60);
    expect(await finished(cluster, run, 100)).toMatchObject({ kept: 100, took_ms: 500 });
  });

  test('still shows strays among those it lists', async () => {
    const cluster = start();
    cluster.monitor(0).next('list', fails('too-large'));
    const over = await live(cluster, 'over');
    await cluster.ledger.end(over, 'bye');
    await cluster.clock.advance(6000);
    expect(await reconcile(cluster)).toMatchObject({ strays: 1 });
  });
});

describe('other calls on the node', () => {
  test('that we ended are deleted', async () => {
    const cluster = start();
    await cluster.ledger.end(await live(cluster, 'over'), 'bye');
    await cluster.clock.advance(6000);
    expect(await reconcile(cluster)).toMatchObject({ strays: 1, foreign: 0 });
    await cluster.clock.advance(0);
    expect(cluster.relay(0).calls.size).toBe(0);
  });

  test('that ended so long ago that only the database knows are deleted', async () => {
    const cluster = start();
    await cluster.ledger.end(await live(cluster, 'over'), 'bye');
    await cluster.clock.advance(100_000);
    cluster.calls.forgetEnded(cluster.clock.utc());
    expect(cluster.calls.getEnded('over')).toBeUndefined();
    expect(await reconcile(cluster)).toMatchObject({ strays: 1 });
  });

  test('that ended a moment before the list may be on their way out', async () => {
    const cluster = start();
    await cluster.ledger.end(await live(cluster, 'over'), 'bye');
    await cluster.clock.advance(4000);
    expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 0 });
    expect(cluster.relay(0).deletes).toEqual([]);
  });

  test.each(['idle', 'lost', 'media timeout'])(
    'that ended as "%s", which is nobody\'s word, are left alone',
    async (reason) => {
      const cluster = start();
      await cluster.ledger.end(await live(cluster, 'back'), reason);
      await cluster.clock.advance(6000);
      expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 1 });
      expect(cluster.relay(0).calls.size).toBe(1);
    },
  );

  test.each(['cancel', '401', '407', '486', '487', 'busy'])(
    'whose INVITE ended with "%s" are left alone: another instance may have the next INVITE of that Call-ID',
    async (reason) => {
      const cluster = start();
      await cluster.ledger.end(await live(cluster, 'again', { state: 'early' }), reason);
      await cluster.clock.advance(120_000);
      expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 1 });
      expect(cluster.relay(0).calls.size).toBe(1);
      expect(cluster.strays.size).toBe(0);
    },
  );

  test('that live on another node are left alone: this may be the same relay under another name', async () => {
    const cluster = start();
    await live(cluster, 'elsewhere', { nodeId: 1 });
    cluster.relay(0).calls.add('elsewhere');
    await cluster.clock.advance(6000);
    expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 0 });
    expect([cluster.relay(0).calls.size, cluster.relay(1).calls.size]).toEqual([1, 1]);
    expect(cluster.asked()).toEqual([]);
  });

  test('of which a request is under way are left to it', async () => {
    const cluster = start();
    await live(cluster, 'moving', { nodeId: 1 });
    cluster.relay(0).calls.add('moving');
    await cluster.clock.advance(6000);
    cluster.relay(1).next('query', 'never');
    const query = cluster.requests.query('moving');
    expect(await reconcile(cluster)).toMatchObject({ strays: 0 });
    await cluster.clock.advance(1000);
    await query;
  });

  test('that are canaries left behind are deleted', async () => {
    const cluster = start();
    cluster.relay(0).calls.add(newCanary());
    expect(await reconcile(cluster)).toMatchObject({ strays: 1 });
    await cluster.clock.advance(0);
    expect(cluster.relay(0).calls.size).toBe(0);
  });

  test('that are probes are deleted if they were left behind, and left alone while they may have audio', async () => {
    const cluster = start();
    const [old, fresh] = [newProbe(cluster.clock.utc() - 120_000), newProbe(cluster.clock.utc())];
    cluster.relay(0).calls.add(old).add(fresh);
    expect(await reconcile(cluster)).toMatchObject({ strays: 1, foreign: 0 });
    await cluster.clock.advance(0);
    expect([...cluster.relay(0).calls]).toEqual([fresh]);
  });

  test('that wait to be deleted already are not counted again', async () => {
    const cluster = start();
    cluster.relay(0).always('delete', fails('unreachable')).calls.add('left');
    cluster.strays.add(0, 'left');
    expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 0 });
  });

  test('of other controllers are counted and left alone', async () => {
    const cluster = start();
    expect(cluster.reconcile.foreignCalls(0)).toBeUndefined();
    for (let i = 0; i < 130; i++) cluster.relay(0).calls.add(`theirs${i}`);
    expect(await reconcile(cluster)).toMatchObject({ strays: 0, foreign: 130 });
    expect(cluster.reconcile.foreignCalls(0)).toBe(130);
    expect(cluster.asked()).toEqual([]);
  });
});

describe('a run', () => {
  test('of a node that is down fails at once and asks nothing', async () => {
    const cluster = start();
    const member = memberOf(cluster);
    member.opinion = { ...member.opinion, health: 'down' };
    expect(await finished(cluster, cluster.reconcile.run(member))).toMatchObject({
      code: 'RTPC_RELAY_SILENT',
    });
    expect(cluster.monitor(0).asked).toEqual([]);
  });

  test('of a node that does not answer fails, and no call ends', async () => {
    const cluster = start();
    const call = await live(cluster, 'c1', {}, false);
    cluster.monitor(0).all('never');
    const outcome = await finished(cluster, cluster.reconcile.run(memberOf(cluster)), 500);
    expect(outcome).toMatchObject({ code: 'RTPC_RELAY_SILENT' });
    expect(call.state).toBe('confirmed');
    expect(cluster.relay(0).queries).toEqual([]);
  });

  test('is never made twice on a node at the same time; who comes meanwhile shares one that begins later', async () => {
    const cluster = start();
    cluster.monitor(0).next('statistics', 100);
    const runs = [0, 1, 2].map(() => cluster.reconcile.run(memberOf(cluster)));
    await cluster.clock.advance(0);
    expect(cluster.monitor(0).count('statistics')).toBe(1);
    const call = await live(cluster, 'late', {}, false);
    const reports = await finished(cluster, Promise.all(runs), 10);
    expect(cluster.reconcile.counters.runs).toBe(2);
    expect(reports).toMatchObject([{ lost: 0 }, { lost: 1 }, { lost: 1 }]);
    expect(call.endReason).toBe('lost');
  });

  test('comes to each node in its time, and leaves no event if it finds nothing', async () => {
    const cluster = start();
    await live(cluster, 'c1');
    cluster.reconcile.start();
    await cluster.clock.advance(RECONCILE_MS / 2 - 1000);
    expect(cluster.reconcile.counters.runs).toBe(0);
    await cluster.clock.advance(2000);
    expect(cluster.reconcile.counters.runs).toBe(2);
    await cluster.clock.advance(RECONCILE_MS);
    expect(cluster.reconcile.counters.runs).toBe(4);
    expect(await cluster.events()).not.toContain('node.reconciled');
    cluster.reconcile.stop();
    await cluster.clock.advance(2 * RECONCILE_MS);
    expect(cluster.reconcile.counters.runs).toBe(4);
  });

  test('that is due while the node is down is made when it is back', async () => {
    const cluster = start();
    const member = memberOf(cluster);
    cluster.reconcile.start();
    member.opinion = { ...member.opinion, health: 'down' };
    await cluster.clock.advance(RECONCILE_MS);
    expect(cluster.monitor(0).asked).toEqual([]);
    member.opinion = { ...member.opinion, health: 'rising' };
    await cluster.clock.advance(500);
    expect(cluster.monitor(0).count('list')).toBe(1);
  });
});

describe('after a restart of a relay', () => {
  /** From now on the relay's uptime grows. */
  function boot({ clock, monitor }: Cluster, id: number, uptimeS = 0): void {
    const bootedAt = clock.now - uptimeS * 1000;
    monitor(id).statisticsNow = {
      get uptimeS() {
        return Math.floor((clock.now - bootedAt) / 1000);
      },
    };
  }

  /** A watched cluster with two calls on node 0, some time after its start. */
  async function running() {
    const cluster = start({ isWatched: true });
    for (const { id } of cluster.fleet.all()) boot(cluster, id, 1000);
    cluster.reconcile.start();
    await cluster.clock.advance(30_000);
    const calls = [await live(cluster, 'a'), await live(cluster, 'b')];

    return { cluster, calls };
  }

  test('calls it does not have any more end with an event within seconds', async () => {
    const { cluster, calls } = await running();
    cluster.relay(0).calls.clear();
    boot(cluster, 0);
    await cluster.clock.advance(12_000);
    expect(calls.map(({ endReason }) => endReason)).toEqual(['lost', 'lost']);
    await cluster.events();
    expect(events(cluster, 'call.lost')).toMatchObject([
      { callId: 'a', detail: { cause: 'restart' } },
      { callId: 'b', detail: { cause: 'restart' } },
    ]);
    expect(events(cluster, 'node.reconciled')).toMatchObject([{ detail: { cause: 'restart', lost: 2 } }]);
  });

  test('calls it still has, thanks to its own store, stay', async () => {
    const { cluster, calls } = await running();
    cluster.relay(0).calls.delete('b');
    boot(cluster, 0);
    await cluster.clock.advance(12_000);
    expect(calls.map(({ state }) => state)).toEqual(['confirmed', 'ended']);
  });

  test('one that happens during a run is followed by a run of its own', async () => {
    const { cluster, calls } = await running();
    cluster.monitor(0).next('list', 200);
    const run = cluster.reconcile.run(memberOf(cluster));
    await cluster.clock.advance(100);
    cluster.reconcile.restarted(memberOf(cluster));
    cluster.relay(0).calls.delete('a');
    cluster.relay(0).next('query', fails('silent'));
    await finished(cluster, run, 100);
    await cluster.clock.advance(1000);
    expect(calls.map(({ state }) => state)).toEqual(['ended', 'confirmed']);
    await cluster.events();
    expect(events(cluster, 'node.reconciled').map(({ detail }) => detail.cause)).toEqual([
      'demand',
      'restart',
    ]);
  });

  test('a run that fails is repeated until it has been looked into', async () => {
    const { cluster, calls } = await running();
    cluster.relay(0).calls.clear();
    cluster.monitor(0).always('statistics', fails('garbled'));
    cluster.reconcile.restarted(memberOf(cluster));
    await cluster.clock.advance(5000);
    expect(calls.map(({ state }) => state)).toEqual(['confirmed', 'confirmed']);
    cluster.monitor(0).always('statistics', undefined);
    await cluster.clock.advance(10_000);
    expect(calls.map(({ endReason }) => endReason)).toEqual(['lost', 'lost']);
  });

  test('calls nobody could tell of are asked for again ten seconds later, as after a restart', async () => {
    const { cluster, calls } = await running();
    cluster.relay(0).calls.clear();
    cluster.relay(0).next('query', fails('unknown-call'), fails('silent'));
    cluster.reconcile.restarted(memberOf(cluster));
    await cluster.clock.advance(9000);
    expect(calls.map(({ endReason }) => endReason)).toEqual(['lost', null]);
    await cluster.clock.advance(2000);
    expect(calls.map(({ endReason }) => endReason)).toEqual(['lost', 'lost']);
    await cluster.clock.advance(60_000);
    await cluster.events();
    expect(events(cluster, 'call.lost').map(({ callId, detail }) => [callId, detail.cause])).toEqual([
      ['a', 'restart'],
      ['b', 'restart'],
    ]);
    // Once each is accounted for, its turns come as usual.
    expect(events(cluster, 'node.reconciled').map(({ detail }) => detail)).toMatchObject([
      { cause: 'restart', lost: 1, unsure: 1 },
      { cause: 'restart', lost: 1, unsure: 0 },
    ]);
  });
});
