import { afterEach, describe, expect, test } from 'bun:test';
import { type NgDict, RelayFailure } from '../../../../src/relay/driver.ts';
import { FakeNode, type FakeNodeOptions } from '../../../../src/relay/ng/fake-node.ts';
import { createNgMonitor, MAX_UDP_LIST, type NgMonitor } from '../../../../src/relay/ng/monitor.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { FakeClock, FakeNet, refusal, settle } from './harness.ts';

const ADDRESS = '203.0.113.9';
const STATISTICS = {
  currentstatistics: { sessionsown: 3 },
  totalstatistics: { uptime: '12', managedsessions: 4 },
};
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A monitor on a network made of arrays. */
function offline() {
  const clock = new FakeClock();
  const net = new FakeNet();
  const monitor = createNgMonitor({ host: '192.0.2.1', port: 2223 }, clock, {
    httpPort: null,
    open: net.open,
  });

  return { clock, net, monitor, deadline: clock.now + 500 };
}

/** A monitor of a fake relay. */
async function watch(options: FakeNodeOptions = {}): Promise<{ node: FakeNode; monitor: NgMonitor }> {
  const node = await FakeNode.start({ deleteDelaySec: 0, ...options });
  const monitor = createNgMonitor(node.address, systemClock, { httpPort: null });
  cleanups.push(() => {
    monitor.close();
    node.stop();
  });

  return { node, monitor };
}

const soon = (ms = 2000): number => systemClock.monotonic() + ms;

/** The outcome of a check that the relay answers with one reply after another. */
async function answered<T>(check: (began: ReturnType<typeof offline>) => Promise<T>, ...replies: NgDict[]) {
  const began = offline();
  const outcome = check(began);
  for (const [index, reply] of replies.entries()) {
    await settle();
    began.net.reply(index, reply);
  }

  return {
    ...began,
    outcome: await outcome,
    messages: replies.map((_reply, index) => began.net.message(index)),
  };
}

describe('ping', () => {
  test('tells the time it took', async () => {
    const { clock, net, monitor, deadline } = offline();
    const outcome = monitor.ping(deadline);
    await settle();
    clock.advance(7);
    net.reply(0, { result: 'pong' });
    expect(await outcome).toBe(7);
  });

  test('goes out eight times within 500 ms, before anything was measured', async () => {
    const { clock, net, monitor, deadline } = offline();
    const from = clock.now;
    const times: number[] = [];
    net.onSend = () => {
      times.push(clock.now - from);
      return true;
    };
    const outcome = monitor.ping(deadline);
    await settle();
    clock.advance(500);
    expect(await outcome).toMatchObject({ kind: 'silent' });
    expect(times).toEqual([0, 70, 140, 210, 280, 350, 420, 490]);
  });

  test('rarely fails where 30 % of the datagrams are lost each way', async () => {
    const { monitor } = await watch({ faults: { loss: 0.3 } });
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => monitor.ping(soon(500))));
    // Less than 1 of 100 is expected to fail, so 8 of 60 is ten standard deviations away.
    expect(outcomes.filter((outcome) => outcome instanceof RelayFailure).length).toBeLessThan(8);
  });

  test('is answered by a node that refuses every call', async () => {
    const { monitor } = await watch({ maxSessions: 0 });
    expect(await monitor.ping(soon())).toBeNumber();
  });

  test('hears at once that nobody listens', async () => {
    const { node, monitor } = await watch();
    node.die();
    expect(await monitor.ping(soon(60_000))).toMatchObject({ kind: 'unreachable' });
  });

  test('ends by its deadline at a node that hangs', async () => {
    const { node, monitor } = await watch();
    node.hang();
    const deadline = soon(120);
    expect(await monitor.ping(deadline)).toMatchObject({ kind: 'silent' });
    expect(systemClock.monotonic()).toBeLessThanOrEqual(deadline + 100);
    node.resume();
    expect(await monitor.ping(soon())).toBeNumber();
  });
});

describe('statistics', () => {
  test('are read from the reply', async () => {
    const { outcome, messages } = await answered((began) => began.monitor.statistics(began.deadline), {
      statistics: STATISTICS,
      result: 'ok',
    });
    expect(messages).toEqual([{ command: 'statistics' }]);
    expect(outcome).toMatchObject({ uptimeS: 12, sessions: 3, growing: [4] });
  });

  test.each([
    ['no statistics', { result: 'ok' }, 'garbled'],
    ['no result', { statistics: STATISTICS }, 'garbled'],
    ['an error', { result: 'error', 'error-reason': 'Unrecognized command' }, 'rejected'],
  ])('with %s are a failure', async (_what, reply, kind) => {
    const { outcome } = await answered((began) => began.monitor.statistics(began.deadline), reply as NgDict);
    expect(outcome).toMatchObject({ kind });
  });

  test('show what a fake relay has, and its restart', async () => {
    const clock = new FakeClock();
    const { node, monitor } = await watch({ portMin: 40_000, portMax: 40_099, clock });
    clock.now += 5000;
    await monitor.canary(ADDRESS, 'IP4', soon());
    expect(await monitor.statistics(soon())).toEqual({
      uptimeS: 5,
      sessions: 0,
      growing: [1],
      ports: { free: 100, total: 100 },
      packetsPerS: 0,
      bytesPerS: 0,
      errorsPerS: 0,
      rejected: 0,
      version: '10.5 or older',
    });
    node.restart();
    expect(await monitor.statistics(soon())).toMatchObject({ uptimeS: 0, growing: [0] });
  });
});

describe('list', () => {
  const calls = (count: number): string[] => Array.from({ length: count }, (_, i) => `call-${i}`);

  test('names the calls, as many as asked for', async () => {
    const { outcome, messages } = await answered((began) => began.monitor.list(50, began.deadline), {
      calls: ['a', 'b'],
      result: 'ok',
    });
    expect(messages).toEqual([{ command: 'list', limit: 50 }]);
    expect(outcome).toEqual(['a', 'b']);
  });

  test('is passed on where it is as long as the limit: the caller knows that it may be cut off', async () => {
    const { outcome } = await answered((began) => began.monitor.list(2, began.deadline), {
      calls: ['a', 'b'],
      result: 'ok',
    });
    expect(outcome).toEqual(['a', 'b']);
  });

  test('asks over UDP for no more than one datagram holds, and never passes a part for the whole', async () => {
    const ask = (count: number) =>
      answered((began) => began.monitor.list(5000, began.deadline), { calls: calls(count), result: 'ok' });
    const fits = await ask(MAX_UDP_LIST - 1);
    expect(fits.messages).toEqual([{ command: 'list', limit: MAX_UDP_LIST }]);
    expect(fits.outcome).toEqual(calls(MAX_UDP_LIST - 1));
    expect((await ask(MAX_UDP_LIST)).outcome).toMatchObject({
      kind: 'too-large',
      reason: expect.stringContaining('give it an http_port'),
    });
  });

  test('leaves out what is no Call-ID, and is garbled without a list', async () => {
    const odd = await answered((began) => began.monitor.list(5, began.deadline), {
      calls: ['a', 1],
      result: 'ok',
    });
    expect(odd.outcome).toEqual(['a']);
    const none = await answered((began) => began.monitor.list(5, began.deadline), { result: 'ok' });
    expect(none.outcome).toMatchObject({ kind: 'garbled' });
  });

  test('never throws, whatever the limit', async () => {
    const { monitor, deadline } = offline();
    expect(await monitor.list(0.5, deadline)).toMatchObject({ kind: 'rejected' });
  });
});

describe('canary', () => {
  const SDP = `v=0\r\nc=IN IP4 ${ADDRESS}\r\nm=audio 30000 RTP/AVP 8\r\n`;
  const canary = (...replies: NgDict[]) =>
    answered((began) => began.monitor.canary(ADDRESS, 'IP4', began.deadline), ...replies);

  test('is an offer and a deletion at once of a call that everybody knows again', async () => {
    const { outcome, messages } = await canary({ sdp: SDP, result: 'ok' }, { result: 'ok' });
    expect(outcome).toBe(0);
    const [offer, deletion] = messages;
    expect(offer).toMatchObject({ command: 'offer', 'media-address': ADDRESS, 'address-family': 'IP4' });
    expect(offer?.['call-id']).toMatch(/^rtp-cluster-canary-[0-9a-f]{16}$/);
    expect(deletion).toEqual({ command: 'delete', 'call-id': offer?.['call-id'] ?? '', 'delete-delay': 0 });
  });

  test('has another Call-ID each time', async () => {
    const ids = new Set<unknown>();
    for (let i = 0; i < 5; i++) {
      const { messages } = await canary({ sdp: SDP, result: 'ok' }, { result: 'ok' });
      ids.add(messages[0]?.['call-id']);
    }
    expect(ids.size).toBe(5);
  });

  test('is deleted although its offer failed: some versions keep such a call', async () => {
    const refused = { result: 'error', 'error-reason': 'Ran out of ports' };
    const { outcome, messages } = await canary(refused, { result: 'ok', warning: 'not found' });
    expect(messages.map(({ command }) => command)).toEqual(['offer', 'delete']);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'Ran out of ports' });
  });

  test('keeps time for the deletion when the offer has no answer', async () => {
    const { clock, net, monitor, deadline } = offline();
    const outcome = monitor.canary(ADDRESS, 'IP4', deadline);
    await settle();
    clock.advance(340);
    await settle();
    expect(net.message(-1)).toMatchObject({ command: 'delete' });
    net.reply(-1, { result: 'ok' });
    expect(await outcome).toMatchObject({ kind: 'silent' });
  });

  test('says so when the call may have been left behind', async () => {
    const broken = { result: 'error', 'error-reason': 'odd' };
    const made = await canary({ sdp: SDP, result: 'ok' }, broken);
    expect(made.outcome).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/odd; .* not deleted$/),
    });
    const failed = await canary({ result: 'error', 'error-reason': 'Ran out of ports' }, broken);
    expect(failed.outcome).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/Ran out of ports; .* not deleted: odd$/),
    });
  });

  test.each([
    ['no SDP', ''],
    ['no port', SDP.replace('30000', '0')],
    ['another address', SDP.replace(ADDRESS, '10.0.0.1')],
  ])('fails with %s in the reply, and is deleted', async (_what, sdp) => {
    const { outcome, messages } = await canary({ sdp, result: 'ok' }, { result: 'ok' });
    expect(outcome).toMatchObject({ kind: 'garbled' });
    expect(messages[1]).toMatchObject({ command: 'delete' });
  });

  test.each([
    ['IP4', ADDRESS],
    ['IP6', '2001:DB8:0::9'],
  ] as const)('leaves no call at a fake relay, over %s', async (family, address) => {
    const { node, monitor } = await watch({ address6: '::1' });
    expect(await monitor.canary(address, family, soon())).toBeNumber();
    expect([node.calls.size, node.calls.usedPorts, node.counters.handled]).toEqual([0, 0, 2]);
  });

  test('finds out what a ping does not: a node that takes no calls', async () => {
    const { monitor } = await watch({ maxSessions: 0 });
    expect(await monitor.canary(ADDRESS, 'IP4', soon())).toMatchObject({ kind: 'refused' });
  });
});

describe('limitSessions without HTTP', () => {
  const says = (limit: number): NgDict => ({
    response: `Maximum sessions configured on rtpengine: ${limit}\n`,
    result: 'ok',
  });
  const limit = (to: number | null, ...replies: NgDict[]) =>
    answered((began) => began.monitor.limitSessions(to, began.deadline), ...replies);

  test('uses the ng command of 13.3 and later, and looks whether it was done', async () => {
    const { outcome, messages } = await limit(0, says(-1), { response: 'Success\n', result: 'ok' }, says(0));
    expect(messages).toEqual([
      { command: 'cli', body: 'list maxsessions' },
      { command: 'cli', body: 'set maxsessions 0' },
      { command: 'cli', body: 'list maxsessions' },
    ]);
    expect(outcome).toEqual({ before: null });
  });

  test('sets nothing where it is so already', async () => {
    expect((await limit(null, says(-1))).outcome).toEqual({ before: null });
    expect((await limit(7, says(7))).outcome).toEqual({ before: 7 });
  });

  test('takes the limit away', async () => {
    const { outcome, messages } = await limit(null, says(7), { response: 'Success', result: 'ok' }, says(-1));
    expect(messages[1]).toMatchObject({ body: 'set maxsessions -1' });
    expect(outcome).toEqual({ before: 7 });
  });

  test('is rejected by older relays, with words that say what to do', async () => {
    const { outcome } = await limit(0, { result: 'error', 'error-reason': 'Unrecognized command' });
    expect(outcome).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/Unrecognized command.*give the node an http_port/),
    });
    const { monitor } = await watch();
    expect(await monitor.limitSessions(0, soon())).toMatchObject({ kind: 'rejected' });
  });

  test('is rejected in the words of a relay that does not do it', async () => {
    const { outcome } = await limit(
      0,
      says(5),
      { response: 'Fail setting maxsessions', result: 'ok' },
      says(5),
    );
    expect(outcome).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('Fail setting maxsessions'),
    });
  });

  test('is garbled where the relay does not tell its limit', async () => {
    expect((await limit(0, { response: 'hello', result: 'ok' })).outcome).toMatchObject({ kind: 'garbled' });
    expect((await limit(0, { result: 'ok' })).outcome).toMatchObject({ kind: 'garbled' });
  });

  test.each([[-1], [0.5], [Number.NaN], [2 ** 31]])('sends nothing for a limit of %p', async (to) => {
    const { net, outcome } = await limit(to);
    expect(outcome).toMatchObject({ kind: 'rejected' });
    expect(net.opened).toBe(0);
  });
});

describe('close', () => {
  test('ends what is under way as `unreachable`, and what comes later', async () => {
    const { net, monitor, deadline } = offline();
    const outcome = monitor.ping(deadline);
    await settle();
    monitor.close();
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
    expect(await monitor.statistics(deadline)).toMatchObject({ kind: 'unreachable' });
    expect(net.closed).toBe(1);
  });
});

test('a refusal ends every kind of check at once', async () => {
  for (const check of [
    (monitor: NgMonitor, deadline: number) => monitor.ping(deadline),
    (monitor: NgMonitor, deadline: number) => monitor.statistics(deadline),
    (monitor: NgMonitor, deadline: number) => monitor.list(5, deadline),
    (monitor: NgMonitor, deadline: number) => monitor.limitSessions(0, deadline),
  ]) {
    const { net, monitor, deadline } = offline();
    const outcome = check(monitor, deadline);
    await settle();
    net.fail(refusal());
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
  }
});
