/** How long SIP proxies that speak ng find nobody: they stay away for a minute from a port where nobody listens, so it must be short. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { fillDatabase } from '../bench/stored-calls.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, loggedEvents } from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { answerOf, NgClient, offerOf, read } from '../lab/ng-client.ts';
import { NgRecorder } from '../lab/ng-recorder.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';

/** Restarts in a row; the median is told. */
const ROUNDS = 5;
const STORED_CALLS = 100_000;
/** Far from the goal of 300 ms, since machines differ; the figures are printed. */
const BOUND_MS = 5000;
const TIMEOUT_MS = 120_000;
const PING = { command: 'ping' };
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

function serve(database: string, port: number, ...flags: string[]): Promise<Appliance> {
  return startAppliance({ binary, database, ngListen: `0 == udp:127.0.0.1:${port}`, flags });
}

/** What a proxy sees of a process that is started now, ms after its exec. */
interface Return {
  /** When the first ping was sent that did not meet a closed port. */
  readonly boundMs: number;
  /** When that ping was answered. */
  readonly answeredMs: number;
  readonly appliance: Appliance;
}

/** Starts the appliance and pings it all the while, every millisecond or so. */
async function comeBack(database: string, port: number): Promise<Return> {
  const proxy = await NgClient.connect({ port });
  const startedAt = performance.now();
  const starting = serve(database, port);
  const sent = new Map<string, number>();
  try {
    const first = await poll(
      async () => {
        const answered = [...sent.keys()].find((cookie) => proxy.replies(cookie).length > 0);
        if (answered !== undefined) return answered;
        const cookie = proxy.cookie();
        sent.set(cookie, performance.now());
        proxy.send(cookie, PING);
        await Bun.sleep(1);

        return undefined;
      },
      () => 'nobody answers pings',
    );
    const answeredMs = performance.now() - startedAt;

    return { boundMs: (sent.get(first) ?? 0) - startedAt, answeredMs, appliance: await starting };
  } finally {
    proxy.close();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe('after kill -9', () => {
  async function measure(database: string, name: string): Promise<void> {
    const port = await freeUdpPort();
    const returns: Return[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const back = await comeBack(database, port);
      returns.push(back);
      await back.appliance.kill();
    }
    const [bound, answered] = [
      returns.map(({ boundMs }) => boundMs),
      returns.map(({ answeredMs }) => answeredMs),
    ];
    console.log(
      `${name}: port bound after ${median(bound).toFixed(0)} ms, ping answered after ${median(answered).toFixed(0)} ms (medians of ${ROUNDS}; ${answered.map((ms) => ms.toFixed(0)).join(', ')})`,
    );
    expect(Math.max(...answered)).toBeLessThan(BOUND_MS);
  }

  test(
    'it is soon back with an empty database',
    () => measure(join(temporaryFolder(), 'empty.db'), 'empty database'),
    TIMEOUT_MS,
  );

  test(
    `it is soon back with ${STORED_CALLS} live calls`,
    async () => {
      const database = join(temporaryFolder(), 'full.db');
      fillDatabase(database, STORED_CALLS);
      await measure(database, `${STORED_CALLS} live calls`);
    },
    TIMEOUT_MS,
  );

  test('a call that was offered before goes on afterwards, at the same node, over the same socket of the proxy', async () => {
    const relays = [await startRelay(), await startRelay()];
    const database = join(temporaryFolder(), 'cluster.db');
    const port = await freeUdpPort();
    const before = await serve(database, port);
    await addNodes(before, relays);
    const proxy = await NgClient.connect({ port });
    const offered = new Map<string, string>();
    for (let i = 0; i < 12; i++) {
      const reply = await proxy.ask(offerOf(`call-${i}@restart`));
      offered.set(`call-${i}@restart`, /^c=IN IP4 198\.51\.100\.(\d)/m.exec(String(reply.sdp))?.[1] ?? '');
    }
    expect(new Set(offered.values())).toEqual(new Set(['1', '2']));
    await before.kill();

    const after = await serve(database, port);
    for (const [callId, node] of offered) {
      const answered = await proxy.ask(answerOf(callId));
      expect([callId, String(answered.sdp)]).toEqual([
        callId,
        expect.stringContaining(`c=IN IP4 10.9.0.${node}\r\n`),
      ]);
      // A re-INVITE of the callee, who says nothing of directions.
      const again = await proxy.ask({
        command: 'offer',
        'call-id': callId,
        'from-tag': 'callee',
        'to-tag': 'caller',
        sdp: answerOf(callId).sdp ?? '',
      });
      expect(String(again.sdp)).toContain(`c=IN IP4 10.9.0.${node}\r\n`);
      const deleted = await proxy.ask({ command: 'delete', 'call-id': callId });
      expect([deleted.result, deleted.warning]).toEqual(['ok', undefined]);
    }
    expect(await after.stop()).toBe(0);
    proxy.close();
  });
});

describe('SIGTERM', () => {
  const PATIENCE = ['--media-budget-ms=8000', '--media-first-try-ms=4000', '--media-retransmit-ms=2000'];

  test('a request under way gets its reply, and nobody meets a closed port before it is there', async () => {
    const relay = await NgRecorder.open((await startRelay()).socket);
    const port = await freeUdpPort();
    const appliance = await serve(join(temporaryFolder(), 'cluster.db'), port, ...PATIENCE);
    await addNodes(appliance, [relay]);
    const [waiting, late] = [await NgClient.connect({ port }), await NgClient.connect({ port })];
    const cookie = waiting.cookie();
    relay.hold();
    waiting.send(cookie, offerOf('under-way@term'));
    await poll(
      () => relay.asked('offer')[0],
      () => 'the relay is not asked',
    );
    const ended = appliance.stop();
    await poll(
      () => loggedEvents(appliance, 'appliance.stopping')[0],
      () => 'it does not stop',
    );
    // The system tells of a closed port with the next datagram at the latest.
    for (let i = 0; i < 20; i++) {
      late.send(late.cookie(), PING);
      await Bun.sleep(5);
    }
    expect(late.refused).toBe(0);
    relay.release();
    const [reply] = await waiting.heard(cookie);
    expect(read(reply ?? '').result).toBe('ok');
    expect(await ended).toBe(0);
    for (const client of [waiting, late]) client.close();
    relay.close();
  });

  test('the port is closed at the very end: a proxy meets it closed only when the process is gone', async () => {
    const relay = await startRelay();
    const port = await freeUdpPort();
    const appliance = await serve(join(temporaryFolder(), 'cluster.db'), port);
    await addNodes(appliance, [relay]);
    const proxy = await NgClient.connect({ port });
    let gone = Number.POSITIVE_INFINITY;
    const ended = appliance.stop().then((code) => {
      gone = performance.now();

      return code;
    });
    let refusedAt = Number.POSITIVE_INFINITY;
    await poll(
      async () => {
        proxy.send(proxy.cookie(), PING);
        await Bun.sleep(0);
        if (proxy.refused === 0) return undefined;
        refusedAt = performance.now();

        return true;
      },
      () => 'the port stays open',
    );
    expect(await ended).toBe(0);
    console.log(`SIGTERM: port closed ${(gone - refusedAt).toFixed(0)} ms before the process was gone`);
    expect(gone - refusedAt).toBeLessThan(1000);
    proxy.close();
  });
});
