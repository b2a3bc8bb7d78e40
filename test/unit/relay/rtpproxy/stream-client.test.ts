import { describe, expect, test } from 'bun:test';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import { PATIENCE_MS } from '../../../../src/relay/rtpproxy/connection.ts';
import { MAX_REPLY_BYTES } from '../../../../src/relay/rtpproxy/framing.ts';
import {
  DOUBT_MS,
  MAX_AWAITED,
  ONE_SHOT,
  PERSISTENT,
  StreamClient,
  type StreamOptions,
  type StreamUse,
  WINDOW,
} from '../../../../src/relay/rtpproxy/stream-client.ts';
import { MAX_WAITING } from '../../../../src/relay/wire/datagram-client.ts';
import { FakeClock, settle } from '../wire/harness.ts';
import { FakeStreams } from './fake-streams.ts';

const TOTALS = 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5';

function start(use: StreamUse, options: StreamOptions = {}) {
  const clock = new FakeClock();
  const net = new FakeStreams();
  const client = new StreamClient({ path: '/run/rtpproxy.sock' }, clock, use, { open: net.open, ...options });
  /** Sends a command and keeps its outcome. */
  const ask = (command = 'V', budgetMs = 900, lines = 1) => {
    const seen: { outcome?: string; reason?: string } = {};
    client.request(command, clock.now + budgetMs, lines).then((outcome) => {
      seen.outcome = outcome instanceof RelayFailure ? outcome.kind : `said ${outcome}`;
      if (outcome instanceof RelayFailure) seen.reason = outcome.reason;
    });

    return seen;
  };

  return { clock, net, client, ask };
}

/** Outcomes, each with how often it was seen; `undefined` for what goes on. */
function tally(all: readonly { readonly outcome?: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome = 'open' } of all) counts[outcome] = (counts[outcome] ?? 0) + 1;

  return counts;
}

for (const [name, use] of [
  ['cunix and tcp', PERSISTENT],
  ['unix', ONE_SHOT],
] as const) {
  describe(`a client over ${name}`, () => {
    test('opens nothing before the first request', async () => {
      const { net, ask } = start(use);
      expect(net.all).toEqual([]);
      ask();
      expect(net.all.length).toBe(1);
    });

    test('sends the command with its newline once the stream is open', async () => {
      const { net, client, ask } = start(use);
      net.answer = 'nothing';
      ask('U c1 192.0.2.1 4000 ta;1');
      await settle();
      expect([net.last.sent, client.inFlight, client.waiting]).toEqual(['', 0, 1]);
      net.last.accept();
      expect([net.last.sent, client.inFlight, client.waiting]).toEqual(['U c1 192.0.2.1 4000 ta;1\n', 1, 0]);
    });

    test.each([
      ['ENOENT', 'there is no socket /run/rtpproxy.sock'],
      ['EACCES', 'permission denied at /run/rtpproxy.sock'],
    ])('says `unreachable` at once where it cannot connect: %s', async (code, reason) => {
      const { clock, net, client, ask } = start(use);
      net.answer = code;
      const all = [ask(), ask(), ask()];
      await settle();
      expect(all.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unreachable'));
      expect(all[0]?.reason).toBe(reason);
      expect([client.counters.refused, client.counters.sent]).toEqual([3, 0]);
      clock.advance(10);
      expect([net.living, clock.timers]).toEqual([0, 0]);
    });

    test.each([
      ['EHOSTUNREACH', 'silent'],
      ['ETIMEDOUT', 'silent'],
      ['EMFILE', 'busy'],
    ])('says who is to blame where it cannot connect: %s is `%s`', async (code, kind) => {
      const { net, client, ask } = start(use);
      net.answer = code;
      const seen = ask();
      await settle();
      expect([seen.outcome, client.counters.socketErrors]).toEqual([kind, 1]);
    });

    test('tries again with the next request', async () => {
      const { net, ask } = start(use);
      net.answer = 'ENOENT';
      ask();
      await settle();
      net.answer = 'accept';
      ask('V');
      await settle();
      expect([net.all.length, net.last.sent]).toEqual([2, 'V\n']);
    });

    test('waits no longer than the deadline for a node that does not accept, and calls it silent', async () => {
      const { clock, net, client, ask } = start(use);
      net.answer = 'nothing';
      const seen = ask('V', 300);
      clock.advance(280);
      await settle();
      expect(seen.outcome).toBeUndefined();
      clock.advance(20);
      await settle();
      expect(seen).toEqual({ outcome: 'silent', reason: 'no connection within the time budget' });
      expect([client.counters.timeouts, client.counters.sent, clock.timers]).toEqual([1, 0, 0]);
    });

    test('gives up a connection that is not accepted, and opens another', async () => {
      const { clock, net, ask } = start(use);
      net.answer = 'nothing';
      const seen = ask('V', 5000);
      clock.advance(PATIENCE_MS - 10);
      expect(net.all.length).toBe(1);
      net.answer = 'accept';
      clock.advance(10);
      expect(net.all.map(({ isClosed }) => isClosed)).toEqual([true, false]);
      await settle();
      net.last.receive('20040107\n');
      net.last.end();
      await settle();
      expect(seen.outcome).toBe('said 20040107');
    });

    test('takes at most 16 at a time, the next one when a reply comes', async () => {
      const { net, client, ask } = start(use);
      for (let i = 0; i < WINDOW + 3; i++) ask(`D c${i} t`);
      await settle();
      expect([client.inFlight, client.waiting]).toEqual([WINDOW, 3]);
      net.all[0]?.receive('0\n');
      if (use === ONE_SHOT) net.all[0]?.end();
      await settle();
      expect([client.inFlight, client.waiting]).toEqual([WINDOW, 2]);
      expect(net.all.flatMap(({ commands }) => commands)).toEqual(
        Array.from({ length: WINDOW + 1 }, (_, i) => `D c${i} t`),
      );
    });

    test('says `busy` at once when its queue is full, and after the deadline to what was never sent', async () => {
      const { clock, client, ask } = start(use);
      const first = Array.from({ length: WINDOW }, () => ask('V', 5000));
      await settle();
      const waiting = Array.from({ length: MAX_WAITING }, () => ask('V', 300));
      const refused = ask();
      await settle();
      expect([refused.outcome, client.counters.busy]).toEqual(['busy', 1]);
      clock.advance(300);
      await settle();
      expect([tally(waiting), tally(first)]).toEqual([{ busy: MAX_WAITING }, { open: WINDOW }]);
      expect(client.counters.busy).toBe(MAX_WAITING + 1);
    });

    test('sends nothing that would be no command', async () => {
      const { net, ask } = start(use);
      const all = [ask('V\nX'), ask(''), ask('x'.repeat(9000))];
      await settle();
      expect(all.map(({ outcome }) => outcome)).toEqual(['rejected', 'rejected', 'too-large']);
      expect(net.all).toEqual([]);
    });

    test('a reply after the deadline is counted and told, once, and is nobody’s', async () => {
      let told = 0;
      const { clock, net, client, ask } = start(use, { onLate: () => told++ });
      const late = ask('Q c1 a', 100);
      await settle();
      clock.advance(100);
      await settle();
      expect([late.outcome, client.inFlight, client.counters.timeouts]).toEqual(['silent', 0, 1]);
      net.last.receive('60 0 0 0 0\n');
      net.last.end();
      expect([told, client.counters.late, client.counters.replies]).toEqual([1, 1, 0]);
    });

    test('what a broken stream was to answer ends as `silent`, for it may have been done', async () => {
      const { net, client, ask } = start(use);
      const seen = ask();
      await settle();
      net.last.end('ECONNRESET');
      await settle();
      expect(seen.outcome).toBe('silent');
      expect(client.counters).toMatchObject({ sent: 1, timeouts: 1, socketErrors: 1 });
      expect(net.all.length).toBe(1);
    });

    test('a reply cut off is garbled', async () => {
      const { net, client, ask } = start(use);
      const seen = ask();
      await settle();
      net.last.receive('2004');
      net.last.end();
      await settle();
      expect([seen.outcome, client.counters.garbled]).toEqual(['garbled', 1]);
    });

    test('an empty reply is garbled', async () => {
      const { net, ask } = start(use);
      const seen = ask('G');
      await settle();
      net.last.receive('\n');
      net.last.end();
      await settle();
      expect(seen.outcome).toBe('garbled');
    });

    test('a reply without end is garbled, and its stream closed', async () => {
      const { net, client, ask } = start(use);
      const seen = ask();
      await settle();
      net.last.receive('x'.repeat(MAX_REPLY_BYTES));
      expect(net.last.isClosed).toBe(false);
      net.last.receive('x');
      await settle();
      expect([seen.outcome, net.last.isClosed, client.counters.garbled]).toEqual(['garbled', true, 1]);
    });

    test('measures the round trip from the sending on', async () => {
      const { clock, net, client, ask } = start(use);
      expect(client.rttMs).toBeNull();
      ask();
      await settle();
      clock.advance(8);
      net.last.receive('20040107\n');
      net.last.end();
      expect(client.rttMs).toBe(8);
    });

    test('has no timer when nothing is under way', async () => {
      const { clock, net, ask } = start(use);
      ask();
      await settle();
      expect(clock.timers).toBe(1);
      net.last.receive('20040107\n');
      clock.advance(10);
      if (use === ONE_SHOT) net.last.end();
      clock.advance(10);
      expect(clock.timers).toBe(0);
    });

    test('close ends everything as `unreachable`, also what comes later', async () => {
      const { clock, net, client, ask } = start(use);
      const all = Array.from({ length: WINDOW + 3 }, () => ask());
      await settle();
      client.close();
      all.push(ask());
      await settle();
      expect(tally(all)).toEqual({ unreachable: WINDOW + 4 });
      expect([net.living, clock.timers, client.inFlight, client.waiting]).toEqual([0, 0, 0, 0]);
    });

    test('close ends a connection that is being opened', async () => {
      const { net, client, ask } = start(use);
      const seen = ask();
      client.close();
      await settle();
      expect([seen.outcome, net.living, net.last.sent]).toEqual(['unreachable', 0, '']);
    });
  });
}

describe('cunix and tcp', () => {
  test('a refusal is believed at once', async () => {
    const { net, client, ask } = start(PERSISTENT);
    net.answer = 'ECONNREFUSED';
    const all = [ask(), ask()];
    await settle();
    expect(all[1]).toEqual({ outcome: 'unreachable', reason: 'nobody listens at /run/rtpproxy.sock' });
    expect([client.counters.refused, net.all.length]).toEqual([2, 1]);
  });

  test('one stream carries all, replies in the order of the commands', async () => {
    const { net, ask } = start(PERSISTENT);
    const all = [ask('D a t'), ask('I', 900, 5), ask('D b t')];
    await settle();
    expect([net.all.length, net.last.sent]).toEqual([1, 'D a t\nI\nD b t\n']);
    net.last.receive(`0\n${TOTALS}\nE50\n`);
    await settle();
    expect(all.map(({ outcome }) => outcome)).toEqual(['said 0', `said ${TOTALS}`, 'said E50']);
  });

  test('a reply may come in pieces', async () => {
    const { net, ask } = start(PERSISTENT);
    const [first, second] = [ask('I', 900, 5), ask()];
    await settle();
    for (const byte of `${TOTALS}\n20040107`) net.last.receive(byte);
    await settle();
    expect([first.outcome, second.outcome]).toEqual([`said ${TOTALS}`, undefined]);
    net.last.receive('\n');
    await settle();
    expect(second.outcome).toBe('said 20040107');
  });

  test('an error in place of several lines is a whole reply', async () => {
    const { net, ask } = start(PERSISTENT);
    const [first, second] = [ask('Iz', 900, 5), ask()];
    await settle();
    net.last.receive('E18\n20040107\n');
    await settle();
    expect([first.outcome, second.outcome]).toEqual(['said E18', 'said 20040107']);
  });

  test('a late reply keeps the order of those behind it', async () => {
    const { clock, net, client, ask } = start(PERSISTENT);
    const slow = ask('Q c1 a', 100);
    await settle();
    clock.advance(100);
    const next = ask('V', 900);
    net.last.receive('60 0 0 0 0\n20040107\n');
    await settle();
    expect([slow.outcome, next.outcome]).toEqual(['silent', 'said 20040107']);
    expect(client.counters).toMatchObject({ late: 1, replies: 1, timeouts: 1 });
  });

  test('a stream that owes a reply for long is closed, and what is new goes over another', async () => {
    const { clock, net, ask } = start(PERSISTENT);
    const lost = ask('V', 100);
    await settle();
    clock.advance(100);
    const behind = ask('V', 5000);
    clock.advance(PATIENCE_MS - 20);
    await settle();
    expect([lost.outcome, behind.outcome, net.living]).toEqual(['silent', undefined, 1]);
    clock.advance(20);
    await settle();
    expect([behind.outcome, net.living]).toEqual(['silent', 0]);
    ask('D c1 t');
    await settle();
    expect([net.all.length, net.last.sent]).toEqual([2, 'D c1 t\n']);
  });

  test('a slow stream is not closed while it answers', async () => {
    const { clock, net, client, ask } = start(PERSISTENT);
    for (let i = 0; i < 4; i++) ask('V', 100);
    await settle();
    for (let i = 0; i < 4; i++) {
      clock.advance(PATIENCE_MS - 20);
      net.last.receive('20040107\n');
    }
    expect([client.counters.late, net.all.length, net.living]).toEqual([4, 1, 1]);
  });

  test('what was given up leaves room for others, but not without end', async () => {
    const { clock, net, client, ask } = start(PERSISTENT);
    for (let i = 0; i < WINDOW; i++) ask('V', 100);
    await settle();
    clock.advance(100);
    for (let i = 0; i < WINDOW; i++) ask('V', 900);
    expect([client.inFlight, client.waiting, net.last.commands.length]).toEqual([
      MAX_AWAITED - WINDOW,
      2 * WINDOW - MAX_AWAITED,
      MAX_AWAITED,
    ]);
    net.last.receive('20040107\n'.repeat(WINDOW));
    expect([client.inFlight, client.waiting, client.counters.late]).toEqual([WINDOW, 0, WINDOW]);
  });

  test('bytes nobody asked for end the stream: no reply over it can be trusted', async () => {
    const { net, client, ask } = start(PERSISTENT);
    const seen = ask('I', 900, 4);
    await settle();
    const waiting = Array.from({ length: WINDOW }, () => ask('V', 900));
    expect(waiting.length - client.waiting).toBe(WINDOW - 1);
    net.last.receive('20040107\n'.repeat(20 + WINDOW));
    await settle();
    expect([seen.outcome?.split('\n').length, client.counters.unknown]).toEqual([4, 1]);
    expect(net.all[0]?.isClosed).toBe(true);
    // The one that was still waiting goes over a new stream.
    expect(net.last.commands).toEqual(['V']);
  });

  test('a stream that ends takes what was sent with it; what was not goes over the next one', async () => {
    const { net, ask } = start(PERSISTENT);
    const all = Array.from({ length: WINDOW + 2 }, () => ask());
    await settle();
    net.last.end();
    await settle();
    expect(tally(all)).toEqual({ silent: WINDOW, open: 2 });
    net.last.receive('20040107\n20040107\n');
    await settle();
    expect(tally(all)).toEqual({ silent: WINDOW, 'said 20040107': 2 });
    expect(net.all.length).toBe(2);
  });

  test('an idle stream that ends is opened again by the next request only', async () => {
    const { net, ask } = start(PERSISTENT);
    ask();
    await settle();
    net.last.receive('20040107\n');
    net.last.end();
    await settle();
    expect(net.all.length).toBe(1);
    ask();
    await settle();
    expect([net.all.length, net.last.sent]).toEqual([2, 'V\n']);
  });
});

describe('unix', () => {
  test('each command has a connection of its own, and its reply ends with that', async () => {
    const { net, client, ask } = start(ONE_SHOT);
    const [first, second] = [ask('I', 900, 5), ask('V')];
    await settle();
    expect(net.all.map(({ sent }) => sent)).toEqual(['I\n', 'V\n']);
    net.all[1]?.receive('20040107\n');
    expect(client.inFlight).toBe(2);
    net.all[1]?.end();
    for (const part of [TOTALS, '\n']) net.all[0]?.receive(part);
    net.all[0]?.end();
    await settle();
    expect([first.outcome, second.outcome, net.living]).toEqual([`said ${TOTALS}`, 'said 20040107', 0]);
  });

  test('a connection whose request has gone is closed: the daemon waits for a command', async () => {
    const { clock, net, ask } = start(ONE_SHOT);
    net.answer = 'nothing';
    ask('V', 100);
    clock.advance(100);
    await settle();
    net.last.accept();
    expect([net.last.isClosed, net.last.sent]).toEqual([true, '']);
  });

  test('a refusal is believed when it goes on: a daemon with many waiting refuses too', async () => {
    const { clock, net, client, ask } = start(ONE_SHOT);
    net.answer = 'ECONNREFUSED';
    const all = [ask(), ask()];
    for (let tick = 0; tick < DOUBT_MS / 10; tick++) {
      await settle();
      expect([tally(all), net.all.length]).toEqual([{ open: 2 }, 2 * (tick + 1)]);
      clock.advance(10);
    }
    await settle();
    expect([tally(all), client.counters.refused]).toEqual([{ unreachable: 2 }, 2]);
    // Now it is known to be dead.
    const next = ask();
    await settle();
    expect(next).toEqual({ outcome: 'unreachable', reason: 'nobody listens at /run/rtpproxy.sock' });
  });

  test('a refusal among connections that are accepted costs a request some time only', async () => {
    const { clock, net, ask } = start(ONE_SHOT);
    for (let round = 0; round < 5; round++) {
      net.answer = 'ECONNREFUSED';
      const seen = ask();
      await settle();
      expect(net.last.isClosed).toBe(true);
      net.answer = 'accept';
      clock.advance(10);
      await settle();
      net.last.receive('20040107\n');
      net.last.end();
      await settle();
      expect(seen.outcome).toBe('said 20040107');
    }
  });

  test('connections of what was given up are closed after a while', async () => {
    const { clock, net, ask } = start(ONE_SHOT);
    for (let i = 0; i < 5; i++) ask('V', 100);
    await settle();
    clock.advance(100);
    expect(net.living).toBe(5);
    clock.advance(PATIENCE_MS);
    expect([net.living, clock.timers]).toEqual([0, 0]);
  });

  test('never has more connections than the daemon lets wait', async () => {
    const { clock, net, ask } = start(ONE_SHOT);
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < WINDOW; i++) ask('V', 100);
      await settle();
      expect(net.living).toBeLessThanOrEqual(MAX_AWAITED);
      clock.advance(100);
    }
  });
});
