/** Whole calls through the auto door, message by message: what SIP does that a simple call does not. */

import { describe, expect, test } from 'bun:test';
import { NOTHING } from '../../../src/calls/requests.ts';
import { failed, innerOf, makeCluster, outerOf, phoneSdp, relayed, shown, sip } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';

const PHONE = phoneSdp('10.0.9.9');
const CALLEE = phoneSdp('198.51.100.200');
const INVITE = sip({ method: 'INVITE' }, PHONE);

/** A reply of a callee to the first INVITE. */
function reply(status: number, toTag: string, sdp = '', more: { branch?: string } = {}) {
  return sip({ method: 'INVITE', status, toTag, ...more }, sdp);
}

describe('a call answered in a reliable 183', () => {
  test('is not ended by a refused re-INVITE, though no 200 with SDP was ever seen', async () => {
    const { requests, calls, asked } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(183, 'B', CALLEE)));
    relayed(await requests.auto(sip({ method: 'INVITE', cseq: '3', toTag: 'B' }, PHONE)));
    expect(calls.get('c1')?.state).toBe('confirmed');
    expect(await requests.auto(sip({ method: 'INVITE', cseq: '3', toTag: 'B', status: 491 }))).toBe(NOTHING);
    expect(calls.get('c1')?.state).toBe('confirmed');
    expect(asked()).not.toContain('0 delete');
  });

  test('is established by its 200 without SDP, which a late CANCEL does not undo', async () => {
    const { requests, calls } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(183, 'B', CALLEE)));
    await requests.auto(reply(200, 'B'));
    expect(calls.get('c1')?.state).toBe('confirmed');
    expect(await requests.auto(sip({ method: 'CANCEL' }))).toBe(NOTHING);
    expect(calls.get('c1')).toBeDefined();
  });
});

describe('a 200 to UPDATE', () => {
  test('does not establish a call: its INVITE may still be refused', async () => {
    const { requests, calls } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(183, 'B', CALLEE)));
    relayed(await requests.auto(sip({ method: 'UPDATE', cseq: '2', toTag: 'B' }, PHONE)));
    relayed(await requests.auto(sip({ method: 'UPDATE', cseq: '2', toTag: 'B', status: 200 }, CALLEE)));
    expect(calls.get('c1')?.state).toBe('early');
    await requests.auto(reply(486, 'B'));
    expect(calls.get('c1')).toBeUndefined();
  });

  test('does not keep a fork alive when the one that answered hangs up', async () => {
    const { requests, calls, asked } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(183, 'B1', CALLEE)));
    relayed(await requests.auto(sip({ method: 'UPDATE', cseq: '2', toTag: 'B1' }, PHONE)));
    relayed(await requests.auto(sip({ method: 'UPDATE', cseq: '2', toTag: 'B1', status: 200 }, CALLEE)));
    relayed(await requests.auto(reply(200, 'B2', CALLEE)));
    await requests.auto(sip({ method: 'BYE', cseq: '3', toTag: 'B2' }));
    expect(calls.get('c1')).toBeUndefined();
    expect(asked().at(-1)).toBe('0 delete');
  });
});

describe('branches', () => {
  const offer = (branch: string) => sip({ method: 'INVITE', branch }, PHONE);

  test('a branch that rings keeps the call where it is: no delete, no second node', async () => {
    const { requests, relay, calls, asked, clock } = makeCluster();
    relayed(await requests.auto(offer('b0')));
    relayed(await requests.auto(reply(183, 'B0', CALLEE, { branch: 'b0' })));
    relay(0).next('offer', 'never');
    const second = requests.auto(offer('b1'));
    await clock.advance(1000);
    expect(failed(await second).code).toBe('RTPC_RELAY_SILENT');
    expect(asked()).toEqual(['0 offer', '0 answer', '0 offer']);
    expect(shown(await requests.auto(reply(200, 'B0', CALLEE, { branch: 'b0' })))).toBe(innerOf(0));
    expect(calls.get('c1')?.nodeId).toBe(0);
  });

  test('the loser is deleted on the relay when another has answered', async () => {
    const { requests, relay, calls } = makeCluster();
    relayed(await requests.auto(offer('b0')));
    relayed(await requests.auto(offer('b1')));
    relayed(await requests.auto(reply(200, 'B1', CALLEE, { branch: 'b1' })));
    await requests.auto(reply(487, 'B0', '', { branch: 'b0' }));
    expect(relay(0).deletes).toMatchObject([{ callId: 'c1', fromTag: 'A', branch: 'b0' }]);
    expect(calls.get('c1')?.legs.map(({ branch }) => branch)).toEqual(['b1', 'b1']);
  });
});

describe('an INVITE repeated before anybody answered', () => {
  test('moves when its node is silent, and the call ends if no other takes it either', async () => {
    const { requests, relay, calls, asked, clock } = makeCluster();
    relayed(await requests.auto(INVITE));
    relay(0).next('offer', 'never');
    relay(1).next('offer', fails('refused'));
    const again = requests.auto(sip({ method: 'INVITE', cseq: '2' }, PHONE));
    await clock.advance(1000);
    expect(failed(await again).code).toBe('RTPC_NO_NODE');
    expect(asked()).toEqual(['0 offer', '0 offer', '0 delete', '1 offer']);
    expect(calls.get('c1')).toBeUndefined();
  });
});

describe('messages that come too late', () => {
  test('an INVITE again after its CANCEL makes no new call', async () => {
    const { requests, calls } = makeCluster();
    relayed(await requests.auto(INVITE));
    await requests.auto(sip({ method: 'CANCEL' }));
    expect(failed(await requests.auto(INVITE)).code).toBe('RTPC_CALL_UNKNOWN');
    expect(calls.get('c1')).toBeUndefined();
  });

  test('a 200 after the call was given up is no delayed offer', async () => {
    const { requests, calls } = makeCluster();
    relayed(await requests.auto(INVITE));
    await requests.auto(sip({ method: 'INVITE', end: '408' }));
    expect(failed(await requests.auto(reply(200, 'B', CALLEE))).code).toBe('RTPC_CALL_UNKNOWN');
    expect(calls.get('c1')).toBeUndefined();
  });

  test('the same INVITE may be offered to the next gateway after one refused', async () => {
    const { requests } = makeCluster();
    relayed(await requests.auto(INVITE));
    await requests.auto(sip({ method: 'INVITE', end: '503' }));
    expect(shown(await requests.auto(INVITE))).toBe(outerOf(0));
  });

  test('an offer inside a call that was hung up is refused; inside one that was lost it is placed anew', async () => {
    const { requests, relay } = makeCluster();
    const again = sip({ method: 'INVITE', cseq: '5', toTag: 'B' }, PHONE, { source: '10.0.9.9' });
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(200, 'B', CALLEE)));
    await requests.auto(sip({ method: 'BYE', cseq: '2', toTag: 'B' }));
    expect(failed(await requests.auto(again)).code).toBe('RTPC_CALL_UNKNOWN');
    relay(0).always('query', fails('unknown-call'));
    relay(1).always('query', fails('unknown-call'));
    const unknown = sip({ callId: 'c2', method: 'INVITE', cseq: '5', fromTag: 'B', toTag: 'A' }, CALLEE);
    expect(failed(await requests.auto(unknown)).code).toBe('RTPC_DIRECTION_UNKNOWN');
  });
});

describe('the time a client waits', () => {
  test('counts from when the request came, not from when its turn came', async () => {
    const { requests, relay, clock } = makeCluster();
    relayed(await requests.auto(INVITE));
    relayed(await requests.auto(reply(200, 'B', CALLEE)));
    relay(0).always('offer', 'never');
    const first = requests.auto(sip({ method: 'INVITE', cseq: '2', toTag: 'B' }, PHONE));
    const second = requests.auto(sip({ method: 'INVITE', cseq: '3', toTag: 'B' }, PHONE));
    await clock.advance(900);
    expect(failed(await first).code).toBe('RTPC_RELAY_SILENT');
    expect(failed(await second).code).toBe('RTPC_BUSY');
  });
});

test('a relay that runs out of ports at an answer has ended the call', async () => {
  const { requests, relay, calls } = makeCluster();
  relayed(await requests.auto(INVITE));
  relay(0).next('answer', fails('refused'));
  expect(failed(await requests.auto(reply(200, 'B', CALLEE))).code).toBe('RTPC_CALL_LOST');
  expect(calls.get('c1')).toBeUndefined();
});

test('a final answer that its relay does not take leaves the call as it was, in memory and on disk', async () => {
  const { requests, relay, calls, store, clock } = makeCluster();
  relayed(await requests.auto(INVITE));
  relay(0).next('answer', fails('rejected'), 'never');
  expect(failed(await requests.auto(reply(200, 'B', CALLEE))).code).toBe('RTPC_RELAY_REFUSED');
  const silent = requests.auto(sip({ method: 'INVITE', status: 202, toTag: 'B' }, CALLEE));
  await clock.advance(1000);
  expect(failed(await silent).code).toBe('RTPC_RELAY_SILENT');
  await clock.advance(100);
  for (const call of [calls.get('c1'), store.loadLiveCalls()[0]]) {
    expect([call?.state, call?.legs.map(({ tag, confirmed }) => `${tag} ${confirmed}`)]).toEqual([
      'early',
      ['A false'],
    ]);
  }
  relayed(await requests.auto(reply(200, 'B', CALLEE)));
  await clock.advance(100);
  expect(store.loadLiveCalls()[0]?.state).toBe('confirmed');
});
