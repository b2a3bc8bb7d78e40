/** A proxy that deletes the call when a gateway refuses it, and goes on to the next with the same offer (sip-proxies 7.5). */

import { describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../src/relay/driver.ts';
import { ANSWER, DELETE_DELAY_S, established, makeFront, OFFER } from './front.ts';

const DELETE = { command: 'delete', 'call-id': 'c1', 'from-tag': 'A' };
const OK = { result: 'ok' };

async function offered() {
  const front = makeFront();
  expect(await front.ask(OFFER)).toMatchObject(OK);

  return front;
}

describe('a call nobody has answered', () => {
  test('is there after a delete for the answer of the next gateway, and then ends by its BYE at once', async () => {
    const { ask, relay, calls, clock } = await offered();
    expect(await ask(DELETE)).toEqual(OK);
    expect(await ask({ ...ANSWER, 'to-tag': 'C' })).toMatchObject(OK);
    await clock.advance(2 * DELETE_DELAY_S * 1000);
    expect(relay(0).deletes).toEqual([]);
    expect(calls.get('c1')?.state).toBe('confirmed');
    await ask(DELETE);
    expect(relay(0).deletes).toHaveLength(1);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('is there for a new offer too, on its node', async () => {
    const { ask, asked, calls, clock } = await offered();
    await ask(DELETE);
    expect(await ask(OFFER)).toMatchObject(OK);
    await clock.advance(2 * DELETE_DELAY_S * 1000);
    expect(asked()).toEqual(['0 offer', '0 offer']);
    expect(calls.get('c1')?.state).toBe('early');
  });

  test('ends after the delay if nobody goes on with it', async () => {
    const { ask, relay, calls, clock } = await offered();
    await ask(DELETE);
    await clock.advance((DELETE_DELAY_S - 1) * 1000);
    expect(relay(0).deletes).toEqual([]);
    await clock.advance(2000);
    expect(relay(0).deletes).toHaveLength(1);
    expect(calls.getEnded('c1')?.endReason).toBe('delete');
    expect(await ask({ ...ANSWER, 'to-tag': 'C' })).toMatchObject({ 'error-reason': 'Unknown call-id' });
  });

  test('that was lost meanwhile is not deleted again', async () => {
    const { ask, relay, calls, clock, ledger } = await offered();
    await ask(DELETE);
    const call = calls.get('c1');
    if (call !== undefined) await ledger.lose(call);
    await clock.advance(2 * DELETE_DELAY_S * 1000);
    expect(relay(0).deletes).toEqual([]);
  });

  test.each<[string, NgDict]>([
    ['a delete-delay of 0', { 'delete-delay': 0 }],
    ['a delete-delay of 0 in a script', { 'delete-delay': '0' }],
  ])('ends at once with %s', async (_name, keys) => {
    const { ask, relay, calls } = await offered();
    await ask({ ...DELETE, ...keys });
    expect(relay(0).deletes).toHaveLength(1);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('ends at once when the program ends', async () => {
    const { ask, relay, calls, requests } = await offered();
    await ask(DELETE);
    await requests.stop();
    expect(relay(0).deletes).toHaveLength(1);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('ends at once by a BYE at the HTTP door', async () => {
    const { ask, relay, requests, clock } = await offered();
    await ask(DELETE);
    await requests.auto({
      sip: { callId: 'c1', fromTag: 'A', method: 'BYE', cseq: '2', hasSdp: false },
      sdp: '',
      extra: {},
    });
    expect(relay(0).deletes).toHaveLength(1);
    await clock.advance(2 * DELETE_DELAY_S * 1000);
    expect(relay(0).deletes).toHaveLength(1);
  });
});

test('a call that was answered ends at once', async () => {
  const { ask, relay, calls } = await established();
  await ask(DELETE);
  expect(relay(0).deletes).toHaveLength(1);
  expect(calls.get('c1')).toBeUndefined();
});

test('the delayed offer of the next gateway begins the call anew; one of a party of the ended call does not', async () => {
  const { ask, relay } = await established();
  await ask(DELETE);
  const late = { ...OFFER, 'from-tag': 'B', 'to-tag': 'A', direction: ['pub', 'priv'] };
  expect(await ask(late)).toMatchObject({ 'error-reason': 'Unknown call-id' });
  expect(await ask({ ...late, 'from-tag': 'C' })).toMatchObject(OK);
  expect(relay(0).offers.at(-1)).toMatchObject({ fromTag: 'C', isNew: true });
});

test('an offer of a further caller under a Call-ID in use has the sides its sender says', async () => {
  const { ask, relay } = await established();
  expect(await ask({ ...OFFER, 'from-tag': 'X' })).toMatchObject(OK);
  expect(relay(0).offers.at(-1)?.address).toBe('198.51.100.1');
  expect(await ask({ ...ANSWER, 'from-tag': 'X', 'to-tag': 'Y' })).toMatchObject(OK);
  expect(relay(0).answers.at(-1)?.address).toBe('10.0.0.1');
});
