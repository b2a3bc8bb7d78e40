/**
 * A proxy that deletes a call and goes on with it: when a gateway refuses, the next one gets the same offer; when a re-INVITE is
 * refused, it comes again. rtpengine keeps a call for a while after its deletion (ng-protocol 8, sip-proxies 7.5).
 */

import { describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../src/relay/driver.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { ANSWER, established, makeFront, OFFER } from './front.ts';

const DELETE = { command: 'delete', 'call-id': 'c1', 'from-tag': 'A' };
const OK = { result: 'ok' };
const UNKNOWN = { result: 'error', 'error-reason': 'Unknown call-id' };
/** Another INVITE in the dialog of A and B. */
const REOFFER = { ...OFFER, 'to-tag': 'B' };

async function offered() {
  const front = makeFront();
  expect(await front.ask(OFFER)).toMatchObject(OK);

  return front;
}

describe('a delete', () => {
  test('leaves to the relay how long it keeps the call', async () => {
    const { ask, relay } = await offered();
    await ask(DELETE);
    expect(relay(0).deletes).toMatchObject([{ callId: 'c1', delayS: null }]);
  });

  test.each([
    [0, 0],
    ['5', 5],
  ])('with a delete-delay of %p passes it on', async (delay, delayS) => {
    const { ask, relay } = await offered();
    await ask({ ...DELETE, 'delete-delay': delay });
    expect(relay(0).deletes).toMatchObject([{ delayS }]);
  });

  test('ends the call here at once: it counts nowhere any more', async () => {
    const { ask, calls } = await offered();
    await ask(DELETE);
    expect(calls.get('c1')).toBeUndefined();
    expect(calls.countOn(0)).toBe(0);
  });
});

describe('an answer after the delete', () => {
  test('brings the call back where its relay kept it', async () => {
    const { ask, relay, calls } = await offered();
    await ask(DELETE);
    expect(await ask({ ...ANSWER, 'to-tag': 'C' })).toMatchObject(OK);
    expect(relay(0).answers.at(-1)).toMatchObject({ toTag: 'C', address: '10.0.0.1' });
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', endReason: null, nodeId: 0 });
    expect(calls.countOn(0)).toBe(1);
    await ask(DELETE);
    expect(relay(0).deletes).toHaveLength(2);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('is on disk', async () => {
    const { ask, store, clock } = await offered();
    await ask(DELETE);
    await ask(ANSWER);
    await clock.advance(100);
    await store.saveCall(store.loadLiveCalls()[0] as never);
    expect(store.loadLiveCalls()).toMatchObject([{ callId: 'c1', state: 'confirmed' }]);
  });

  test('is for an unknown call where the relay did not keep it', async () => {
    const { ask, relay, calls } = await offered();
    await ask(DELETE);
    relay(0).next('answer', fails('unknown-call'));
    expect(await ask(ANSWER)).toMatchObject(UNKNOWN);
    expect(calls.get('c1')).toBeUndefined();
    expect(calls.getEnded('c1')?.endReason).toBe('delete');
  });

  test.each<[string, NgDict]>([['said to keep it no time', { 'delete-delay': 0 }]])(
    'is not asked for where the client %s',
    async (_name, keys) => {
      const { ask, relay } = await offered();
      await ask({ ...DELETE, ...keys });
      expect(await ask(ANSWER)).toMatchObject(UNKNOWN);
      expect(relay(0).answers).toEqual([]);
    },
  );

  test('of an offer of somebody else is not asked for', async () => {
    const { ask, relay } = await offered();
    await ask(DELETE);
    expect(await ask({ ...ANSWER, 'from-tag': 'X' })).toMatchObject(UNKNOWN);
    expect(relay(0).answers).toEqual([]);
  });

  test('is not asked for after a BYE at the HTTP door, which ends a call for good', async () => {
    const { ask, relay, requests } = await offered();
    const bye = { callId: 'c1', fromTag: 'A', method: 'BYE', cseq: '2', hasSdp: false };
    await requests.auto({ sip: bye, sdp: '', extra: {} });
    expect(relay(0).deletes).toEqual([expect.not.objectContaining({ delayS: null })]);
    expect(await ask(ANSWER)).toMatchObject(UNKNOWN);
    expect(relay(0).answers).toEqual([]);
  });
});

describe('an answer', () => {
  test('to an offer nobody has made in this call is for an unknown call', async () => {
    const { ask, relay } = await established();
    await ask({ ...DELETE, 'delete-delay': 0 });
    await ask({ ...OFFER, 'from-tag': 'A9' });
    expect(await ask(ANSWER)).toMatchObject(UNKNOWN);
    expect(relay(0).answers).toHaveLength(1);
  });

  test('with the flags of its offer, as modules repeat them, has no direction of its own', async () => {
    const { ask, relay, fleet } = makeFront();
    relay(0).calls.add('c1');
    expect(await ask({ ...ANSWER, direction: ['priv', 'pub'] })).toMatchObject({
      'error-reason': expect.stringContaining('RTPC_DIRECTION_UNKNOWN'),
    });
    expect(fleet.list()).not.toEqual([]);
    expect(relay(0).answers).toEqual([]);
  });
});

describe('an offer after the delete', () => {
  test('tells the driver that the relay may have the call', async () => {
    const { ask, relay } = await offered();
    await ask(DELETE);
    await ask(OFFER);
    expect(relay(0).offers.at(-1)).toMatchObject({ isNew: true, isKept: true });
    await ask({ ...DELETE, 'delete-delay': 0 });
    await ask(OFFER);
    expect(relay(0).offers.at(-1)).not.toHaveProperty('isKept');
  });
});

describe('a re-INVITE after the delete', () => {
  test('brings the call back where its relay has kept it, which is asked first', async () => {
    const { ask, asked, calls } = await established();
    await ask(DELETE);
    // The fake relay forgets at once; a real one keeps it.
    expect(await ask(REOFFER)).toMatchObject(UNKNOWN);
    expect(asked().slice(-1)).toEqual(['0 query']);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('of a kept call goes to its node', async () => {
    const { ask, relay, asked, calls } = await established();
    await ask(DELETE);
    relay(0).calls.add('c1');
    expect(await ask(REOFFER)).toMatchObject(OK);
    expect(asked().slice(-2)).toEqual(['0 query', '0 offer']);
    expect(calls.get('c1')).toMatchObject({ state: 'confirmed', nodeId: 0 });
  });

  test('of a call on an rtpproxy, which keeps none, is for an unknown call', async () => {
    const { ask, relay } = await established({ nodes: [makeNode(0, { kind: 'rtpproxy' })] });
    await ask(DELETE);
    relay(0).calls.add('c1');
    const before = relay(0).offers.length;
    expect(await ask(REOFFER)).toMatchObject(UNKNOWN);
    expect(relay(0).offers).toHaveLength(before);
  });
});

test('the next gateway with a branch of its own begins anew, and its BYE ends all', async () => {
  const { ask, calls } = makeFront();
  await ask({ ...OFFER, 'via-branch': 'br0' });
  await ask({ ...DELETE, 'via-branch': 'br0' });
  expect(await ask({ ...OFFER, 'via-branch': 'br1' })).toMatchObject(OK);
  expect(await ask({ ...ANSWER, 'via-branch': 'br1' })).toMatchObject(OK);
  await ask({ ...DELETE, 'via-branch': 'br1' });
  expect(calls.get('c1')).toBeUndefined();
});

describe('a delayed offer of the next gateway', () => {
  /** The offer in the 200 of a callee outside. */
  const late = (callee: string, more: NgDict = {}) => ({
    ...OFFER,
    'from-tag': callee,
    'to-tag': 'A',
    direction: ['pub', 'priv'],
    ...more,
  });
  const answered = (callee: string) => ({ ...ANSWER, 'from-tag': callee, 'to-tag': 'A' });

  test('has the side of its callee, while the first is there', async () => {
    const { ask, relay } = makeFront();
    await ask(late('B1'));
    expect(await ask(late('B2'))).toMatchObject(OK);
    expect(await ask(answered('B2'))).toMatchObject(OK);
    expect(relay(0).offers.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.1']);
    expect(relay(0).answers.at(-1)?.address).toBe('198.51.100.1');
  });

  test('begins the call anew after a delete; a party of the ended call does not', async () => {
    const { ask, relay, calls } = makeFront();
    await ask(late('B1'));
    await ask({ ...DELETE, 'delete-delay': 0 });
    expect(await ask(late('B1'))).toMatchObject(UNKNOWN);
    expect(await ask(late('B2'))).toMatchObject(OK);
    expect(relay(0).offers.at(-1)).toMatchObject({ fromTag: 'B2', isNew: true });
    expect(calls.get('c1')).toMatchObject({ callerTag: 'A', direction: { from: 'inner', to: 'outer' } });
  });

  test('by the default of its set where the proxy says that it came in a reply', async () => {
    const { ask, relay, fleet } = makeFront();
    fleet.putSet({ ...fleet.set(0), direction: 'out' });
    const { direction: _, ...unsaid } = late('B1');
    expect(await ask(unsaid)).toMatchObject({
      'error-reason': expect.stringContaining('RTPC_DIRECTION_UNKNOWN'),
    });
    expect(await ask({ ...unsaid, 'sip-message-type': 'sip_reply' })).toMatchObject(OK);
    expect(relay(0).offers.at(-1)?.address).toBe('10.0.0.1');
    expect(relay(0).offers.at(-1)?.extra).toEqual({});
  });

  test('that names the callee twice, as that of `rtp_relay`, leaves the caller on his side', async () => {
    const { ask, relay } = makeFront();
    await ask(late('B1', { 'to-tag': 'B1', 'via-branch': 'br0' }));
    expect(await ask({ ...answered('B1'), 'to-tag': 'B1', 'via-branch': 'br0' })).toMatchObject(OK);
    const { direction: _, ...again } = OFFER;
    expect(await ask({ ...again, 'to-tag': 'B1' })).toMatchObject(OK);
    expect(relay(0).offers.map(({ address }) => address)).toEqual(['10.0.0.1', '198.51.100.1']);
  });

  test('that no node takes makes the proxy ask its next relay', async () => {
    const { ask } = makeFront({ nodes: [] });
    expect(await ask(late('B1'))).toMatchObject({ 'error-reason': 'Parallel session limit reached' });
    expect(await ask(late('B1', { supports: ['load limit'] }))).toMatchObject({ result: 'load limit' });
  });
});

describe('an offer under a Call-ID in use', () => {
  test.each<[string, NgDict]>([
    ['a direction', {}],
    ['the side of its reader', { direction: [], 'cluster-to': 'outer' }],
  ])('by a further caller has the sides told by %s', async (_name, keys) => {
    const { ask, relay } = await established();
    const { direction: _direction, ...rest } = { ...OFFER, ...keys };
    const offer = keys.direction === undefined ? OFFER : rest;
    expect(
      await ask({ ...offer, ...('cluster-to' in keys ? { 'cluster-to': 'outer' } : {}), 'from-tag': 'X' }),
    ).toMatchObject(OK);
    expect(relay(0).offers.at(-1)?.address).toBe('198.51.100.1');
    expect(await ask({ ...ANSWER, 'from-tag': 'X', 'to-tag': 'Y' })).toMatchObject(OK);
    expect(relay(0).answers.at(-1)?.address).toBe('10.0.0.1');
  });

  test('at the port of another set, from the other side, is that of a second proxy: refused, not confused', async () => {
    const { ask, relay } = makeFront({ nodes: [makeNode(0), makeNode(1, { setId: 1 })] });
    await ask(OFFER);
    const second = { ...OFFER, direction: ['pub', 'priv'] };
    expect(await ask(second, 1)).toMatchObject({
      'error-reason': expect.stringContaining('RTPC_CALL_ANCHORED'),
    });
    expect([relay(0).offers.length, relay(1).offers.length]).toEqual([1, 0]);
    // The next gateway by another set is no second proxy.
    expect(await ask(OFFER, 1)).toMatchObject(OK);
  });
});

test('re-INVITEs with a Via each do not fill the call', async () => {
  const { ask, calls } = await established();
  for (let i = 0; i < 100; i++) {
    expect(await ask({ ...REOFFER, 'via-branch': `z${i}` })).toMatchObject(OK);
    expect(await ask({ ...ANSWER, 'via-branch': `z${i}` })).toMatchObject(OK);
  }
  expect(calls.get('c1')?.legs.map(({ tag }) => tag)).toEqual(['A', 'B']);
});

describe('a piece of an SDP with ICE candidates', () => {
  const PIECE = {
    ...REOFFER,
    flags: ['fragment'],
    sdp: 'a=ice-ufrag:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n',
  };

  test('goes to the node of the call, as it is', async () => {
    const { ask, relay } = await established();
    relay(0).next('command', { result: 'ok' });
    expect(await ask(PIECE)).toEqual({ result: 'ok' });
    expect(relay(0).commands.at(-1)).toMatchObject({ command: 'offer', sdp: PIECE.sdp, 'call-id': 'c1' });
    expect(relay(0).commands.at(-1)).not.toHaveProperty('direction');
  });

  test('of a call that is not here is not missed, and no node is searched for it', async () => {
    const { ask, asked } = await established();
    const before = asked().length;
    expect(await ask({ ...PIECE, 'call-id': 'c9' })).toEqual({ result: 'ok' });
    expect(asked()).toHaveLength(before);
  });

  test('brings no SDP back, which nobody has looked at', async () => {
    const { ask, relay } = await established();
    relay(0).next('command', { result: 'ok', sdp: 'v=0\r\nc=IN IP4 192.0.2.66\r\n' });
    expect(await ask(PIECE)).toEqual({ result: 'ok' });
  });

  test('is none if it is whole, whatever its flag', async () => {
    const { ask, relay } = await established();
    expect(await ask({ ...REOFFER, flags: ['fragment'] })).toMatchObject(OK);
    expect(relay(0).commands).toEqual([]);
    expect(relay(0).offers.at(-1)?.address).toBe('198.51.100.1');
  });
});
