/** Nodes are taken out of service and back: running calls go on, new ones go elsewhere, and whoever asked is told when it is done. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_KINDS } from '../../src/domain/node.ts';
import { type Appliance, commandLine, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, answer, hangUp, liveCalls, names, offer, place } from '../lab/client.ts';
import { type Relay, startFake } from '../lab/fake-relays.ts';
import { freeUdpPort, isTcpFree, loopbackNetwork } from '../lab/ports.ts';
import { leashed, own, poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const TIMEOUT_MS = 60_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

/** What these tests read of a node. */
interface Shown {
  readonly order: { readonly state: string; readonly by: string; readonly relay_told: boolean };
  readonly health: { readonly state: string };
  readonly drain: { readonly calls_left: number; readonly is_drained: boolean } | null;
  readonly warning?: string;
}

async function shown(appliance: Appliance, id: number): Promise<Shown> {
  return (await appliance.api('GET', `/v1/nodes/${id}`)) as Shown;
}

async function order(appliance: Appliance, path: string, body: object = {}): Promise<Shown> {
  return (await appliance.api('POST', `/v1/nodes/${path}`, body)) as Shown;
}

async function events(appliance: Appliance, kind: string): Promise<{ detail: unknown }[]> {
  return ((await appliance.api('GET', `/v1/events?kind=${kind}`)) as { events: { detail: unknown }[] })
    .events;
}

async function untilUp(appliance: Appliance, id: number): Promise<void> {
  await poll(
    async () => ((await shown(appliance, id)).health.state === 'up' ? true : undefined),
    () => `node ${id} does not come up`,
  );
}

describe.each(NODE_KINDS)('draining: %s', (kind) => {
  interface World {
    readonly relays: readonly [Relay, Relay];
    readonly appliance: Appliance;
    readonly flags: readonly string[];
    /** What the hook wrote so far. */
    hooks(): string[];
  }

  /** Two nodes that are up, and a hook that notes what it is told. */
  async function world(): Promise<World> {
    const folder = temporaryFolder();
    const [hook, notes] = [join(folder, 'hook'), join(folder, 'notes')];
    const told = ['EVENT', 'NODE_ID', 'NODE_CALLS', 'BY', 'REASON'].map((name) => `$RTP_CLUSTER_${name}`);
    writeFileSync(hook, `#!/bin/sh\necho "${told.join(' ')}" >> ${notes}\necho noted\n`);
    chmodSync(hook, 0o755);
    const flags = [`--drain-hook=${hook}`];
    const relays = [await startFake(kind), await startFake(kind)] as const;
    const appliance = await startAppliance({ binary, flags });
    await addNodes(appliance, relays);
    for (const id of [1, 2]) await untilUp(appliance, id);

    return {
      relays,
      appliance,
      flags,
      hooks: () => (existsSync(notes) ? readFileSync(notes, 'utf8').trimEnd().split('\n') : []),
    };
  }

  /** Calls on a node, placed by chance. */
  async function callsOn(appliance: Appliance, id: number, prefix: string): Promise<string[]> {
    const placed = await place(appliance.url, names(24, prefix));

    return [...placed].filter(([, node]) => node === id).map(([callId]) => callId);
  }

  test(
    'keeps running calls answered, sends new ones elsewhere, and tells event, hook and "--wait" when the last has ended',
    async () => {
      const { appliance, hooks } = await world();
      const running = await callsOn(appliance, 1, 'before');
      expect(running.length).toBeGreaterThan(0);
      const words = ['node', 'drain', '1', '--reason', 'new kernel', '--wait', '--url', appliance.url];
      const env = { PATH: process.env.PATH ?? '', USER: 'tester' };
      const command = [...commandLine(binary), ...words];
      const waiting = own(
        Bun.spawn(leashed(command), { env, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }),
      );
      await poll(
        async () => ((await shown(appliance, 1)).order.state === 'drain' ? true : undefined),
        () => 'the node does not drain',
      );
      const placed = await place(appliance.url, names(24, 'after'));
      expect([...placed.values()].filter((node) => node !== 2)).toEqual([]);
      for (const callId of running) {
        const answered = await answer(appliance.url, callId);
        expect([answered.status, answered.body.node]).toEqual([200, 1]);
      }
      expect(await shown(appliance, 1)).toMatchObject({
        drain: { calls_left: running.length, is_drained: false },
      });
      expect(hooks()).toEqual([]);
      for (const callId of running) expect((await hangUp(appliance.url, callId)).status).toBe(200);
      expect(await waiting.exited).toBe(0);
      expect(await new Response(waiting.stdout).text()).toEndWith('node 1 is empty\n');
      await poll(
        () => (hooks().length > 0 ? true : undefined),
        () => 'the hook does not run',
      );
      expect(hooks()).toEqual([expect.stringMatching(/^drained 1 0 tester@\S+ new kernel$/)]);
      expect((await events(appliance, 'node.drained')).length).toBe(1);
      await order(appliance, '1/ready');
      expect((await callsOn(appliance, 1, 'again')).length).toBeGreaterThan(0);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'goes on after a kill -9, and what was told is not told again',
    async () => {
      const { appliance, flags, hooks } = await world();
      const running = await callsOn(appliance, 1, 'kept');
      await order(appliance, '1/drain', { reason: 'kept', by: 'me', deadline_s: 3600 });
      await order(appliance, '2/maint', { reason: 'disk', by: 'me' });
      await order(appliance, '2/ready');
      await appliance.kill();
      const second = await startAppliance({ binary, flags, database: appliance.database });
      expect(await shown(second, 1)).toMatchObject({
        order: { state: 'drain', by: 'me' },
        drain: { calls_left: running.length },
      });
      await untilUp(second, 2);
      const placed = await place(second.url, names(24, 'second'));
      expect([...placed.values()].filter((node) => node !== 2)).toEqual([]);
      for (const callId of running) expect((await answer(second.url, callId)).body.node).toBe(1);
      for (const callId of running) await hangUp(second.url, callId);
      await poll(
        () => (hooks().length > 0 ? true : undefined),
        () => 'the hook does not run',
      );
      // An event nobody waits for is on the disk a moment later.
      await poll(
        async () => ((await events(second, 'node.drained')).length > 0 ? true : undefined),
        () => 'the event does not come',
      );
      await second.kill();
      const third = await startAppliance({ binary, flags, database: appliance.database });
      await poll(
        async () => ((await shown(third, 1)).drain?.is_drained ? true : undefined),
        () => 'the third program does not see that the node is empty',
      );
      expect(hooks()).toEqual(['drained 1 0 me kept']);
      expect((await events(third, 'node.drained')).length).toBe(1);
      expect(await third.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'becomes maintenance when its time is over; calls that are left go on',
    async () => {
      const { appliance, hooks } = await world();
      const running = await callsOn(appliance, 1, 'late');
      await order(appliance, '1/drain', { reason: 'slow', by: 'me', deadline_s: 1 });
      await poll(
        async () => ((await shown(appliance, 1)).order.state === 'maint' ? true : undefined),
        () => 'the deadline does not come',
      );
      expect((await shown(appliance, 1)).order.by).toBe('deadline');
      for (const callId of running) expect((await answer(appliance.url, callId)).body.node).toBe(1);
      const live = [...(await liveCalls(appliance))].filter(([, node]) => node === 1);
      expect(live.length).toBe(running.length);
      await poll(
        () => (hooks().length > 0 ? true : undefined),
        () => 'the hook does not run',
      );
      expect(hooks()).toEqual([`deadline 1 ${running.length} me slow`]);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(whyNoRtpengine() !== undefined)('a real rtpengine that is told', () => {
  async function freeTcpPort(host: string): Promise<number> {
    for (let port = 18_080; ; port++) if (await isTcpFree(host, port)) return port;
  }

  test(
    'takes no new calls from anybody while its node drains, and has its own limit back after it, kill -9 between',
    async () => {
      const host = loopbackNetwork()(1);
      const [ngPort, httpPort] = [await freeUdpPort(host), await freeTcpPort(host)];
      await startRtpengine({
        ngPort,
        ngAddress: host,
        httpPort,
        address: host,
        portMin: 40_000,
        portMax: 41_000,
        extra: ['--max-sessions=77'],
      });
      /** The limit in its own words. */
      const limit = async (): Promise<string> =>
        (await (await fetch(`http://${host}:${httpPort}/cli/list%20maxsessions`)).text())
          .trim()
          .split(': ')[1] ?? '';
      const appliance = await startAppliance({ binary });
      await appliance.api('POST', '/v1/nodes', {
        id: 1,
        socket: `udp:${host}:${ngPort}`,
        http_port: httpPort,
        inner_media_ip: host,
        out_media_ip: host,
      });
      await untilUp(appliance, 1);
      expect((await offer(appliance.url, 'running@drain')).status).toBe(200);
      expect(await limit()).toBe('77');
      expect(await order(appliance, '1/drain', { tell_relay: true })).toMatchObject({
        order: { relay_told: true },
      });
      expect(await limit()).toBe('0');
      expect((await answer(appliance.url, 'running@drain')).status).toBe(200);
      expect((await offer(appliance.url, 'new@drain')).body.code).toBe('RTPC_NO_NODE');
      await appliance.kill();
      const second = await startAppliance({ binary, database: appliance.database });
      expect(await order(second, '1/ready')).toMatchObject({ order: { state: 'ready', relay_told: false } });
      expect(await limit()).toBe('77');
      await untilUp(second, 1);
      expect((await offer(second.url, 'after@drain')).status).toBe(200);
      expect(await second.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});
