import { describe, expect, test } from 'bun:test';
import { ListenProblem, listen } from '../../../src/http/server.ts';
import { phoneSdp } from '../../fakes/cluster.ts';
import { admins, bytes, makeApi } from './api.ts';

const TOKENS = ['correct-horse-battery', 'another-token-0123'];

describe('hosts', () => {
  test.each([
    'localhost',
    'LOCALHOST:7888',
    '127.0.0.1',
    '10.1.2.3:80',
    '[::1]:7888',
    '[2001:db8::1]',
    'rtpc.example.org',
  ])('%p is served', async (host) => {
    const { ask } = makeApi({ guard: { hosts: ['rtpc.example.org'] } });
    expect((await ask('GET', '/healthz', { headers: { host } })).status).toBe(200);
  });

  test.each(['evil.example.org', 'localhost.evil.org', '127.0.0.1.evil.org', 'rtpc.example.org.', ' '])(
    '%p is 404 whatever the path',
    async (host) => {
      const { ask } = makeApi({ guard: { hosts: ['rtpc.example.org'] } });
      for (const path of ['/healthz', '/v1/nodes', '/nothing']) {
        const response = await ask('GET', path, { headers: { host } });
        expect([response.status, await response.json()]).toMatchObject([404, { code: 'RTPC_NOT_FOUND' }]);
      }
    },
  );

  test('names of the certificate are served, one with a star for one label', async () => {
    const { ask, guard } = makeApi();
    guard.certify(['One.example', '*.two.example']);
    const statusOf = async (host: string): Promise<number> =>
      (await ask('GET', '/healthz', { headers: { host } })).status;
    for (const host of ['one.example', 'a.two.example:7889', 'A.TWO.example'])
      expect([host, await statusOf(host)]).toEqual([host, 200]);
    for (const host of [
      'a.one.example',
      'two.example',
      'b.a.two.example',
      '.two.example',
      'two.example.evil.org',
    ])
      expect([host, await statusOf(host)]).toEqual([host, 404]);
  });

  test('a web page of another origin may not ask, one of our own may', async () => {
    const { ask } = makeApi();
    const foreign = await ask('GET', '/v1/nodes', { headers: { origin: 'https://evil.example.org' } });
    expect([foreign.status, await foreign.json()]).toMatchObject([403, { code: 'RTPC_FOREIGN_ORIGIN' }]);
    for (const origin of ['null', 'http://localhost.evil.org', 'http://localhost:1/x', '']) {
      expect((await ask('GET', '/v1/nodes', { headers: { origin } })).status).toBe(403);
    }
    expect((await ask('GET', '/v1/nodes', { headers: { origin: 'http://localhost' } })).status).toBe(200);
  });
});

describe('paths', () => {
  test.each([
    ['POST', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/nod'],
    ['GET', '/v1/media/'],
    ['POST', '/v1/media/frobnicate'],
    ['PATCH', '/v1/nodes/0'],
    ['GET', '/.env'],
    ['GET', '/v1/../../etc/passwd'],
  ])('%s %s is 404, as JSON that tells no internals', async (method, path) => {
    const { ask } = makeApi();
    const response = await ask(method, path);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      code: 'RTPC_NOT_FOUND',
      message: 'there is no such path; /openapi lists them',
    });
  });
});

describe('tokens', () => {
  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer wrong',
    `Basic ${TOKENS[0]}`,
    `Bearer ${TOKENS[0]}x`,
    `Bearer ${TOKENS[0]?.slice(0, -1)}`,
    `Bearer ${TOKENS.join(',')}`,
  ])('%p is 401, and says what is needed', async (authorization) => {
    const { ask, asked } = makeApi({ guard: { tokens: admins(...TOKENS) } });
    for (const path of ['/v1/nodes', '/openapi', '/nothing']) {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await ask('GET', path, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toMatchObject({ code: 'RTPC_UNAUTHORIZED' });
    }
    expect(asked()).toEqual([]);
  });

  test('any of the right ones opens the API, however "Bearer" is written', async () => {
    const { ask } = makeApi({ guard: { tokens: admins(...TOKENS) } });
    for (const authorization of [`Bearer ${TOKENS[0]}`, `bearer  ${TOKENS[1]} `]) {
      expect((await ask('GET', '/v1/nodes', { headers: { authorization } })).status).toBe(200);
    }
  });

  test('supervisors need none: /healthz and /readyz are open, and nothing like them', async () => {
    const { ask } = makeApi({ guard: { tokens: admins(...TOKENS) } });
    for (const path of ['/healthz', '/readyz', '/healthz?x=1'])
      expect((await ask('GET', path)).status).toBe(200);
    for (const path of ['/healthz/../v1/nodes', '//healthz', '/healthz%2f..%2fv1/nodes', '/HEALTHZ']) {
      expect([path, (await ask('GET', path)).status]).toEqual([path, 401]);
    }
  });

  test('no form of host and path gets more than they give', async () => {
    const { app } = makeApi({ guard: { tokens: admins(...TOKENS), hosts: ['gw', 'd'] } });
    const hosts = ['gw', 'd', '::', '::1', '[::1]', '127.0.0.1', 'localhost', '1.1.1.1:1'];
    const paths = [
      '/healthz?/v1/nodes',
      '/readyz?/v1/nodes',
      '/healthz#/v1/nodes',
      '/?/healthz',
      '/v1/nodes?/healthz',
      '/healthz//v1/nodes',
    ];
    for (const host of hosts) {
      for (const path of paths) {
        for (const base of ['http://gw', 'http://d', 'http://[::]', 'http://localhost']) {
          const response = await app.handle(new Request(`${base}${path}`, { headers: { host } }));
          expect(`${host} ${path}: ${await response.text()}`).not.toContain('"nodes"');
        }
      }
    }
  });

  test('an IPv6 address in the Host header stands in brackets, or is no host we serve', async () => {
    const { app } = makeApi();
    const statusOf = async (host: string) =>
      (await app.handle(new Request('http://localhost/v1/nodes', { headers: { host } }))).status;
    expect(await statusOf('[::1]:7888')).toBe(200);
    expect(await statusOf('::1')).toBe(404);
    expect(await statusOf('::')).toBe(404);
  });

  test('who comes over the unix socket needs neither token nor host', async () => {
    const { app, peers } = makeApi({ guard: { tokens: admins(...TOKENS) } });
    const request = new Request('http://whatever/v1/nodes');
    peers.addLocal(request);
    expect((await app.handle(request)).status).toBe(200);
  });
});

describe('/openapi', () => {
  test('is a JSON document with every path of the API, and what it is is described', async () => {
    const { ask } = makeApi();
    for (const path of ['/openapi', '/openapi.json']) {
      const document = (await (await ask('GET', path)).json()) as {
        openapi: string;
        paths: Record<string, Record<string, { summary?: string }>>;
      };
      expect(document.openapi).toBe('3.1.0');
      expect(Object.keys(document.paths).sort()).toEqual([
        '/healthz',
        '/metrics',
        '/ng',
        '/readyz',
        '/v1/calls',
        '/v1/calls/{call-id}',
        '/v1/events',
        '/v1/explain/{call-id}',
        '/v1/fleet',
        '/v1/live',
        '/v1/media/answer',
        '/v1/media/auto',
        '/v1/media/command',
        '/v1/media/delete',
        '/v1/media/offer',
        '/v1/media/query',
        '/v1/nodes',
        '/v1/nodes/check',
        '/v1/nodes/import',
        '/v1/nodes/{id}',
        '/v1/nodes/{id}/check',
        '/v1/nodes/{id}/drain',
        '/v1/nodes/{id}/maint',
        '/v1/nodes/{id}/ready',
        '/v1/nodes/{id}/reconcile',
        '/v1/notify/rtpengine',
        '/v1/overview',
        '/v1/series',
        '/v1/session',
        '/v1/sets',
        '/v1/sets/{id}',
        '/v1/statistics/{call-id}',
      ]);
      const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
      expect(operations.filter(({ summary = '' }) => summary.length < 5)).toEqual([]);
    }
  });

  test('is a page for people that needs no outside address and runs no script', async () => {
    const { ask } = makeApi();
    const response = await ask('GET', '/openapi', { headers: { accept: 'text/html' } });
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son[a-z]+=/i);
    expect(
      [...html.matchAll(/(?:href|src)="([^"]*)"/g)]
        .map(([, to = '']) => to)
        .filter((to) => !/^[#/][^/]/.test(to)),
    ).toEqual([]);
    expect(html).toContain('/v1/media/auto');
  });
});

describe('on the wire', () => {
  async function exchange(maxBodyBytes: number, request: string): Promise<string> {
    const { app, peers } = makeApi({ maxBodyBytes });
    const server = await listen(app, { host: '127.0.0.1', port: 0, unix: '', peers });
    if (server instanceof ListenProblem) throw new Error(server.message);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let text = '';
    await Bun.connect({
      hostname: '127.0.0.1',
      port: server.port,
      socket: {
        open: (socket) => void socket.write(request),
        data: (_, chunk) => {
          text += chunk.toString('latin1');
        },
        close: () => resolve(text),
        error: (_, error) => reject(error),
      },
    });
    const answer = await promise;
    await server.stop(0);

    return answer;
  }

  const sdp = phoneSdp('10.9.9.9');
  const post = (body: string, headers = '') =>
    `POST /v1/media/auto?call-id=c1&from-tag=A&method=INVITE&cseq=1&dir=out HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

  test('Content-Type is spelled so: OpenSIPS does not find a header that begins in lower case', async () => {
    const answer = await exchange(65_536, post(sdp));
    expect(answer).toStartWith('HTTP/1.1 200 ');
    expect(answer).toContain('\r\nContent-Type: application/sdp\r\n');
    expect(answer).toEndWith('\r\n');
  });

  test('Expect: 100-continue is answered', async () => {
    expect(await exchange(65_536, post(sdp, 'Expect: 100-continue\r\n'))).toContain('HTTP/1.1 200 ');
  });

  test('a body beyond the limit of media requests is 413, and says the limit', async () => {
    expect(await exchange(1024, post('x'.repeat(1024)))).toStartWith('HTTP/1.1 204 ');
    const answer = await exchange(1024, post('x'.repeat(1025)));
    expect(answer).toStartWith('HTTP/1.1 413 ');
    expect(answer).toContain('at most 1024');
  });

  test('a body beyond what any request may have is 413 unread', async () => {
    const head = 'POST /v1/nodes/import HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n';
    expect(await exchange(1024, head)).toStartWith('HTTP/1.1 413 ');
  });

  test('a port that is taken is a clear problem, not a second listener', async () => {
    const { app, peers } = makeApi();
    const options = { host: '127.0.0.1', port: 0, unix: '', peers };
    const first = await listen(app, options);
    if (first instanceof ListenProblem) throw new Error(first.message);
    const second = await listen(app, { ...options, port: first.port });
    await first.stop(0);
    expect(second).toBeInstanceOf(ListenProblem);
    expect(second instanceof ListenProblem && second.message).toContain(`port ${first.port}`);
  });
});

test('error bodies of a proxy are one line, even when a relay says more', async () => {
  const { post } = makeApi({ nodes: [] });
  const text = await bytes(await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', phoneSdp('10.9.9.9')));
  expect(text).toMatch(/^RTPC_NO_NODE [^\n]+\n$/);
});
