/** Figures that parts keep for the metrics alone. */

import { expect, test } from 'bun:test';
import { Replays } from '../../../src/calls/replays.ts';
import { Serial } from '../../../src/calls/serial.ts';
import { startWebhooks } from '../../../src/events/webhooks.ts';
import { DrainHook } from '../../../src/fleet/drain-hook.ts';
import { driverOf, newWireTotals } from '../../../src/relay/of-node.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { BUDGET_MS, failed, makeCluster, makeNode, phoneSdp, sip } from '../../fakes/cluster.ts';
import { flush, openStore } from '../../fakes/store.ts';
import { freeUdpPort } from '../../lab/ports.ts';
import { poll } from '../../lab/processes.ts';

test('requests that share an execution and those a full line refuses are counted', async () => {
  const serial = new Serial();
  const gate = Promise.withResolvers<void>();
  const runs = Array.from({ length: 33 }, (_, index) => serial.run('c', String(index), () => gate.promise));
  runs.push(serial.run('c', '0', () => gate.promise));
  expect(serial.counters).toEqual({ shared: 1, refused: 1 });
  expect(serial.size).toBe(1);
  gate.resolve();
  await Promise.all(runs);
  expect(serial.size).toBe(0);
});

test('a request whose time went by in the line of its call is overdue', async () => {
  const { requests, relay, clock } = makeCluster({ nodes: [makeNode(0)] });
  relay(0).always('offer', 'never');
  const first = requests.auto(sip({ method: 'INVITE' }, phoneSdp('10.9.9.9')));
  const second = requests.auto(sip({ method: 'INVITE', cseq: '2' }, phoneSdp('10.9.9.9')));
  await clock.advance(BUDGET_MS + 100);
  expect([failed(await first).code, failed(await second).code]).toEqual(['RTPC_RELAY_SILENT', 'RTPC_BUSY']);
  expect(requests.counters.overdue).toBe(1);
});

test('answers given again are counted, and calls whose answers had to go', () => {
  const replays = new Replays(new FakeClock());
  replays.put('c', 'm', { sdp: 'x', nodeId: 1 });
  replays.get('c', 'm');
  replays.get('c', 'n');
  expect([replays.counters, replays.size, replays.bytes]).toEqual([{ replayed: 1, forgotten: 0 }, 1, 2]);
  for (const callId of ['d', 'e']) replays.put(callId, 'm', { sdp: 'x'.repeat(5_000_000), nodeId: 1 });
  expect([replays.counters.forgotten, replays.size]).toEqual([2, 1]);
});

test('a webhook tells how far behind it is, by host only', async () => {
  const clock = new FakeClock();
  const { store } = openStore(clock);
  let status = 500;
  const webhooks = startWebhooks(
    store,
    clock,
    { urls: ['https://hooks.example.org/secret-path'], kinds: ['node.*'], secret: '', timeoutMs: 1000 },
    new Map(),
    async () => new Response(null, { status }),
  );
  for (const kind of ['node.up', 'set.calm', 'node.down']) store.event(kind);
  await clock.advance(0);
  await flush(store);
  await settle();
  expect(webhooks.states()).toEqual([
    { host: 'hooks.example.org', backlog: 3, counters: { delivered: 0, failed: 1, pruned: 0 } },
  ]);
  status = 204;
  await clock.advance(2000);
  expect(webhooks.states()).toMatchObject([{ backlog: 0, counters: { delivered: 2, failed: 1 } }]);
  await webhooks.stop();
});

test('a drain hook counts what it ran, and what failed', async () => {
  const clock = new FakeClock();
  const { store } = openStore(clock);
  const hook = new DrainHook('/bin/false', store, clock);
  hook.run({
    event: 'drained',
    node: { id: 1, socket: 'udp:127.0.0.1:1', setId: 0 },
    calls: 0,
    by: '',
    reason: '',
  });
  expect([hook.counters, hook.pending]).toEqual([{ runs: 1, failed: 0 }, 1]);
  await poll(
    async () => {
      // Output may still come for a while, by a clock that stands.
      await clock.advance(100);

      return hook.pending === 0 || undefined;
    },
    () => 'it does not end',
  );
  expect(hook.counters).toEqual({ runs: 1, failed: 1 });
});

test('sockets of one kind count together, and what they counted stays when their node goes', async () => {
  const totals = newWireTotals();
  const options = { retransmitMs: 100, noticeSocket: null };
  for (const kind of ['rtpengine', 'rtpengine', 'rtpproxy'] as const) {
    const node = makeNode(0, { kind, socket: `udp:127.0.0.1:${await freeUdpPort()}` });
    const driver = driverOf(node, systemClock, options, totals);
    await driver.query({ callId: 'c', tags: ['a'] }, systemClock.monotonic() + 500);
    driver.close();
  }
  expect([totals.rtpengine.sent, totals.rtpengine.refused]).toEqual([2, 2]);
  expect([totals.rtpproxy.sent, totals.rtpproxy.refused]).toEqual([1, 1]);
});
