import { afterEach, describe, expect, test } from 'bun:test';
import { hostname } from 'node:os';
import { type Api, ApiError, type Reply } from '../../../src/commands/client.ts';
import * as node from '../../../src/commands/node.ts';
import { waitUntilEmpty } from '../../../src/commands/node-orders.ts';
import { type Stub, startStub, testIo } from './stub.ts';

const BY = `root@${hostname()}`;
const DRAINING = {
  id: 3,
  calls: 2,
  order: { state: 'drain', by: 'root@a', reason: 'r', at: 1, until: null },
  health: { state: 'up' },
  drain: { calls_left: 2, per_minute: 1.5, eta_s: 80, is_drained: false },
};
const EMPTY = {
  ...DRAINING,
  calls: 0,
  drain: { calls_left: 0, per_minute: null, eta_s: 0, is_drained: true },
};

let stub: Stub | undefined;

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

async function run(argv: string[], answers: Record<string, unknown> = {}) {
  stub = startStub(answers);
  const io = testIo({ RTP_CLUSTER_URL: stub.url, USER: 'root' });
  const code = await node.run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n'), body: stub.seen[0]?.body };
}

describe('node drain', () => {
  test('sends reason, deadline and who asks', async () => {
    const { code, out, body } = await run(
      ['drain', '3', '--reason', 'new kernel', '--deadline', '30m', '--tell-relay'],
      { 'POST /v1/nodes/3/drain': DRAINING },
    );
    expect(code).toBe(0);
    expect(body).toEqual({ reason: 'new kernel', by: BY, deadline_s: 1800, tell_relay: true });
    expect(out).toEqual(['node 3 is draining: 2 calls left, 1.5 ended per minute, about 1 min 20 s to go']);
  });

  test('leaves out what was not given, so that a repeated order changes nothing else', async () => {
    const { body } = await run(['drain', '3', '--reason', 'x'], { 'POST /v1/nodes/3/drain': DRAINING });
    expect(body).toEqual({ reason: 'x', by: BY });
  });

  test('shows a warning of the service, and is a success all the same', async () => {
    const { code, err } = await run(['drain', '3', '--reason', 'x', '--tell-relay'], {
      'POST /v1/nodes/3/drain': { ...DRAINING, warning: 'the relay was not told' },
    });
    expect([code, err]).toEqual([0, 'rtp-cluster: the relay was not told']);
  });

  test('names the one who called sudo', async () => {
    stub = startStub({ 'POST /v1/nodes/3/drain': DRAINING });
    const io = testIo({ RTP_CLUSTER_URL: stub.url, USER: 'root', SUDO_USER: 'anna' });
    await node.run(['drain', '3', '--reason', 'x'], io);
    expect(stub.seen[0]?.body).toEqual({ reason: 'x', by: `anna@${hostname()}` });
  });

  test('--wait ends with code 0 when the node is empty', async () => {
    const { code, out } = await run(['drain', '3', '--reason', 'x', '--wait'], {
      'POST /v1/nodes/3/drain': DRAINING,
      'GET /v1/nodes/3': EMPTY,
    });
    expect([code, out]).toEqual([0, ['node 3 is empty']]);
  });

  test('--wait --json shows the node as it is in the end, and nothing else', async () => {
    const { out } = await run(['drain', '3', '--reason', 'x', '--wait', '--json'], {
      'POST /v1/nodes/3/drain': DRAINING,
      'GET /v1/nodes/3': EMPTY,
    });
    expect(out.map((line) => JSON.parse(line))).toEqual([EMPTY]);
  });

  test.each([
    [['drain', '3'], '--reason is missing'],
    [['drain', '3', '--reason', ' '], '--reason is missing'],
    [['drain', 'x', '--reason', 'x'], 'the node id is "x"'],
    [
      ['drain', '3', '--reason', 'x', '--deadline', '30'],
      '--deadline is "30"; allowed is a time such as 5s, 30m',
    ],
    [['drain', '3', '--reason', 'x', '--deadline', '0s'], '--deadline is "0s"'],
    [['drain', '3', '--reason', 'x', '--deadline', '400d'], 'at most 365 d'],
    [['maint', '3'], '--reason is missing'],
    [['maint', '3', '--reason', 'x', '--until', 'noon'], 'or a time such as 2026-11-23T12:00:00Z'],
  ])('%j is refused before anything is sent', async (argv, message) => {
    const { code, err } = await run(argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(stub?.seen).toEqual([]);
  });
});

describe('node maint and node ready', () => {
  test('maint takes a time from now, or a date', async () => {
    const answers = { 'POST /v1/nodes/3/maint': { ...DRAINING, order: { state: 'maint' } } };
    const { body, out } = await run(['maint', '3', '--reason', 'disk', '--until', '2h'], answers);
    const { until } = body as { until: number };
    expect(until - Date.now()).toBeWithin(7_190_000, 7_200_001);
    expect(out).toEqual(['node 3 is in maintenance; 2 calls are left']);
    await stub?.stop();
    const dated = await run(['maint', '3', '--reason', 'disk', '--until', '2030-01-01T00:00:00Z'], answers);
    expect(dated.body).toMatchObject({ until: Date.UTC(2030, 0, 1) });
  });

  test('ready needs no reason, and says what stands against it', async () => {
    const { body, out } = await run(['ready', '3'], {
      'POST /v1/nodes/3/ready': { ...DRAINING, health: { state: 'down' } },
    });
    expect(body).toEqual({ reason: '', by: BY });
    expect(out).toEqual(['node 3 is ready, but down']);
  });
});

describe('waiting for a node to become empty', () => {
  /** Answers one after the other, the last one for ever; `stop` ends the waiting after so many looks. */
  async function wait(answers: (object | ApiError)[], { isTerminal = false, stopAfter = 1000 } = {}) {
    const io = testIo();
    const written: string[] = [];
    const abort = new AbortController();
    let looks = 0;
    const api: Pick<Api, 'call'> = {
      call(): Promise<Reply | ApiError> {
        const answer = answers[Math.min(looks++, answers.length - 1)] ?? {};

        return Promise.resolve(answer instanceof ApiError ? answer : { json: answer, text: '' });
      },
    };
    const terminal = { write: (text: string) => void written.push(text), columns: 80, rows: 24 };
    const result = await waitUntilEmpty(3, api, isTerminal ? { ...io, errTerminal: terminal } : io, {
      signal: abort.signal,
      pause: async () => {
        if (looks >= stopAfter) abort.abort();
      },
    });

    return { result, out: io.outLines, written, looks };
  }

  test('shows a line every ten looks where there is no terminal', async () => {
    const { out } = await wait([...Array<object>(21).fill(DRAINING), EMPTY]);
    const line = 'node 3: 2 calls left, 1.5 ended per minute, about 1 min 20 s to go';
    expect(out).toEqual([line, line, line, 'node 3 is empty']);
  });

  test('shows one line that changes on a terminal', async () => {
    const { out, written } = await wait([DRAINING, EMPTY], { isTerminal: true });
    expect(written).toEqual([
      '\r\u001b[Knode 3: 2 calls left, 1.5 ended per minute, about 1 min 20 s to go',
      '\r\u001b[K',
    ]);
    expect(out).toEqual(['node 3 is empty']);
  });

  test('fails when the deadline is over with calls left', async () => {
    const order = { state: 'maint', by: 'deadline' };
    const { result, out } = await wait([DRAINING, { ...DRAINING, drain: null, order }]);
    expect(result).toMatchObject({ code: 1 });
    expect(out.at(-1)).toBe('the deadline is over; node 3 is in maintenance and 2 calls are left');
  });

  test('is a success when the deadline is over and no calls are left', async () => {
    const order = { state: 'maint', by: 'deadline' };
    const { result } = await wait([{ ...DRAINING, calls: 0, drain: null, order }]);
    expect(result).toMatchObject({ code: 0 });
  });

  test('fails when somebody takes the order back, and says who', async () => {
    const { result, out } = await wait([
      { ...DRAINING, drain: null, order: { state: 'ready', by: 'bob@b' } },
    ]);
    expect(result).toMatchObject({ code: 1 });
    expect(out).toEqual(['node 3 is not draining any more: ready by bob@b; 2 calls are left']);
  });

  test('goes on while the service is away, and ends when the node is gone', async () => {
    const away = new ApiError('no answer', undefined, true);
    const gone = new ApiError('there is no node 3');
    const { result, looks, out } = await wait([away, DRAINING, away, gone]);
    expect([result, looks]).toEqual([gone, 4]);
    expect(out).toEqual(['the service does not answer, trying again']);
  });

  test('interrupted leaves the order in place and says so', async () => {
    const { result, out } = await wait([DRAINING], { stopAfter: 2 });
    expect(result).toEqual({ code: 130 });
    expect(out.at(-1)).toBe(
      'the order stands, node 3 goes on draining; "rtp-cluster node ready 3" takes it back',
    );
  });
});
