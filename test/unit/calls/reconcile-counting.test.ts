/** Our calls against a node that names no calls but counts its sessions, as rtpproxy does. */

import { describe, expect, test } from 'bun:test';
import { makeNode, RECONCILE_MS } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { events, live, memberOf, reconcile, start } from './reconciling.ts';

/** Node 0 has calls of ours a and b with 2 and 3 sessions, of its `sessions` in all; `missing` it has lost. */
async function counting(sessions: number, missing: readonly string[] = []) {
  const cluster = start({ nodes: [makeNode(0, { kind: 'rtpproxy' })] });
  cluster.monitor(0).always('list', fails('rejected'));
  cluster.monitor(0).statisticsNow = { uptimeS: null, sessions };
  const calls = [
    await live(cluster, 'a', { sessions: 2, memo: 'memo of a' }, !missing.includes('a')),
    await live(cluster, 'b', { sessions: 3 }, !missing.includes('b')),
  ];

  return { cluster, calls };
}

/** The same, when the turn of node 0 has come once. */
async function scheduled(sessions: number, missing: readonly string[] = []) {
  const { cluster, calls } = await counting(sessions, missing);
  cluster.reconcile.start();
  await cluster.clock.advance(RECONCILE_MS / 2 + 1000);
  expect(cluster.reconcile.counters).toMatchObject({ runs: 1, failed: 0 });

  return { cluster, calls, ends: calls.map(({ endReason }) => endReason) };
}

describe('when its turn has come', () => {
  test.each([5, 6, 1000])(
    'a node with %d sessions, no fewer than our 5, is asked for no call',
    async (sessions) => {
      const { cluster, ends } = await scheduled(sessions, ['a', 'b']);
      expect(cluster.relay(0).queries).toEqual([]);
      expect(ends).toEqual([null, null]);
      expect(cluster.reconcile.foreignCalls(0)).toBe(sessions - 5);
      expect(await cluster.events()).not.toContain('node.reconciled');
    },
  );

  test('a node with fewer sessions than ours is asked for every call, and those it lost end', async () => {
    const { cluster, ends } = await scheduled(4, ['b']);
    expect(cluster.relay(0).queries).toMatchObject([{ callId: 'a', memo: 'memo of a' }, { callId: 'b' }]);
    expect(ends).toEqual([null, 'lost']);
    await cluster.events();
    expect(events(cluster, 'call.lost')).toMatchObject([{ callId: 'b', detail: { cause: 'reconcile' } }]);
    expect(cluster.calls.sessionsOn(0)).toBe(2);
    expect(cluster.reconcile.foreignCalls(0)).toBe(2);
  });

  test('a node that has fewer sessions than ours but knows every call keeps them all', async () => {
    const { cluster, ends } = await scheduled(1);
    expect(cluster.relay(0).queries).toHaveLength(2);
    expect(ends).toEqual([null, null]);
    expect(cluster.reconcile.foreignCalls(0)).toBe(0);
  });

  test('a node whose list did not come, or cannot be read, is asked for every call all the same', async () => {
    for (const kind of ['silent', 'garbled'] as const) {
      const { cluster, calls } = await counting(1000, ['b']);
      cluster.monitor(0).always('list', fails(kind));
      cluster.reconcile.start();
      await cluster.clock.advance(RECONCILE_MS / 2 + 1000);
      expect(cluster.relay(0).queries).toHaveLength(2);
      expect(calls.map(({ endReason }) => endReason)).toEqual([null, 'lost']);
      expect(cluster.reconcile.foreignCalls(0)).toBe(0);
    }
  });
});

describe('somebody who wants it', () => {
  test('has every call asked for, however many sessions the node has', async () => {
    const { cluster, calls } = await counting(1000, ['b']);
    expect(await reconcile(cluster, 0, 100)).toMatchObject({
      asked: 2,
      kept: 1,
      lost: 1,
      strays: 0,
      unsure: 0,
    });
    expect(calls.map(({ endReason }) => endReason)).toEqual([null, 'lost']);
  });

  test('is told how many sessions the node has above ours', async () => {
    const { cluster } = await counting(12);
    expect(await reconcile(cluster, 0, 100)).toMatchObject({ kept: 2, foreign: 7 });
    expect(cluster.reconcile.foreignCalls(0)).toBe(7);
  });

  test('is told of those of others too while the node has fewer than we thought ours to be', async () => {
    const { cluster } = await counting(3, ['a', 'b']);
    expect(await reconcile(cluster, 0, 100)).toMatchObject({ lost: 2, foreign: 3 });
  });
});

test('after a restart of its relay it is asked for every call, though others have as many sessions there by now', async () => {
  const { cluster, calls } = await counting(1000, ['b']);
  cluster.reconcile.start();
  cluster.reconcile.restarted(memberOf(cluster));
  await cluster.clock.advance(1000);
  expect(cluster.relay(0).queries.map(({ callId }) => callId)).toEqual(['a', 'b']);
  expect(calls.map(({ endReason }) => endReason)).toEqual([null, 'lost']);
  await cluster.events();
  expect(events(cluster, 'node.reconciled')).toMatchObject([
    { detail: { cause: 'restart', kept: 1, lost: 1 } },
  ]);
});
