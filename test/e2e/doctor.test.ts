/** `rtp-cluster doctor`, as its users run it: the compiled binary, a service with tokens, a relay that is good and one that is dead. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { freeUdpPort, loopbackNetwork } from '../lab/ports.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { callsOnRelay } from '../lab/relays.ts';
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const ADMIN = 'an-admin-of-the-lab-0123';
const READER = 'a-reader-of-the-lab-0123';
const TIMEOUT_MS = 60_000;

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/e2e/doctor: ${reason}`);

describe.skipIf(reason !== undefined)('rtp-cluster doctor', () => {
  const address = loopbackNetwork()(1);
  let binary = '';
  let relay: Rtpengine;
  let appliance: Appliance;
  let ngPort = 0;
  let deadPort = 0;
  const tokens = join(temporaryFolder(), 'tokens');

  beforeAll(async () => {
    binary = Bun.env.RTPC_BINARY ?? (await ensureBinary());
    [ngPort, deadPort] = [await freeUdpPort(), await freeUdpPort()];
    relay = await startRtpengine({ ngAddress: address, ngPort, address, portMin: 35_000, portMax: 35_199 });
    writeFileSync(tokens, `read grafana ${READER}\n`);
    appliance = await startAppliance({ binary, token: ADMIN, flags: [`--http-token-file=${tokens}`] });
    const media = { inner_media_ip: address, out_media_ip: address };
    await appliance.api('POST', '/v1/nodes', { id: 1, socket: `udp:${address}:${ngPort}`, ...media });
    await appliance.api('POST', '/v1/nodes', { id: 2, socket: `udp:${address}:${deadPort}`, ...media });
    await poll(
      async () => {
        const { nodes } = (await appliance.api('GET', '/v1/nodes')) as {
          nodes: { health: { state: string } }[];
        };

        return nodes.map(({ health }) => health.state).join() === 'up,down' ? true : undefined;
      },
      () => 'the nodes are not known yet',
    );
  }, TIMEOUT_MS);
  afterAll(async () => {
    await appliance?.stop();
    await relay?.stop();
    sweep();
  });

  async function doctor(argv: readonly string[], token = ADMIN) {
    const child = Bun.spawn([binary, 'doctor', ...argv], {
      env: { PATH: Bun.env.PATH ?? '', RTP_CLUSTER_URL: appliance.url, RTP_CLUSTER_TOKEN: token },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);

    return { code, out, err };
  }

  test(
    'tells of the good one what is well, of the dead one what to do, and leaves no call',
    async () => {
      const { code, out, err } = await doctor([]);
      expect([code, err]).toEqual([1, '']);
      const [service = '', good = '', dead = '', end = ''] = out.split('\n\n');
      expect(service).toContain('database  can be written');
      expect(good).toStartWith(`node 1  ok  udp:${address}:${ngPort}, set 0, ready, up\n`);
      for (const line of [
        /^ {2}ok {7}control +answers at udp:\S+ after [\d.]+ ms$/m,
        /^ {2}ok {7}version +rtpengine /m,
        /^ {2}ok {7}ports +200 of 200 media ports free$/m,
        /^ {2}ok {7}impose-mode +media-address: the relay writes the address of each side$/m,
        /^ {2}ok {7}address outer +the SDP shows 127\./m,
        /^ {2}ok {7}media inner>outer +inner to outer 2[45] of 25 packets/m,
      ])
        expect(good.replaceAll(/^ {2}ok {2,}/gm, '  ok       ')).toMatch(line);
      expect(dead).toMatch(/^node 2 {2}failed/);
      expect(dead).toContain('nobody listens at its port');
      expect(dead).toContain('do: Nothing takes packets');
      expect(end).toBe('2 nodes: 1 ok, 0 with warnings, 1 failed\n');
      expect(await callsOnRelay(`udp:${address}:${ngPort}`)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'is content with the good one alone, in a second or two',
    async () => {
      const began = performance.now();
      expect((await doctor(['1'])).code).toBe(0);
      expect(performance.now() - began).toBeLessThan(5000);
    },
    TIMEOUT_MS,
  );

  test(
    'prints all as JSON',
    async () => {
      const { code, out } = await doctor(['--json', '--no-media']);
      expect(code).toBe(1);
      expect(JSON.parse(out)).toMatchObject({
        result: 'failed',
        service: [{ check: 'service', result: 'ok' }, { check: 'database', result: 'ok' }, { check: 'ng' }],
        nodes: [
          { node_id: 1, result: 'ok', order: 'ready', health: 'up' },
          { node_id: 2, result: 'failed', health: 'down' },
        ],
      });
      expect(out).not.toContain('"media"');
    },
    TIMEOUT_MS,
  );

  test(
    'tells of a node in maintenance, and does not fail for it',
    async () => {
      await appliance.api('POST', '/v1/nodes/2/maint', { reason: 'new disk' });
      const { code, out } = await doctor([]);
      const asJson = await doctor(['--json', '--no-media']);
      await appliance.api('POST', '/v1/nodes/2/ready', { reason: 'done' });
      expect(code).toBe(0);
      expect(out).toContain('\nnode 2  failed');
      expect(out).toEndWith('2 nodes: 1 ok, 0 with warnings, 1 failed; 1 in maintenance\n');
      expect([asJson.code, JSON.parse(asJson.out).result]).toEqual([0, 'ok']);
    },
    TIMEOUT_MS,
  );

  test(
    'says to a reader that it makes calls, which takes an admin',
    async () => {
      const { code, err } = await doctor([], READER);
      expect(code).toBe(1);
      expect(err).toContain('the token "grafana" has the role read; this wants admin');
      expect(err).toContain('doctor makes calls through the relays');
    },
    TIMEOUT_MS,
  );
});
