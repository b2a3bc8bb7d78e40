/** A call that moves on leaves nothing behind, whatever the node it leaves has to say. */

import { describe, expect, test } from 'bun:test';
import { settle } from '../../fakes/clock.ts';
import { type Cluster, failed, makeCluster, makeNode, phoneSdp, relayed, sip } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';

const CALLER = phoneSdp('10.9.9.9');
const INVITE = sip({ method: 'INVITE' }, CALLER);
/** The INVITE again, with credentials or to the next gateway: another transaction of the same call. */
const AGAIN = sip({ method: 'INVITE', cseq: '2' }, CALLER);

/** Which relays have the call, when all that was to be told has been told. */
async function having(cluster: Cluster): Promise<number[]> {
  await cluster.clock.advance(60_000);

  return [0, 1].filter((id) => cluster.relay(id).calls.has('c1'));
}

describe('a call whose owner cannot be asked, our own queue to it being full', () => {
  test('moves, and the owner is told to delete: it has the call since before', async () => {
    const cluster = makeCluster();
    expect(relayed(await cluster.requests.auto(INVITE)).nodeId).toBe(0);
    cluster.relay(0).next('offer', fails('busy'));
    expect(relayed(await cluster.requests.auto(AGAIN)).nodeId).toBe(1);
    expect(cluster.asked()).toEqual(['0 offer', '0 offer', '0 delete', '1 offer']);
    expect(await having(cluster)).toEqual([1]);
  });

  test('stays, and nothing is deleted, if there is no other node', async () => {
    const cluster = makeCluster();
    cluster.fleet.remove(1);
    relayed(await cluster.requests.auto(INVITE));
    cluster.relay(0).next('offer', fails('busy'));
    failed(await cluster.requests.auto(AGAIN));
    expect(cluster.calls.get('c1')?.nodeId).toBe(0);
    await cluster.clock.advance(60_000);
    expect(cluster.asked()).toEqual(['0 offer', '0 offer']);
  });
});

test('an INVITE repeated too large for a datagram leaves the call where it is, though there are other nodes', async () => {
  const cluster = makeCluster();
  relayed(await cluster.requests.auto(INVITE));
  cluster.relay(0).next('offer', fails('too-large'));
  expect(failed(await cluster.requests.auto(AGAIN)).code).toBe('RTPC_BODY_TOO_LARGE');
  expect(cluster.calls.get('c1')).toMatchObject({ state: 'early', nodeId: 0 });
  expect(await having(cluster)).toEqual([0]);
  expect(cluster.asked()).toEqual(['0 offer', '0 offer']);
});

describe('a node that has something left of an earlier try', () => {
  /** Node 0 took the first INVITE without a word and does not answer the delete either; node 1 was full. */
  async function leftBehind(): Promise<Cluster> {
    const cluster = makeCluster();
    cluster.relay(0).next('offer', 'never').always('delete', fails('silent')).calls.add('c1');
    cluster.relay(1).next('offer', fails('refused'));
    const first = cluster.requests.auto(INVITE);
    await cluster.clock.advance(400);
    failed(await first);
    expect(cluster.strays.has(0, 'c1')).toBe(true);

    return cluster;
  }

  test.each(['busy', 'too-large'] as const)(
    'is told to delete it all the same when the next try was not even sent (%s)',
    async (kind) => {
      const cluster = await leftBehind();
      cluster.relay(0).next('offer', fails(kind));
      await cluster.requests.auto(AGAIN);
      expect(cluster.strays.has(0, 'c1')).toBe(true);
      cluster.relay(0).always('delete', undefined);
      expect(await having(cluster)).toEqual(kind === 'busy' ? [1] : []);
    },
  );

  test('keeps the call if it takes it now: no delete follows', async () => {
    const cluster = await leftBehind();
    const deletes = cluster.relay(0).deletes.length;
    expect(relayed(await cluster.requests.auto(AGAIN)).nodeId).toBe(0);
    cluster.relay(0).always('delete', undefined);
    expect(await having(cluster)).toEqual([0]);
    expect(cluster.relay(0).deletes.length).toBe(deletes);
  });

  test('has nothing more to be told if nothing was sent to it then either', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('offer', fails('busy'));
    expect(relayed(await cluster.requests.auto(INVITE)).nodeId).toBe(1);
    expect(cluster.strays.size).toBe(0);
  });
});

test('calls under way count towards the capacity of a node before it has answered', async () => {
  const nodes = [makeNode(0, { capacity: 3 }), makeNode(1)];
  const cluster = makeCluster({ nodes });
  for (const id of [0, 1]) cluster.relay(id).always('offer', 'never');
  const calls = Array.from({ length: 10 }, (_, index) =>
    cluster.requests.auto(sip({ method: 'INVITE', callId: `c${index}` }, CALLER)),
  );
  await settle();
  expect(cluster.relay(0).offers.length).toBe(3);
  await cluster.clock.advance(1000);
  await Promise.all(calls);
  expect([cluster.fleet.get(0)?.sessions, cluster.fleet.get(1)?.sessions]).toEqual([0, 0]);
});

describe('in panic', () => {
  /** Five nodes known to be dead, whose ports are closed. */
  function dead(): Cluster {
    const cluster = makeCluster({ nodes: Array.from({ length: 5 }, (_, id) => makeNode(id)) });
    for (const member of cluster.fleet.all()) {
      member.opinion = { ...member.opinion, health: 'down' };
      cluster.relay(member.id).always('offer', fails('unreachable'));
    }

    return cluster;
  }

  test('a call knocks at three closed doors and no more', async () => {
    const cluster = dead();
    failed(await cluster.requests.auto(INVITE));
    expect(cluster.asked()).toEqual(['0 offer', '1 offer', '2 offer']);
  });

  test('a node that was dead before and refuses has nothing of the call: nothing is to be deleted', async () => {
    const cluster = dead();
    failed(await cluster.requests.auto(INVITE));
    expect(cluster.strays.size).toBe(0);
  });
});
