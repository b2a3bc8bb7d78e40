/** Calls without news: when their node is asked, how often, and what is made of the answer. */

import { describe, expect, test } from 'bun:test';
import type { Call } from '../../../src/domain/call.ts';
import { CHECK_AFTER_MS, type Cluster, makeCluster } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { makeCall } from '../../fakes/store.ts';

/** A live call of which nothing was heard for long enough. */
function quiet({ calls, store, clock }: Cluster, callId: string, change: Partial<Call> = {}): Call {
  const call = makeCall(callId, {
    state: 'confirmed',
    updatedAt: clock.utc() - CHECK_AFTER_MS,
    ...change,
  });
  calls.add(call);
  store.noteCall(call, { isNew: true });

  return call;
}

describe('a call without news', () => {
  test.each(['early', 'confirmed'] as const)('is asked for when it is %s', async (state) => {
    const cluster = makeCluster();
    const call = quiet(cluster, 'c1', { state });
    cluster.checkup.consider(call);
    await cluster.clock.advance(0);
    expect(call.endReason).toBe('lost');
    await cluster.events();
    const event = cluster.store.events.list(1000, null).find(({ kind }) => kind === 'call.lost');
    expect(event).toMatchObject({ callId: 'c1', nodeId: 0, detail: { cause: 'no-news' } });
  });

  test('is asked for again after another period only, whatever the node said', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('query', fails('garbled'));
    const call = quiet(cluster, 'c1');
    cluster.relay(0).calls.add('c1');
    for (let passed = 0; passed < 2.5 * CHECK_AFTER_MS; passed += 10_000) {
      cluster.checkup.consider(call);
      await cluster.clock.advance(10_000);
    }
    expect(cluster.relay(0).queries.length).toBe(3);
    expect(call.state).toBe('confirmed');
  });

  test('is not asked for when it has just been seen on its node', async () => {
    const cluster = makeCluster();
    const call = quiet(cluster, 'c1');
    cluster.checkup.note(call);
    cluster.checkup.consider(call);
    await cluster.clock.advance(0);
    expect(cluster.asked()).toEqual([]);
  });

  test('is not asked for while there is news, while its node is down, or before it has one', async () => {
    const cluster = makeCluster();
    const member = cluster.fleet.get(1);
    if (member === undefined) throw new Error('there is a node 1');
    member.opinion = { ...member.opinion, health: 'down' };
    cluster.checkup.consider(quiet(cluster, 'news', { updatedAt: cluster.clock.utc() - 1000 }));
    cluster.checkup.consider(quiet(cluster, 'down', { nodeId: 1 }));
    cluster.checkup.consider(quiet(cluster, 'announced', { nodeId: null, state: 'announced' }));
    await cluster.clock.advance(0);
    expect(cluster.asked()).toEqual([]);
    expect(cluster.calls.size).toBe(3);
  });

  test('waits while 8 others are asked for', async () => {
    const cluster = makeCluster();
    cluster.relay(0).always('query', 'never');
    const calls = Array.from({ length: 20 }, (_, i) => quiet(cluster, `c${i}`));
    await cluster.clock.advance(900);
    for (let turn = 0; turn < 8; turn++) {
      for (const call of calls) cluster.checkup.consider(call);
      await cluster.clock.advance(100);
    }
    expect(cluster.relay(0).queries.length).toBe(8);
  });

  test('is one of 20 a second at most', async () => {
    const cluster = makeCluster();
    const calls = Array.from({ length: 100 }, (_, i) => quiet(cluster, `c${i}`));
    for (const call of calls) cluster.relay(0).calls.add(call.callId);
    for (let turn = 0; turn < 15; turn++) {
      for (const call of calls) cluster.checkup.consider(call);
      await cluster.clock.advance(200);
    }
    expect(cluster.relay(0).queries.length).toBeWithin(50, 62);
  });
});
