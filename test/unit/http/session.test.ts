import { describe, expect, test } from 'bun:test';
import type { Role, Token } from '../../../src/domain/role.ts';
import { version } from '../../../src/util/version.ts';
import { type Api, eventsOf, makeApi } from './api.ts';

const TOKENS: Token[] = (['call', 'read', 'admin'] as const).map((role) => ({
  role,
  name: `the-${role}`,
  token: `token-of-a-${role}-0123`,
}));
const secretOf = (role: Role): string => `token-of-a-${role}-0123`;
const HOURS_12 = 43_200_000;
const NODE = {
  socket: 'udp:10.1.0.9:2223',
  inner_media_ip: '10.0.0.9',
  out_media_ip: '198.51.100.9',
};

function tokened(): Api {
  return makeApi({ guard: { tokens: TOKENS } });
}

async function logIn(api: Api, role: Role, headers: Record<string, string> = {}): Promise<Response> {
  return api.ask('POST', '/v1/session', {
    body: JSON.stringify({ token: secretOf(role) }),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

/** What the browser sends with its next requests. */
async function cookieOf(api: Api, role: Role): Promise<{ cookie: string }> {
  const set = (await logIn(api, role)).headers.get('set-cookie') ?? '';

  return { cookie: set.split(';')[0] ?? '' };
}

const session = async (api: Api, headers: Record<string, string> = {}): Promise<unknown> =>
  (await api.ask('GET', '/v1/session', { headers })).json();
const statusOf = async (
  api: Api,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<number> =>
  (await api.ask(method, path, { headers, ...(body === undefined ? {} : { body }) })).status;

const NOBODY = { needs_token: true, who: null, role: null, expires_at: null, version: null };

describe('logging in', () => {
  test.each(['read', 'admin'] as const)(
    'with a token of role %s begins a session of 12 hours',
    async (role) => {
      const api = tokened();
      const response = await logIn(api, role);
      const begun = {
        needs_token: true,
        who: `the-${role}`,
        role,
        expires_at: api.clock.utc() + HOURS_12,
        version,
      };
      expect([response.status, await response.json()]).toEqual([200, begun]);
      expect(response.headers.get('set-cookie')).toMatch(
        /^rtp_cluster_session=\S+; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/,
      );
      expect(response.headers.get('cache-control')).toBe('no-store');
      const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
      expect(await session(api, { cookie })).toEqual(begun);
    },
  );

  test('is not for tokens of proxies', async () => {
    const response = await logIn(tokened(), 'call');
    expect([response.status, await response.json()]).toMatchObject([403, { code: 'RTPC_FORBIDDEN' }]);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('with a wrong token is 401, sets nothing and tells nothing of it', async () => {
    const api = tokened();
    const response = await api.send('POST', '/v1/session', { token: 'a-wrong-token-0123456' });
    expect(response.status).toBe(401);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.text()).not.toContain('a-wrong-token');
  });

  test.each([[{}], [{ token: 7 }], [{ token: 'x'.repeat(1025) }], [[]], ['token']])(
    'with the body %p is 400, and does not repeat it',
    async (body) => {
      const response = await tokened().send('POST', '/v1/session', body);
      const text = await response.text();
      expect(response.status).toBe(400);
      expect(text).not.toContain('xxx');
    },
  );

  test('is limited as wrong tokens are anywhere, and they count together', async () => {
    const api = tokened();
    const wrong = { authorization: 'Bearer a-wrong-token-0123456' };
    for (let count = 0; count < 5; count++) {
      expect((await api.ask('GET', '/v1/nodes', { headers: wrong })).status).toBe(401);
      expect((await api.send('POST', '/v1/session', { token: 'wrong' })).status).toBe(401);
    }
    const blocked = await logIn(api, 'admin');
    expect([blocked.status, await blocked.json()]).toMatchObject([429, { code: 'RTPC_TOO_MANY_TOKENS' }]);
    expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await eventsOf(api, 'admin.blocked')).toHaveLength(1);
    await api.clock.advance(60_000);
    expect((await logIn(api, 'admin')).status).toBe(200);
  });

  test('over HTTPS sets a cookie that goes over HTTPS only', async () => {
    const api = tokened();
    const request = new Request('http://localhost/v1/session', {
      method: 'POST',
      headers: { host: 'localhost', 'content-type': 'application/json' },
      body: JSON.stringify({ token: secretOf('admin') }),
    });
    // As a request for a short host name is: what is handled is a copy with another URL.
    const received = new Request('https://gw/v1/session');
    api.peers.addFrom({ requestIP: () => null, protocol: 'https' }, received);
    api.peers.addCopy(request, received);
    const response = await api.app.handle(request);
    expect(response.headers.get('set-cookie')).toEndWith('; Secure');
  });

  test('from a page that has TLS, of a proxy in front, does so too, and so does logging out', async () => {
    const api = tokened();
    for (const [origin, end] of [
      ['https://localhost', '; Secure'],
      ['http://localhost', '; Max-Age=43200'],
    ] as const) {
      const begun = await logIn(api, 'admin', { origin });
      expect(begun.headers.get('set-cookie')).toEndWith(end);
      const ended = await api.ask('DELETE', '/v1/session', { headers: { origin } });
      expect(ended.headers.get('set-cookie')?.includes('; Secure')).toBe(end === '; Secure');
    }
  });

  test('from a page of another origin is refused, whatever it claims to send', async () => {
    const api = tokened();
    for (const origin of ['https://evil.example.org', 'http://localhost:8080', 'null']) {
      const response = await api.ask('POST', '/v1/session', {
        body: JSON.stringify({ token: secretOf('admin') }),
        headers: { origin, 'content-type': 'text/plain' },
      });
      expect([origin, response.status, response.headers.get('set-cookie')]).toEqual([origin, 403, null]);
    }
  });

  test('shows neither token nor cookie in any event', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'admin');
    await api.send('POST', '/v1/session', { token: 'a-wrong-token-0123456' });
    await api.ask('POST', '/v1/nodes/1/drain', { headers: { ...headers, origin: 'http://localhost' } });
    await api.events();
    const text = JSON.stringify(api.store.events.list(1000, null));
    expect(text).toContain('admin.request');
    for (const secret of [secretOf('admin'), 'a-wrong-token', headers.cookie])
      expect(text).not.toContain(secret);
  });
});

describe('without tokens in the settings', () => {
  test('nobody has to log in, and whoever does gets no cookie', async () => {
    const api = makeApi();
    const open = { needs_token: false, who: 'nobody', role: 'admin', expires_at: null, version };
    expect(await session(api)).toEqual(open);
    const response = await api.send('POST', '/v1/session', { token: 'anything' });
    expect([response.status, await response.json()]).toEqual([200, open]);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('so it is over the unix socket, tokens or not', async () => {
    const { app, peers } = tokened();
    const request = new Request('http://whatever/v1/session');
    peers.addLocal(request);
    expect(await (await app.handle(request)).json()).toMatchObject({
      needs_token: false,
      who: 'unix socket',
      role: 'admin',
    });
  });
});

describe('GET /v1/session', () => {
  test('tells whoever is not logged in nothing, not even the version', async () => {
    const api = tokened();
    expect(await session(api)).toEqual(NOBODY);
    expect(await session(api, { cookie: 'rtp_cluster_session=nonsense' })).toEqual(NOBODY);
  });

  test('knows the bearer of a token, and refuses a wrong one as any path does', async () => {
    const api = tokened();
    expect(await session(api, { authorization: `Bearer ${secretOf('call')}` })).toMatchObject({
      who: 'the-call',
      role: 'call',
      expires_at: null,
    });
    const headers = { authorization: 'Bearer a-wrong-token-0123456' };
    for (let count = 0; count < 10; count++)
      expect(await statusOf(api, 'GET', '/v1/session', headers)).toBe(401);
    expect(await statusOf(api, 'GET', '/v1/session', headers)).toBe(429);
  });
});

describe('a session', () => {
  test('opens what its role opens', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'read');
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(200);
    expect(await statusOf(api, 'GET', '/openapi.json', headers)).toBe(200);
    expect(await statusOf(api, 'GET', '/nothing', headers)).toBe(404);
    const ours = { ...headers, origin: 'http://localhost' };
    expect(await statusOf(api, 'DELETE', '/v1/nodes/0', ours)).toBe(403);
    expect(api.fleet.list()).toHaveLength(2);
  });

  test('shows in the audit under the name of its token', async () => {
    const api = tokened();
    const headers = { ...(await cookieOf(api, 'admin')), origin: 'http://localhost' };
    expect(await statusOf(api, 'DELETE', '/v1/nodes/0', headers)).toBe(200);
    expect(await eventsOf(api, 'admin.request')).toEqual([
      { who: 'the-admin', from: '192.0.2.1', method: 'DELETE', path: '/v1/nodes/0', status: 200 },
    ]);
  });

  test('counts only where no Authorization header is given', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'admin');
    for (const authorization of ['Bearer a-wrong-token-0123456', 'Basic eA==', 'Bearer', ''])
      expect([authorization, await statusOf(api, 'GET', '/v1/nodes', { ...headers, authorization })]).toEqual(
        [authorization, 401],
      );
    const read = { ...headers, authorization: `Bearer ${secretOf('read')}`, origin: 'http://localhost' };
    expect(await statusOf(api, 'DELETE', '/v1/nodes/0', read)).toBe(403);
  });

  test('ends after 12 hours', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'admin');
    api.clock.utcStep = HOURS_12 - 1;
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(200);
    api.clock.utcStep = HOURS_12;
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(401);
  });

  test('of a clock that was ahead ends when that is set right, and another one can be begun', async () => {
    const api = tokened();
    api.clock.utcStep = 365 * 24 * 3_600_000;
    const headers = await cookieOf(api, 'admin');
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(200);
    api.clock.utcStep = 0;
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(401);
    expect(await statusOf(api, 'GET', '/v1/nodes', await cookieOf(api, 'admin'))).toBe(200);
  });

  test('outlives a restart: another process with the same tokens knows it', async () => {
    const headers = await cookieOf(tokened(), 'admin');
    expect(await statusOf(tokened(), 'GET', '/v1/nodes', headers)).toBe(200);
  });

  test.each([
    ['is taken away', TOKENS.filter(({ role }) => role !== 'admin')],
    ['is renamed', TOKENS.map((token) => ({ ...token, name: `${token.name}-2` }))],
    ['is replaced', TOKENS.map((token) => ({ ...token, token: `${token.token}-2` }))],
    ['becomes that of a proxy', TOKENS.map((token) => ({ ...token, role: 'call' as const }))],
  ])('ends at once when its token %s by a reload', async (_, tokens) => {
    const api = tokened();
    const headers = await cookieOf(api, 'admin');
    api.guard.replace({ tokens, hosts: [] });
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(401);
    expect(await session(api, headers)).toEqual(NOBODY);
  });

  test('has the role that its token has now', async () => {
    const api = tokened();
    const headers = { ...(await cookieOf(api, 'admin')), origin: 'http://localhost' };
    const tokens = TOKENS.map((token) => ({ ...token, role: 'read' as const }));
    api.guard.replace({ tokens, hosts: [] });
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(200);
    expect(await statusOf(api, 'DELETE', '/v1/nodes/0', headers)).toBe(403);
    expect(await session(api, headers)).toMatchObject({ who: 'the-admin', role: 'read' });
  });

  test('that is wrong counts as no attempt, and a good one goes on where wrong tokens came from', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'admin');
    const wrong = { cookie: `${headers.cookie.slice(0, -4)}AAAA` };
    for (let count = 0; count < 20; count++) expect(await statusOf(api, 'GET', '/v1/nodes', wrong)).toBe(401);
    expect((await logIn(api, 'read')).status).toBe(200);
    for (let count = 0; count < 11; count++) await api.send('POST', '/v1/session', { token: 'wrong' });
    expect(await statusOf(api, 'GET', '/v1/nodes', headers)).toBe(200);
  });

  test('is not taken for a token in the query of a notice', async () => {
    const api = tokened();
    const headers = await cookieOf(api, 'read');
    expect(await statusOf(api, 'POST', '/v1/notify/rtpengine?token=wrong', headers, '')).toBe(401);
  });
});

describe('with a session, a page of elsewhere', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };

  /** Status of a request to add a node, with the cookie. */
  async function adds(headers: Record<string, string>): Promise<readonly [number, number]> {
    const api = tokened();
    const cookie = await cookieOf(api, 'admin');
    const status = await statusOf(api, 'POST', '/v1/nodes', { ...cookie, ...headers }, JSON.stringify(NODE));

    return [status, api.fleet.list().length];
  }

  test.each([
    ['a form, its JSON as text/plain', { origin: 'https://evil.example.org', 'content-type': 'text/plain' }],
    ['a sandboxed frame', { origin: 'null', 'content-type': 'text/plain' }],
    ['a form of a browser that says no origin', { 'content-type': 'text/plain' }],
    ['a page of another port', { origin: 'http://localhost:8080', ...JSON_TYPE }],
    ['a page of a host with the same ending', { origin: 'http://evil.localhost', ...JSON_TYPE }],
    [
      'one that knows our header, by its origin',
      { origin: 'http://evil.org', 'x-requested-with': 'rtp-cluster' },
    ],
    ['one that says another program', { 'x-requested-with': 'XMLHttpRequest', ...JSON_TYPE }],
    ['a page of the same site', { 'sec-fetch-site': 'same-site', 'x-requested-with': 'rtp-cluster' }],
    ['a page of another site', { 'sec-fetch-site': 'cross-site', 'x-requested-with': 'rtp-cluster' }],
  ] as [string, Record<string, string>][])('cannot change anything: %s', async (_, headers) => {
    expect(await adds(headers)).toEqual([403, 2]);
  });

  test.each([
    ['our page', { origin: 'http://localhost', 'sec-fetch-site': 'same-origin', ...JSON_TYPE }],
    ['our page behind a proxy with TLS', { origin: 'https://localhost', ...JSON_TYPE }],
    ['a script with our header', { 'x-requested-with': 'rtp-cluster', ...JSON_TYPE }],
  ] as [string, Record<string, string>][])('is not %s', async (_, headers) => {
    expect(await adds(headers)).toEqual([201, 3]);
  });

  test('cannot read by a request that needs no origin, while our page and the address bar can', async () => {
    const api = tokened();
    const cookie = await cookieOf(api, 'admin');
    const read = (site: string) => statusOf(api, 'GET', '/v1/nodes', { ...cookie, 'sec-fetch-site': site });
    expect([await read('same-site'), await read('cross-site')]).toEqual([403, 403]);
    expect([await read('same-origin'), await read('none')]).toEqual([200, 200]);
  });

  test('costs a token in the header nothing', async () => {
    const api = tokened();
    const headers = { authorization: `Bearer ${secretOf('admin')}`, ...JSON_TYPE };
    expect(await statusOf(api, 'POST', '/v1/nodes', headers, JSON.stringify(NODE))).toBe(201);
  });

  test('cannot place a call either', async () => {
    const api = tokened();
    const cookie = await cookieOf(api, 'admin');
    const path = '/v1/media/delete?call-id=c1';
    expect(await statusOf(api, 'POST', path, { ...cookie, 'content-type': 'text/plain' }, '')).toBe(403);
  });
});

describe('logging out', () => {
  test('takes the cookie away', async () => {
    const api = tokened();
    const headers = { ...(await cookieOf(api, 'admin')), origin: 'http://localhost' };
    const response = await api.ask('DELETE', '/v1/session', { headers });
    expect(response.status).toBe(204);
    expect(response.headers.get('set-cookie')).toBe(
      'rtp_cluster_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0',
    );
  });

  test('cannot be done by a page of elsewhere', async () => {
    const api = tokened();
    const cookie = await cookieOf(api, 'admin');
    expect(await statusOf(api, 'DELETE', '/v1/session', cookie)).toBe(403);
    const foreign = { ...cookie, origin: 'https://evil.example.org' };
    expect(await statusOf(api, 'DELETE', '/v1/session', foreign)).toBe(403);
  });

  test('is fine for whoever is not logged in, or not any more', async () => {
    const api = tokened();
    expect(await statusOf(api, 'DELETE', '/v1/session', {})).toBe(204);
    const old = { cookie: 'rtp_cluster_session=old', origin: 'http://localhost' };
    expect(await statusOf(api, 'DELETE', '/v1/session', old)).toBe(204);
  });
});
