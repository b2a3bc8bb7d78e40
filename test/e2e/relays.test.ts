/** A relay that is silent, late, dead, full or mad: new calls land on another one, and no call is left where it should not be. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { NODE_KINDS } from '../../src/domain/node.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import {
  addNodes,
  answer,
  ask,
  eventKinds,
  hangUp,
  liveCalls,
  loggedEvents,
  names,
  offer,
  place,
  sorted,
} from '../lab/client.ts';
import { type Relay, startFake } from '../lab/fake-relays.ts';
import { poll, sweep } from '../lab/processes.ts';
import { expectNoCalls } from '../lab/relays.ts';
import { buildSdp } from '../lab/sdp.ts';

const TIMEOUT_MS = 60_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

describe.each(NODE_KINDS)('a relay in trouble: %s', (kind) => {
  const isRtpengine = kind === 'rtpengine';
  /** How a relay says that it is full. */
  const full = isRtpengine ? 'load limit' : 'E72';
  const startRelay = (port?: number): Promise<Relay> => startFake(kind, port);

  /** Two relays; the first one is the one in trouble. */
  async function cluster(): Promise<{ first: Relay; second: Relay; appliance: Appliance }> {
    const [first, second] = [await startRelay(), await startRelay()];
    const appliance = await startAppliance({ binary });
    await addNodes(appliance, [first, second]);

    return { first, second, appliance };
  }

  /** Places calls, some of which would go to node 1, and expects all of them on node 2. */
  async function expectAllOnSecond(appliance: Appliance, prefix: string): Promise<string[]> {
    const placed = await place(appliance.url, names(24, prefix));
    expect([...placed].filter(([, node]) => node !== 2)).toEqual([]);

    return [...placed.keys()];
  }

  function triesFailedOnFirst(appliance: Appliance): string[] {
    return loggedEvents(appliance, 'media.try_failed').flatMap((line) =>
      line.node === 1 ? [String(line.cause)] : [],
    );
  }

  test(
    'silent: new calls land on the other node, and the first forgets them when it speaks again',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ hang: '' });
      const callIds = await expectAllOnSecond(appliance, 'silent');
      expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['silent']));
      await first.order({ hang: '0' });
      await expectNoCalls([first], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'late: it takes the call but says so too late; the call is on the other node, and the first is told to delete it',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ delay: 600 });
      const callIds = await expectAllOnSecond(appliance, 'late');
      expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['silent']));
      await first.order({ delay: 0 });
      await expectNoCalls([first], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('dead: nobody listens on its port; new calls land on the other node', async () => {
    const { first, appliance } = await cluster();
    await first.kill();
    await expectAllOnSecond(appliance, 'dead');
    expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['unreachable']));
    expect(await appliance.stop()).toBe(0);
  });

  test('refusing new calls since it is full: they land on the other node', async () => {
    const { first, appliance } = await cluster();
    await first.order({ refuse: full });
    await expectAllOnSecond(appliance, 'refuse');
    expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['refused']));
    expect(await first.calls()).toEqual([]);
    expect(await appliance.stop()).toBe(0);
  });

  test(
    'answering garbage: new calls land on the other node, and the first forgets them',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ garbage: '1' });
      const callIds = await expectAllOnSecond(appliance, 'garbage');
      expect(triesFailedOnFirst(appliance).length).toBeGreaterThan(0);
      await first.order({ garbage: '0' });
      await expectNoCalls([first], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  // Of an rtpproxy only the port is taken; the address is that of the node.
  test.skipIf(!isRtpengine)(
    'answering a wrong address: nobody is told it, new calls land on the other node, and the first forgets them',
    async () => {
      const { first, second, appliance } = await cluster();
      const wrong = '192.0.2.66';
      await first.order({ 'wrong-address': wrong });
      const replies = await Promise.all(names(24, 'wrong').map((callId) => offer(appliance.url, callId)));
      expect(replies.map(({ status, body }) => [status, body.node])).toEqual(replies.map(() => [200, 2]));
      expect(replies.filter(({ text }) => text.includes(wrong))).toEqual([]);
      expect(loggedEvents(appliance, 'node.bad_sdp').length).toBeGreaterThan(0);
      await expectNoCalls([first], 20_000);
      await second.order({ 'wrong-address': wrong });
      const refused = await offer(appliance.url, 'wrong-everywhere@fails');
      expect([refused.status, refused.body.code]).toEqual([502, 'RTPC_RELAY_ADDRESS']);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test.skipIf(isRtpengine)('answering a wrong address: nobody is told it', async () => {
    const { first, appliance } = await cluster();
    const wrong = '192.0.2.66';
    await first.order({ 'wrong-address': wrong });
    const replies = await Promise.all(names(24, 'wrong').map((callId) => offer(appliance.url, callId)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(replies.filter(({ text }) => text.includes(wrong))).toEqual([]);
    expect((await first.calls()).length).toBeGreaterThan(0);
    expect(await appliance.stop()).toBe(0);
  });

  test(
    'losing 30 % of all datagrams: every call is placed, and no relay has a call the cluster does not know there',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ loss: '0.3' });
      const callIds = names(120, 'lossy');
      await place(appliance.url, callIds);
      await first.order({ loss: '0' });
      for (const callId of callIds.slice(0, 40))
        expect((await hangUp(appliance.url, callId)).status).toBe(200);
      const live = sorted(await liveCalls(appliance));
      expect(live.length).toBe(80);
      const on = (node: number): string[] => live.flatMap(([callId, at]) => (at === node ? [callId] : []));
      let found: string[][] = [];
      await poll(
        async () => {
          found = await Promise.all([first, second].map(async (relay) => [...(await relay.calls())].sort()));

          return Bun.deepEquals(found, [on(1), on(2)]) ? true : undefined;
        },
        () =>
          `relays have ${found.map((calls) => calls.length)}, the cluster says ${on(1).length}, ${on(2).length}`,
        20_000,
      );
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('all silent, or all dead: 504 with one clear line; all full: 503; and it goes on when they are back', async () => {
    const { first, second, appliance } = await cluster();
    const asProxy = (callId: string) =>
      ask(appliance.url, `/v1/media/auto?call-id=${callId}&from-tag=f&method=INVITE&cseq=1&dir=out`, {
        method: 'POST',
        headers: { 'content-type': 'application/sdp' },
        body: buildSdp({ address: '10.1.1.1', port: 4000 }),
      });
    for (const relay of [first, second]) await relay.order({ hang: '' });
    const silent = await asProxy('silent');
    expect(silent.status).toBe(504);
    expect(silent.text).toMatch(/^RTPC_RELAY_SILENT node \d \(udp:127\.0\.0\.1:\d+\): [^\n]+\n$/);
    for (const relay of [first, second]) await relay.order({ hang: '0', refuse: full });
    const refused = await asProxy('full');
    expect(refused.status).toBe(503);
    expect(refused.text).toMatch(/^RTPC_NO_NODE [^\n]+\n$/);
    const ports = [first, second].map(({ socket }) => Number(socket.split(':').at(-1)));
    await Promise.all([first.kill(), second.kill()]);
    const dead = await asProxy('dead');
    expect(dead.status).toBe(504);
    expect(dead.text).toMatch(/^RTPC_RELAY_SILENT node \d \(udp:127\.0\.0\.1:\d+\): [^\n]+\n$/);
    await Promise.all(ports.map((port) => startRelay(port)));
    expect((await asProxy('back')).status).toBe(200);
    expect((await ask(appliance.url, '/v1/media/offer', { method: 'POST' })).status).toBe(400);
    expect(await appliance.stop()).toBe(0);
  });

  test('restarted, so that it forgot a call: the answer fails with RTPC_CALL_LOST, and the call may begin anew', async () => {
    const relay = await startRelay();
    const appliance = await startAppliance({ binary });
    await addNodes(appliance, [relay]);
    await place(appliance.url, ['lost@fails']);
    await relay.kill();
    await startRelay(Number(relay.socket.split(':').at(-1)));
    const lost = await answer(appliance.url, 'lost@fails');
    expect([lost.status, lost.body.code]).toEqual([502, 'RTPC_CALL_LOST']);
    expect((await ask(appliance.url, '/v1/calls/lost@fails')).body).toMatchObject({
      state: 'ended',
      end_reason: 'lost',
    });
    await poll(
      async () => ((await eventKinds(appliance)).includes('call.lost') ? true : undefined),
      () => 'there is no event call.lost',
    );
    await place(appliance.url, ['lost@fails']);
    expect((await answer(appliance.url, 'lost@fails')).status).toBe(200);
    expect(await appliance.stop()).toBe(0);
  });
});
