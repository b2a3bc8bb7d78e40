import { describe, expect, test } from 'bun:test';
import { NOTHING } from '../../../src/calls/requests.ts';
import {
  type Cluster,
  failed,
  innerOf,
  makeCluster,
  makeNode,
  outerOf,
  phoneSdp,
  relayed,
  shown,
  sip,
} from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9');
const INVITE = sip({ method: 'INVITE' }, CALLER);
const RINGING = sip({ method: 'INVITE', status: 183, toTag: 'B' }, CALLEE);
const OK = sip({ method: 'INVITE', status: 200, toTag: 'B' }, CALLEE);
const BYE = sip({ method: 'BYE', cseq: '2', toTag: 'B' });

async function established(): Promise<Cluster> {
  const cluster = makeCluster();
  relayed(await cluster.requests.auto(INVITE));
  relayed(await cluster.requests.auto(OK));
  cluster.trace.length = 0;

  return cluster;
}

describe('a call through the auto door', () => {
  test('offer, early media, answer, re-INVITE of the callee, hang-up', async () => {
    const { requests, asked, calls } = makeCluster();
    expect(shown(await requests.auto(INVITE))).toBe(outerOf(0));
    expect(shown(await requests.auto(RINGING))).toBe(innerOf(0));
    expect(calls.get('c1')?.state).toBe('early');
    expect(shown(await requests.auto(OK))).toBe(innerOf(0));
    expect(calls.get('c1')?.state).toBe('confirmed');
    const reinvite = sip({ method: 'INVITE', cseq: '77', fromTag: 'B', toTag: 'A' }, CALLEE);
    expect(shown(await requests.auto(reinvite))).toBe(innerOf(0));
    const reply = sip({ method: 'INVITE', cseq: '77', fromTag: 'B', toTag: 'A', status: 200 }, CALLER);
    expect(shown(await requests.auto(reply))).toBe(outerOf(0));
    expect(await requests.auto(BYE)).toBe(NOTHING);
    expect(asked()).toEqual(['0 offer', '0 answer', '0 answer', '0 offer', '0 answer', '0 delete']);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('delayed offer: announced by the INVITE, offered in the 200, answered in the ACK', async () => {
    const { requests, relay, calls, asked } = makeCluster();
    expect(await requests.auto(sip({ method: 'INVITE' }))).toBe(NOTHING);
    expect(calls.get('c1')).toMatchObject({ state: 'announced', nodeId: null });
    expect(shown(await requests.auto(OK))).toBe(innerOf(0));
    expect(relay(0).offers[0]).toMatchObject({ fromTag: 'B', toTag: 'A' });
    expect(calls.get('c1')).toMatchObject({ callerTag: 'A', nodeId: 0, direction: { from: 'inner' } });
    expect(shown(await requests.auto(sip({ method: 'ACK', toTag: 'B' }, CALLER)))).toBe(outerOf(0));
    expect(relay(0).answers[0]).toMatchObject({ fromTag: 'B', toTag: 'A' });
    expect(asked()).toEqual(['0 offer', '0 answer']);
  });

  test('delayed offer whose INVITE was never handed over', async () => {
    const { requests, calls } = makeCluster();
    expect(shown(await requests.auto(OK))).toBe(innerOf(0));
    expect(calls.get('c1')).toMatchObject({ callerTag: 'A', direction: { from: 'inner', to: 'outer' } });
    expect(shown(await requests.auto(sip({ method: 'ACK', toTag: 'B' }, CALLER)))).toBe(outerOf(0));
  });

  test('a re-INVITE without SDP after one that was refused unseen is a delayed offer all the same', async () => {
    const { requests, relay } = await established();
    relayed(await requests.auto(sip({ method: 'INVITE', cseq: '2', toTag: 'B' }, CALLER)));
    // The 488 never comes by: proxies hand over replies below 300 only.
    const reply = sip({ method: 'INVITE', cseq: '3', status: 200, toTag: 'B' }, CALLEE);
    expect(shown(await requests.auto(reply))).toBe(innerOf(0));
    expect(relay(0).offers.at(-1)).toMatchObject({ fromTag: 'B', toTag: 'A' });
  });

  test('a fork whose first party hangs up goes on with the second; the relay is not told', async () => {
    const { requests, asked, calls } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(OK));
    relayed(await requests.auto(sip({ method: 'INVITE', status: 200, toTag: 'C' }, CALLEE)));
    expect(await requests.auto(BYE)).toBe(NOTHING);
    expect(calls.get('c1')?.legs.map(({ tag }) => tag)).toEqual(['A', 'C']);
    expect(asked()).toEqual(['0 offer', '0 answer', '0 answer']);
    await requests.auto(sip({ method: 'BYE', cseq: '2', toTag: 'C' }));
    expect(calls.get('c1')).toBeUndefined();
    expect(asked().at(-1)).toBe('0 delete');
  });

  test('a message that asks for nothing touches nothing', async () => {
    const { requests, asked, calls } = makeCluster();
    expect(await requests.auto(sip({ method: 'OPTIONS' }))).toBe(NOTHING);
    expect(await requests.auto(sip({ method: 'ACK', toTag: 'B' }))).toBe(NOTHING);
    expect(asked()).toEqual([]);
    expect(calls.size).toBe(0);
  });

  test('a message that cannot be understood is RTPC_BAD_PARAMETER', async () => {
    const { requests } = makeCluster();
    expect(failed(await requests.auto(sip({ method: 'INVITE', status: 200 }, CALLEE))).message).toContain(
      'to-tag is missing',
    );
  });

  test('a contradicting direction is an event, once, and the memory holds', async () => {
    const { requests, events } = await established();
    for (const cseq of ['2', '3']) {
      const message = sip({ method: 'INVITE', cseq, toTag: 'B' }, CALLER, {
        direction: { from: 'outer', to: 'inner' },
      });
      expect(shown(await requests.auto(message))).toBe(outerOf(0));
    }
    expect((await events()).filter((kind) => kind === 'call.direction_contradicted')).toHaveLength(1);
  });

  test('the direction repeated in every message, as scripts do, is no contradiction', async () => {
    const { requests, events } = await established();
    relayed(await requests.auto(sip({ method: 'INVITE', cseq: '9', fromTag: 'B', toTag: 'A' }, CALLEE)));
    expect(await events()).not.toContain('call.direction_contradicted');
  });
});

describe('a call nobody here knows is looked for', () => {
  test('with both tags of its BYE, and nothing else: on every node, and as a whole though the BYE has a branch', async () => {
    const { requests, relay } = makeCluster();
    relay(1).calls.add('c1');
    const bye = sip({ method: 'BYE', cseq: '2', fromTag: 'B', toTag: 'A', branch: 'z9' });
    expect(await requests.auto(bye)).toBe(NOTHING);
    for (const id of [0, 1]) expect(relay(id).deletes).toEqual([{ callId: 'c1', tags: ['B', 'A'] }]);
    expect(relay(1).calls.size).toBe(0);
  });

  test('with the one tag of a message that has one', async () => {
    const { requests, relay } = makeCluster();
    failed(await requests.auto(sip({ method: 'INVITE', end: '486' })));
    expect(relay(0).deletes).toEqual([{ callId: 'c1', tags: ['A'] }]);
  });

  test('with both tags of a re-INVITE, and of an answer', async () => {
    const { requests, relay } = makeCluster();
    await requests.auto(sip({ method: 'INVITE', cseq: '2', toTag: 'B' }, CALLER));
    await requests.auto(sip({ callId: 'c2', method: 'ACK', toTag: 'B' }, CALLER));
    expect(relay(0).queries.map(({ callId, tags }) => [callId, new Set(tags)])).toEqual([
      ['c1', new Set(['A', 'B'])],
      ['c2', new Set(['A', 'B'])],
    ]);
  });

  test('with the tag of a query or command, if it has one', async () => {
    const { requests, relay } = makeCluster();
    failed(await requests.query('c1'));
    failed(await requests.query('c1', undefined, 'B'));
    failed(
      await requests.command({ command: 'x', 'call-id': 'c1' }, { callId: 'c1', fromTag: 'A', extra: {} }),
    );
    failed(
      await requests.command({ command: 'x', 'call-id': 'c1' }, { callId: 'c1', fromTag: '', extra: {} }),
    );
    expect(relay(0).queries.map(({ tags }) => tags)).toEqual([[], ['B'], ['A'], []]);
  });
});

describe('the same message again (promise 6)', () => {
  test('at the same time shares one command to the relay', async () => {
    const { requests, relay, asked, clock } = makeCluster();
    const reply = Promise.withResolvers<string>();
    relay(0).next('offer', reply.promise);
    const both = [requests.auto(INVITE), requests.auto(INVITE)];
    await clock.advance(50);
    reply.resolve(anchored(outerOf(0)));
    const [one, two] = await Promise.all(both);
    expect(relayed(one).sdp).toBe(relayed(two).sdp);
    expect(asked()).toEqual(['0 offer']);
  });

  test('within 32 s is answered from memory, and later asked anew', async () => {
    const { requests, asked, clock } = makeCluster();
    const first = relayed(await requests.auto(INVITE));
    await clock.advance(31_000);
    expect(relayed(await requests.auto(INVITE))).toEqual(first);
    expect(asked()).toEqual(['0 offer']);
    await clock.advance(1001);
    relayed(await requests.auto(INVITE));
    expect(asked()).toEqual(['0 offer', '0 offer']);
  });

  test('with another CSeq is another message', async () => {
    const { requests, asked } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(sip({ method: 'INVITE', cseq: '2' }, CALLER)));
    expect(asked()).toEqual(['0 offer', '0 offer']);
  });

  test('without a CSeq is never answered from memory', async () => {
    const { requests, asked } = makeCluster();
    const { cseq: _, ...facts } = INVITE.sip;
    relayed(await requests.auto({ ...INVITE, sip: facts }));
    relayed(await requests.auto({ ...INVITE, sip: facts }));
    expect(asked()).toEqual(['0 offer', '0 offer']);
  });

  test('is not answered from memory after a failure', async () => {
    const { requests, relay } = makeCluster({ nodes: [makeNode(0)] });
    relay(0).next('offer', fails('refused'));
    failed(await requests.auto(INVITE));
    expect(shown(await requests.auto(INVITE))).toBe(outerOf(0));
  });

  test('is never answered from memory after the call was deleted', async () => {
    const { requests, asked } = await established();
    await requests.auto(BYE);
    expect(failed(await requests.auto(INVITE)).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual(['0 delete']);
  });

  test('is never answered from memory after the call was lost', async () => {
    const { requests, relay, asked } = makeCluster();
    relayed(await requests.auto(INVITE));
    relay(0).next('answer', fails('unknown-call'));
    expect(failed(await requests.auto(OK)).code).toBe('RTPC_CALL_LOST');
    relayed(await requests.auto(INVITE));
    expect(asked()).toEqual(['0 offer', '0 answer', '0 offer']);
  });

  test('is never answered with what an earlier call of the same Call-ID got', async () => {
    const { requests, relay, fleet } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(RINGING));
    relay(0).next('answer', fails('unknown-call'));
    failed(await requests.auto(OK));
    fleet.put([makeNode(0, { weight: 0 })]);
    expect(shown(await requests.auto(INVITE))).toBe(outerOf(1));
    expect(shown(await requests.auto(RINGING))).toBe(innerOf(1));
  });

  test('deleted twice: the second is RTPC_CALL_UNKNOWN and asks no node', async () => {
    const { requests, asked } = await established();
    expect(await requests.auto(BYE)).toBe(NOTHING);
    const second = sip({ method: 'BYE', cseq: '5', fromTag: 'B', toTag: 'A' });
    expect(failed(await requests.auto(second)).code).toBe('RTPC_CALL_UNKNOWN');
    expect(asked()).toEqual(['0 delete']);
  });
});

describe('one request at a time per call', () => {
  test('an answer waits for the offer that is under way', async () => {
    const { requests, relay, asked, clock } = makeCluster();
    const reply = Promise.withResolvers<string>();
    relay(0).next('offer', reply.promise);
    const offer = requests.auto(INVITE);
    const answer = requests.auto(RINGING);
    await clock.advance(50);
    expect(asked()).toEqual(['0 offer']);
    reply.resolve(anchored(outerOf(0)));
    relayed(await offer);
    expect(shown(await answer)).toBe(innerOf(0));
  });

  test('a slow call does not hold up another', async () => {
    const { requests, relay } = makeCluster();
    relay(0).next('offer', 'never');
    const slow = requests.auto(INVITE);
    expect(shown(await requests.auto(sip({ method: 'INVITE', callId: 'c2' }, CALLER)))).toBe(outerOf(0));
    expect(slow).toBeInstanceOf(Promise);
  });
});

describe('the doors that name the operation', () => {
  test('the same offer at the same time shares one command', async () => {
    const { requests, asked } = makeCluster();
    const facts = {
      callId: 'c1',
      fromTag: 'A',
      sdp: CALLER,
      direction: { from: 'inner', to: 'outer' },
      isInDialog: false,
      extra: {},
    };
    const results = await Promise.all([requests.offer(facts), requests.offer(facts)]);
    expect(results.map(shown)).toEqual([outerOf(0), outerOf(0)]);
    expect(asked()).toEqual(['0 offer']);
    const answers = { ...facts, toTag: 'B', sdp: CALLEE, isFinal: true };
    expect((await Promise.all([requests.answer(answers), requests.answer(answers)])).map(shown)).toEqual([
      innerOf(0),
      innerOf(0),
    ]);
    expect(asked()).toEqual(['0 offer', '0 answer']);
  });

  test.each(['require', 'prefer'] as const)(
    'offers at the same time that differ in "%s" are two: the second does not get the answer of the first',
    async (want) => {
      const { requests, relay } = makeCluster({ nodes: [makeNode(0), makeNode(1, { tags: ['gpu'] })] });
      const facts = {
        callId: 'c1',
        fromTag: 'A',
        sdp: CALLER,
        direction: { from: 'inner', to: 'outer' },
        isInDialog: false,
        extra: {},
      };
      const wanting = { ...facts, [want]: ['gpu'] };
      await Promise.all([requests.offer(facts), requests.offer(wanting)]);
      expect(relay(0).offers).toHaveLength(2);
      const twins = ['gpu', 'gpu'].map((tag) => requests.offer({ ...facts, callId: 'c2', [want]: [tag] }));
      expect((await Promise.all(twins)).map(shown)).toEqual([outerOf(1), outerOf(1)]);
      expect(relay(1).offers).toHaveLength(1);
    },
  );

  test('an explicit offer answered through the auto door is an answer', async () => {
    const { requests, relay } = makeCluster();
    const facts = {
      callId: 'c1',
      fromTag: 'A',
      sdp: CALLER,
      direction: { from: 'inner', to: 'outer' },
      isInDialog: false,
      extra: {},
    };
    relayed(await requests.offer(facts));
    expect(shown(await requests.auto(OK))).toBe(innerOf(0));
    expect(relay(0).answers).toHaveLength(1);
  });
});
