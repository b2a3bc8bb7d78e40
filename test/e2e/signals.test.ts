/** Signals to the compiled binary: SIGTERM ends it with 0 and loses nothing, others do not end it. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { FakeNode } from '../../src/relay/ng/fake-node.ts';
import { ensureBinary, startAppliance } from '../lab/appliance.ts';
import {
  addNodes,
  ask,
  halfRequest,
  liveCalls,
  loggedEvents,
  names,
  offer,
  place,
  readiness,
  sorted,
} from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

describe('signals', () => {
  test('SIGTERM: requests that wait for a relay are finished, the exit code is 0, and nothing is lost', async () => {
    const slow = await FakeNode.start();
    const { host, port } = slow.address;
    const database = join(temporaryFolder(), 'cluster.db');
    const patience = ['--media-budget-ms=8000', '--media-first-try-ms=4000', '--media-retransmit-ms=2000'];
    let appliance = await startAppliance({ binary, database, flags: patience });
    await addNodes(appliance, [{ socket: `udp:${host}:${port}` }]);
    slow.setFaults({ delayMs: 800 });
    const callIds = names(60, 'flying');
    const flying = place(appliance.url, callIds);
    // The relay has them all and keeps its replies back: every request is under way.
    await poll(
      () => (slow.calls.size === callIds.length ? true : undefined),
      () => `the relay has ${slow.calls.size} calls`,
    );
    const code = appliance.stop();
    const placed = await flying;
    expect(placed.size).toBe(callIds.length);
    expect(await code).toBe(0);
    slow.setFaults({ delayMs: 0 });
    appliance = await startAppliance({ binary, database });
    expect(sorted(await liveCalls(appliance))).toEqual(sorted(placed));
    expect(await appliance.stop()).toBe(0);
    slow.stop();
  });

  test('SIGTERM under load: exit 0, and every call that was answered 200 is known afterwards', async () => {
    const relays = [await startRelay(), await startRelay()];
    const database = join(temporaryFolder(), 'cluster.db');
    let appliance = await startAppliance({ binary, database });
    const { url, pid } = appliance;
    await addNodes(appliance, relays);
    const acknowledged = new Map<string, unknown>();
    const others: string[] = [];
    const client = async (connection: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const callId = `term-${connection}-${i}@fails`;
        const reply = await offer(url, callId).catch(() => undefined);
        if (reply === undefined) return;
        if (reply.status === 200) acknowledged.set(callId, reply.body.node);
        else others.push(reply.text);
        if (acknowledged.size === 400) process.kill(pid, 'SIGTERM');
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, connection) => client(connection)));
    expect(others).toEqual([]);
    expect(await appliance.stop()).toBe(0);
    appliance = await startAppliance({ binary, database });
    for (const [callId, node] of acknowledged) {
      const { body } = await ask(appliance.url, `/v1/calls/${encodeURIComponent(callId)}`);
      expect([callId, body.node_id]).toEqual([callId, node]);
    }
    expect(await appliance.stop()).toBe(0);
  });

  test('SIGTERM does not wait for ever: not for a silent relay, not for half a request', async () => {
    const relay = await startRelay();
    const flags = ['--media-budget-ms=10000', '--media-first-try-ms=5000', '--stop-grace-ms=300'];
    const appliance = await startAppliance({ binary, flags });
    await addNodes(appliance, [relay]);
    await relay.order({ hang: '' });
    const half = await halfRequest(
      appliance.url,
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Le',
    );
    const waiting = offer(appliance.url, 'never@fails').catch(() => undefined);
    // The lab kills it after 10 s, which is another exit code.
    expect(await appliance.stop()).toBe(0);
    await waiting;
    half.destroy();
  });

  test('SIGUSR1 and SIGUSR2 do not end it, and are logged; SIGHUP is a reload (service.test.ts)', async () => {
    const appliance = await startAppliance({ binary });
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      process.kill(appliance.pid, signal);
      await poll(
        () =>
          loggedEvents(appliance, 'signal.ignored').some((line) => line.signal === signal) ? true : undefined,
        () => `${signal} is not logged:\n${appliance.output()}`,
      );
      expect((await readiness(appliance.url)).status).toBe(200);
    }
    expect(await appliance.stop()).toBe(0);
  });
});
