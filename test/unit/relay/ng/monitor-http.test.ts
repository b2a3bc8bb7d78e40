import { afterEach, describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../../src/relay/driver.ts';
import { DecodeError, decode, encodeText, isDict } from '../../../../src/relay/ng/bencode.ts';
import { FakeNode } from '../../../../src/relay/ng/fake-node.ts';
import { MAX_HTTP_BYTES } from '../../../../src/relay/ng/http.ts';
import { createNgMonitor, MAX_UDP_LIST, type NgMonitor } from '../../../../src/relay/ng/monitor.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { FakeClock, FakeNet } from './harness.ts';

const STATISTICS = {
  currentstatistics: { sessionsown: 77 },
  totalstatistics: { uptime: '12', managedsessions: 4 },
};
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const soon = (ms = 2000): number => systemClock.monotonic() + ms;

/** The HTTP side of a node. */
function serve(answer: (request: Request) => Response | Promise<Response>): number {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer });
  cleanups.push(() => void server.stop(true));

  return server.port ?? 0;
}

/** The HTTP side of a node, as bytes on a TCP connection. */
function serveRaw(answer: string): number {
  const listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write(answer);
        socket.end();
      },
    },
  });
  cleanups.push(() => listener.stop(true));

  return listener.port;
}

/** A monitor whose node has this HTTP port, and an ng port that works: no calls there. */
async function watch(httpPort: number): Promise<{ node: FakeNode; monitor: NgMonitor }> {
  const node = await FakeNode.start();
  const monitor = createNgMonitor(node.address, systemClock, { httpPort });
  cleanups.push(() => {
    monitor.close();
    node.stop();
  });

  return { node, monitor };
}

/** Answers ng messages. */
function ng(handle: (message: NgDict) => NgDict): (request: Request) => Promise<Response> {
  return async (request) => {
    const body = Buffer.from(await request.arrayBuffer());
    const space = body.indexOf(0x20);
    const message = decode(body.subarray(space + 1));
    if (message instanceof DecodeError || !isDict(message)) return new Response('bad', { status: 500 });
    const reply = Buffer.from(encodeText(handle(message)), 'latin1');

    return new Response(Buffer.concat([body.subarray(0, space + 1), reply]));
  };
}

/** A port where nobody listens. */
function closedPort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);

  return port;
}

describe('statistics and lists over HTTP', () => {
  test('are asked for as rtpengine wants it, and not over UDP', async () => {
    const seen: unknown[] = [];
    const { node, monitor } = await watch(
      serve(async (request) => {
        const { pathname } = new URL(request.url);
        seen.push([request.method, pathname, request.headers.get('content-type')]);

        return ng(() => ({ statistics: STATISTICS, result: 'ok' }))(request);
      }),
    );
    expect(await monitor.statistics(soon())).toMatchObject({ sessions: 77 });
    expect(seen).toEqual([['POST', '/ng', 'application/x-rtpengine-ng']]);
    expect([node.counters.received, monitor.httpTrouble]).toEqual([0, null]);
  });

  test('never use a cookie twice', async () => {
    const cookies = new Set<string>();
    const { monitor } = await watch(
      serve(async (request) => {
        cookies.add((await request.clone().text()).split(' ', 1)[0] ?? '');

        return ng(() => ({ calls: [], result: 'ok' }))(request);
      }),
    );
    for (let i = 0; i < 3; i++) expect(await monitor.list(5, soon())).toEqual([]);
    expect(cookies.size).toBe(3);
  });

  test('may be longer than any datagram', async () => {
    const calls = Array.from({ length: 20_000 }, (_, i) => `${String(i).padStart(40, '0')}@192.0.2.1`);
    const { monitor } = await watch(
      serve(ng(({ limit }) => ({ calls: calls.slice(0, Number(limit)), result: 'ok' }))),
    );
    expect(await monitor.list(50_000, soon(5000))).toEqual(calls);
    expect(((await monitor.list(MAX_UDP_LIST, soon(5000))) as string[]).length).toBe(MAX_UDP_LIST);
  });

  test('that the relay answers with an error are a failure: HTTP works', async () => {
    const { node, monitor } = await watch(serve(ng(() => ({ result: 'error', 'error-reason': 'odd' }))));
    expect(await monitor.statistics(soon())).toMatchObject({ kind: 'rejected', reason: 'odd' });
    expect([node.counters.received, monitor.httpTrouble]).toEqual([0, null]);
  });
});

describe('HTTP that does not work', () => {
  const never = (): Promise<Response> => new Promise(() => {});
  test.each([
    ['a port where nobody listens', closedPort, /ECONNREFUSED/],
    ['a port that cannot be', () => 70_000, /HTTP at port 70000/],
    ['no reply', () => serve(never), /no reply over HTTP at port \d+ in time/],
    ['another status', () => serve(() => new Response('not found\n', { status: 404 })), /HTTP status 404/],
    ['a redirection', () => serve(() => Response.redirect('/elsewhere', 302)), /HTTP status 302/],
    ['another cookie', () => serve(() => new Response('other d6:result2:oke')), /cookie/],
    ['an empty body', () => serve(() => new Response('')), /cookie/],
    ['something else than HTTP', () => serveRaw('hello\r\n\r\n'), /HTTP at port/],
    ['a reply cut off', () => serveRaw('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nabc'), /cut off/],
    ['a connection closed at once', () => serveRaw(''), /HTTP at port/],
    ['a reply without end', () => serve(() => new Response(endless())), /more than 8388608 bytes/],
    [
      'a list in place of a dictionary',
      () =>
        serve(async (request) => {
          const [cookie] = (await request.text()).split(' ', 1);
          return new Response(`${cookie} le`);
        }),
      /no dictionary/,
    ],
    [
      'a body nobody can read',
      () =>
        serve(async (request) => {
          const [cookie] = (await request.text()).split(' ', 1);
          return new Response(`${cookie} d6:result9:ok`);
        }),
      /cannot be read/,
    ],
  ])('(%s) leaves statistics to UDP, and is told', async (_what, port, trouble) => {
    const { node, monitor } = await watch(port());
    expect(await monitor.statistics(soon(1000))).toMatchObject({ sessions: 0 });
    expect(node.counters.handled).toBe(1);
    expect(monitor.httpTrouble).toMatch(trouble);
  });

  test('leaves lists to UDP, with what UDP can carry', async () => {
    const { monitor } = await watch(closedPort());
    expect(await monitor.list(5000, soon())).toEqual([]);
    expect(monitor.httpTrouble).not.toBeNull();
  });

  test('is no longer told when it works again', async () => {
    let isBroken = true;
    const answer = ng(() => ({ statistics: STATISTICS, result: 'ok' }));
    const { monitor } = await watch(
      serve((request) => (isBroken ? new Response('', { status: 500 }) : answer(request))),
    );
    expect(await monitor.statistics(soon())).toMatchObject({ sessions: 0 });
    expect(monitor.httpTrouble).toContain('500');
    isBroken = false;
    expect(await monitor.statistics(soon())).toMatchObject({ sessions: 77 });
    expect(monitor.httpTrouble).toBeNull();
  });

  test('is not told of a node that is down altogether', async () => {
    const { node, monitor } = await watch(closedPort());
    node.die();
    expect(await monitor.statistics(soon())).toMatchObject({ kind: 'unreachable' });
    expect(monitor.httpTrouble).toBeNull();
  });

  test('never keeps a check beyond its deadline, with half of the time for UDP', async () => {
    const { node, monitor } = await watch(serve(never));
    node.hang();
    const deadline = soon(400);
    expect(await monitor.statistics(deadline)).toMatchObject({ kind: 'silent' });
    expect(systemClock.monotonic()).toBeLessThanOrEqual(deadline + 5);
    expect(node.counters.dropped).toBeGreaterThanOrEqual(2);
  });

  test('ends before the deadline, connection included', async () => {
    const asked = Promise.withResolvers<Request>();
    const hungUp = Promise.withResolvers<void>();
    const httpPort = serve((request) => {
      request.signal.addEventListener('abort', () => hungUp.resolve());
      asked.resolve(request);

      return never();
    });
    const clock = new FakeClock();
    const options = { httpPort, open: new FakeNet().open };
    const monitor = createNgMonitor({ host: '127.0.0.1', port: 1 }, clock, options);
    const outcome = monitor.limitSessions(0, clock.now + 500);
    await asked.promise;
    clock.advance(490);
    expect(await outcome).toMatchObject({ kind: 'silent' });
    await hungUp.promise;
    expect(clock.timers).toBe(0);
  });

  test('is not tried without time', async () => {
    const { monitor } = await watch(serve(() => new Response('Maximum sessions configured on rtpengine: 0')));
    expect(await monitor.limitSessions(0, soon(0))).toMatchObject({ kind: 'silent' });
  });

  test('ends with the monitor', async () => {
    const asked = Promise.withResolvers<void>();
    let times = 0;
    const { monitor } = await watch(
      serve(() => {
        times++;
        asked.resolve();

        return never();
      }),
    );
    const outcome = monitor.statistics(soon(60_000));
    await asked.promise;
    monitor.close();
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
    expect(await monitor.limitSessions(0, soon())).toMatchObject({ kind: 'unreachable' });
    expect(times).toBe(1);
  });
});

describe('limitSessions over HTTP', () => {
  /** The CLI of rtpengine, as far as the limit goes (fixtures transport.12 to .14). */
  function cli(limit: number): { port: number; asked: string[] } {
    const asked: string[] = [];
    const port = serve((request) => {
      const { pathname } = new URL(request.url);
      asked.push(`${request.method} ${pathname}`);
      const set = /^\/cli\/set\+maxsessions\+(-?\d+)$/.exec(pathname);
      if (set !== null) {
        limit = Number(set[1]);
        return new Response(`Success setting maxsessions to ${limit}\n`);
      }

      return pathname === '/cli/list+maxsessions'
        ? new Response(`Maximum sessions configured on rtpengine: ${limit}\n`)
        : new Response(`Unknown or incomplete command::${pathname}\n`);
    });

    return { port, asked };
  }

  test('says what was set before, so that it can be put back', async () => {
    const { port, asked } = cli(-1);
    const { node, monitor } = await watch(port);
    expect(await monitor.limitSessions(0, soon())).toEqual({ before: null });
    expect(asked).toEqual([
      'GET /cli/list+maxsessions',
      'GET /cli/set+maxsessions+0',
      'GET /cli/list+maxsessions',
    ]);
    expect(await monitor.limitSessions(null, soon())).toEqual({ before: 0 });
    expect(asked[4]).toBe('GET /cli/set+maxsessions+-1');
    expect(node.counters.received).toBe(0);
  });

  test('fails where HTTP does: a limit is nothing to guess at', async () => {
    const refused = await watch(closedPort());
    expect(await refused.monitor.limitSessions(0, soon())).toMatchObject({ kind: 'unreachable' });
    const other = await watch(serve(() => new Response('not found\n', { status: 404 })));
    expect(await other.monitor.limitSessions(0, soon())).toMatchObject({ kind: 'rejected' });
  });
});

/** More bytes than anybody should read. */
function endless(): ReadableStream<Uint8Array> {
  let sent = 0;
  const chunk = new Uint8Array(1024 * 1024);

  return new ReadableStream({
    pull(controller) {
      sent += chunk.length;
      if (sent > 2 * MAX_HTTP_BYTES) controller.close();
      else controller.enqueue(chunk);
    },
  });
}
