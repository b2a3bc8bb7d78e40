import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeRtpproxy } from '../../../../src/relay/rtpproxy/fake-node.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import {
  clientOf,
  type Exchange,
  endAll,
  FIXTURES,
  type Fixture,
  optionsFor,
  StreamClient,
  startFake,
  talk,
} from './fake-harness.ts';

afterEach(endAll);

/** Recorded exchanges the fake does not repeat, by fixture and number counted from 1, and why. */
const EXEMPT: Readonly<Record<string, string>> = {
  'port-exhaustion 8': 'real ports come back after a while, those of the fake at once',
  'slow-shutdown 8': 'an event: the daemon ends by itself with its last session; the fake stays',
  'rtpengine-legacy-udp': 'another daemon: rtpengine, which answers this protocol in its own way',
};
/** Of relay-and-latching only the control commands are repeated, and not those that count the packets and seconds of its media. */
const COUNTS_MEDIA = /^ttl=/;
/** These have tests of their own below: they need a clock, another transport, or several daemons. */
const APART = new Set([
  'advertised-single',
  'cookie-retransmit',
  'relay-and-latching',
  'restart',
  'rtpengine-legacy-udp',
  'slow-shutdown',
  'timeout-notify',
  'transport-cunix',
  'transport-tcp',
  'transport-unix',
]);
const PLAIN = [...FIXTURES.keys()].filter((name) => !APART.has(name) && !name.startsWith('kamailio-sdp'));

function fixture(name: string): Fixture {
  const found = FIXTURES.get(name);
  if (found === undefined) throw new Error(`there is no fixture ${name}`);

  return found;
}

async function startAs(
  { daemon }: Fixture,
  version = daemon?.version ?? '3.2',
  more = {},
): Promise<FakeRtpproxy> {
  const argv = daemon?.argv ?? ['-l', '127.0.0.1', '-m', '43000', '-M', '43200'];

  return startFake({ ...optionsFor(argv, version), ...more });
}

/** Repeats exchanges; `before` is told the number of each, and does what happened off the record. */
async function replay(
  node: FakeRtpproxy,
  name: string,
  exchanges: readonly Exchange[],
  before: (number: number) => unknown = () => undefined,
): Promise<void> {
  expect(exchanges.length).toBeGreaterThan(0);
  const client = await clientOf(node);
  for (const [i, { request, response }] of exchanges.entries()) {
    await before(i + 1);
    if (request === null || `${name} ${i + 1}` in EXEMPT) continue;
    expect([request, await client.exchange(request)]).toEqual([request, response ?? 'nothing']);
  }
}

describe('the fake rtpproxy answers recorded commands as the daemon did', () => {
  test('in every fixture there is', () => {
    expect(FIXTURES.size).toBe(42);
    expect(PLAIN.length).toBe(21);
    for (const name of [...APART, ...Object.keys(EXEMPT)].map((key) => key.split(' ')[0] ?? ''))
      expect(FIXTURES.has(name)).toBe(true);
  });

  test.each(PLAIN)('%s', async (name) => {
    const recorded = fixture(name);
    await replay(await startAs(recorded), name, recorded.exchanges ?? []);
  });

  test('advertised-single, in each of its versions', async () => {
    const recorded = fixture('advertised-single');
    const versions = new Set(recorded.exchanges?.map((one) => one.daemon_version ?? ''));
    expect(versions.size).toBe(5);
    for (const version of versions) {
      const exchanges = recorded.exchanges?.filter((one) => one.daemon_version === version) ?? [];
      await replay(await startAs(recorded, version), recorded.name, exchanges);
    }
  });

  test('cookie-retransmit, from another socket and 36 s later too', async () => {
    const clock = new FakeClock();
    const recorded = fixture('cookie-retransmit');
    const node = await startAs(recorded, '3.2', { clock });
    const exchanges = recorded.exchanges ?? [];
    await replay(node, recorded.name, exchanges.slice(0, 6));
    await replay(node, recorded.name, exchanges.slice(6), (number) =>
      number === 3 ? clock.advance(36_000) : undefined,
    );
  });

  test('restart', async () => {
    const recorded = fixture('restart');
    const node = await startAs(recorded);
    await replay(node, recorded.name, recorded.exchanges ?? [], (number) =>
      number === 3 ? node.restart() : undefined,
    );
  });

  test('slow-shutdown, where the fault `refuse` stands for the signal', async () => {
    const recorded = fixture('slow-shutdown');
    const node = await startAs(recorded);
    await replay(node, recorded.name, recorded.exchanges ?? [], (number) =>
      number === 3 ? node.setFaults({ refuse: 'E99' }) : undefined,
    );
  });

  test('relay-and-latching, but for what counts media', async () => {
    const recorded = fixture('relay-and-latching');
    const say = await talk(await startAs(recorded));
    let counted = 0;
    for (const { control, response = '' } of recorded.tests?.flatMap(({ steps }) => steps) ?? []) {
      if (control === undefined) continue;
      const reply = await say(control);
      if (COUNTS_MEDIA.test(response)) counted++;
      else expect([control, reply]).toEqual([control, response]);
    }
    expect(counted).toBeGreaterThan(0);
  });

  test('kamailio-sdp-*, which one daemon served one after another', async () => {
    const all = [...FIXTURES.values()].filter(({ name }) => name.startsWith('kamailio-sdp'));
    const callOf = ({ offer_exchanges: [first] = [] }: Fixture): string =>
      /sdp\d\d/.exec(first?.request ?? '')?.[0] ?? '';
    all.sort((a, b) => (callOf(a) < callOf(b) ? -1 : 1));
    expect(all.length).toBe(11);
    const node = await startAs(all[0] ?? fixture('ipv6'));
    for (const { name, offer_exchanges = [], answer_exchanges = [], bye_exchanges = [] } of all)
      await replay(node, name, [...offer_exchanges, ...answer_exchanges, ...bye_exchanges]);
  });

  test('timeout-notify', async () => {
    const clock = new FakeClock();
    const recorded = fixture('timeout-notify');
    const { server, port, lines } = await listener();
    const here = (text: string): string => text.replace('127.0.0.1:21250', `127.0.0.1:${port}`);
    const node = await startAs(recorded, '3.2', { clock, notify: [`tcp:127.0.0.1:${port}`] });
    const exchanges = (recorded.exchanges ?? []).map((one) => ({ ...one, request: here(one.request ?? '') }));
    const told: string[] = [];
    await replay(node, recorded.name, exchanges, async (number) => {
      if (number !== 5) return;
      // -T 4: the daemon ends a session in the second after its last one.
      await clock.advance(4999);
      expect(node.sessions.size).toBe(3);
      await clock.advance(1);
      expect(node.sessions.size).toBe(2);
      told.push(await lines(1));
      await clock.advance(2000);
      told.push(await lines(1));
    });
    expect(told).toEqual(recorded.notifications?.map(({ data }) => data) ?? []);
    server.close();
  });
});

/** A listener for notices; `lines` waits for so many further lines on its connections. */
async function listener(): Promise<{ server: Server; port: number; lines(count: number): Promise<string> }> {
  let received = '';
  let wake = (): void => undefined;
  const server = createServer((socket) =>
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      wake();
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();

  return {
    server,
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async lines(count) {
      while (received.split('\n').length <= count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      const text = received;
      received = '';

      return text;
    },
  };
}

describe('over streams', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fake-rtpproxy-'));
  const path = join(folder, 'c.sock');
  afterEach(() => rmSync(path, { force: true }));

  test('unix: takes one command per connection, and closes it', async () => {
    const recorded = fixture('transport-unix');
    await startAs(recorded, '3.2', { listen: [{ transport: 'unix', path }] });
    for (const { request, response } of recorded.exchanges ?? []) {
      const client = StreamClient.open({ path });
      client.socket.write(request ?? '');
      await client.closed();
      expect([request, client.received]).toEqual([request, response ?? 'nothing']);
    }
  });

  test('cunix: keeps the connection, and a command without line end waits', async () => {
    const recorded = fixture('transport-cunix');
    await startAs(recorded, '3.2', { listen: [{ transport: 'cunix', path }] });
    const client = StreamClient.open({ path });
    for (const { request, response } of recorded.exchanges ?? []) {
      client.socket.write(request ?? '');
      expect([request, await client.read((response ?? '').length)]).toEqual([request, response ?? 'nothing']);
    }
    // The last one was `V` without its line end.
    client.socket.write('F 20050322\n');
    expect(await client.read(2)).toBe('1\n');
    client.socket.destroy();
  });

  test('tcp: keeps the connection', async () => {
    const recorded = fixture('transport-tcp');
    const node = await startAs(recorded, '3.2', {
      listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    });
    const [place] = node.listen;
    if (place === undefined || 'path' in place) throw new Error('no TCP socket');
    const client = StreamClient.open(place);
    for (const { request, response } of recorded.exchanges ?? []) {
      client.socket.write(request ?? '');
      expect([request, await client.read((response ?? '').length)]).toEqual([request, response ?? 'nothing']);
    }
    client.socket.destroy();
  });
});
