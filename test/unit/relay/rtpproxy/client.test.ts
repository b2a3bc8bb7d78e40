/** The client over real sockets of this host, towards small servers that answer as the daemon does. */

import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SocketHandler } from 'bun';
import type { ControlSocket } from '../../../../src/domain/node.ts';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import {
  createRtpproxyClient,
  type RtpproxyClient,
  type RtpproxyClientOptions,
} from '../../../../src/relay/rtpproxy/client.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { FakeClock, FakeNet, refusal, settle } from '../wire/harness.ts';

const TOTALS = 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5';
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

interface Daemon {
  readonly address: ControlSocket;
  /** As if it were killed. */
  stop(): void;
}

function answerTo(command: string): string {
  if (command === 'V') return '20040107\n';
  if (command === 'I') return `${TOTALS}\n`;

  return command.startsWith('D ') ? `${command.length}\n` : 'E0\n';
}

/** Of a stream server that takes what it reads for commands as the daemon does. */
function handlers(isOneShot: boolean): SocketHandler<{ text: string }> {
  return {
    open(socket) {
      socket.data = { text: '' };
    },
    data(socket, bytes) {
      const commands = (socket.data.text + bytes.toString('latin1')).split('\n');
      socket.data.text = commands.pop() ?? '';
      for (const command of commands) socket.write(answerTo(command));
      if (isOneShot && commands.length > 0) socket.end();
    },
  };
}

async function listenUdp(port = 0) {
  return Bun.udpSocket({
    hostname: '127.0.0.1',
    port,
    binaryType: 'buffer',
    socket: {
      data(socket, bytes, sender, host) {
        const [, cookie = '', command = ''] = /^(\S+) (.*)$/.exec(bytes.toString('latin1')) ?? [];
        socket.send(`${cookie} ${answerTo(command)}`, sender, host);
      },
    },
  });
}

/** Starts a daemon, at the place of another if that is given. */
async function startDaemon(transport: ControlSocket['transport'], again?: Daemon): Promise<Daemon> {
  let daemon: Daemon;
  if (transport === 'udp' || transport === 'tcp') {
    const port = again !== undefined && 'port' in again.address ? again.address.port : 0;
    const server =
      transport === 'udp'
        ? await listenUdp(port)
        : Bun.listen({ hostname: '127.0.0.1', port, socket: handlers(false) });
    const stop = () => ('stop' in server ? server.stop(true) : server.close());
    daemon = { address: { transport, host: '127.0.0.1', port: server.port }, stop };
  } else {
    const path = again !== undefined && 'path' in again.address ? again.address.path : socketPath();
    const server = Bun.listen({ unix: path, socket: handlers(transport === 'unix') });
    daemon = { address: { transport, path }, stop: () => server.stop(true) };
  }
  cleanups.push(() => daemon.stop());

  return daemon;
}

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rtpproxy-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));

  return join(folder, 'socket');
}

function clientOf({ address }: Pick<Daemon, 'address'>, options: RtpproxyClientOptions = {}): RtpproxyClient {
  const client = createRtpproxyClient(address, systemClock, options);
  cleanups.push(() => client.close());

  return client;
}

const soon = (): number => systemClock.monotonic() + 3000;

describe.each([['udp'], ['tcp'], ['cunix'], ['unix']] as const)('over %s', (transport) => {
  test('commands have their replies, those of several lines too', async () => {
    const client = clientOf(await startDaemon(transport));
    expect(await client.request('V', soon())).toBe('20040107');
    expect(await client.request('I', soon(), 5)).toBe(TOTALS);
    expect(await client.request('Z', soon(), 5)).toBe('E0');
    expect(client.rttMs).toBeNumber();
    expect(client.counters).toMatchObject({ sent: 3, replies: 3, unknown: 0, garbled: 0 });
  });

  test('200 long ones at once have each its own', async () => {
    const client = clientOf(await startDaemon(transport));
    const commands = Array.from({ length: 200 }, (_, i) => `D ${'x'.repeat(7000 + i)}`);
    const replies = await Promise.all(commands.map((command) => client.request(command, soon())));
    expect(replies).toEqual(commands.map(({ length }) => String(length)));
    expect([client.inFlight, client.waiting]).toEqual([0, 0]);
  });

  test('a daemon that goes is noticed at once, and so is its return', async () => {
    const daemon = await startDaemon(transport);
    const client = clientOf(daemon);
    expect(await client.request('V', soon())).toBe('20040107');
    daemon.stop();
    const began = systemClock.monotonic();
    expect(await client.request('V', began + 60_000)).toMatchObject({ isUncertain: true });
    expect(await client.request('V', began + 60_000)).toMatchObject({ kind: 'unreachable' });
    expect(systemClock.monotonic() - began).toBeLessThan(5000);
    await startDaemon(transport, daemon);
    expect(await client.request('V', soon())).toBe('20040107');
  });

  test('close ends what is under way', async () => {
    const client = clientOf(await startDaemon(transport));
    const replies = Array.from({ length: 20 }, () => client.request('V', soon()));
    client.close();
    for (const reply of await Promise.all(replies)) expect(reply).toMatchObject({ kind: 'unreachable' });
  });
});

describe('over a unix socket', () => {
  test.skipIf(process.getuid?.() === 0)('that we may not open it says so', async () => {
    const daemon = await startDaemon('unix');
    if ('path' in daemon.address) chmodSync(daemon.address.path, 0);
    const outcome = await clientOf(daemon).request('V', soon());
    expect(outcome).toMatchObject({
      kind: 'unreachable',
      reason: expect.stringContaining('permission denied'),
    });
  });

  test.each([['unix'], ['cunix']] as const)('that is not there: %s', async (transport) => {
    const path = socketPath();
    expect(await clientOf({ address: { transport, path } }).request('V', soon())).toMatchObject({
      kind: 'unreachable',
      reason: `there is no socket ${path}`,
    });
  });
});

describe('over udp', () => {
  function start() {
    const clock = new FakeClock();
    const net = new FakeNet();
    const address = { transport: 'udp', host: '192.0.2.1', port: 22_222 } as const;
    const client = createRtpproxyClient(address, clock, { openDatagrams: net.open });

    return { clock, net, client };
  }

  test('a cookie of 96 random bits goes before the command, the same one each time it is repeated', async () => {
    const { clock, net, client } = start();
    client.request('V', clock.now + 900);
    await settle();
    clock.advance(150);
    expect(net.sent).toEqual([`${net.cookie(0)} V`, `${net.cookie(0)} V`]);
    expect(net.cookie(0)).toMatch(/^[0-9a-f]{24}_1$/);
  });

  test('16 commands are in flight at most', async () => {
    const { clock, net, client } = start();
    for (let i = 0; i < 20; i++) client.request('V', clock.now + 900);
    await settle();
    expect([net.sent.length, client.inFlight, client.waiting]).toEqual([16, 16, 4]);
  });

  test('what is no command is not sent, nor what is too long with its cookie', async () => {
    const { clock, net, client } = start();
    expect(await client.request('V\nX', clock.now + 900)).toMatchObject({ kind: 'rejected' });
    expect(await client.request('x'.repeat(8190), clock.now + 900)).toMatchObject({ kind: 'too-large' });
    expect(net.sent).toEqual([]);
  });

  test('an empty reply is garbled; nobody listening is `unreachable`; silence is `silent`', async () => {
    const { clock, net, client } = start();
    const outcomes = ['G', 'V', 'V'].map((command) => client.request(command, clock.now + 900));
    await settle();
    net.answer(0, '\n');
    expect(await outcomes[0]).toMatchObject({ kind: 'garbled' });
    net.fail(refusal());
    expect(await outcomes[1]).toMatchObject({ kind: 'unreachable' });
    const last = client.request('V', clock.now + 900);
    await settle();
    clock.advance(900);
    expect(await last).toBeInstanceOf(RelayFailure);
    expect(await last).toMatchObject({ kind: 'silent' });
  });
});
