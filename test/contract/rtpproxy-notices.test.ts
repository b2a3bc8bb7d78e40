/** What a real rtpproxy tells of by its `-n` socket ends the appliance's calls. The binary comes by RTPPROXY_BIN. */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type ControlSocket, parseSocket } from '../../src/domain/node.ts';
import { type Appliance, settled, startAppliance } from '../lab/appliance.ts';
import { answer, liveCalls, loggedEvents, offer } from '../lab/client.ts';
import { freeSipPort } from '../lab/ports.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { type Rtpproxy, startRtpproxy, tell, whyNoRtpproxy } from '../lab/rtpproxy.ts';

const reason = whyNoRtpproxy();
if (reason !== undefined) console.warn(`SKIP test/contract/rtpproxy-notices: ${reason}`);

const TIMEOUT_MS = 60_000;
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  sweep();
});

/** A daemon that ends what has no media: 2 s after the answer, or 3 s after an offer without one. */
async function startRelay(notices: readonly string[], socket?: string): Promise<Rtpproxy> {
  const relay = await startRtpproxy({
    ...(socket === undefined ? {} : { socket }),
    portMin: 38_000,
    portMax: 38_198,
    extra: ['-T', '2', '-W', '3', ...notices.flatMap((name) => ['-n', name])],
  });
  cleanups.push(() => relay.stop());

  return relay;
}

async function startWith(noticeSocket: string, options: Parameters<typeof startAppliance>[0] = {}) {
  const flags = [`--rtpproxy-notice-socket=${noticeSocket}`, ...(options.flags ?? [])];
  const appliance = await startAppliance({ ...options, flags });
  cleanups.push(() => appliance.stop());

  return appliance;
}

async function addRelay(appliance: Appliance, { socket }: Rtpproxy): Promise<void> {
  const addresses = { inner_media_ip: '10.9.0.1', out_media_ip: '198.51.100.1' };
  await appliance.api('POST', '/v1/nodes', { id: 1, kind: 'rtpproxy', socket, ...addresses });
  await settled(appliance, 1);
}

/** One call that is answered and one that is not: both end by what the daemon says. */
async function expectTimeouts(appliance: Appliance, relay: Rtpproxy, prefix = 'n'): Promise<void> {
  const [answered, unanswered] = [`${prefix}1@%h+x`, `${prefix}2;x=&&`];
  for (const callId of [answered, unanswered]) expect((await offer(appliance.url, callId)).status).toBe(200);
  expect((await answer(appliance.url, answered)).status).toBe(200);
  const told = () =>
    loggedEvents(appliance, 'call.timeout').filter(({ call_id: callId }) =>
      [answered, unanswered].includes(String(callId)),
    );
  await poll(
    () => (told().length === 2 ? true : undefined),
    () => `the calls did not end; the relay says:\n${relay.log()}\n${appliance.output()}`,
    15_000,
  );
  for (const line of told()) expect(line).toMatchObject({ node: 1, by: 'rtpproxy' });
  expect((await liveCalls(appliance)).size).toBe(0);
  const path = `/v1/calls/${encodeURIComponent(answered)}`;
  expect(await appliance.api('GET', path)).toMatchObject({ end_reason: 'media timeout' });
  expect(relay.log()).toBe('');
}

describe.skipIf(reason !== undefined)('calls on a real rtpproxy that get no media end at once', () => {
  test(
    'when it tells so over TCP, with a listener of its own',
    async () => {
      const socket = `tcp:127.0.0.1:${await freeSipPort()}`;
      const relay = await startRelay([socket]);
      const appliance = await startWith(socket);
      await addRelay(appliance, relay);
      await expectTimeouts(appliance, relay);
    },
    TIMEOUT_MS,
  );

  test(
    'when it tells so over a unix socket',
    async () => {
      const socket = `unix:${join(temporaryFolder(), 'notices.sock')}`;
      const relay = await startRelay([socket]);
      const appliance = await startWith(socket);
      await addRelay(appliance, relay);
      await expectTimeouts(appliance, relay);
    },
    TIMEOUT_MS,
  );

  const controls = (port: number): Record<string, string> => ({
    udp: `udp:127.0.0.1:${port}`,
    cunix: `cunix:${join(temporaryFolder(), 'control.sock')}`,
    tcp: `tcp:127.0.0.1:${port}`,
  });

  test.each(['udp', 'cunix', 'tcp'])(
    'when it is to tell whoever sent the command, by %s',
    async (transport) => {
      const socket = `tcp:%%CC_SELF%%:${await freeSipPort()}`;
      const relay = await startRelay([socket], controls(await freeSipPort())[transport]);
      const appliance = await startWith(socket);
      await addRelay(appliance, relay);
      await expectTimeouts(appliance, relay);
    },
    TIMEOUT_MS,
  );

  test(
    'also when the appliance listens elsewhere than the daemon believes',
    async () => {
      const [outer, inner] = [await freeSipPort(), await freeSipPort()];
      const relay = await startRelay([`tcp:127.0.0.1:${outer}`]);
      const appliance = await startWith(`tcp:127.0.0.1:${outer}`, {
        flags: [`--rtpproxy-notice-listen=tcp:127.0.0.1:${inner}`],
      });
      // The router between the two.
      const router = Bun.listen<{ inside: Promise<Bun.Socket> }>({
        hostname: '127.0.0.1',
        port: outer,
        socket: {
          open(socket): void {
            const inside: Promise<Bun.Socket> = Bun.connect({
              hostname: '127.0.0.1',
              port: inner,
              socket: { data() {} },
            });
            socket.data = { inside };
          },
          data: ({ data }, bytes) => {
            const copy = Buffer.from(bytes);
            void data.inside.then((inside) => inside.write(copy));
          },
        },
      });
      cleanups.push(async () => router.stop(true));
      await addRelay(appliance, relay);
      await expectTimeouts(appliance, relay);
    },
    TIMEOUT_MS,
  );

  test(
    'also when the daemon was connected before the appliance restarted',
    async () => {
      const socket = `tcp:127.0.0.1:${await freeSipPort()}`;
      const relay = await startRelay([socket]);
      const database = join(temporaryFolder(), 'rtp-cluster.db');
      const first = await startWith(socket, { database });
      await addRelay(first, relay);
      await expectTimeouts(first, relay, 'before');
      await first.stop();
      cleanups.pop();
      const second = await startWith(socket, { database });
      await settled(second, 1);
      // The first notice after the restart goes into the closed connection: the usual checks will find its call.
      await offer(second.url, 'lost');
      const control = parseSocket(relay.socket) as ControlSocket;
      await poll(
        async () => ((await tell(control, 'Q lost f;1')) === 'E50' ? true : undefined),
        () => `the daemon did not end the call:\n${second.output()}`,
        15_000,
      );
      expect([...(await liveCalls(second)).keys()]).toEqual(['lost']);
      await offer(second.url, 'told');
      await poll(
        () => (loggedEvents(second, 'call.timeout').length > 0 ? true : undefined),
        () => `the daemon did not come again:\n${relay.log()}\n${second.output()}`,
        15_000,
      );
      expect(loggedEvents(second, 'call.timeout')).toMatchObject([{ call_id: 'told', by: 'rtpproxy' }]);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(reason !== undefined)('without a socket in common', () => {
  test(
    'a daemon without -n carries calls all the same',
    async () => {
      const relay = await startRelay([]);
      const appliance = await startWith(`tcp:127.0.0.1:${await freeSipPort()}`);
      await addRelay(appliance, relay);
      expect((await offer(appliance.url, 'c1')).status).toBe(200);
      expect((await answer(appliance.url, 'c1')).status).toBe(200);
      expect(relay.log()).toBe('');
    },
    TIMEOUT_MS,
  );
});
