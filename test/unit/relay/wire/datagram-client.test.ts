import { describe, expect, test } from 'bun:test';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import { MAX_REMEMBERED, REMEMBER_MS } from '../../../../src/relay/wire/cookies.ts';
import {
  type Codec,
  DatagramClient,
  type DatagramOptions,
  MAX_WAITING,
} from '../../../../src/relay/wire/datagram-client.ts';
import { FakeClock, FakeNet, refusal, settle } from './harness.ts';

const WINDOW = 64;
const LIMITS = { window: WINDOW, requestBytes: 1000 };
const ADDRESS = { host: '192.0.2.1', port: 2223 };

/** Words in both directions; 'secret' cannot be sent and '?' cannot be read. */
const WORDS: Codec<string, string> = {
  encode: (word) => (word === 'secret' ? new RelayFailure('rejected', 'not for sending') : word),
  decode: (body) => {
    const word = body.toString('latin1');

    return word === '' || word === '?' ? new RelayFailure('garbled', `"${word}" is no word`) : word;
  },
};

function clientOf(net: FakeNet, clock: FakeClock, options: DatagramOptions = {}) {
  return new DatagramClient(ADDRESS, clock, WORDS, LIMITS, { open: net.open, ...options });
}

/** A client whose socket is open already, near a node that has answered one ping at once. */
async function start(options: DatagramOptions = {}) {
  const clock = new FakeClock();
  const net = new FakeNet();
  const client = clientOf(net, clock, { cookiePrefix: 'boot', ...options });
  /** Sends a ping and keeps its outcome. */
  const ping = (budgetMs = 900) => {
    const seen: { outcome?: unknown } = {};
    client.request('ping', clock.now + budgetMs).then((outcome) => {
      seen.outcome = outcome instanceof RelayFailure ? outcome.kind : `said ${outcome}`;
    });

    return seen;
  };
  const first = ping();
  await settle();
  net.answer(0, 'pong');
  await settle();
  expect(first.outcome).toBe('said pong');
  net.sent.length = 0;

  return { clock, net, client, ping };
}

describe('request', () => {
  test('opens the socket with the first request only', async () => {
    const clock = new FakeClock();
    const net = new FakeNet();
    const client = clientOf(net, clock);
    expect(net.opened).toBe(0);
    client.request('ping', clock.now + 100);
    client.request('ping', clock.now + 100);
    await settle();
    expect([net.opened, net.sent.length]).toEqual([1, 2]);
  });

  test('sends cookie, space and the encoded message', async () => {
    const { net, ping } = await start();
    ping();
    expect(net.sent).toEqual(['boot_2 ping']);
  });

  test('starts cookies with 96 random bits of its own', async () => {
    const prefixes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const net = new FakeNet();
      clientOf(net, new FakeClock()).request('ping', 2e9);
      await settle();
      expect(net.cookie(0)).toMatch(/^[0-9a-f]{24}_1$/);
      prefixes.add(net.cookie(0));
    }
    expect(prefixes.size).toBe(20);
  });

  test('gives each reply to the request with its cookie, in any order', async () => {
    const { net, ping } = await start();
    const [a, b] = [ping(), ping()];
    net.answer(1, 'b');
    net.answer(0, 'a');
    await settle();
    expect([a.outcome, b.outcome]).toEqual(['said a', 'said b']);
  });

  test('sends nothing and says `too-large` above the size a node surely answers', async () => {
    const { clock, net, client } = await start();
    const outcome = await client.request(
      'x'.repeat(LIMITS.requestBytes - 'boot_2 '.length + 1),
      clock.now + 900,
    );
    expect(outcome).toMatchObject({ kind: 'too-large', isUncertain: false });
    expect(net.sent).toEqual([]);
  });

  test('sends what is just not too large', async () => {
    const { clock, net, client } = await start();
    client.request('x'.repeat(LIMITS.requestBytes - 'boot_2 '.length), clock.now + 900);
    expect(net.sent[0]?.length).toBe(LIMITS.requestBytes);
  });

  test('fails as the codec says, and sends nothing, where it cannot encode', async () => {
    const { clock, net, client } = await start();
    expect(await client.request('secret', clock.now + 900)).toMatchObject({ reason: 'not for sending' });
    expect(net.sent).toEqual([]);
  });
});

describe('retransmission', () => {
  /** When the datagrams of one request leave, ms after the first one. */
  async function timesOf(began: Awaited<ReturnType<typeof start>>, withinMs: number): Promise<number[]> {
    const { clock, net, ping } = began;
    const times: number[] = [];
    const begin = clock.now;
    net.onSend = () => {
      times.push(clock.now - begin);
      return true;
    };
    ping(withinMs + 20);
    clock.advance(withinMs);
    net.onSend = () => true;

    return times;
  }

  test('repeats the same bytes every 50 ms near a quick node: six times in the 280 ms of a first try', async () => {
    const began = await start();
    expect(await timesOf(began, 280)).toEqual([0, 50, 100, 150, 200, 250]);
    expect(new Set(began.net.sent).size).toBe(1);
    expect(began.client.counters.retransmitted).toBe(5);
  });

  test('begins after 150 ms as long as nothing was measured', async () => {
    const clock = new FakeClock();
    const net = new FakeNet();
    const client = clientOf(net, clock);
    client.request('ping', clock.now + 900);
    await settle();
    clock.advance(149);
    expect([net.sent.length, client.rttMs]).toEqual([1, null]);
    clock.advance(1);
    expect(net.sent.length).toBe(2);
  });

  test('begins never later than the options say', async () => {
    expect(await timesOf(await start({ retransmitMs: 30 }), 100)).toEqual([0, 30, 60, 90]);
  });

  test('waits longer for a node that is far away', async () => {
    const began = await start();
    for (let i = 0; i < 30; i++) {
      began.ping();
      began.clock.advance(40);
      began.net.answer(-1, 'pong');
      await settle();
    }
    expect(began.client.rttMs).toBeWithin(38, 40.1);
    const [, second = 0] = await timesOf(began, 200);
    expect(second).toBeWithin(50, 70);
  });

  test('takes no measure of a request sent twice: nobody knows which datagram was answered', async () => {
    const { clock, net, client, ping } = await start();
    ping();
    clock.advance(60);
    net.answer(-1, 'pong');
    await settle();
    expect(client.rttMs).toBe(0);
  });

  test('measures from when the system took the datagram', async () => {
    const { clock, net, client, ping } = await start();
    net.onSend = () => false;
    ping();
    clock.advance(40);
    net.onSend = () => true;
    clock.advance(10);
    clock.advance(8);
    net.answer(-1, 'pong');
    await settle();
    expect(client.rttMs).toBe(1);
  });

  test('backs off for a node that becomes slow all at once: its second replies tell that nothing was lost', async () => {
    const began = await start();
    const { clock, net, ping } = began;
    for (const after of [100, 150]) {
      ping();
      clock.advance(after + 10);
      net.answer(-1, 'pong');
      net.answer(-1, 'pong');
      await settle();
    }
    expect(await timesOf(began, 290)).toEqual([0, 150]);
  });

  test('does not back off where datagrams are lost', async () => {
    const began = await start();
    const { clock, net, ping } = began;
    for (let i = 0; i < 5; i++) {
      ping();
      clock.advance(60);
      net.answer(-1, 'pong');
      await settle();
    }
    expect((await timesOf(began, 100))[1]).toBe(50);
  });

  test('ends with the reply; the second reply counts as a duplicate', async () => {
    const { clock, net, client, ping } = await start();
    const seen = ping();
    clock.advance(60);
    net.answer(0, 'pong');
    net.answer(0, 'pong');
    clock.advance(800);
    await settle();
    expect(seen.outcome).toBe('said pong');
    expect(net.sent.length).toBe(2);
    expect(client.counters).toMatchObject({ duplicates: 1, late: 0, unknown: 0, timeouts: 0 });
  });

  test('tries again at the next tick what the system had no room for, without counting it', async () => {
    const { clock, net, client, ping } = await start();
    net.onSend = () => false;
    ping();
    net.onSend = () => true;
    clock.advance(20);
    expect(net.sent.length).toBe(2);
    expect(client.counters.retransmitted).toBe(0);
  });
});

describe('deadline', () => {
  test('ends the request as `silent`, never later than asked', async () => {
    const { clock, client, ping } = await start();
    const seen = ping(900);
    clock.advance(880);
    await settle();
    expect(seen.outcome).toBeUndefined();
    clock.advance(20);
    await settle();
    expect(seen.outcome).toBe('silent');
    expect(client.counters.timeouts).toBe(1);
    expect(client.inFlight).toBe(0);
  });

  test('that passed while the event loop stood still waits for what lies in the socket', async () => {
    const { clock, net, client, ping } = await start();
    const seen = ping(900);
    clock.now += 2000;
    clock.advance(1);
    expect(client.inFlight).toBe(1);
    net.answer(0, 'pong');
    await settle();
    expect(seen.outcome).toBe('said pong');
  });

  test('that passed so, without a reply, is over with the next tick, however late that comes too', async () => {
    const { clock, ping } = await start();
    const seen = ping(900);
    for (const outcome of [undefined, 'silent']) {
      clock.now += 2000;
      clock.advance(1);
      await settle();
      expect(seen.outcome).toBe(outcome);
    }
  });

  test('a reply after it counts as late, once, and as unknown when the cookie is forgotten', async () => {
    const { clock, net, client, ping } = await start();
    ping(100);
    clock.advance(100);
    net.answer(0, 'pong');
    expect(client.counters).toMatchObject({ late: 1, duplicates: 0, unknown: 0 });
    ping(100);
    clock.advance(REMEMBER_MS + 200);
    net.answer(-1, 'pong');
    expect(client.counters).toMatchObject({ late: 1, unknown: 1 });
  });

  test('a late reply is told, as the sign of life it is; duplicates and strangers are not', async () => {
    let told = 0;
    const { clock, net, ping } = await start({ onLate: () => told++ });
    ping(100);
    clock.advance(100);
    net.answer(0, 'pong');
    net.answer(0, 'pong');
    net.receive('stranger_1 pong');
    expect(told).toBe(1);
  });

  test('remembers a bounded number of cookies it gave up', async () => {
    const { clock, net, client, ping } = await start();
    for (let i = 0; i < MAX_REMEMBERED / WINDOW + 1; i++) {
      for (let j = 0; j < WINDOW; j++) ping(20);
      clock.advance(20);
    }
    expect(client.counters.timeouts).toBe(MAX_REMEMBERED + WINDOW);
    net.answer(0, 'pong');
    expect(client.counters).toMatchObject({ unknown: 1, late: 0 });
    net.answer(-1, 'pong');
    expect(client.counters).toMatchObject({ unknown: 1, late: 1 });
  });
});

describe('replies', () => {
  test.each([
    ['an empty body', 'boot_2 '],
    ['no body at all', 'boot_2'],
    ['a body the codec cannot read', 'boot_2 ?'],
  ])('with %s end the request as `garbled`', async (_name, datagram) => {
    const { net, client, ping } = await start();
    const seen = ping();
    net.receive(datagram);
    await settle();
    expect(seen.outcome).toBe('garbled');
    expect(client.counters.garbled).toBe(1);
  });

  test.each([['boot_99 pong'], ['other_1 pong'], [''], [' '], ['\xff\xff']])(
    'to nothing we sent are counted: %p',
    async (datagram) => {
      const { net, client, ping } = await start();
      const seen = ping();
      net.receive(datagram);
      await settle();
      expect(seen.outcome).toBeUndefined();
      expect(client.counters.unknown).toBe(1);
    },
  );
});

describe('window', () => {
  test('sends at most 64 requests at a time, and the next one when a reply comes', async () => {
    const { net, client, ping } = await start();
    for (let i = 0; i < WINDOW + 5; i++) ping();
    expect([net.sent.length, client.inFlight, client.waiting]).toEqual([WINDOW, WINDOW, 5]);
    net.answer(3, 'pong');
    expect([net.sent.length, client.inFlight, client.waiting]).toEqual([WINDOW + 1, WINDOW, 4]);
  });

  test('says `busy` at once when the queue is full', async () => {
    const { client, ping } = await start();
    for (let i = 0; i < WINDOW + MAX_WAITING; i++) ping();
    const seen = ping();
    await settle();
    expect(seen.outcome).toBe('busy');
    expect(client.counters.busy).toBe(1);
  });

  test('time in the queue counts; what was never sent ends as `busy`, so nobody need undo it', async () => {
    const { clock, net, ping } = await start();
    for (let i = 0; i < WINDOW; i++) ping(5000);
    const seen = ping(300);
    clock.advance(300);
    await settle();
    expect(seen.outcome).toBe('busy');
    const serial = (WINDOW + 2).toString(36);
    expect(net.sent.some((datagram) => datagram.startsWith(`boot_${serial} `))).toBe(false);
  });

  test('timed-out requests make room', async () => {
    const { clock, net, ping } = await start();
    for (let i = 0; i < WINDOW; i++) ping(50);
    ping(900);
    clock.advance(50);
    expect(net.sent.length).toBe(WINDOW + 1);
  });
});

describe('refusal', () => {
  test('ends everything in flight as `unreachable` at once, and sends what waited', async () => {
    const { net, client, ping } = await start();
    const all = Array.from({ length: WINDOW + 1 }, () => ping());
    net.fail(refusal());
    await settle();
    expect(all.filter((seen) => seen.outcome === 'unreachable').length).toBe(WINDOW);
    expect(client.counters.refused).toBe(WINDOW);
    expect([client.inFlight, client.waiting, net.sent.length]).toEqual([1, 0, WINDOW + 1]);
  });

  test('does not harm the next request, even if it is reported twice: the node may be back', async () => {
    const { net, client, ping } = await start();
    ping();
    const again = net.failer();
    net.fail(refusal());
    const seen = ping();
    await settle();
    again(refusal());
    net.answer(-1, 'pong');
    await settle();
    expect(seen.outcome).toBe('said pong');
    expect([net.opened, net.closed, client.counters.refused]).toEqual([2, 1, 1]);
  });

  test('thrown by send belongs to what was sent before; the new request is sent all the same', async () => {
    const { net, client, ping } = await start();
    const before = ping();
    let isFirst = true;
    net.onSend = () => {
      if (!isFirst) return true;
      isFirst = false;
      return refusal();
    };
    ping();
    await settle();
    expect(before.outcome).toBe('unreachable');
    expect([net.sent.length, client.inFlight, client.counters.sent]).toEqual([2, 1, 3]);
  });

  test('thrown by a retransmission ends the request as `unreachable`', async () => {
    const { clock, net, ping } = await start();
    const seen = ping();
    net.onSend = refusal;
    clock.advance(150);
    await settle();
    expect(seen.outcome).toBe('unreachable');
  });
});

describe('socket', () => {
  test.each([
    ['ENETUNREACH', 'silent', 'there is no way to the node'],
    ['EPERM', 'busy', 'our own host does not let it out, which says nothing of the node'],
  ])('%s of send ends the request as `%s`: %s; the next one gets a new socket', async (code, kind) => {
    const { net, client, ping } = await start();
    net.onSend = () => Object.assign(new Error(`send ${code}`), { code });
    const seen = ping();
    await settle();
    expect(seen.outcome).toBe(kind);
    expect([net.opened, net.closed, client.counters.socketErrors]).toEqual([1, 1, 1]);
    net.onSend = () => true;
    ping();
    await settle();
    expect([net.opened, net.sent.length]).toEqual([2, 1]);
  });

  test('given up while others were in flight is replaced for their retransmissions', async () => {
    const { clock, net, ping } = await start();
    const other = ping();
    net.onSend = () => Object.assign(new Error('send EINVAL'), { code: 'EINVAL' });
    ping();
    net.onSend = () => true;
    clock.advance(60);
    await settle();
    clock.advance(30);
    expect([net.opened, net.sent.length]).toEqual([2, 2]);
    net.answer(-1, 'pong');
    await settle();
    expect(other.outcome).toBe('said pong');
  });

  test('still being opened has a bounded queue before it', async () => {
    const clock = new FakeClock();
    const client = clientOf(new FakeNet(), clock);
    for (let i = 0; i < MAX_WAITING; i++) client.request('ping', clock.now + 900);
    expect(await client.request('ping', clock.now + 900)).toMatchObject({ kind: 'busy' });
  });

  test('other errors it reports are counted and end nothing', async () => {
    const { net, client, ping } = await start();
    const seen = ping();
    net.fail(new Error('odd'));
    await settle();
    expect(seen.outcome).toBeUndefined();
    expect(client.counters.socketErrors).toBe(1);
  });

  test('that cannot be opened ends what waits as `busy`; the next request tries again', async () => {
    const clock = new FakeClock();
    const net = new FakeNet();
    net.openError = new Error('EAFNOSUPPORT');
    const client = clientOf(net, clock);
    expect(await client.request('ping', clock.now + 900)).toMatchObject({ kind: 'busy' });
    net.openError = undefined;
    client.request('ping', clock.now + 900);
    await settle();
    expect([net.opened, net.sent.length]).toEqual([2, 1]);
  });
});

describe('timer', () => {
  test('runs only while something is pending', async () => {
    const { clock, net, ping } = await start();
    clock.advance(20);
    expect(clock.timers).toBe(0);
    ping();
    expect(clock.timers).toBe(1);
    net.answer(0, 'pong');
    clock.advance(20);
    expect(clock.timers).toBe(0);
  });
});

describe('close', () => {
  test('ends everything as `unreachable`, also what comes later, and stops socket and timer', async () => {
    const { clock, net, client, ping } = await start();
    const all = Array.from({ length: WINDOW + 3 }, () => ping());
    client.close();
    const later = ping();
    await settle();
    expect(new Set([...all, later].map((seen) => seen.outcome))).toEqual(new Set(['unreachable']));
    expect([net.closed, clock.timers, client.inFlight, client.waiting]).toEqual([1, 0, 0, 0]);
  });

  test('closes a socket that was still being opened', async () => {
    const clock = new FakeClock();
    const net = new FakeNet();
    const client = clientOf(net, clock);
    const outcome = client.request('ping', clock.now + 900);
    client.close();
    await settle();
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
    expect([net.opened, net.closed]).toEqual([1, 1]);
  });
});
