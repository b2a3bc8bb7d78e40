/** Who changed what: one event for each request that changes something, with its outcome, and nothing secret in it. */

import { describe, expect, spyOn, test } from 'bun:test';
import type { Token } from '../../../src/domain/role.ts';
import { logged } from '../front/logged.ts';
import { type Api, eventsOf, makeApi } from './api.ts';

const TOKENS: Token[] = [
  { role: 'admin', name: 'anna', token: 'token-of-anna-000001' },
  { role: 'read', name: 'monitor', token: 'token-of-monitor-001' },
  { role: 'call', name: 'proxy', token: 'token-of-proxy-00001' },
];
const bearer = (name: string): Record<string, string> => ({
  authorization: `Bearer ${TOKENS.find((token) => token.name === name)?.token ?? `token-of-${name}-000001`}`,
});
const guarded = (): Api => makeApi({ guard: { tokens: TOKENS } });
const NEW = { socket: 'udp:127.0.0.1:9999', media_addresses: [{ side: 'inner', address: '10.0.0.9' }] };

const logLines = logged();

/** A request with a JSON body, if any. */
function send(
  api: Api,
  method: string,
  path: string,
  { body, as = 'anna', from = '192.0.2.7' }: { body?: unknown; as?: string; from?: string } = {},
): Promise<Response> {
  const headers = { ...bearer(as), 'content-type': 'application/json' };

  return api.askFrom(from, method, path, {
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

describe('a request that changes something', () => {
  const CHANGES = [
    ['POST', '/v1/nodes', NEW, 201],
    ['PUT', '/v1/nodes/0', { weight: 7 }, 200],
    ['DELETE', '/v1/nodes/0', undefined, 200],
    ['POST', '/v1/nodes/import', { rows: [] }, 200],
    ['POST', '/v1/nodes/0/drain', {}, 200],
    ['POST', '/v1/nodes/0/maint', {}, 200],
    ['POST', '/v1/nodes/0/ready', {}, 200],
    ['POST', '/v1/nodes/0/check', undefined, 200],
    ['POST', '/v1/nodes/check', { socket: 'udp:127.0.0.9:2223', inner_media_ip: '10.0.0.9' }, 200],
    ['POST', '/v1/nodes/0/reconcile', undefined, 200],
    ['PUT', '/v1/sets/5', { description: 'x' }, 200],
    ['DELETE', '/v1/sets/5', undefined, 404],
    ['POST', '/v1/fleet', { sets: [], nodes: [] }, 200],
    // Refused by us, by the schema, and by nobody at all: told as well.
    ['DELETE', '/v1/nodes/77', undefined, 404],
    ['PUT', '/v1/nodes/0', { weight: 'heavy' }, 400],
  ] as const;

  test.each(CHANGES)(
    '%s %s is one event with who, from where and the outcome',
    async (method, path, body, status) => {
      const api = guarded();
      expect((await send(api, method, path, { body })).status).toBe(status);
      expect(await eventsOf(api, 'admin.request')).toEqual([
        { who: 'anna', from: '192.0.2.7', method, path, status },
      ]);
    },
  );

  test('has here a case for each operation the description says is for an admin', async () => {
    const response = await guarded().ask('GET', '/openapi.json', { headers: bearer('monitor') });
    const { paths } = (await response.json()) as {
      paths: Record<string, Record<string, { security: { token?: string[] }[] }>>;
    };
    const wanted = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { security }]) => security.some(({ token }) => token?.[0] === 'admin'))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    const told = CHANGES.map(([method, path]) => `${method} ${path.replace(/\/\d+/, '/{id}')}`);
    expect([...new Set(told)].sort()).toEqual(wanted.sort());
  });

  test('is told if the role is not enough', async () => {
    const api = guarded();
    await send(api, 'DELETE', '/v1/nodes/0', { as: 'monitor' });
    await send(api, 'DELETE', '/v1/nodes/1', { as: 'proxy' });
    expect(await eventsOf(api, 'admin.request')).toEqual([
      { who: 'monitor', from: '192.0.2.7', method: 'DELETE', path: '/v1/nodes/0', status: 403 },
      { who: 'proxy', from: '192.0.2.7', method: 'DELETE', path: '/v1/nodes/1', status: 403 },
    ]);
  });

  test('is not told of strangers: they change nothing, and may be many', async () => {
    const api = guarded();
    await send(api, 'DELETE', '/v1/nodes/0', { as: 'stranger' });
    await api.ask('DELETE', '/v1/nodes/0');
    expect(await eventsOf(api, 'admin.request')).toEqual([]);
  });

  test('has nobody as its author where no tokens are asked for', async () => {
    const api = makeApi();
    await send(api, 'PUT', '/v1/nodes/0', { body: { weight: 7 }, from: '127.0.0.1' });
    expect(await eventsOf(api, 'admin.request')).toMatchObject([{ who: 'nobody', from: '127.0.0.1' }]);
  });

  test('that meets a defect of ours is told once, as 500', async () => {
    const api = guarded();
    spyOn(api.roster, 'change').mockImplementation(() => {
      throw new Error('a defect');
    });
    expect((await send(api, 'PUT', '/v1/nodes/0', { body: { weight: 7 } })).status).toBe(500);
    expect(await eventsOf(api, 'admin.request')).toMatchObject([{ who: 'anna', status: 500 }]);
  });

  test('over the unix socket has that as its author', async () => {
    const api = guarded();
    const request = new Request('http://localhost/v1/nodes/0', { method: 'DELETE' });
    api.peers.addLocal(request);
    expect((await api.app.handle(request)).status).toBe(200);
    expect(await eventsOf(api, 'admin.request')).toMatchObject([
      { who: 'unix socket', from: 'unix socket', status: 200 },
    ]);
  });

  test('tells of its query only whether it was for show, and of its path only the start', async () => {
    const api = guarded();
    const fleet = { sets: [], nodes: [] };
    await send(api, 'POST', '/v1/fleet?prune=true&dry_run=true', { body: fleet });
    await send(api, 'DELETE', '/v1/nodes/77?token=token-of-anna-000001&prune=token-of-anna-000001');
    await send(api, 'DELETE', `/v1/nodes/${'7'.repeat(300)}`);
    const paths = (await eventsOf(api, 'admin.request')).map(({ path }) => path);
    expect(paths.slice(0, 2)).toEqual(['/v1/fleet?dry_run=true&prune=true', '/v1/nodes/77']);
    expect(String(paths[2])).toHaveLength(257);
  });

  test('that is refused for its role is told 60 times a minute, and then counted', async () => {
    const api = guarded();
    for (let i = 0; i < 65; i++) await send(api, 'DELETE', '/v1/nodes/0', { as: 'monitor' });
    await send(api, 'PUT', '/v1/nodes/0', { body: { weight: 7 } });
    await api.clock.advance(60_000);
    await send(api, 'DELETE', '/v1/nodes/0', { as: 'monitor' });
    const told = await eventsOf(api, 'admin.request');
    expect(told).toHaveLength(62);
    expect(told[60]).toMatchObject({ who: 'anna', status: 200 });
    expect(told[61]).toMatchObject({ status: 403, others: 5 });
  });
});

describe('a request that changes nothing', () => {
  test.each([
    ['GET', '/v1/nodes', 'monitor'],
    ['GET', '/v1/nodes', 'anna'],
    ['GET', '/openapi', 'proxy'],
    ['GET', '/v1/nodes', 'proxy'],
    ['POST', '/v1/media/query?call-id=c1', 'proxy'],
    ['POST', '/v1/media/delete?call-id=c1&from-tag=a', 'anna'],
    ['POST', '/v1/media/delete?call-id=c1&from-tag=a', 'monitor'],
    ['DELETE', '/nothing', 'anna'],
  ])('or is no matter of admins is no event: %s %s by %s', async (method, path, as) => {
    const api = guarded();
    await send(api, method, path, { as });
    expect(await eventsOf(api, 'admin.request')).toEqual([]);
  });
});

test('no token is in an event or in the log, whatever is done with it', async () => {
  const api = guarded();
  const secret = 'token-of-anna-000001';
  await send(api, 'POST', '/v1/nodes', { body: NEW });
  await send(api, 'POST', `/v1/nodes?token=${secret}`, { body: NEW });
  await send(api, 'DELETE', '/v1/nodes/0', { as: 'monitor' });
  await api.askFrom('192.0.2.7', 'POST', `/v1/notify/rtpengine?token=${secret}`, { body: '' });
  const all = JSON.stringify([await eventsOf(api, 'admin.*'), await eventsOf(api, '*'), await logLines()]);
  expect(all).toContain('anna');
  expect((await logLines()).filter(({ event }) => event === 'http.role_refused')).toMatchObject([
    { who: 'monitor', role: 'read', wanted: 'admin' },
  ]);
  for (const { token } of TOKENS) expect(all).not.toContain(token);
});
