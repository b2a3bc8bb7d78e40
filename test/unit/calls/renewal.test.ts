/** Calls on a relay that begins a call anew which it had forgotten, and says so, as rtpproxy does. */

import { describe, expect, test } from 'bun:test';
import {
  type Cluster,
  failed,
  innerOf,
  makeCluster,
  makeNode,
  outerOf,
  phoneSdp,
  shown,
  sip,
} from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';
import { events } from './reconciling.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9');
const INVITE = sip({ method: 'INVITE' }, CALLER);
const OK = sip({ method: 'INVITE', status: 200, toTag: 'B' }, CALLEE);
const REINVITE = sip({ method: 'INVITE', cseq: '2', toTag: 'B' }, CALLER);
const REOK = sip({ method: 'INVITE', cseq: '2', status: 200, toTag: 'B' }, CALLEE);

/** An established call on node 0, of this kind, with memo `old` and 2 sessions; there is another node. */
async function established(kind: 'rtpengine' | 'rtpproxy' = 'rtpproxy'): Promise<Cluster> {
  const cluster = makeCluster({ nodes: [makeNode(0, { kind }), makeNode(1)] });
  cluster.relay(0).remembered = { memo: 'old', sessions: 2 };
  for (const message of [INVITE, OK]) await cluster.requests.auto(message);
  expect(cluster.calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0, memo: 'old' });
  // All of it is on disk.
  await cluster.clock.advance(100);
  cluster.trace.length = 0;

  return cluster;
}

/** The relay of node 0 restarts, and we see it. */
async function restart(cluster: Cluster): Promise<void> {
  await cluster.clock.advance(5000);
  const member = cluster.fleet.get(0);
  if (member === undefined) throw new Error('there is a node 0');
  member.restartedAt = cluster.clock.utc();
  cluster.relay(0).calls.clear();
}

describe('after a restart of its relay', () => {
  test('a call is not asked for before its re-offer, which begins it anew: an event tells, and the call goes on', async () => {
    const cluster = await established();
    const { requests, relay, calls } = cluster;
    await restart(cluster);
    relay(0).remembered = { memo: 'new', sessions: 1, isRenewed: true };
    expect(shown(await requests.auto(REINVITE))).toBe(outerOf(0));
    expect(cluster.asked()).toEqual(['0 offer']);
    expect(relay(0).offers.at(-1)).toMatchObject({ isNew: false, memo: 'old' });
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0, memo: 'new', sessions: 1 });
    await cluster.events();
    expect(events(cluster, 'call.renewed')).toMatchObject([{ callId: 'c1', nodeId: 0 }]);
    expect(events(cluster, 'call.lost')).toEqual([]);
    relay(0).remembered = { memo: 'newer', sessions: 1 };
    await requests.auto(REOK);
    expect(cluster.asked()).toEqual(['0 offer', '0 answer']);
    expect(relay(0).answers.at(-1)).toMatchObject({ memo: 'new' });
  });

  test('of an rtpengine, which would take the re-offer for a new call in silence, the call is asked for and lost', async () => {
    const cluster = await established('rtpengine');
    await restart(cluster);
    expect(failed(await cluster.requests.auto(REINVITE)).code).toBe('RTPC_CALL_LOST');
    expect(cluster.asked()).toEqual(['0 query']);
    expect(cluster.relay(0).queries).toMatchObject([{ callId: 'c1', memo: 'old', tags: ['A', 'B'] }]);
    await cluster.events();
    expect(events(cluster, 'call.renewed')).toEqual([]);
  });
});

describe('a call that was lost', () => {
  /** A call from outside, in set 5, which its relay has forgotten. */
  async function lost() {
    const cluster = makeCluster({ nodes: [makeNode(0, { setId: 5 })] });
    const { requests, relay, ledger, calls } = cluster;
    const facts = { direction: { from: 'outer', to: 'inner' }, setId: 5 };
    await requests.auto(sip({ method: 'INVITE' }, CALLEE, facts));
    await requests.auto(sip({ method: 'INVITE', status: 200, toTag: 'B' }, CALLER));
    const call = calls.get('c1');
    if (call === undefined) throw new Error('there is a call');
    await ledger.lose(call);
    relay(0).always('query', fails('unknown-call'));

    return cluster;
  }

  test.each([0, 300_000])('begins anew in its set, on the sides it had, after %i ms', async (ms) => {
    const { requests, clock, calls } = await lost();
    await clock.advance(ms);
    const again = sip({ method: 'INVITE', cseq: '7', fromTag: 'B', toTag: 'A' }, CALLER);
    expect(shown(await requests.auto(again))).toBe(outerOf(0));
    expect(calls.get('c1')).toMatchObject({
      setId: 5,
      callerTag: 'A',
      direction: { from: 'outer', to: 'inner' },
    });
    const ok = sip({ method: 'INVITE', cseq: '7', status: 200, fromTag: 'B', toTag: 'A' }, CALLEE);
    expect(shown(await requests.auto(ok))).toBe(innerOf(0));
  });

  test('needs no direction, and a wrong one changes nothing', async () => {
    const { requests } = await lost();
    const facts = { direction: { from: 'inner', to: 'outer' } };
    const again = sip({ method: 'INVITE', cseq: '2', toTag: 'B' }, CALLEE, facts);
    expect(shown(await requests.auto(again))).toBe(innerOf(0));
  });
});

describe('a re-offer', () => {
  test('whose call the relay knew tells of no renewal', async () => {
    const cluster = await established();
    expect(shown(await cluster.requests.auto(REINVITE))).toBe(outerOf(0));
    await cluster.events();
    expect(events(cluster, 'call.renewed')).toEqual([]);
  });

  test('that is rejected, as there is no port for a stream it adds, leaves the call alive on its node', async () => {
    const cluster = await established();
    const { requests, relay, calls, strays } = cluster;
    relay(0).next('offer', fails('rejected'));
    expect(failed(await requests.auto(REINVITE)).code).toBe('RTPC_RELAY_REFUSED');
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0, memo: 'old', sessions: 2 });
    await cluster.clock.advance(60_000);
    expect(cluster.asked()).toEqual(['0 offer']);
    expect([strays.size, relay(0).calls.has('c1')]).toEqual([0, true]);
    expect(shown(await requests.auto(sip({ method: 'INVITE', cseq: '3', toTag: 'B' }, CALLER)))).toBe(
      outerOf(0),
    );
    await cluster.events();
    expect(events(cluster, 'call.lost')).toEqual([]);
  });

  test.each(['rejected', 'silent', 'unreachable', 'busy', 'garbled'] as const)(
    'that fails (%s) with something new left on the node has it deleted with the call',
    async (kind) => {
      const cluster = await established();
      const { requests, relay, calls, store } = cluster;
      relay(0).next('offer', fails(kind, 'old and more'));
      failed(await requests.auto(REINVITE));
      expect(calls.get('c1')).toMatchObject({ nodeId: 0, memo: 'old and more' });
      await cluster.clock.advance(100);
      expect(store.loadLiveCalls()).toMatchObject([{ callId: 'c1', memo: 'old and more' }]);
      await requests.auto(sip({ method: 'BYE', cseq: '3', toTag: 'B' }));
      expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'old and more', tags: ['A', 'B'] }]);
    },
  );

  test('whose reply has a wrong address has what is to be remembered all the same deleted with the call', async () => {
    const cluster = await established();
    const { requests, relay, calls } = cluster;
    relay(0).remembered = { memo: 'old and more', sessions: 3 };
    relay(0).next('offer', anchored('192.0.2.66'));
    expect(failed(await requests.auto(REINVITE)).code).toBe('RTPC_RELAY_ADDRESS');
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0, memo: 'old and more' });
    expect(cluster.strays.size).toBe(0);
  });
});
