/** The compiled binary as SIP proxies see it that speak ng: calls that go on at the other door, and retransmissions. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { NodeKind } from '../../src/domain/node.ts';
import { type Appliance, ensureBinary } from '../lab/appliance.ts';
import { addNodes, loggedEvents } from '../lab/client.ts';
import { startFake } from '../lab/fake-relays.ts';
import { serveNg } from '../lab/ng-appliance.ts';
import { answerOf, INNER_SDP, NgClient, OUTER_SDP, offerOf, read, shown } from '../lab/ng-client.ts';
import { NgRecorder } from '../lab/ng-recorder.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { SipProxy } from '../lab/proxy.ts';
import { callsOnReal, startReal, whyNoRelay } from '../lab/relays.ts';
import { command } from '../lab/runs.ts';

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);
afterAll(() => NgClient.closeAll());

interface RelayUnderTest {
  readonly kind: NodeKind;
  readonly socket: string;
  /** How many calls it has; a fake rtpproxy has several words for each, so only none is none. */
  calls(): Promise<readonly string[]>;
}

async function realRtpengine(index: number): Promise<RelayUnderTest> {
  const port = await freeUdpPort();
  const portMin = 40_000 + 200 * index;
  const place = { address: '127.0.0.1', port, portMin, portMax: portMin + 199 };
  await startReal('rtpengine', place);
  const socket = `udp:127.0.0.1:${port}`;

  return { kind: 'rtpengine', socket, calls: () => callsOnReal('rtpengine', socket) };
}

const why = whyNoRelay('rtpengine');
if (why !== undefined) console.warn(`SKIP real rtpengines in test/e2e/ng: ${why}`);

for (const { name, start, skip } of [
  { name: 'real rtpengines', start: realRtpengine, skip: why !== undefined },
  { name: 'fake rtpproxies', start: () => startFake('rtpproxy'), skip: false },
]) {
  describe.skipIf(skip)(`two doors to the same calls: ${name}`, () => {
    let appliance: Appliance;
    let ng: NgClient;
    let http: SipProxy;
    let relays: readonly RelayUnderTest[] = [];

    beforeAll(async () => {
      relays = [await start(0), await start(1)];
      const served = await serveNg();
      appliance = served.appliance;
      await addNodes(appliance, relays);
      http = new SipProxy(appliance.url);
      ng = await NgClient.connect({ port: served.port });
    });
    afterAll(async () => {
      ng.close();
      expect(loggedEvents(appliance, 'ng.defect')).toEqual([]);
      expect(await appliance.stop()).toBe(0);
    });

    async function nodeOf(callId: string): Promise<number> {
      const call = (await appliance.api('GET', `/v1/calls/${callId}`)) as { node_id: number };

      return call.node_id;
    }

    async function expectGone(): Promise<void> {
      const left = (await Promise.all(relays.map((relay) => relay.calls()))).flat();
      expect(left).toEqual([]);
    }

    test('a call that begins by ng goes on by HTTP: re-INVITEs of both parties and BYE, at the same node', async () => {
      const callId = 'begun-by-ng@doors';
      const toCallee = shown(await ng.ask(offerOf(callId)));
      const node = await nodeOf(callId);
      expect(toCallee).toBe(`198.51.100.${node}`);
      expect(shown(await ng.ask(answerOf(callId)))).toBe(`10.9.0.${node}`);

      const byCallee = { method: 'INVITE', fromTag: 'callee', toTag: 'caller', cseq: 1 };
      expect((await http.audio(callId, { ...byCallee, body: OUTER_SDP })).address).toBe(`10.9.0.${node}`);
      const answered = await http.audio(callId, { ...byCallee, status: 200, body: INNER_SDP });
      expect(answered.address).toBe(`198.51.100.${node}`);
      const byCaller = { method: 'INVITE', fromTag: 'caller', toTag: 'callee', cseq: 2 };
      expect((await http.audio(callId, { ...byCaller, body: INNER_SDP })).address).toBe(`198.51.100.${node}`);
      expect((await http.audio(callId, { ...byCaller, status: 200, body: OUTER_SDP })).address).toBe(
        `10.9.0.${node}`,
      );
      expect(await nodeOf(callId)).toBe(node);

      const ended = await http.auto(callId, {
        method: 'BYE',
        fromTag: 'caller',
        toTag: 'callee',
        cseq: 3,
      });
      expect(ended.status).toBeLessThan(300);
      await expectGone();
      // The other door knows that it is over.
      expect(await ng.ask(answerOf(callId))).toMatchObject({ 'error-reason': 'Unknown call-id' });
    });

    test('a call that begins by HTTP goes on by ng: re-INVITEs of both parties, query and delete, at the same node', async () => {
      const callId = 'begun-by-http@doors';
      const invite = { method: 'INVITE', fromTag: 'caller', cseq: 1, dir: 'out' };
      const offered = await http.audio(callId, { ...invite, body: INNER_SDP });
      const node = await nodeOf(callId);
      expect(offered.address).toBe(`198.51.100.${node}`);
      const ok = { ...invite, toTag: 'callee', status: 200, body: OUTER_SDP };
      expect((await http.audio(callId, ok)).address).toBe(`10.9.0.${node}`);

      // No direction: the call is known.
      const byCallee = { 'from-tag': 'callee', 'to-tag': 'caller' };
      const offer = { command: 'offer', 'call-id': callId, ...byCallee, sdp: OUTER_SDP };
      expect(shown(await ng.ask(offer))).toBe(`10.9.0.${node}`);
      expect(shown(await ng.ask({ ...offer, command: 'answer', sdp: INNER_SDP }))).toBe(`198.51.100.${node}`);
      const byCaller = { ...offer, 'from-tag': 'caller', 'to-tag': 'callee', sdp: INNER_SDP };
      expect(shown(await ng.ask(byCaller))).toBe(`198.51.100.${node}`);
      expect(shown(await ng.ask(answerOf(callId)))).toBe(`10.9.0.${node}`);
      expect(await nodeOf(callId)).toBe(node);

      expect(await ng.ask({ command: 'query', 'call-id': callId })).toMatchObject({ result: 'ok' });
      expect(await ng.ask({ command: 'list' })).toEqual({ result: 'ok', calls: [callId] });
      const bye = { command: 'delete', 'call-id': callId, 'from-tag': 'callee', 'to-tag': 'caller' };
      const { result, warning } = await ng.ask(bye);
      expect([result, warning]).toEqual(['ok', undefined]);
      await expectGone();
      expect(await ng.ask({ command: 'query', 'call-id': callId })).toMatchObject({
        result: 'error',
        'error-reason': 'Unknown call-id',
      });
      // A BYE is often told twice.
      expect(await ng.ask(bye)).toMatchObject({
        result: 'ok',
        warning: "Call-ID not found or tags didn't match",
      });
    });

    test('"explain" and "call show" tell of what came by ng', async () => {
      const callId = 'explained@doors';
      await ng.ask(offerOf(callId));
      await ng.ask(answerOf(callId));
      const node = await nodeOf(callId);
      const { steps } = (await appliance.api('GET', `/v1/explain/${callId}`)) as {
        steps: { operation: string; node_id: number; result: string; sides: string }[];
      };
      expect(steps.map(({ operation, node_id: at, sides }) => [operation, at, sides])).toEqual([
        ['offer', node, 'inner>outer'],
        ['answer', node, 'outer>inner'],
      ]);
      const explained = command(binary, 'explain', callId, '--url', appliance.url);
      expect(explained.code).toBe(0);
      expect(explained.text).toContain(`198.51.100.${node}`);
      const call = command(binary, 'call', 'show', callId, '--url', appliance.url);
      expect(call.code).toBe(0);
      for (const text of ['caller', 'callee', 'inner', 'outer', `10.9.0.${node}`])
        expect(call.text).toContain(text);
      expect(await ng.ask({ command: 'delete', 'call-id': callId })).toMatchObject({ result: 'ok' });
      await expectGone();
    });
  });
}

describe('retransmissions', () => {
  /** A relay may be slow here without being given up. */
  const PATIENCE = ['--media-budget-ms=8000', '--media-first-try-ms=4000', '--media-retransmit-ms=2000'];
  let appliance: Appliance;
  let relay: NgRecorder;
  let port = 0;

  beforeAll(async () => {
    relay = await NgRecorder.open((await startFake('rtpengine')).socket);
    ({ appliance, port } = await serveNg({ flags: PATIENCE }));
    await addNodes(appliance, [relay]);
  });
  afterEach(() => relay.release());
  afterAll(async () => {
    expect(await appliance.stop()).toBe(0);
    relay.close();
  });

  function asked(operation: string, callId: string) {
    return relay.asked(operation).filter(({ message }) => message?.['call-id'] === callId);
  }

  function untilAsked(operation: string, callId: string): Promise<true> {
    return poll(
      () => (asked(operation, callId).length > 0 ? true : undefined),
      () => `the relay is not asked for ${operation} of ${callId}`,
    );
  }

  test('the same cookie twice while the relay works on it: one request there, two equal replies', async () => {
    const client = await NgClient.connect({ port });
    const cookie = client.cookie();
    const offer = offerOf('in-flight@twice');
    relay.hold();
    client.send(cookie, offer);
    await untilAsked('offer', 'in-flight@twice');
    client.send(cookie, offer);
    // A ping is not held up, and comes after the second one.
    expect(await client.ask({ command: 'ping' })).toEqual({ result: 'pong' });
    expect(client.replies(cookie)).toEqual([]);
    relay.release();
    const [first, second] = await client.heard(cookie, 2);
    expect(shown(read(first ?? ''))).toBe('198.51.100.1');
    expect(second).toBe(first);
    // It was done, so this one comes from memory.
    client.send(cookie, offer);
    expect(await client.heard(cookie, 3)).toEqual([first, first, first] as string[]);
    expect(asked('offer', 'in-flight@twice').length).toBe(1);
  });

  test('the same cookie from another port of the same address: the same reply; from another address: done anew', async () => {
    const [one, other] = [await NgClient.connect({ port }), await NgClient.connect({ port })];
    const cookie = one.cookie();
    const offer = offerOf('moved@twice');
    const first = await one.ask(offer, cookie);
    expect(await other.ask(offer, cookie)).toEqual(first);
    expect(asked('offer', 'moved@twice').length).toBe(1);
    const stranger = await NgClient.connect({ port }, '127.0.0.77');
    const listing = one.cookie();
    const list = { command: 'list', limit: 1000 };
    const before = await one.ask(list, listing);
    await one.ask(offerOf('later@twice'));
    expect(await one.ask(list, listing)).toEqual(before);
    expect((await stranger.ask(list, listing)).calls).toContain('later@twice');
  });

  test('the same cookie with another payload, as of a proxy that began anew: it is done', async () => {
    const client = await NgClient.connect({ port });
    const cookie = client.cookie();
    await client.ask(offerOf('old@cookie'), cookie);
    await client.ask(offerOf('new@cookie'), cookie);
    expect([asked('offer', 'old@cookie').length, asked('offer', 'new@cookie').length]).toEqual([1, 1]);
    expect(await client.ask({ command: 'ping' }, cookie)).toEqual({ result: 'pong' });
  });

  test('the same offer under two cookies at the same moment: one request at the relay, the same SDP for both', async () => {
    const [one, other] = [await NgClient.connect({ port }), await NgClient.connect({ port })];
    const offer = offerOf('serial@twice');
    const cookies = [one.cookie(), other.cookie()] as const;
    relay.hold();
    one.send(cookies[0], offer);
    other.send(cookies[1], offer);
    await untilAsked('offer', 'serial@twice');
    expect(await other.ask({ command: 'ping' })).toEqual({ result: 'pong' });
    relay.release();
    const [first] = await one.heard(cookies[0]);
    const [second] = await other.heard(cookies[1]);
    expect(shown(read(first ?? ''))).toBe('198.51.100.1');
    expect(read(second ?? '').sdp).toBe(read(first ?? '').sdp ?? '');
    expect(asked('offer', 'serial@twice').length).toBe(1);
  });

  test('a delete that overtakes nothing: sent right behind an offer, it ends the call', async () => {
    const client = await NgClient.connect({ port });
    const cookies = [client.cookie(), client.cookie()] as const;
    relay.hold();
    client.send(cookies[0], offerOf('overtaken@twice'));
    client.send(cookies[1], { command: 'delete', 'call-id': 'overtaken@twice' });
    await untilAsked('offer', 'overtaken@twice');
    relay.release();
    expect(shown(read((await client.heard(cookies[0]))[0] ?? ''))).toBe('198.51.100.1');
    expect(read((await client.heard(cookies[1]))[0] ?? '')).toMatchObject({ result: 'ok' });
    const { calls } = await client.ask({ command: 'list', limit: 1000 });
    expect(calls).not.toContain('overtaken@twice');
    expect(asked('delete', 'overtaken@twice').length).toBe(1);
  });
});
