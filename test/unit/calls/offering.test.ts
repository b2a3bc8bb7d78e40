/** A call that moves on leaves nothing behind, whatever the node it leaves has to say. */

import { describe, expect, test } from 'bun:test';
import { settle } from '../../fakes/clock.ts';
import { type Cluster, failed, makeCluster, makeNode, phoneSdp, relayed, sip } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { drive } from '../relay/rtpproxy/driving.ts';

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

describe('an SDP that a node cannot read', () => {
  const rtpproxy = makeNode(0, { kind: 'rtpproxy' });

  test('goes to the next one, which may be of another kind; nothing is held against the first or left there', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1)] });
    cluster.relay(0).always('offer', fails('bad-sdp'));
    const seen: unknown[] = [];
    cluster.fleet.onEvidence = ({ id }, { kind }) => seen.push([id, kind]);
    for (const callId of ['c1', 'c2']) {
      const invite = sip({ method: 'INVITE', callId }, CALLER);
      expect(relayed(await cluster.requests.auto(invite)).nodeId).toBe(1);
    }
    // For the second call it came first again.
    expect(cluster.asked()).toEqual(['0 offer', '1 offer', '0 offer', '1 offer']);
    expect(cluster.strays.size).toBe(0);
    expect(seen).toEqual([
      [1, 'call-ok'],
      [1, 'call-ok'],
    ]);
  });

  test.each([
    ['bad-sdp', 'refused'],
    ['refused', 'bad-sdp'],
  ] as const)('is not the last word while another was only full: %s, then %s', async (first, second) => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1)] });
    cluster.relay(0).always('offer', fails(first));
    cluster.relay(1).always('offer', fails(second));
    expect(failed(await cluster.requests.auto(INVITE)).code).toBe('RTPC_NO_NODE');
  });

  test('is RTPC_BAD_SDP, in the words of one of them, if none can', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1, { kind: 'rtpproxy' })] });
    for (const id of [0, 1]) cluster.relay(id).always('offer', fails('bad-sdp'));
    const failure = failed(await cluster.requests.auto(INVITE));
    expect(failure).toMatchObject({
      code: 'RTPC_BAD_SDP',
      message: expect.stringContaining('the relay says bad-sdp'),
    });
    expect(cluster.asked()).toEqual(['0 offer', '1 offer']);
    expect([cluster.strays.size, cluster.calls.size]).toEqual([0, 0]);
  });

  test('leaves a call that stands where it is', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1)] });
    relayed(await cluster.requests.auto(INVITE));
    relayed(await cluster.requests.auto(sip({ method: 'INVITE', toTag: 'B', status: 200 }, CALLER)));
    cluster.relay(0).next('offer', fails('bad-sdp'));
    const again = sip({ method: 'INVITE', toTag: 'B', cseq: '2' }, CALLER);
    expect(failed(await cluster.requests.auto(again)).code).toBe('RTPC_BAD_SDP');
    expect(cluster.calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0 });
    expect(await having(cluster)).toEqual([0]);
  });

  test('does not make us forget what an earlier try has left there', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1)] });
    cluster.relay(0).next('offer', fails('garbled', 'left')).always('delete', fails('silent'));
    cluster.relay(1).next('offer', fails('refused'));
    failed(await cluster.requests.auto(INVITE));
    cluster.relay(0).next('offer', fails('bad-sdp'));
    expect(relayed(await cluster.requests.auto(AGAIN)).nodeId).toBe(1);
    expect(cluster.strays.get(0, 'c1')).toMatchObject({ memo: 'left' });
  });
});

describe('what a call wants done with its media', () => {
  const BROWSER = `${CALLER}a=ice-ufrag:x\r\na=candidate:1 1 UDP 1 10.9.9.9 41000 typ host\r\n`;
  const SAVP = { extra: { 'transport-protocol': 'RTP/SAVP' } };
  const rtpproxy = makeNode(0, { kind: 'rtpproxy' });
  const invite = (callId: string, sdp: string, more = {}) => sip({ method: 'INVITE', callId }, sdp, more);

  test('decides between the kinds of a set that has both', async () => {
    const { relay, requests } = makeCluster({ nodes: [rtpproxy, makeNode(1)] });
    expect(relayed(await requests.auto(invite('plain', CALLER))).nodeId).toBe(0);
    expect(relayed(await requests.auto(invite('convert', CALLER, SAVP))).nodeId).toBe(1);
    expect(relayed(await requests.auto(invite('browser', BROWSER))).nodeId).toBe(1);
    // Rather no ICE than no call; but a conversion cannot be done without.
    relay(1).always('offer', fails('refused'));
    expect(relayed(await requests.auto(invite('browser 2', BROWSER))).nodeId).toBe(0);
    expect(failed(await requests.auto(invite('convert 2', CALLER, SAVP))).code).toBe('RTPC_NO_NODE');
    expect(relay(0).offers.map(({ callId }) => callId)).toEqual(['plain', 'browser 2']);
  });

  test('is looked at in the set of the call alone', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy, makeNode(1, { setId: 1 })] });
    expect(relayed(await cluster.requests.auto(invite('c1', BROWSER))).nodeId).toBe(0);
    relayed(await cluster.requests.auto(invite('c2', CALLER, SAVP)));
    expect(cluster.relay(0).offers.map(({ callId }) => callId)).toEqual(['c1', 'c2']);
  });

  test('fails in a set of rtpproxies only, and names what cannot be done', async () => {
    const cluster = makeCluster({ nodes: [rtpproxy] });
    const { driver, client } = drive();
    cluster.relay(0).offer = (request, deadline) => driver.offer(request, deadline);
    const failure = failed(await cluster.requests.auto(invite('c1', CALLER, SAVP)));
    expect(failure).toMatchObject({
      code: 'RTPC_RELAY_REFUSED',
      message: expect.stringContaining('transport-protocol=RTP/SAVP'),
    });
    expect(client.commands).toEqual([]);
  });
});
