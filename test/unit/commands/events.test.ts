import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/commands/events.ts';
import { type Stub, startStub, testIo } from './stub.ts';

const REMOVED = {
  id: 7,
  at: Date.UTC(2026, 10, 23, 12),
  kind: 'node.removed',
  node_id: 3,
  call_id: null,
  detail: { socket: 'udp:192.168.2.3:7890', calls: 2 },
};
const LOST = { ...REMOVED, id: 8, kind: 'call.lost', call_id: 'a\u001b[2J@b', detail: {} };

let stub: Stub | undefined;

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

async function events(answers: Record<string, unknown>, ...argv: string[]) {
  stub = startStub(answers);
  const io = testIo({ RTP_CLUSTER_URL: stub.url });
  const code = await run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n') };
}

describe('events', () => {
  test('are a table, newest last, that cannot steer the terminal', async () => {
    const { code, out } = await events({
      'GET /v1/events?limit=100': { events: [LOST, REMOVED], next: null },
    });
    expect([code, ...out]).toEqual([
      0,
      'TIME                  KIND          NODE  CALL     DETAIL',
      '2026-11-23 12:00:00Z  node.removed     3           socket=udp:192.168.2.3:7890 calls=2',
      '2026-11-23 12:00:00Z  call.lost        3  a?[2J@b',
    ]);
  });

  test('leave out what is empty, and quote what could be taken for another field', async () => {
    const at = Date.UTC(2026, 10, 23, 13);
    const detail = {
      by: '',
      reason: 'new kernel calls=0 by=boss',
      said: 'a"b',
      equal: 'a=b',
      until: at,
      from: 'ready',
      calls: 0,
      told: false,
      cause: null,
    };
    const { out } = await events({
      'GET /v1/events?limit=100': {
        events: [
          { ...REMOVED, kind: 'node.drain', detail },
          { ...REMOVED, detail: { until: null, by: '' } },
        ],
        next: null,
      },
    });
    expect(out.slice(1).map((line) => line.replace(/ {2,}/g, '|'))).toEqual([
      '2026-11-23 12:00:00Z|node.removed|3',
      '2026-11-23 12:00:00Z|node.drain|3|reason="new kernel calls=0 by=boss" said="a\\"b" equal="a=b" until=2026-11-23T13:00:00Z from=ready calls=0 told=false',
    ]);
  });

  test('are asked for by kind, node, call and time', async () => {
    await events({}, '--kind', 'node.*,store.*', '--node', '3', '--call', 'a b', '--since', '2026-11-23');
    expect(stub?.seen[0]?.path).toBe(
      '/v1/events?kind=node.*%2Cstore.*&node=3&call=a+b&since=2026-11-23&limit=100',
    );
  });

  test.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('--since %s is so long ago', async (since, ms) => {
    const before = Date.now() - ms;
    await events({}, '--since', since);
    const asked = Number(/since=(\d+)/.exec(stub?.seen[0]?.path ?? '')?.[1]);
    expect(asked).toBeGreaterThanOrEqual(before);
    expect(asked).toBeLessThanOrEqual(Date.now() - ms);
  });

  test('come page by page up to the limit', async () => {
    const page = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({ ...REMOVED, id: from - index }));
    const { out } = await events(
      {
        'GET /v1/events?limit=1000': { events: page(1500, 1000), next: 501 },
        'GET /v1/events?limit=100&before=501': { events: page(500, 100), next: 401 },
      },
      ...['--limit', '1100', '--json'],
    );
    expect(out).toHaveLength(1100);
    expect([JSON.parse(out[0] ?? ''), JSON.parse(out.at(-1) ?? '')]).toMatchObject([
      { id: 401 },
      { id: 1500 },
    ]);
  });

  test('that are none are said to be none', async () => {
    const { out } = await events({ 'GET /v1/events?limit=100': { events: [], next: null } });
    expect(out).toEqual(['There are no such events.']);
  });

  test.each([
    [['--node', 'x'], '--node is "x"'],
    [['--limit', '0'], '--limit is "0"'],
    [['--limit', '5', '--follow'], '--limit does not go with --follow'],
  ])('%p is wrong', async (argv, message) => {
    const { code, err } = await events({}, ...argv);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(stub?.seen).toEqual([]);
  });
});

/** A service that plays one stream for each connection, and then refuses with 401. */
function startStreams(streams: readonly (readonly string[])[], options: { unix?: string } = {}) {
  const asked: { path: string; lastId: string | null; accept: string | null }[] = [];
  const fetch = (request: Request): Response => {
    const { pathname, search } = new URL(request.url);
    const { headers } = request;
    asked.push({
      path: pathname + search,
      lastId: headers.get('last-event-id'),
      accept: headers.get('accept'),
    });
    const chunks = streams[asked.length - 1];
    if (chunks === undefined)
      return Response.json({ code: 'RTPC_UNAUTHORIZED', message: 'no' }, { status: 401 });
    const body = new ReadableStream({
      async start(controller) {
        for (const chunk of chunks) {
          controller.enqueue(chunk);
          await new Promise((resolve) => setImmediate(resolve));
        }
        controller.close();
      },
    });

    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  };
  const server =
    options.unix === undefined
      ? Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
      : Bun.serve({ unix: options.unix, fetch });
  const seen: never[] = [];
  stub = { url: `http://127.0.0.1:${server.port}`, seen, stop: () => server.stop(true) };

  return { asked, url: stub.url };
}

const message = (event: object & { id: number; kind: string }): string =>
  `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

describe('events --follow', () => {
  test('shows each event as it comes, connects again by itself, and goes on after the last one it saw', async () => {
    const text = message(REMOVED);
    const { asked, url } = startStreams([
      ['retry: 1\nid: 6\n\n', text.slice(0, 40), text.slice(40), ': keep-alive\n\n'],
      ['retry: 1\nid: 7\n\n', message(LOST)],
    ]);
    const io = testIo({ RTP_CLUSTER_URL: url });
    expect(await run(['--follow', '--kind', 'node.*'], io)).toBe(1);
    expect(io.outLines).toEqual([
      '2026-11-23 12:00:00Z  node.removed  node=3  socket=udp:192.168.2.3:7890 calls=2',
      '2026-11-23 12:00:00Z  call.lost  node=3  call=a?[2J@b',
    ]);
    expect(asked).toEqual(
      [null, '7', '8'].map((lastId) => ({
        path: '/v1/events?kind=node.*',
        lastId,
        accept: 'text/event-stream',
      })),
    );
    expect(io.errLines.slice(0, 3)).toEqual([
      'rtp-cluster events: the connection is lost, trying again',
      'rtp-cluster events: connected again',
      'rtp-cluster events: the connection is lost, trying again',
    ]);
    expect(io.errLines[3]).toContain('RTPC_UNAUTHORIZED');
  });

  test('that is cut before the first event goes on from where it began', async () => {
    const { asked, url } = startStreams([['retry: 1\nid: 6\n\n']]);
    await run(['--follow'], testIo({ RTP_CLUSTER_URL: url }));
    expect(asked.map(({ lastId }) => lastId)).toEqual([null, '6']);
  });

  test('works over the unix socket, and with --json prints one object a line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-test-'));
    const unix = join(folder, 'api');
    startStreams([['retry: 1\n', message(REMOVED)]], { unix });
    const io = testIo();
    await run(['--follow', '--json', '--unix', unix], io);
    expect(JSON.parse(io.outLines[0] ?? '')).toEqual(REMOVED);
    rmSync(folder, { recursive: true, force: true });
  });

  test('ends at once if there is nobody, or somebody else', async () => {
    const io = testIo({ RTP_CLUSTER_URL: 'http://127.0.0.1:1' });
    expect(await run(['--follow'], io)).toBe(1);
    expect(io.errLines.join()).toContain('no answer from http://127.0.0.1:1');
    stub = startStub({ 'GET /v1/events?': { events: [] }, 'GET /v1/events': { events: [] } });
    const other = testIo({ RTP_CLUSTER_URL: stub.url });
    expect(await run(['--follow'], other)).toBe(1);
    expect(other.errLines.join()).toContain('does not stream events');
  });
});
