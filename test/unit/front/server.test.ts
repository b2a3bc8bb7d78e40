import { afterEach, describe, expect, test } from 'bun:test';
import { Exchange, type Handle } from '../../../src/front/exchange.ts';
import { FrontProblem, MAX_EARLY, MAX_EARLY_MS, NgServer } from '../../../src/front/server.ts';
import { type Network, parseNetwork } from '../../../src/util/ip.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { logged } from './logged.ts';

const events = logged();
const servers: NgServer[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) server.close();
});

const LOCAL = ['127.0.0.0/8', '::1'].map(parseNetwork).filter((network): network is Network => !!network);
const PING = 'd7:command4:pinge';
const OK = 'd6:result2:oke';

function newServer(hosts: readonly string[] = ['127.0.0.1'], networks = LOCAL) {
  const clock = new FakeClock();
  const listen = hosts.map((host, index) => ({ setId: index * 10, host, port: 0 }));
  const server = new NgServer({ listen, clients: networks, clock });
  servers.push(server);

  return { clock, server };
}

function exchangeOf(handle: Handle = async () => ({ result: 'ok' })): Exchange {
  return new Exchange(handle, new FakeClock());
}

/** A server that answers. */
async function started(handle?: Handle, hosts?: readonly string[]) {
  const { clock, server } = newServer(hosts);
  expect(await server.start()).toBeUndefined();
  server.begin(exchangeOf(handle));

  return { clock, server };
}

/** A SIP proxy's socket, connected to one port of the server as theirs are: it hears nobody else. */
class Client {
  readonly #got: string[] = [];
  readonly #waiting: ((text: string) => void)[] = [];
  #socket: { send(data: string | Uint8Array): boolean; close(): void } | undefined;

  static async open(port: number, host = '127.0.0.1'): Promise<Client> {
    const client = new Client();
    client.#socket = await Bun.udpSocket({
      hostname: host,
      connect: { hostname: host, port },
      binaryType: 'buffer',
      socket: { data: (_socket, bytes) => client.#take(bytes.toString('latin1')), error: () => undefined },
    });
    clients.push(client);

    return client;
  }

  send(text: string | Uint8Array): void {
    this.#socket?.send(text);
  }

  /** The next datagram that comes, or has come. */
  next(): Promise<string> {
    const got = this.#got.shift();

    return got === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(got);
  }

  exchange(text: string): Promise<string> {
    this.send(text);

    return this.next();
  }

  close(): void {
    this.#socket?.close();
  }

  #take(text: string): void {
    const wake = this.#waiting.shift();
    if (wake === undefined) this.#got.push(text);
    else wake(text);
  }
}

/** Waits until the server has counted this many datagrams. */
async function received(server: NgServer, count: number): Promise<void> {
  while (server.counters.received < count) await settle();
}

describe('sockets', () => {
  test('are one for each place, and each asks its own set', async () => {
    const sets: number[] = [];
    const { server } = await started(
      async (_message, setId) => {
        sets.push(setId);

        return { result: 'ok', set: setId };
      },
      ['127.0.0.1', '127.0.0.2', '::1'],
    );
    const [first = 0, second = 0, third = 0] = server.ports;
    const replies = [
      await (await Client.open(third, '::1')).exchange(`c ${PING}`),
      await (await Client.open(first)).exchange(`c ${PING}`),
      await (await Client.open(second, '127.0.0.2')).exchange(`c ${PING}`),
    ];
    expect(replies).toEqual(['20', '0', '10'].map((set) => `c d6:result2:ok3:seti${set}ee`));
    expect(sets).toEqual([20, 0, 10]);
    expect(server.counters).toMatchObject({ received: 3, sent: 3, lost: 0, dropped: 0, strangers: 0 });
  });

  test('say where they are when they begin, not before', async () => {
    const { server } = newServer(['127.0.0.1', '::1']);
    await server.start();
    expect(await events()).toEqual([]);
    server.begin(exchangeOf());
    const [first, second] = server.ports;
    expect(await events()).toMatchObject([
      { level: 'info', event: 'ng.listening', set: 0, address: `udp:127.0.0.1:${first}` },
      { level: 'info', event: 'ng.listening', set: 10, address: `udp:[::1]:${second}` },
    ]);
  });

  test('are not shared with a second copy, which opens none at all', async () => {
    const { server } = await started();
    const [taken = 0] = server.ports;
    const free = await Bun.udpSocket({ hostname: '127.0.0.1', port: 0 });
    const { port } = free;
    free.close();
    const second = new NgServer({
      listen: [
        { setId: 0, host: '127.0.0.1', port },
        { setId: 1, host: '127.0.0.1', port: taken },
      ],
      clients: LOCAL,
      clock: new FakeClock(),
    });
    const problem = await second.start();
    expect(problem).toBeInstanceOf(FrontProblem);
    expect(problem?.message).toBe(
      `cannot listen on udp:127.0.0.1:${taken}: another program does already, maybe another rtp-cluster, or an rtpengine of this host (that of Debian listens on 127.0.0.1:2223); ng.listen says where to listen for SIP proxies`,
    );
    expect(second.ports).toEqual([]);
    const again = await Bun.udpSocket({ hostname: '127.0.0.1', port });
    expect(again.port).toBe(port);
    again.close();
    expect(await (await Client.open(taken)).exchange(`c ${PING}`)).toBe(`c ${OK}`);
  });

  test('on an address of another host are a problem', async () => {
    const { server } = newServer(['192.0.2.1']);
    expect((await server.start())?.message).toBe(
      'cannot listen on udp:192.0.2.1:0: this host does not have the address; ng.listen says where to listen for SIP proxies',
    );
  });

  test('none are fine too', async () => {
    const { server } = await started(undefined, []);
    expect(server.ports).toEqual([]);
  });
});

describe('datagrams', () => {
  test('as long as can be are answered', async () => {
    const { server } = await started(async ({ x = '' }) => ({ x }));
    const client = await Client.open(server.ports[0] ?? 0);
    const text = 'x'.repeat(65_507 - 'c d1:x65494:e'.length);
    expect(await client.exchange(`c d1:x65494:${text}e`)).toBe(`c d1:x65494:${text}e`);
  });

  test('of strangers are not read', async () => {
    const { server } = newServer(
      ['127.0.0.1'],
      [parseNetwork('127.0.0.1')].filter((one) => one !== undefined),
    );
    await server.start();
    server.begin(exchangeOf());
    const stranger = await Bun.udpSocket({ hostname: '127.0.0.2', port: 0 });
    stranger.send(`c ${PING}`, server.ports[0] ?? 0, '127.0.0.1');
    await received(server, 1);
    expect(await (await Client.open(server.ports[0] ?? 0)).exchange(`c ${PING}`)).toBe(`c ${OK}`);
    stranger.close();
    expect(server.counters).toMatchObject({ received: 2, strangers: 1, sent: 1 });
    expect((await events()).at(-1)).toMatchObject({ event: 'ng.stranger', address: '127.0.0.2' });
  });

  test('without a reply due get none', async () => {
    const { server } = await started();
    const client = await Client.open(server.ports[0] ?? 0);
    client.send('nospace');
    expect(await client.exchange(`c ${PING}`)).toBe(`c ${OK}`);
    expect(server.counters).toMatchObject({ received: 2, sent: 1 });
  });

  test('of clients that are gone meanwhile harm nobody', async () => {
    const ends: (() => void)[] = [];
    const { server } = await started((message) =>
      message.command === 'ping'
        ? Promise.resolve({ result: 'ok' })
        : new Promise((resolve) => ends.push(() => resolve({ result: 'ok' }))),
    );
    const [port = 0] = server.ports;
    const gone = await Client.open(port);
    for (let n = 0; n < 10; n++) gone.send(`g${n} d7:command5:offere`);
    await received(server, 10);
    gone.close();
    const client = await Client.open(port);
    const offer = client.exchange('c d7:command5:offere');
    await received(server, 11);
    for (const end of ends) end();
    expect(await offer).toBe(`c ${OK}`);
    expect(await client.exchange(`d ${PING}`)).toBe(`d ${OK}`);
    expect(server.counters.lost).toBe(0);
    expect((await events()).map(({ event }) => event)).toEqual(['ng.listening']);
  });
});

describe('before the beginning', () => {
  test('datagrams wait, and are answered then', async () => {
    const { server } = newServer();
    await server.start();
    const client = await Client.open(server.ports[0] ?? 0);
    for (const cookie of ['a', 'b', 'c']) client.send(`${cookie} ${PING}`);
    await received(server, 3);
    expect(server.counters).toMatchObject({ early: 3, sent: 0 });
    server.begin(exchangeOf());
    expect([await client.next(), await client.next(), await client.next()].sort()).toEqual(
      ['a', 'b', 'c'].map((cookie) => `${cookie} ${OK}`),
    );
    expect(server.counters).toMatchObject({ early: 3, sent: 3, dropped: 0 });
  });

  test('no more of them than a queue holds', async () => {
    const { server } = newServer();
    await server.start();
    const client = await Client.open(server.ports[0] ?? 0);
    for (let n = 1; n <= MAX_EARLY + 5; n++) {
      client.send(`c${n} ${PING}`);
      // One by one, so that the system loses none.
      await received(server, n);
    }
    expect(server.counters).toMatchObject({ early: MAX_EARLY + 5, dropped: 5 });
    const exchange = exchangeOf();
    server.begin(exchange);
    expect(exchange.counters.requests).toBe(MAX_EARLY);
  });

  test('and none whose client has given up, or repeated it since', async () => {
    const { server, clock } = newServer();
    await server.start();
    const client = await Client.open(server.ports[0] ?? 0);
    client.send(`old ${PING}`);
    await received(server, 1);
    await clock.advance(1);
    client.send(`new ${PING}`);
    await received(server, 2);
    await clock.advance(MAX_EARLY_MS);
    server.begin(exchangeOf());
    expect(await client.next()).toBe(`new ${OK}`);
    expect(server.counters).toMatchObject({ early: 2, dropped: 1, sent: 1 });
  });

  test('those of strangers do not wait', async () => {
    const { server } = newServer(['127.0.0.1'], []);
    await server.start();
    (await Client.open(server.ports[0] ?? 0)).send(`c ${PING}`);
    await received(server, 1);
    expect(server.counters).toMatchObject({ early: 0, strangers: 1 });
  });
});

test('what goes wrong is told once a minute, and only then', async () => {
  const { clock, server } = await started();
  const client = await Client.open(server.ports[0] ?? 0);
  client.send('nospace');
  client.send('c x');
  await client.next();
  await clock.advance(60_000);
  await clock.advance(60_000);
  const told = (await events()).filter(({ event }) => event === 'ng.trouble');
  expect(told).toMatchObject([{ level: 'warning', unframed: 1, unreadable: 1 }]);
  expect(told[0]).not.toHaveProperty('dropped');
});

describe('stopping', () => {
  /** A server with one request under way. */
  async function busy() {
    let finish = (): void => undefined;
    const { server, clock } = await started(
      () =>
        new Promise((resolve) => {
          finish = () => resolve({ result: 'ok' });
        }),
    );
    const client = await Client.open(server.ports[0] ?? 0);
    client.send('c d7:command5:offere');
    await received(server, 1);

    return { server, clock, client, finish: () => finish() };
  }

  test('waits for requests under way, and takes no new ones', async () => {
    const { server, clock, client, finish } = await busy();
    const [port = 0] = server.ports;
    let isStopped = false;
    const stopped = server.finish(5000).then(() => {
      isStopped = true;
    });
    client.send(`d ${PING}`);
    await received(server, 2);
    await clock.advance(4999);
    expect(isStopped).toBe(false);
    finish();
    await stopped;
    expect(await client.next()).toBe(`c ${OK}`);
    expect(server.counters).toMatchObject({ dropped: 1, sent: 1, lost: 0 });
    expect(clock.timers).toBe(0);
    // Still there for those who would take a closed port for a dead relay.
    client.send(`e ${PING}`);
    await received(server, 3);
    server.close();
    expect(server.ports).toEqual([]);
    const next = await Bun.udpSocket({ hostname: '127.0.0.1', port });
    expect(next.port).toBe(port);
    next.close();
  });

  test('waits no longer than it may; a reply that comes later is lost without harm', async () => {
    const { server, clock, finish } = await busy();
    const stopped = server.finish(5000);
    await clock.advance(5000);
    await stopped;
    server.close();
    finish();
    await settle();
    expect(server.counters).toMatchObject({ sent: 0, lost: 1 });
  });

  test('is at once if nobody waits, and may be said twice', async () => {
    const { server, clock } = await started();
    await server.finish(5000);
    await server.finish(5000);
    expect(clock.timers).toBe(0);
  });

  test('before the beginning drops what waits', async () => {
    const { server } = newServer();
    await server.start();
    (await Client.open(server.ports[0] ?? 0)).send(`c ${PING}`);
    await received(server, 1);
    await server.finish(5000);
    expect(server.counters).toMatchObject({ early: 1, dropped: 1 });
  });
});
