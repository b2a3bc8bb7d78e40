import { describe, expect, test } from 'bun:test';
import type { NgDict, NgValue } from '../../../src/relay/driver.ts';
import { encodeText } from '../../../src/relay/ng/bencode.ts';
import { innerOf, makeNode, outerOf } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { makeCall } from '../../fakes/store.ts';
import { ANSWER, CALLEE, CALLER, established, makeFront, OFFER, shownIn } from './front.ts';
import { logged } from './logged.ts';

const events = logged();
const NOT_FOUND = "Call-ID not found or tags didn't match";

describe('ping', () => {
  test('is answered without asking a node', async () => {
    const { ask, asked } = makeFront();
    expect(await ask({ command: 'ping', foo: 'bar' })).toEqual({ result: 'pong' });
    expect(asked()).toEqual([]);
  });

  test('is an error at once where the set has no node', async () => {
    const { ask } = makeFront();
    expect(await ask({ command: 'ping' }, 7)).toEqual({
      result: 'error',
      'error-reason': 'RTPC_NO_NODE set 7 has no node',
    });
    expect(await ask({ command: 'ping', 'cluster-set': '7' })).toMatchObject({ result: 'error' });
  });

  test('is an error where all nodes are known to be dead, and pong again when one may answer', async () => {
    const { ask, fleet } = makeFront();
    for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'down' };
    expect(await ask({ command: 'ping' })).toMatchObject({
      result: 'error',
      'error-reason': 'RTPC_NO_NODE all 2 nodes of set 0 are down',
    });
    for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'rising' };
    expect(await ask({ command: 'ping' })).toEqual({ result: 'pong' });
  });

  test.each(['drain', 'maint'] as const)(
    'goes on while all nodes are under %s: they have calls',
    async (order) => {
      const { ask, fleet } = makeFront();
      for (const member of fleet.all()) member.admin = { ...member.admin, order };
      expect(await ask({ command: 'ping' })).toEqual({ result: 'pong' });
    },
  );

  test('goes on while a removed node has calls', async () => {
    const { ask, fleet } = await established({ nodes: [makeNode(0)] });
    expect(fleet.remove(0)).toBeUndefined();
    expect(fleet.membersOf(0)).toEqual([]);
    expect(await ask({ command: 'ping' })).toEqual({ result: 'pong' });
  });
});

describe('a call', () => {
  test('is offered, answered, re-offered by the callee and deleted on one node', async () => {
    const { ask, asked, calls } = makeFront();
    expect(shownIn(await ask(OFFER))).toBe(outerOf(0));
    expect(shownIn(await ask(ANSWER))).toBe(innerOf(0));
    expect(calls.get('c1')?.state).toBe('confirmed');
    const again = { ...OFFER, 'from-tag': 'B', 'to-tag': 'A', sdp: CALLEE, direction: [] };
    expect(shownIn(await ask(again))).toBe(innerOf(0));
    expect(shownIn(await ask({ ...ANSWER, 'from-tag': 'B', 'to-tag': 'A', sdp: CALLER }))).toBe(outerOf(0));
    expect(await ask({ command: 'delete', 'call-id': 'c1', 'from-tag': 'A' })).toEqual({ result: 'ok' });
    expect(asked()).toEqual(['0 offer', '0 answer', '0 offer', '0 answer', '0 delete']);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('goes to the set of the port, or to the one the client names', async () => {
    const { ask, asked } = makeFront({
      nodes: [makeNode(0), makeNode(1, { setId: 1 }), makeNode(2, { setId: 2 })],
    });
    expect(await ask(OFFER, 1)).toMatchObject({ result: 'ok' });
    expect(await ask({ ...OFFER, 'call-id': 'c2', 'cluster-set': 2 }, 1)).toMatchObject({ result: 'ok' });
    expect(asked()).toEqual(['1 offer', '2 offer']);
  });

  test('goes to a node with the tags the client asks for', async () => {
    const { ask, asked } = makeFront({ nodes: [makeNode(0), makeNode(1, { tags: ['gpu'] })] });
    expect(await ask({ ...OFFER, 'cluster-require': 'gpu' })).toMatchObject({ result: 'ok' });
    expect(await ask({ ...OFFER, 'call-id': 'c2', 'cluster-prefer': ['gpu'] })).toMatchObject({
      result: 'ok',
    });
    expect(asked()).toEqual(['1 offer', '1 offer']);
  });

  test('begun at the other door goes on here', async () => {
    const { ask, requests } = makeFront();
    await requests.offer({
      callId: 'c1',
      fromTag: 'A',
      sdp: CALLER,
      direction: { from: 'inner', to: 'outer' },
      isInDialog: false,
      extra: {},
    });
    expect(shownIn(await ask(ANSWER))).toBe(innerOf(0));
  });

  test('shows the media address the client wants', async () => {
    const { ask } = makeFront();
    expect(shownIn(await ask({ ...OFFER, 'media address': '192.0.2.77' }))).toBe('192.0.2.77');
  });
});

describe('delete', () => {
  const DELETE: NgDict = { command: 'delete', 'call-id': 'c1' };

  test('gives the last statistics of the relay', async () => {
    const { ask, relay } = await established();
    relay(0).next('delete', { result: 'ok', totals: { RTP: { packets: 7 } } });
    const reply = await ask({ ...DELETE, 'from-tag': 'B' });
    expect(reply).toEqual({ result: 'ok', totals: { RTP: { packets: 7 } } });
    expect(relay(0).deletes).toMatchObject([{ callId: 'c1', wantsStatistics: true }]);
  });

  test('says that the node did not answer', async () => {
    const { ask, relay, clock, calls } = await established();
    relay(0).always('delete', 'never');
    const reply = ask(DELETE);
    await clock.advance(1000);
    expect(await reply).toEqual({
      result: 'ok',
      warning: 'the node did not answer; it will be told again until it does',
    });
    expect(calls.get('c1')).toBeUndefined();
  });

  test('of an unknown call is a warning, with the flag `fatal` an error', async () => {
    const { ask } = makeFront();
    expect(await ask(DELETE)).toEqual({ result: 'ok', warning: NOT_FOUND });
    for (const flags of [['fatal'], 'directional,fatal']) {
      expect(await ask({ ...DELETE, flags })).toMatchObject({ result: 'error', 'error-reason': NOT_FOUND });
    }
    expect(await ask({ ...DELETE, 'rtpp-flags': 'fatal' })).toMatchObject({ 'error-reason': NOT_FOUND });
  });

  test('a second one is a warning', async () => {
    const { ask, asked } = await established();
    expect(await ask(DELETE)).toEqual({ result: 'ok' });
    expect(await ask(DELETE)).toEqual({ result: 'ok', warning: NOT_FOUND });
    expect(asked()).toEqual(['0 delete']);
  });

  test('by a tag that is neither party leaves the call alone', async () => {
    const { ask, calls } = await established();
    expect(await ask({ ...DELETE, 'from-tag': 'X' })).toEqual({ result: 'ok', warning: NOT_FOUND });
    expect(await ask({ ...DELETE, 'from-tag': 'X', flags: ['fatal'] })).toMatchObject({ result: 'error' });
    expect(calls.get('c1')).toBeDefined();
  });

  test('by both tags ends the call, with the flag `to-tag` only the part of one callee', async () => {
    const forked = async () => {
      const front = await established();
      await front.ask({ ...ANSWER, 'to-tag': 'B2' });
      front.trace.length = 0;

      return front;
    };
    const tags = { 'from-tag': 'A', 'to-tag': 'B' };
    const whole = await forked();
    expect(await whole.ask({ ...DELETE, ...tags })).toEqual({ result: 'ok' });
    expect(whole.calls.get('c1')).toBeUndefined();
    for (const flag of [
      { flags: ['to-tag'] },
      { flags: 'to tag' },
      { 'rtpp-flags': 'to-tag' },
      { 'rtpp-flags': 'to-tag=B' },
    ]) {
      const { ask, calls, asked } = await forked();
      expect(await ask({ ...DELETE, ...tags, ...flag })).toEqual({ result: 'ok' });
      expect(calls.get('c1')?.legs.map(({ tag }) => tag)).toEqual(['A', 'B2']);
      expect(asked()).toEqual([]);
    }
  });

  test('of the call is not taken for that of a party under way', async () => {
    const { ask, calls } = await established();
    await ask({ ...ANSWER, 'to-tag': 'B2' });
    const leaving = { ...DELETE, 'from-tag': 'A', 'to-tag': 'B', flags: ['to-tag'] };
    await Promise.all([ask(leaving), ask(DELETE)]);
    expect(calls.get('c1')).toBeUndefined();
  });

  test('without from-tag but with to-tag and branch is the whole call, as `rtp_relay` means it', async () => {
    const { ask, calls } = await established();
    const message = { ...DELETE, 'to-tag': 'B', 'via-branch': 'br0', 'received-from': ['IP4', '0.0.0.0'] };
    expect(await ask(message)).toEqual({ result: 'ok' });
    expect(calls.get('c1')).toBeUndefined();
  });
});

describe('query', () => {
  test('is what the relay of the call says', async () => {
    const { ask, relay } = await established();
    relay(0).next('query', { result: 'ok', tags: { A: { tag: 'A' } } });
    expect(await ask({ command: 'query', 'call id': 'c1' })).toEqual({
      result: 'ok',
      tags: { A: { tag: 'A' } },
    });
    await ask({ command: 'query', 'call-id': 'c1', 'from-tag': 'A', 'to-tag': 'B' });
    await ask({ command: 'query', 'call-id': 'c1', 'to-tag': 'B' });
    expect(relay(0).queries.map(({ fromTag }) => fromTag)).toEqual([undefined, 'A', 'B']);
  });
});

describe('list', () => {
  const LIST: NgDict = { command: 'list' };

  test('has the live calls of the set that have a node', async () => {
    const { ask, calls } = makeFront();
    calls.add(makeCall('a'));
    calls.add(makeCall('b', { nodeId: null, state: 'announced' }));
    calls.add(makeCall('c', { setId: 1 }));
    calls.add(makeCall('d'));
    expect(await ask(LIST)).toEqual({ result: 'ok', calls: ['a', 'd'] });
    expect(await ask(LIST, 1)).toEqual({ result: 'ok', calls: ['c'] });
  });

  test('has 32 calls if no other limit is given', async () => {
    const { ask, calls } = makeFront();
    for (let i = 0; i < 100; i++) calls.add(makeCall(`c${i}`));
    const lengths = [];
    for (const limit of ['', 'x', 0, '0', 5, '50', 1000]) {
      lengths.push(((await ask({ ...LIST, limit })).calls as NgValue[]).length);
    }
    expect(lengths).toEqual([32, 32, 0, 0, 5, 50, 100]);
    expect(await ask({ ...LIST, limit: '-1' })).toMatchObject({ result: 'error' });
  });

  test('fits into a datagram whatever the Call-IDs are', async () => {
    const { ask, calls, commands } = makeFront();
    for (let i = 0; i < 200; i++) calls.add(makeCall(`"${i}${'\\'.repeat(1000)}`));
    const reply = await ask({ ...LIST, limit: 1000 });
    expect(JSON.stringify(reply).length).toBeWithin(58_000, 61_000);
    expect(encodeText(reply).length).toBeLessThan(61_000);
    expect(commands.counters.cutLists).toBe(1);
  });
});

describe('another command', () => {
  test('goes to the relay of the call with the keys of the client and none of the cluster', async () => {
    const { ask, relay } = await established();
    relay(0).next('command', { result: 'ok', duration: 9 });
    const reply = await ask({
      command: 'play media',
      'call ID': 'c1',
      'from-tag': 'A',
      file: '/x.wav',
      'cluster-set': 0,
      'Cluster To': 'x',
      direction: ['nowhere'],
      'from-interface': 'x',
      'rtpp-flags': 'block-egress repeat-times=3',
    });
    expect(reply).toEqual({ result: 'ok', duration: 9 });
    expect(relay(0).commands.map((message) => ({ ...message }))).toEqual([
      {
        command: 'play media',
        'call-id': 'c1',
        'from-tag': 'A',
        file: '/x.wav',
        flags: ['block-egress'],
        'repeat-times': '3',
      },
    ]);
  });

  test('`subscribe request` gets the address of its reader', async () => {
    const { ask, relay } = await established();
    const message = { command: 'subscribe request', 'call-id': 'c1', 'from-tag': 'A' };
    expect(String((await ask(message))['error-reason'])).toStartWith('RTPC_DIRECTION_UNKNOWN');
    for (const keys of [{ direction: ['pub', 'priv'] }, { 'cluster-to': 'inner' }]) {
      relay(0).next('command', {
        result: 'ok',
        sdp: CALLER.replaceAll('10.9.9.9', innerOf(0)),
        'to-tag': 'x',
      });
      expect(shownIn(await ask({ ...message, ...keys }))).toBe(innerOf(0));
      expect(relay(0).commands.at(-1)).toMatchObject({ 'media-address': innerOf(0) });
      expect(relay(0).commands.at(-1)).not.toHaveProperty('direction');
    }
  });

  test.each<[NgDict, string]>([
    [{ command: 'frobnicate' }, 'Unrecognized command'],
    [{ command: 'x'.repeat(5000) }, 'Unrecognized command'],
    [
      { command: 'publish' },
      'RTPC_COMMAND_UNSUPPORTED "publish" cannot be sent as a command: it begins a call',
    ],
    [{ command: 'cli' }, 'RTPC_COMMAND_UNSUPPORTED "cli" cannot be sent as a command: it concerns a node'],
    [{ command: 'connect', 'to call id': [] }, 'RTPC_BAD_PARAMETER to-call-id must be a Call-ID'],
    [{ command: 'connect', calls: [{}] }, 'RTPC_BAD_PARAMETER calls must be a list of Call-IDs'],
    [{ command: 'connect', 'to call id': 'c2' }, 'RTPC_CALLS_APART call c2 is not on node 0'],
  ])('is refused where it is not known to be about this call: %j', async (message, words) => {
    const { ask, asked } = await established();
    const reply = await ask({ 'call-id': 'c1', 'from-tag': 'A', ...message });
    expect(String(reply['error-reason'])).toStartWith(words);
    expect(asked()).toEqual([]);
  });

  test('of any length leaves room for why it is refused', async () => {
    const { ask } = makeFront();
    const { message } = await ask({ command: 'x'.repeat(60_000) });
    expect(String(message)).toContain('it is not known to concern one call only');
    expect(String(message).length).toBeLessThan(1000);
  });

  test('that the relay refuses is answered in its words', async () => {
    const { ask, relay } = await established();
    relay(0).next('command', fails('rejected'));
    expect(await ask({ command: 'play media', 'call-id': 'c1' })).toEqual({
      result: 'error',
      'error-reason': 'the relay says rejected',
      message: expect.stringContaining('RTPC_RELAY_REFUSED node 0'),
    });
  });
});

test('refusals are logged with their client, ten in a second, and then how many there were', async () => {
  const { commands, clock } = makeFront();
  for (let i = 0; i < 15; i++)
    await commands.handle({ command: 'frobnicate', 'call-id': 'c1' }, 0, '192.0.2.7');
  await clock.advance(1000);
  await commands.handle({ command: 'frobnicate' }, 0, '192.0.2.8');
  const told = await events();
  expect(told.map(({ event }) => event)).toEqual([
    ...Array.from({ length: 10 }, () => 'ng.refused'),
    'ng.refused_more',
    'ng.refused',
  ]);
  expect(told[0]).toMatchObject({ client: '192.0.2.7', command: 'frobnicate', call_id: 'c1' });
  expect(told[10]).toMatchObject({ lines: 5 });
});
