import { describe, expect, test } from 'bun:test';
import type { AnswerFacts, OfferFacts } from '../../../src/calls/facts.ts';
import { MAX_LEGS } from '../../../src/domain/call.ts';
import {
  BUDGET_MS,
  type Cluster,
  FIRST_TRY_MS,
  failed,
  innerOf,
  makeCluster,
  makeNode,
  outerOf,
  phoneSdp,
  relayed,
  shown,
} from '../../fakes/cluster.ts';
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

function answer(changes: Partial<AnswerFacts> = {}): AnswerFacts {
  return { callId: 'c1', fromTag: 'A', toTag: 'B', sdp: CALLEE, isFinal: true, extra: {}, ...changes };
}

/** An established call on node 0. */
async function established(options: Parameters<typeof makeCluster>[0] = {}): Promise<Cluster> {
  const cluster = makeCluster(options);
  relayed(await cluster.media.offer(offer()));
  relayed(await cluster.media.answer(answer()));
  cluster.trace.length = 0;

  return cluster;
}

describe('a new call', () => {
  test('is placed on the first node of the policy, and bound to it on disk before the answer comes', async () => {
    const { media, calls, store, asked } = makeCluster();
    const result = relayed(await media.offer(offer()));
    expect(result.nodeId).toBe(0);
    expect(asked()).toEqual(['0 offer']);
    expect(calls.get('c1')).toMatchObject({ nodeId: 0, state: 'early', callerTag: 'A' });
    expect(store.loadLiveCalls()).toMatchObject([
      { callId: 'c1', nodeId: 0, legs: [{ tag: 'A', side: 'inner', offering: true }] },
    ]);
    expect(store.sdpOf('c1').get('A ')).toEqual({ received: CALLER, returned: result.sdp });
  });

  test('shows the callee the outer address and the caller the inner one; the node is told both times', async () => {
    const { media, relay } = makeCluster();
    expect(shown(await media.offer(offer()))).toBe(outerOf(0));
    expect(shown(await media.answer(answer()))).toBe(innerOf(0));
    expect(relay(0).offers.map(({ address, family, isNew }) => ({ address, family, isNew }))).toEqual([
      { address: outerOf(0), family: 'IP4', isNew: true },
    ]);
    expect(relay(0).answers.map(({ address, isNew }) => ({ address, isNew }))).toEqual([
      { address: innerOf(0), isNew: false },
    ]);
  });

  test.each([
    [{ from: 'outer', to: 'inner' }, innerOf(0), outerOf(0)],
    [{ from: 'inner', to: 'inner' }, innerOf(0), innerOf(0)],
    [{ from: 'outer', to: 'outer' }, outerOf(0), outerOf(0)],
  ])('in direction %p gives each reader its own side', async (direction, toCallee, toCaller) => {
    const { media } = makeCluster();
    expect(shown(await media.offer(offer({ direction })))).toBe(toCallee);
    expect(shown(await media.answer(answer()))).toBe(toCaller);
  });

  test('refused by a node goes to the next, without a delete', async () => {
    const { media, relay, asked, calls } = makeCluster();
    relay(0).next('offer', fails('refused'));
    expect(shown(await media.offer(offer()))).toBe(outerOf(1));
    expect(asked()).toEqual(['0 offer', '1 offer']);
    expect(calls.get('c1')?.nodeId).toBe(1);
  });

  test('refused by all nodes is RTPC_NO_NODE with the relay words, and leaves nothing in memory', async () => {
    const { media, relay, calls } = makeCluster();
    for (const id of [0, 1]) relay(id).always('offer', fails('refused'));
    const failure = failed(await media.offer(offer()));
    expect(failure.code).toBe('RTPC_NO_NODE');
    expect(failure.message).toContain('the relay says refused');
    expect(calls.size).toBe(0);
  });

  test('a silent node is told to delete BEFORE the next is offered the call (promise 4)', async () => {
    const { media, relay, asked, clock } = makeCluster();
    relay(0).next('offer', 'never').next('delete', 'never');
    const result = media.offer(offer());
    await clock.advance(FIRST_TRY_MS);
    expect(shown(await result)).toBe(outerOf(1));
    expect(asked()).toEqual(['0 offer', '0 delete', '1 offer']);
  });

  test('a silent node is told to delete until it answers, even when the call is up elsewhere', async () => {
    const { media, relay, clock, strays } = makeCluster();
    relay(0).next('offer', 'never').next('delete', fails('silent'), fails('silent'));
    const result = media.offer(offer());
    await clock.advance(FIRST_TRY_MS);
    relayed(await result);
    relay(0).calls.add('c1');
    await clock.advance(10_000);
    expect(relay(0).calls.size).toBe(0);
    expect(strays.size).toBe(0);
    expect(relay(1).calls.has('c1')).toBe(true);
  });

  test.each(['unreachable', 'garbled'] as const)(
    'a node that is %s is left at once, and told to delete first',
    async (kind) => {
      const { media, relay, asked, clock } = makeCluster();
      relay(0).next('offer', fails(kind));
      const start = clock.now;
      expect(shown(await media.offer(offer()))).toBe(outerOf(1));
      expect(asked()).toEqual(['0 offer', '0 delete', '1 offer']);
      expect(clock.now).toBe(start);
    },
  );

  test('a node whose queue is full is left at once, without a delete: nothing was sent', async () => {
    const { media, relay, asked } = makeCluster();
    relay(0).next('offer', fails('busy'));
    expect(shown(await media.offer(offer()))).toBe(outerOf(1));
    expect(asked()).toEqual(['0 offer', '1 offer']);
  });

  test('an SDP one node rejects is tried on no other, and the node gets a cleaning delete', async () => {
    const { media, relay, asked, calls } = makeCluster();
    relay(0).next('offer', fails('rejected'));
    const failure = failed(await media.offer(offer()));
    expect(failure.code).toBe('RTPC_RELAY_REFUSED');
    expect(failure.message).toContain('the relay says rejected');
    expect(asked()).toEqual(['0 offer', '0 delete']);
    expect(calls.size).toBe(0);
  });

  test('an SDP too large for a datagram is RTPC_BODY_TOO_LARGE at once', async () => {
    const { media, relay, asked } = makeCluster();
    relay(0).next('offer', fails('too-large'));
    expect(failed(await media.offer(offer())).code).toBe('RTPC_BODY_TOO_LARGE');
    expect(asked()).toEqual(['0 offer']);
  });

  test('an address that is not the wanted one is never returned: the node is cleaned and the next one asked', async () => {
    const { media, relay, asked } = makeCluster();
    relay(0).next('offer', anchored('192.0.2.66'));
    const result = relayed(await media.offer(offer()));
    expect(result.sdp).not.toContain('192.0.2.66');
    expect(shown(result)).toBe(outerOf(1));
    expect(asked()).toEqual(['0 offer', '0 delete', '1 offer']);
  });

  test('wrong addresses from all nodes are RTPC_RELAY_ADDRESS, naming the line', async () => {
    const { media, relay } = makeCluster();
    for (const id of [0, 1]) relay(id).always('offer', anchored('192.0.2.66'));
    const failure = failed(await media.offer(offer()));
    expect(failure.code).toBe('RTPC_RELAY_ADDRESS');
    expect(failure.message).toContain('c=IN IP4 192.0.2.66');
    expect(failure.message).toContain(outerOf(1));
  });

  test('an empty SDP from a node is no success', async () => {
    const { media, relay } = makeCluster({ nodes: [makeNode(0)] });
    relay(0).next('offer', '');
    expect(failed(await media.offer(offer())).code).toBe('RTPC_RELAY_REFUSED');
  });

  test('a relay that never answers makes the proxy wait for the budget and not longer (promise 5)', async () => {
    const nodes = [0, 1, 2, 3, 4, 5].map((id) => makeNode(id));
    const { media, relay, clock, asked } = makeCluster({ nodes });
    for (const { id } of nodes) relay(id).always('offer', 'never').always('delete', 'never');
    const start = clock.now;
    let ended = 0;
    const result = media.offer(offer()).then((failure) => {
      ended = clock.now;

      return failure;
    });
    await clock.advance(2 * BUDGET_MS);
    expect(failed(await result).code).toBe('RTPC_RELAY_SILENT');
    expect(ended - start).toBe(BUDGET_MS);
    expect(asked().filter((line) => line.endsWith('offer'))).toEqual(['0 offer', '1 offer', '2 offer']);
  });

  test('a set without nodes, and one whose nodes have weight 0, is RTPC_NO_NODE', async () => {
    const { media, fleet } = makeCluster({ nodes: [makeNode(0, { weight: 0 })] });
    expect(failed(await media.offer(offer())).code).toBe('RTPC_NO_NODE');
    expect(failed(await media.offer(offer({ setId: 9 }))).code).toBe('RTPC_NO_NODE');
    fleet.put([makeNode(0)]);
    expect(relayed(await media.offer(offer())).nodeId).toBe(0);
  });

  test('only nodes with an address on both sides are asked', async () => {
    const { media, asked } = makeCluster({
      nodes: [
        makeNode(0),
        makeNode(1, {
          mediaAddresses: [
            { side: 'inner', family: 'IP4', address: '10.0.0.2', interface: null },
            { side: 'mpls', family: 'IP4', address: '172.16.0.2', interface: null },
          ],
        }),
      ],
    });
    expect(shown(await media.offer(offer({ direction: { from: 'inner', to: 'mpls' } })))).toBe('172.16.0.2');
    expect(asked()).toEqual(['1 offer']);
    const other = { from: 'outer', to: 'mpls' };
    const failure = failed(await media.offer(offer({ callId: 'c2', direction: other })));
    expect(failure.code).toBe('RTPC_NO_NODE');
    expect(failure.message).toContain('outer and mpls');
  });

  test.each([
    ['not an SDP', 'hello'],
    ['without m=', 'v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\n'],
    ['without c=', 'v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n'],
    ['empty', ''],
  ])('an offer %s is refused with RTPC_BAD_SDP, and no relay sees it', async (_, sdp) => {
    const { media, asked } = makeCluster();
    expect(failed(await media.offer(offer({ sdp }))).code).toBe('RTPC_BAD_SDP');
    expect(asked()).toEqual([]);
  });

  test('one call over calls.max is RTPC_BUSY; a known call goes on', async () => {
    const { media, asked } = makeCluster({ maxCalls: 1 });
    relayed(await media.offer(offer()));
    expect(failed(await media.offer(offer({ callId: 'c2' }))).code).toBe('RTPC_BUSY');
    relayed(await media.answer(answer()));
    expect(asked()).toEqual(['0 offer', '0 answer']);
  });

  test('a call that ended makes room for another', async () => {
    const { ending, media } = makeCluster({ maxCalls: 1 });
    relayed(await media.offer(offer()));
    await ending.delete({ callId: 'c1', reason: 'bye' });
    expect(relayed(await media.offer(offer({ callId: 'c2' }))).nodeId).toBe(0);
  });

  test('a retried INVITE goes to the node that has the early call', async () => {
    const { media, asked } = makeCluster({ nodes: [makeNode(0), makeNode(1)] });
    relayed(await media.offer(offer()));
    relayed(await media.offer(offer({ sdp: phoneSdp('10.9.9.10') })));
    expect(asked()).toEqual(['0 offer', '0 offer']);
  });

  test('a retried INVITE moves to another node when the first died, and the first is cleaned', async () => {
    const { media, relay, asked, calls } = makeCluster();
    relayed(await media.offer(offer()));
    relay(0).next('offer', fails('unreachable'));
    expect(shown(await media.offer(offer()))).toBe(outerOf(1));
    expect(asked()).toEqual(['0 offer', '0 offer', '0 delete', '1 offer']);
    expect(calls.get('c1')?.nodeId).toBe(1);
    expect([calls.countOn(0), calls.countOn(1)]).toEqual([0, 1]);
  });

  test('a delete meant for a failed try never hits the same call offered to that node again', async () => {
    const { media, relay, clock } = makeCluster();
    relayed(await media.offer(offer()));
    relay(0).next('offer', fails('garbled')).next('delete', fails('silent'));
    relay(1).next('offer', fails('refused'));
    failed(await media.offer(offer()));
    relay(0).calls.delete('c1');
    expect(relayed(await media.offer(offer())).nodeId).toBe(0);
    await clock.advance(60_000);
    expect(relay(0).calls.has('c1')).toBe(true);
  });

  test('a new call with the Call-ID of one just deleted waits for the delete under way', async () => {
    const { ending, media, relay, clock, asked } = makeCluster({ nodes: [makeNode(0)] });
    relayed(await media.offer(offer()));
    relay(0).next('delete', 'never');
    const removal = ending.delete({ callId: 'c1', reason: 'bye' });
    await clock.advance(FIRST_TRY_MS);
    await removal;
    relayed(await media.offer(offer()));
    await clock.advance(60_000);
    expect(relay(0).calls.has('c1')).toBe(true);
    expect(asked()).toEqual(['0 offer', '0 delete', '0 delete', '0 offer']);
  });
});

describe('a call that has a node', () => {
  test('a re-offer of the callee goes to the same node, with the address of the caller side', async () => {
    const { media, asked } = await established();
    const result = await media.offer(
      offer({
        fromTag: 'B',
        toTag: 'A',
        sdp: CALLEE,
        isInDialog: true,
        direction: { from: 'outer', to: 'inner' },
      }),
    );
    expect(shown(result)).toBe(innerOf(0));
    expect(asked()).toEqual(['0 offer']);
    expect(shown(await media.answer(answer({ fromTag: 'B', toTag: 'A', sdp: CALLER })))).toBe(outerOf(0));
  });

  test('keeps its node when the policy would choose another', async () => {
    const cluster = await established();
    cluster.fleet.put([makeNode(0, { weight: 0 }), makeNode(1, { weight: 65_535 })]);
    const result = await cluster.media.offer(offer({ toTag: 'B', isInDialog: true }));
    expect(shown(result)).toBe(outerOf(0));
  });

  test('keeps its node after that was removed; the node goes with its last call', async () => {
    const { ending, media, roster, fleet, relay, asked } = await established();
    expect(roster.remove(0)).toEqual({ calls: 1 });
    expect(shown(await media.offer(offer({ toTag: 'B', isInDialog: true })))).toBe(outerOf(0));
    expect(relayed(await media.offer(offer({ callId: 'c2' }))).nodeId).toBe(1);
    await ending.delete({ callId: 'c1', reason: 'bye' });
    expect(asked()).toEqual(['0 offer', '1 offer', '0 delete']);
    expect(fleet.get(0)).toBeUndefined();
    expect(relay(0).isClosed).toBe(true);
  });

  test('a re-offer is never moved, whatever its node says', async () => {
    for (const kind of ['silent', 'unreachable', 'garbled', 'busy', 'rejected', 'refused'] as const) {
      const { media, relay, asked } = await established();
      relay(0).next('offer', fails(kind));
      failed(await media.offer(offer({ toTag: 'B', isInDialog: true })));
      expect([kind, ...asked()]).toEqual([kind, '0 offer']);
    }
  });

  test('a re-offer that fails for a while leaves the call as it was', async () => {
    const { media, relay, calls } = await established();
    relay(0).next('offer', fails('silent'));
    expect(failed(await media.offer(offer({ toTag: 'B', isInDialog: true }))).code).toBe('RTPC_RELAY_SILENT');
    expect(calls.get('c1')).toMatchObject({ nodeId: 0, state: 'confirmed' });
    expect(shown(await media.offer(offer({ toTag: 'B', isInDialog: true })))).toBe(outerOf(0));
  });

  test('a re-offer that finds no port on its node has lost the call (ng-protocol 3.1)', async () => {
    const { media, relay, calls, events } = await established();
    relay(0).next('offer', fails('refused'));
    const failure = failed(await media.offer(offer({ toTag: 'B', isInDialog: true })));
    expect(failure.code).toBe('RTPC_CALL_LOST');
    expect(calls.get('c1')).toBeUndefined();
    expect(calls.getEnded('c1')?.endReason).toBe('lost');
    expect(await events()).toContain('call.lost');
  });

  test('a wrong address in the answer to a re-offer is RTPC_RELAY_ADDRESS, and the call is not deleted', async () => {
    const { media, relay, asked, calls } = await established();
    relay(0).next('offer', anchored('192.0.2.66'));
    expect(failed(await media.offer(offer({ toTag: 'B', isInDialog: true }))).code).toBe(
      'RTPC_RELAY_ADDRESS',
    );
    expect(asked()).toEqual(['0 offer']);
    expect(calls.get('c1')?.state).toBe('confirmed');
  });
});

describe('an answer', () => {
  test('the node does not know means the call is lost: RTPC_CALL_LOST, an event, and no node is asked again', async () => {
    const { media, relay, calls, events, asked } = makeCluster();
    relayed(await media.offer(offer()));
    relay(0).next('answer', fails('unknown-call'));
    expect(failed(await media.answer(answer())).code).toBe('RTPC_CALL_LOST');
    expect(await events()).toContain('call.lost');
    expect(calls.getEnded('c1')?.endReason).toBe('lost');
    expect(asked()).toEqual(['0 offer', '0 answer']);
  });

  test('goes to the owner alone, silent or not', async () => {
    const { media, relay, asked, calls, clock } = makeCluster();
    relayed(await media.offer(offer()));
    relay(0).next('answer', 'never');
    const result = media.answer(answer());
    await clock.advance(BUDGET_MS);
    expect(failed(await result).code).toBe('RTPC_RELAY_SILENT');
    expect(asked()).toEqual(['0 offer', '0 answer']);
    expect(calls.get('c1')?.state).toBe('early');
    expect(shown(await media.answer(answer()))).toBe(innerOf(0));
  });

  test('that is provisional leaves the call early, the final one confirms it', async () => {
    const { media, calls } = makeCluster();
    relayed(await media.offer(offer()));
    relayed(await media.answer(answer({ isFinal: false })));
    expect(calls.get('c1')).toMatchObject({ state: 'early', legs: [{ tag: 'A' }, { confirmed: false }] });
    relayed(await media.answer(answer()));
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', legs: [{ tag: 'A' }, { confirmed: true }] });
  });

  test('is told to the relay as what it is: after an early one another callee may answer', async () => {
    const { media, relay } = makeCluster();
    relayed(await media.offer(offer()));
    for (const isFinal of [false, true]) relayed(await media.answer(answer({ isFinal })));
    expect([...relay(0).offers, ...relay(0).answers].map(({ isFinal }) => isFinal)).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('to an offer nobody has seen is looked for on the nodes, and the call remembered', async () => {
    const { media, relay, calls, events } = makeCluster();
    relay(1).calls.add('c1');
    const facts = answer({ direction: { from: 'outer', to: 'inner' } });
    expect(relayed(await media.answer(facts)).nodeId).toBe(1);
    expect(calls.get('c1')?.nodeId).toBe(1);
    expect(await events()).toContain('call.found');
  });

  test('a call found by the answer of one callee takes that of another: who offered is not known', async () => {
    const { media, relay } = makeCluster();
    relay(1).calls.add('c1');
    const early = answer({ direction: { from: 'outer', to: 'inner' }, isFinal: false });
    relayed(await media.answer(early));
    relayed(await media.answer({ ...early, isFinal: true }));
    relayed(await media.answer({ ...early, toTag: 'C', isFinal: true }));
    expect(relay(1).answers.map(({ toTag }) => toTag)).toEqual(['B', 'B', 'C']);
  });

  test('to an offer no node has is RTPC_CALL_UNKNOWN', async () => {
    const { media, asked } = makeCluster();
    expect(failed(await media.answer(answer())).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual(['0 query', '1 query']);
  });

  test('of a call that has ended is RTPC_CALL_UNKNOWN, and no node is asked', async () => {
    const { ending, media, asked, trace } = await established();
    await ending.delete({ callId: 'c1', reason: 'bye' });
    trace.length = 0;
    expect(failed(await media.answer(answer())).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual([]);
  });

  test('without c= is refused with RTPC_BAD_SDP', async () => {
    const { media, asked } = await established();
    const sdp = 'v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
    expect(failed(await media.answer(answer({ sdp }))).code).toBe('RTPC_BAD_SDP');
    expect(asked()).toEqual([]);
  });

  test(`of a ${MAX_LEGS + 1}th leg is RTPC_BUSY; the legs there are go on`, async () => {
    const { media, calls } = makeCluster();
    relayed(await media.offer(offer()));
    for (let i = 1; i < MAX_LEGS; i++)
      relayed(await media.answer(answer({ toTag: `B${i}`, isFinal: false })));
    expect(failed(await media.answer(answer({ toTag: 'one-more' }))).code).toBe('RTPC_BUSY');
    relayed(await media.answer(answer({ toTag: 'B1' })));
    expect(calls.get('c1')?.legs.length).toBe(MAX_LEGS);
  });
});

describe('an offer from inside a dialog the cluster does not know', () => {
  test('goes to the node that has the call', async () => {
    const { media, relay, calls, asked } = makeCluster();
    relay(1).calls.add('c1');
    const result = relayed(await media.offer(offer({ toTag: 'B', isInDialog: true })));
    expect(result.nodeId).toBe(1);
    expect(calls.get('c1')).toMatchObject({ nodeId: 1, state: 'confirmed', callerTag: 'A' });
    expect(asked()).toEqual(['0 query', '1 query', '1 offer']);
  });
});

describe('a delete', () => {
  test('ends the call on its node and in memory', async () => {
    const { ending, asked, calls, store, relay } = await established();
    relay(0).next('delete', { result: 'ok', totals: 5 });
    expect(await ending.delete({ callId: 'c1', reason: 'bye' })).toEqual({
      reply: { result: 'ok', totals: 5 },
    });
    expect(asked()).toEqual(['0 delete']);
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: null, tags: ['A', 'B'] }]);
    expect(calls.get('c1')).toBeUndefined();
    await flush(store);
    expect(store.loadLiveCalls()).toEqual([]);
    expect(store.findEndedCall('c1')?.endReason).toBe('bye');
  });

  test('of a call that has ended is RTPC_CALL_UNKNOWN, without asking any node', async () => {
    const { ending, asked, trace } = await established();
    await ending.delete({ callId: 'c1', reason: 'bye' });
    trace.length = 0;
    expect(failed(await ending.delete({ callId: 'c1', reason: 'bye' })).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual([]);
  });

  test('of a call nobody knows is tried on all nodes', async () => {
    const { ending, asked, relay } = makeCluster();
    expect(failed(await ending.delete({ callId: 'x', reason: 'bye' })).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual(['0 delete', '1 delete']);
    relay(1).calls.add('y');
    expect(await ending.delete({ callId: 'y', reason: 'bye' })).toEqual({ reply: { result: 'ok' } });
  });

  test('the node does not answer ends the call for the client, and the node is told again', async () => {
    const { ending, relay, calls, clock, strays } = await established();
    relay(0).next('delete', 'never', fails('silent'));
    const result = ending.delete({ callId: 'c1', reason: 'bye' });
    await clock.advance(FIRST_TRY_MS);
    expect(await result).toEqual({ reply: undefined });
    expect(calls.get('c1')).toBeUndefined();
    await clock.advance(10_000);
    expect(relay(0).calls.size).toBe(0);
    expect(strays.size).toBe(0);
  });

  test('of an announced call touches no node', async () => {
    const { ending, media, asked, calls } = makeCluster();
    expect(await media.announce(offer())).toBeUndefined();
    expect(await ending.delete({ callId: 'c1', reason: '486' })).toEqual({ reply: undefined });
    expect(asked()).toEqual([]);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('of one of several branches names branch and caller tag, and the others go on', async () => {
    const { ending, media, relay, calls } = makeCluster();
    relayed(await media.offer(offer({ branch: 'b0' })));
    relayed(await media.offer(offer({ branch: 'b1' })));
    await ending.delete({ callId: 'c1', branch: 'b0', reason: '486' });
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: null, tags: ['A'], branch: 'b0', fromTag: 'A' }]);
    expect(calls.get('c1')?.legs.map(({ branch }) => branch)).toEqual(['b1']);
    await ending.delete({ callId: 'c1', branch: 'b1', reason: '486' });
    expect(relay(0).deletes.at(-1)).toEqual({ callId: 'c1', memo: null, tags: ['A'] });
    expect(calls.get('c1')).toBeUndefined();
  });
});

describe('query and command', () => {
  test('go to the owner', async () => {
    const { media, asked, relay } = await established();
    expect(await media.query('c1')).toEqual({ reply: { result: 'ok', node: '0' }, nodeId: 0 });
    const message = { command: 'play media', 'call-id': 'c1', file: 'x.wav' };
    expect(await media.command(message, offer())).toEqual({ reply: { result: 'ok' }, nodeId: 0 });
    expect(asked()).toEqual(['0 query', '0 command']);
    expect(relay(0).commands).toEqual([message]);
  });

  test('a call the owner does not know any more is lost', async () => {
    const { media, relay, calls } = await established();
    relay(0).calls.clear();
    expect(failed(await media.query('c1')).code).toBe('RTPC_CALL_LOST');
    expect(calls.getEnded('c1')?.endReason).toBe('lost');
  });

  test('a command that joins calls of different nodes is RTPC_CALLS_APART, and no relay sees it', async () => {
    const cluster = await established();
    cluster.fleet.put([makeNode(0, { weight: 0 })]);
    relayed(await cluster.media.offer(offer({ callId: 'c2' })));
    cluster.trace.length = 0;
    for (const key of ['to-call-id', 'source-call-id', 'calls'] as const) {
      const value = key === 'calls' ? ['c1', 'c2'] : 'c2';
      const failure = failed(
        await cluster.media.command({ command: 'connect', 'call-id': 'c1', [key]: value }, offer()),
      );
      expect(failure.code).toBe('RTPC_CALLS_APART');
    }
    expect(cluster.asked()).toEqual([]);
  });

  test('the SDP of a subscribe request is imposed like an offer', async () => {
    const { media, relay } = await established();
    relay(0).next('command', { result: 'ok', sdp: anchored(innerOf(0)) });
    const message = { command: 'subscribe request', 'call-id': 'c1' };
    const result = await media.command(message, offer());
    expect(relay(0).commands[0]).toMatchObject({ 'media-address': outerOf(0), 'address-family': 'IP4' });
    expect(result).toMatchObject({ reply: { sdp: anchored(outerOf(0)) }, nodeId: 0 });
    relay(0).next('command', { result: 'ok', sdp: anchored('192.0.2.66') });
    expect(failed(await media.command(message, offer())).code).toBe('RTPC_RELAY_ADDRESS');
    const { direction: _, ...facts } = offer();
    expect(failed(await media.command(message, facts)).code).toBe('RTPC_DIRECTION_UNKNOWN');
  });

  test('a subscribe request that names the address needs no direction', async () => {
    const { media, relay } = await established();
    relay(0).next('command', { result: 'ok', sdp: anchored(innerOf(0)) });
    const { direction: _, ...facts } = offer();
    const message = { command: 'subscribe request', 'call-id': 'c1', 'media-address': '192.0.2.7' };
    expect(await media.command(message, facts)).toMatchObject({ reply: { sdp: anchored('192.0.2.7') } });
    expect(relay(0).commands[0]).toMatchObject({ 'media-address': '192.0.2.7' });
  });
});
