/** What the driver of a node wants remembered of a call, and the sessions the node has for it. */

import { describe, expect, spyOn, test } from 'bun:test';
import { CallTable } from '../../../src/calls/call-table.ts';
import type { AnswerFacts, OfferFacts } from '../../../src/calls/facts.ts';
import type { DeleteResult } from '../../../src/relay/driver.ts';
import { settle } from '../../fakes/clock.ts';
import { type Cluster, failed, makeCluster, phoneSdp, relayed } from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';
import { flush } from '../../fakes/store.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9');

function offer(changes: Partial<OfferFacts> = {}): OfferFacts {
  return {
    callId: 'c1',
    fromTag: 'A',
    sdp: CALLER,
    direction: { from: 'inner', to: 'outer' },
    isInDialog: false,
    extra: {},
    ...changes,
  };
}

const REOFFER = offer({ toTag: 'B', isInDialog: true });
const ANSWER: AnswerFacts = {
  callId: 'c1',
  fromTag: 'A',
  toTag: 'B',
  sdp: CALLEE,
  isFinal: true,
  extra: {},
};

/** A call on node 0 that was offered, with memo `offered` and 2 sessions. */
async function offered(): Promise<Cluster> {
  const cluster = makeCluster();
  cluster.relay(0).remembered = { memo: 'offered', sessions: 2 };
  relayed(await cluster.media.offer(offer()));

  return cluster;
}

/** The same, answered, with memo `answered` and 3 sessions. */
async function answered(): Promise<Cluster> {
  const cluster = await offered();
  cluster.relay(0).remembered = { memo: 'answered', sessions: 3 };
  relayed(await cluster.media.answer(ANSWER));

  return cluster;
}

/** Memo and sessions of the call in memory, and those on disk. */
async function known({ calls, store }: Cluster) {
  await flush(store);

  return [calls.get('c1'), store.loadLiveCalls().find(({ callId }) => callId === 'c1')].map((call) =>
    call === undefined ? call : [call.memo, call.sessions],
  );
}

describe('memo and sessions', () => {
  test('of a new call are none before its node has it, and on disk before its offer is answered', async () => {
    const { relay, store, calls } = await offered();
    expect(relay(0).offers).toMatchObject([{ isNew: true, memo: null }]);
    expect(store.loadLiveCalls()).toMatchObject([{ callId: 'c1', memo: 'offered', sessions: 2 }]);
    expect(calls.get('c1')).toMatchObject({ memo: 'offered', sessions: 2 });
  });

  test('are those of the last offer or answer, and handed back with the next', async () => {
    const cluster = await offered();
    const { relay, media, calls } = cluster;
    relay(0).remembered = { memo: 'answered', sessions: 3 };
    relayed(await media.answer(ANSWER));
    expect(relay(0).answers).toMatchObject([{ memo: 'offered' }]);
    expect(await known(cluster)).toEqual([
      ['answered', 3],
      ['answered', 3],
    ]);
    relay(0).remembered = { memo: 'offered again', sessions: 1 };
    relayed(await media.offer(REOFFER));
    expect(relay(0).offers.at(-1)).toMatchObject({ isNew: false, memo: 'answered' });
    expect(await known(cluster)).toEqual([
      ['offered again', 1],
      ['offered again', 1],
    ]);
    expect([calls.countOn(0), calls.sessionsOn(0)]).toEqual([1, 1]);
  });

  test('are nothing and one once the relay says so', async () => {
    const cluster = await answered();
    cluster.relay(0).remembered = {};
    relayed(await cluster.media.offer(REOFFER));
    expect(await known(cluster)).toEqual([
      [null, 1],
      [null, 1],
    ]);
  });

  test('go with the tags of all parties to queries, commands and the delete', async () => {
    const { ending, media, relay } = await answered();
    const call = { callId: 'c1', memo: 'answered', tags: ['A', 'B'] };
    await media.query('c1');
    await media.query('c1', undefined, 'B');
    expect(relay(0).queries).toEqual([
      { ...call, fromTag: undefined },
      { ...call, fromTag: 'B' },
    ]);
    await media.command({ command: 'start recording', 'call-id': 'c1' }, offer());
    expect(relay(0).commanded).toEqual([call]);
    await ending.delete({ callId: 'c1', reason: 'bye' });
    expect(relay(0).deletes).toEqual([call]);
  });

  test('go to the delete of one branch too', async () => {
    const { ending, media, relay } = makeCluster();
    relay(0).remembered = { memo: 'two branches' };
    for (const branch of ['b0', 'b1']) relayed(await media.offer(offer({ branch })));
    await ending.delete({ callId: 'c1', branch: 'b0', reason: '486' });
    expect(relay(0).deletes).toEqual([
      { callId: 'c1', memo: 'two branches', tags: ['A'], branch: 'b0', fromTag: 'A' },
    ]);
  });

  test('are on disk before an offer that changes them is answered', async () => {
    const { media, relay, store } = await offered();
    relay(0).remembered = { memo: 'two branches', sessions: 4 };
    relayed(await media.offer(offer({ branch: 'b1' })));
    expect(store.loadLiveCalls()).toMatchObject([{ memo: 'two branches', sessions: 4 }]);
  });

  test('let an offer wait for the disk if they change, and only then', async () => {
    const { media, relay, store } = await offered();
    const disk = Promise.withResolvers<void>();
    spyOn(store, 'saveCall').mockReturnValue(disk.promise);
    relayed(await media.offer(offer()));
    relay(0).remembered = { memo: 'two branches', sessions: 4 };
    let isAnswered = false;
    const changing = media.offer(offer({ branch: 'b1' })).finally(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    disk.resolve();
    relayed(await changing);
  });

  test('are less after the delete of one branch, in memory, on disk and in the count', async () => {
    const cluster = makeCluster();
    const { ending, media, relay, calls } = cluster;
    relay(0).remembered = { memo: 'two branches', sessions: 4 };
    for (const branch of ['b0', 'b1']) relayed(await media.offer(offer({ branch })));
    const gate = Promise.withResolvers<DeleteResult>();
    spyOn(relay(0), 'delete').mockReturnValueOnce(gate.promise);
    const deleting = ending.delete({ callId: 'c1', branch: 'b0', reason: '486' });
    expect(await known(cluster)).toEqual([
      ['two branches', 4],
      ['two branches', 4],
    ]);
    const left = { memo: 'one branch', sessions: 3 };
    gate.resolve({ found: true, reply: { result: 'ok' }, left });
    await deleting;
    expect(await known(cluster)).toEqual([
      ['one branch', 3],
      ['one branch', 3],
    ]);
    expect(calls.sessionsOn(0)).toBe(3);
    // The delete of the whole is of what is left.
    await ending.delete({ callId: 'c1', reason: 'bye' });
    expect(relay(0).deletes.at(-1)).toMatchObject({ memo: 'one branch' });
  });

  test('tell what else to delete where an answer finds its own sessions gone', async () => {
    const { media, relay } = await answered();
    relay(0).next('answer', fails('unknown-call'));
    expect(failed(await media.answer(ANSWER)).code).toBe('RTPC_CALL_LOST');
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'answered' }]);
  });

  test('stay what they were when a request fails', async () => {
    const cluster = await answered();
    const { relay, media } = cluster;
    for (const kind of ['silent', 'busy', 'rejected'] as const) {
      relay(0).next('offer', fails(kind)).next('answer', fails(kind));
      failed(await media.offer(REOFFER));
      failed(await media.answer(ANSWER));
    }
    expect(await known(cluster)).toEqual([
      ['answered', 3],
      ['answered', 3],
    ]);
  });

  test('are there after a restart of our program, and the sessions counted', async () => {
    const { store } = await answered();
    await flush(store);
    const calls = new CallTable(10);
    for (const call of store.loadLiveCalls()) calls.add(call);
    expect(calls.get('c1')).toMatchObject({ memo: 'answered', sessions: 3 });
    expect([calls.countOn(0), calls.sessionsOn(0)]).toEqual([1, 3]);
  });

  test('are with the row of a call that has ended', async () => {
    const { store, ending, calls } = await answered();
    await ending.delete({ callId: 'c1', reason: 'bye' });
    await flush(store);
    expect(store.findEndedCall('c1')).toMatchObject({ memo: 'answered', sessions: 3 });
    expect(calls.sessionsOn(0)).toBe(0);
  });

  test('of a call found on a node are none until the node has said what to remember', async () => {
    const cluster = makeCluster();
    cluster.relay(1).calls.add('c1');
    cluster.relay(1).remembered = { memo: 'found', sessions: 4 };
    relayed(await cluster.media.offer(REOFFER));
    expect(cluster.relay(1).offers).toMatchObject([{ isNew: false, memo: null }]);
    expect(await known(cluster)).toEqual([
      ['found', 4],
      ['found', 4],
    ]);
    expect(cluster.calls.sessionsOn(1)).toBe(4);
  });
});

describe('a call that moves to another node', () => {
  test('leaves its memo with the node it had, and begins without one on the next', async () => {
    const cluster = await offered();
    const { relay, media, calls } = cluster;
    relay(0).next('offer', fails('unreachable'));
    relay(1).remembered = { memo: 'of node 1', sessions: 5 };
    expect(relayed(await media.offer(offer())).nodeId).toBe(1);
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'offered' }]);
    expect(relay(1).offers).toMatchObject([{ isNew: true, memo: null }]);
    expect(await known(cluster)).toEqual([
      ['of node 1', 5],
      ['of node 1', 5],
    ]);
    expect([calls.sessionsOn(0), calls.sessionsOn(1)]).toEqual([0, 5]);
  });

  test('to one that has nothing to remember has no memo any more', async () => {
    const cluster = await offered();
    cluster.relay(0).next('offer', fails('unreachable'));
    relayed(await cluster.media.offer(offer()));
    expect(await known(cluster)).toEqual([
      [null, 1],
      [null, 1],
    ]);
  });

  test('leaves it with a dead node as well, which is told when it is back', async () => {
    const cluster = await offered();
    const member = cluster.fleet.get(0);
    if (member === undefined) throw new Error('there is a node 0');
    member.opinion = { ...member.opinion, health: 'down' };
    expect(relayed(await cluster.media.offer(offer())).nodeId).toBe(1);
    expect(cluster.relay(0).deletes).toEqual([]);
    member.opinion = { ...member.opinion, health: 'up' };
    cluster.strays.hurry(0);
    await cluster.clock.advance(0);
    expect(cluster.relay(0).deletes).toEqual([{ callId: 'c1', memo: 'offered' }]);
  });
});

describe('a new call that a node did not take', () => {
  test('as it has no room, but of which it has something left, is deleted there before the next is asked', async () => {
    const { media, relay, asked } = makeCluster();
    relay(0).next('offer', fails('refused', 'first stream'));
    expect(relayed(await media.offer(offer())).nodeId).toBe(1);
    expect(asked()).toEqual(['0 offer', '0 delete', '1 offer']);
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'first stream' }]);
    expect(relay(1).offers).toMatchObject([{ memo: null }]);
  });

  test.each(['rejected', 'silent', 'garbled', 'unreachable'] as const)(
    '(%s) is deleted there by the memo of what may be left',
    async (kind) => {
      const { media, relay } = makeCluster();
      relay(0).next('offer', fails(kind, 'left'));
      await media.offer(offer());
      expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'left' }]);
    },
  );

  test('as we should have, its address being wrong, is deleted there by its memo', async () => {
    const { media, relay } = makeCluster();
    relay(0).remembered = { memo: 'wrong' };
    relay(0).next('offer', anchored('192.0.2.66'));
    expect(relayed(await media.offer(offer())).nodeId).toBe(1);
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'wrong' }]);
  });

  test.each(['busy', 'too-large', 'unreachable'] as const)(
    'keeps the memo of an earlier try there, though of this one (%s) nothing is left',
    async (kind) => {
      const cluster = makeCluster();
      cluster.relay(0).next('offer', fails('garbled', 'left')).always('delete', fails('silent'));
      cluster.relay(1).next('offer', fails('refused'));
      failed(await cluster.media.offer(offer()));
      cluster.relay(0).next('offer', fails(kind));
      await cluster.media.offer(offer());
      expect(cluster.strays.get(0, 'c1')).toMatchObject({ memo: 'left' });
    },
  );
});

describe('a delete that its node does not answer', () => {
  test('goes on with the memo', async () => {
    const { ending, relay, clock } = await answered();
    relay(0).next('delete', fails('silent'), fails('silent'));
    await ending.delete({ callId: 'c1', reason: 'bye' });
    await clock.advance(60_000);
    expect(relay(0).deletes.length).toBeGreaterThanOrEqual(3);
    expect(new Set(relay(0).deletes.map(({ memo }) => memo))).toEqual(new Set(['answered']));
    expect(relay(0).calls.size).toBe(0);
  });

  test('as the node is dead, has the memo when it is back', async () => {
    const { ending, relay, clock, strays, fleet } = await answered();
    const member = fleet.get(0);
    if (member === undefined) throw new Error('there is a node 0');
    member.opinion = { ...member.opinion, health: 'down' };
    await ending.delete({ callId: 'c1', reason: 'bye' });
    member.opinion = { ...member.opinion, health: 'up' };
    strays.hurry(0);
    await clock.advance(0);
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'answered' }]);
  });
});
