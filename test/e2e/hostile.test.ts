/** Hostile clients neither stop the compiled binary nor learn anything of its inside; bad numbers are refused. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import {
  addNodes,
  answer,
  ask,
  halfRequest,
  loggedEvents,
  names,
  place,
  post,
  readiness,
} from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { sweep } from '../lab/processes.ts';
import { seeded } from '../lab/random.ts';
import { buildSdp } from '../lab/sdp.ts';

const TIMEOUT_MS = 60_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

/** What no client may read: paths of files, places in the source, names of foreign errors. */
const INTERNALS =
  /\/(?:work|tmp|root|home|usr|proc|var)\/|\$bunfs|node_modules|\.(?:ts|js):\d|\n\s+at |SQLITE|[A-Za-z]Error\b|TypeBox/;

/** Sends bytes as they are, says that nothing follows, and returns all that comes back. */
function sendRaw(url: string, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(received));
    socket.on('close', () => resolve(received));
  });
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('hostile clients', () => {
  let appliance: Appliance;

  beforeAll(async () => {
    const relay = await startRelay();
    appliance = await startAppliance({ binary });
    await addNodes(appliance, [relay]);
  });

  const SDP_QUERY = '?call-id=big&from-tag=f&dir=out';

  test('a body above 64 KiB gets 413, with and without Content-Length; one of just 64 KiB is read, and told that no relay takes it', async () => {
    const line = 'a=x-filler:0123456789abcdef\r\n';
    const start = buildSdp({ address: '10.1.1.1', port: 4000 });
    const big = start + line.repeat(Math.ceil(65_536 / line.length));
    const exact = big.slice(0, 65_536);
    const chunked = (text: string): string => {
      const parts = text.match(/[\s\S]{1,8000}/g) ?? [];
      const body = [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');

      return `POST /v1/media/offer${SDP_QUERY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    };
    const tooBig = await ask(appliance.url, `/v1/media/offer${SDP_QUERY}`, { method: 'POST', body: big });
    expect(tooBig.status).toBe(413);
    expect(await sendRaw(appliance.url, chunked(big))).toStartWith('HTTP/1.1 413');
    // As an ng message it is larger than a datagram, which is found out by us, not by the HTTP server.
    const whole = await ask(appliance.url, `/v1/media/offer${SDP_QUERY}`, { method: 'POST', body: exact });
    expect(whole.status).toBe(413);
    expect(whole.text).toStartWith('RTPC_BODY_TOO_LARGE ');
    expect((await readiness(appliance.url)).status).toBe(200);
  });

  test('broken and deep JSON gets 400, wherever JSON is read', async () => {
    const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const bodies = [
      '{',
      '{"call-id": ',
      '{"call-id": "x",}',
      '{"call-id": "\u0001"}',
      deep(13),
      deep(9000),
      `{"call-id":"x","from-tag":"f","a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      '{"__proto__": {"sdp": 1}, "constructor": 5, "call-id": {"a": 1}}',
      '{"call-id": ["x"], "from-tag": 5, "sdp": {"v": 0}}',
    ];
    const paths = ['/v1/media/auto', '/v1/media/offer', '/v1/media/command', '/v1/nodes', '/v1/nodes/import'];
    for (const path of paths) {
      for (const body of bodies) {
        const headers = { 'content-type': 'application/json' };
        const reply = await ask(appliance.url, path, { method: 'POST', headers, body });
        expect([path, body.slice(0, 40), reply.status]).toEqual([path, body.slice(0, 40), 400]);
        expect(String(reply.body.code)).toStartWith('RTPC_BAD_');
        expect(reply.text).not.toMatch(INTERNALS);
      }
    }
  });

  test('NUL, control characters and white space in a Call-ID or tag get 400 in one line', async () => {
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    for (const bad of ['%00', '%0A', '%0D%0ASet-Cookie:%20x', '%1B%5B2J', '%7F', '%09', '%20']) {
      for (const query of [`?call-id=a${bad}b&from-tag=f&dir=out`, `?call-id=a&from-tag=f${bad}&dir=out`]) {
        const reply = await ask(appliance.url, `/v1/media/offer${query}`, { method: 'POST', body: sdp });
        expect([query, reply.status]).toEqual([query, 400]);
        expect(reply.text).toMatch(/^RTPC_BAD_PARAMETER [^\p{Cc}]+\n$/u);
      }
    }
    const inJson = await post(appliance.url, '/v1/media/offer', {
      'call-id': 'a\u0000b',
      'from-tag': 'f',
      sdp,
    });
    expect([inJson.status, inJson.body.code]).toEqual([400, 'RTPC_BAD_PARAMETER']);
  });

  test('huge headers, long addresses and foreign hosts are refused, and the next request is served', async () => {
    const head = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    const long = 'x'.repeat(300_000);
    const requests = [
      `${head}X-Long: ${long}\r\n\r\n`,
      `${head}${'X-Many: 1\r\n'.repeat(20_000)}\r\n`,
      `GET /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      `GET /v1/nodes HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET /v1/nodes HTTP/1.1\r\nConnection: close\r\n\r\n`,
      `GET http://evil.example/v1/nodes HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nx`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzzz\r\n`,
    ];
    for (const request of requests) {
      const reply = await sendRaw(appliance.url, request);
      expect([request.slice(0, 60), reply]).toEqual([
        request.slice(0, 60),
        expect.stringMatching(/^$|^HTTP\/1\.1 4\d\d /),
      ]);
      expect(reply).not.toMatch(INTERNALS);
      expect((await readiness(appliance.url)).status).toBe(200);
    }
  });

  test('half a request, then silence, on 200 connections does not hinder others', async () => {
    const halves = [
      '',
      'P',
      'POST /v1/media/offer HTTP/1.1\r\nHost: loc',
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nv=0\r\n',
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\nv=0',
    ];
    const sockets = await Promise.all(
      Array.from({ length: 200 }, (_, i) => halfRequest(appliance.url, halves[i % halves.length] ?? '')),
    );
    const placed = await place(appliance.url, names(50, 'beside-halves'));
    expect(placed.size).toBe(50);
    for (const callId of placed.keys()) expect((await answer(appliance.url, callId)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  test('1,000 connections with random bytes: it goes on', async () => {
    const random = seeded(11);
    const bytes = (length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    for (let round = 0; round < 20; round++) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const junk = bytes(Math.floor(random() * 600));
          const head = 'POST /v1/media/auto HTTP/1.1\r\nHost: localhost\r\n';

          return sendRaw(appliance.url, i % 2 === 0 ? junk : Buffer.concat([Buffer.from(head), junk]));
        }),
      );
      expect(replies.filter((reply) => /^HTTP\/1\.1 50[0-4]/.test(reply))).toEqual([]);
      expect(replies.filter((reply) => INTERNALS.test(reply))).toEqual([]);
    }
    expect((await readiness(appliance.url)).status).toBe(200);
  });

  test(
    '10,000 random requests: no crash, no 500, no memory that runs away, nothing told of our inside',
    async () => {
      const random = seeded(20_261_123);
      const bad: unknown[] = [];
      const statuses = new Map<number, number>();
      const run = async (count: number): Promise<void> => {
        for (let sent = 0; sent < count; sent += 50) {
          await Promise.all(
            Array.from({ length: 50 }, async () => {
              const { path, init } = randomRequest(random);
              const reply = await ask(appliance.url, path, init);
              statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
              const isError = reply.status >= 400;
              if (reply.status === 500 || (isError && INTERNALS.test(reply.text)))
                bad.push([
                  init.method,
                  path.slice(0, 300),
                  String(init.body).slice(0, 300),
                  reply.status,
                  reply.text,
                ]);
            }),
          );
        }
      };
      await run(2000);
      const before = rssOf(appliance.pid);
      await run(8000);
      const grown = rssOf(appliance.pid) - before;
      console.log(
        `random requests by status: ${[...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')}; RSS grew by ${Math.round(grown / 2 ** 20)} MiB`,
      );
      expect(bad.slice(0, 3)).toEqual([]);
      expect(grown).toBeLessThan(100 * 2 ** 20);
      expect(loggedEvents(appliance, 'http.defect')).toEqual([]);
      expect(loggedEvents(appliance, 'appliance.defect')).toEqual([]);
      // One process from the first hostile request to the last.
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

/** A request that is sensible in parts. */
function randomRequest(random: () => number): { path: string; init: RequestInit & { method: string } } {
  const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(random() * items.length)] ?? items[0];
  const junk = (length: number): string =>
    Array.from({ length }, () =>
      String.fromCharCode(Math.floor(random() * (random() < 0.1 ? 65_536 : 256))),
    ).join('');
  const odd = (): string =>
    pick<() => string>([
      () => '',
      () => '<null>',
      () => '0',
      () => '-1',
      () => '1e999',
      () => '99999999999999999999',
      () => 'x'.repeat(Math.floor(random() * 3000)),
      () => junk(12),
      () => '%',
      () => '%zz%0',
      () => '%ff%fe%00',
      () => "'; DROP TABLE call; --",
      () => '__proto__',
    ])();
  const good: Readonly<Record<string, readonly [string, ...string[]]>> = {
    'call-id': ['r1', 'r2', 'r3', 'r4', 'r5'],
    'from-tag': ['f', 'g'],
    'to-tag': ['t', 'u', '<null>'],
    method: ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'OPTIONS'],
    status: ['180', '183', '200', '486', '<null>'],
    cseq: ['1', '2', '3'],
    dir: ['out', 'in', 'inner', 'outer>inner'],
    set: ['0', '0', '1'],
    src: ['10.1.1.1', '2001:db8::1'],
    branch: ['b1', 'b2'],
    flags: ['trust-address', 'ICE=remove+symmetric', 'replace=origin'],
    end: ['timeout'],
  };
  const value = (key: string): string => (random() < 0.75 ? pick(good[key] ?? ['']) : odd());
  const facts = (): [string, string][] =>
    Object.keys(good)
      .filter(
        (key) =>
          random() < (['call-id', 'from-tag', 'method', 'dir'].includes(key) ? 0.9 : 0.3) && key !== 'end',
      )
      .map((key) => [key, value(key)]);
  const sdp = (): string => {
    const whole = buildSdp({
      address: pick(['10.1.1.1', '203.0.113.9', '0.0.0.0']),
      port: 4000,
      ice: random() < 0.3,
    });
    if (random() < 0.5) return whole;
    const lines = whole.split('\r\n');
    lines[Math.floor(random() * lines.length)] = pick<() => string>([
      () => '',
      () => 'm=',
      () => 'm=audio 99999999 RTP/AVP 0',
      () => 'c=IN IP6 ::1',
      () => 'c=IN IP4 ',
      () => 'a=candidate:',
      () => 'a=rtcp:9 IN IP4',
      () => junk(40),
    ])();

    return lines.join(pick(['\r\n', '\n', '\r']));
  };
  const text = (): string =>
    pick<() => string>([
      () => '',
      sdp,
      sdp,
      () =>
        `--b\r\nContent-Type: application/sdp\r\n\r\n${sdp()}\r\n--b\r\nContent-Type: x/y\r\n\r\n${junk(30)}\r\n--b--\r\n`,
      () => `--${junk(20)}`,
      () => junk(Math.floor(random() * 400)),
      () =>
        JSON.stringify({
          ...Object.fromEntries(facts()),
          sdp: sdp(),
          [odd().slice(0, 20)]: [odd(), { a: [1, null] }],
        }),
      () =>
        JSON.stringify(
          Object.fromEntries([...facts(), ['command', pick(['ping', 'play DTMF', 'block media', 'x'])]]),
        ),
      () => `{${junk(30)}`,
      () => '{"a":'.repeat(Math.floor(random() * 2000)),
    ])();
  const nodeBody = (): string =>
    JSON.stringify({
      id: pick([1, 2, -1, 1e300, 0.5, '7', null]),
      // Nobody listens on port 1, which is known at once.
      socket: pick(['udp:127.0.0.1:1', 'udp:nonsense', 'udp:127.0.0.1:99999', '', odd()]),
      set_id: pick([7, -3, 'x', 2 ** 40]),
      weight: pick([0, 100, -1, 1e9]),
      inner_media_ip: pick(['10.0.0.1', '::1', 'x', odd()]),
      media_addresses: pick([
        [],
        [{ side: 'inner', address: '10.0.0.1' }],
        [{ side: odd(), address: odd() }],
        'x',
      ]),
    });
  const query = (pairs: readonly [string, string][]): string =>
    pairs.length === 0
      ? ''
      : `?${pairs.map(([key, item]) => `${key}=${random() < 0.5 ? item.replace(/[^!-~]|[&#]/g, '.') : encodeURIComponent(item.toWellFormed())}`).join('&')}`;
  const operation = pick([
    'auto',
    'auto',
    'auto',
    'offer',
    'answer',
    'delete',
    'query',
    'command',
    'nothing',
  ]);
  const id = pick(['r1', '%00', '%ff%fe', 'a%2Fb', '..%2f..%2f', '99999999999999999999', '-1', '1', '%']);
  const [path, method, body] = pick<() => [string, string, string | undefined]>([
    () => [`/v1/media/${operation}${query(facts())}`, 'POST', text()],
    () => [`/v1/media/${operation}${query(facts())}`, 'POST', text()],
    () => [`/v1/media/${operation}${query(facts())}`, pick(['PUT', 'POST']), text()],
    () => [`/v1/media/${operation}${query(facts())}`, pick(['GET', 'DELETE', 'PATCH', 'OPTIONS']), undefined],
    () => [`/v1/${pick(['calls', 'explain', 'statistics'])}/${id}`, 'GET', undefined],
    () => [
      `/v1/calls?search=${encodeURIComponent(odd().toWellFormed())}&state=${pick(['all', 'live', 'ended'])}&since=${pick(['0', 'x', '1e300', '2026-01-01', '-1'])}&order=${pick(['newest', 'x'])}`,
      'GET',
      undefined,
    ],
    () => [
      `/v1/calls?state=${pick(['live', 'ended', 'x'])}&limit=${pick(['1', '0', '-5', '1e9', 'x', '2.5'])}&after=${encodeURIComponent(odd().toWellFormed())}`,
      'GET',
      undefined,
    ],
    () => [
      `/v1/calls?state=ended&limit=5&node=${pick(['1', 'x', '1e300', '0.5'])}&after=${encodeURIComponent(odd().toWellFormed())}`,
      'GET',
      undefined,
    ],
    () => [
      `/v1/events?limit=${pick(['3', '0', 'x', '2.5'])}&before=${pick(['1', '-1', '1e300', 'x', '0.5'])}`,
      'GET',
      undefined,
    ],
    () => ['/v1/nodes', 'POST', random() < 0.7 ? nodeBody() : text()],
    () => [`/v1/nodes/${pick(['2', '3', id])}`, pick(['PUT', 'DELETE']), nodeBody()],
    () => [
      '/v1/nodes/import',
      'POST',
      JSON.stringify({ rows: [{ row: pick([1, -1, 1e300]), socket: odd(), set_id: 9 }] }),
    ],
    () => [
      `/v1/sets/${pick(['7', '8', id])}`,
      pick(['PUT', 'DELETE', 'GET']),
      JSON.stringify({ description: odd(), direction: pick(['out', null, odd()]) }),
    ],
    () => [`/${encodeURIComponent(junk(8).toWellFormed())}`, pick(['GET', 'POST']), undefined],
  ])();
  const headers: Record<string, string> = {};
  if (body !== undefined && random() < 0.9)
    headers['content-type'] = pick([
      'application/json',
      'application/sdp',
      'multipart/mixed;boundary=b',
      'text/plain',
      'x',
    ]);
  if (path.startsWith('/v1/nodes') || path.startsWith('/v1/sets'))
    headers['content-type'] = 'application/json';
  if (random() < 0.2) headers.accept = 'application/json';
  if (random() < 0.1) headers['x-call-id'] = pick(['r1', '<null>', 'x'.repeat(2000)]);
  if (random() < 0.03) headers.origin = 'http://evil.example';
  const carries = body !== undefined && method !== 'GET';

  return { path, init: { method, headers, ...(carries ? { body } : {}) } };
}

describe('numbers in paths and queries, in the compiled and minified program as in the sources', () => {
  test('are numbers: a set, a filter and a page work', async () => {
    const relay = await startRelay();
    const appliance = await startAppliance({ binary });
    const { url } = appliance;
    await addNodes(appliance, [relay]);
    expect(await appliance.api('PUT', '/v1/sets/0', { direction: 'out' })).toMatchObject({ id: 0, nodes: 1 });
    // The direction of the set takes effect at once: this offer brings none.
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    const body = { 'call-id': 'by-set@fails', 'from-tag': 'f', sdp };
    expect((await post(url, '/v1/media/offer', body)).status).toBe(200);
    await place(url, names(3, 'paged'));
    const ofNode = (await appliance.api('GET', '/v1/calls?node=1&limit=3')) as { calls: unknown[] };
    expect(ofNode.calls.length).toBe(3);
    const found = await appliance.api('GET', '/v1/calls?search=paged&order=newest&state=all&limit=1&since=1');
    expect(found).toMatchObject({ calls: [{}], next: expect.stringMatching(/^live \d+ paged-/) });
    expect(await appliance.stop()).toBe(0);
  });

  test('out of range, with a fraction, or no numbers: 400', async () => {
    const appliance = await startAppliance({ binary });
    const paths = [
      '/v1/sets/1000000000',
      '/v1/sets/-1',
      '/v1/sets/2.5',
      '/v1/sets/x',
      '/v1/nodes/2.5',
      '/v1/nodes/x',
      '/v1/calls?limit=0',
      '/v1/calls?limit=1001',
      '/v1/calls?node=0.5',
      '/v1/calls?order=up',
      '/v1/calls?since=noon',
      '/v1/calls?after=x',
      '/v1/events?limit=2.5',
      '/v1/events?before=x',
    ];
    for (const path of paths) {
      const { status, body } = await ask(appliance.url, path);
      expect([path, status, body.code]).toEqual([path, 400, 'RTPC_BAD_PARAMETER']);
    }
    expect(await appliance.stop()).toBe(0);
  });
});
