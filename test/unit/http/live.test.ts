import { describe, expect, test } from 'bun:test';
import type { Token } from '../../../src/domain/role.ts';
import { settle } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { type Api, makeApi } from './api.ts';
import { type Followed, followBody, type Sent } from './streams.ts';

const TOKEN: Token = { role: 'read', name: 'wall', token: 'token-of-the-wall-0123' };
const BEARER = { authorization: `Bearer ${TOKEN.token}` };

async function follow(api: Api, query = '', headers: Record<string, string> = {}): Promise<Followed> {
  const response = await api.ask('GET', `/v1/live${query}`, { headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');

  return followBody(response);
}

/** Ids of the nodes of the newest event. */
function idsOf(stream: Followed): unknown {
  const nodes = stream.events().findLast(({ event }) => event === 'nodes')?.data.nodes;

  return Array.isArray(nodes) ? nodes.map(({ id }: { id: number }) => id) : undefined;
}

async function open(api: Api, count: number, query = '?limit=1'): Promise<Followed[]> {
  return Promise.all(Array.from({ length: count }, () => follow(api, query)));
}

/** Counts the nodes that are shown. */
function countMade(api: Api): () => number {
  let made = 0;
  const { progressOf } = api.orders;
  api.orders.progressOf = (member) => {
    made++;

    return progressOf.call(api.orders, member);
  };

  return () => made;
}

describe('/v1/live', () => {
  test('sends what the resources say, at once and then every 2 s', async () => {
    const api = makeApi();
    const stream = await follow(api);
    expect(stream.text()).toStartWith('retry: 2000\n\nevent: overview\ndata: {');
    const [overview, nodes, ...more] = stream.events();
    expect(more).toEqual([]);
    const resource = async (path: string): Promise<Sent['data']> =>
      (await (await api.ask('GET', path)).json()) as Sent['data'];
    expect(overview?.data).toEqual(await resource('/v1/overview'));
    const page = await resource('/v1/nodes');
    expect(nodes).toEqual({ event: 'nodes', data: { nodes: page.nodes, total: page.total } });
    await api.clock.advance(1999);
    expect(stream.events()).toHaveLength(2);
    await api.clock.advance(1);
    expect(stream.events().map(({ event }) => event)).toEqual(['overview', 'nodes', 'overview', 'nodes']);
    await stream.leave();
  });

  test('shows a change with the next picture', async () => {
    const api = makeApi();
    const stream = await follow(api);
    await api.send('POST', '/v1/nodes/1/drain', { reason: 'test' });
    await api.send('DELETE', '/v1/nodes/0', undefined);
    await api.clock.advance(2000);
    const { data } = stream.events().at(-1) ?? {};
    expect(data).toMatchObject({ total: 1, nodes: [{ id: 1, order: { state: 'drain', reason: 'test' } }] });
    await stream.leave();
  });

  test('takes the query of the list, and shows 100 nodes if it says no limit', async () => {
    const nodes = Array.from({ length: 120 }, (_, id) => makeNode(id, { setId: id % 2 }));
    const api = makeApi({ nodes });
    const [all, some] = [await follow(api), await follow(api, '?set=1&sort=-id&limit=2&offset=1')];
    expect(idsOf(all)).toEqual(Array.from({ length: 100 }, (_, id) => id));
    expect(all.events().at(-1)?.data.total).toBe(120);
    expect(idsOf(some)).toEqual([117, 115]);
    expect(some.events().at(-1)?.data.total).toBe(60);
    await Promise.all([all.leave(), some.leave()]);
  });

  test('makes each picture once, whoever looks at it', async () => {
    const api = makeApi();
    const made = countMade(api);
    const streams = await open(api, 20, '?limit=2');
    expect(made()).toBe(2);
    await api.clock.advance(2000);
    expect(made()).toBe(4);
    expect(new Set(streams.map((stream) => stream.text())).size).toBe(1);
    await Promise.all(streams.map((stream) => stream.leave()));
  });

  test('keeps 64 pages of a picture: who comes and goes with other queries fills no memory', async () => {
    const api = makeApi();
    const made = countMade(api);
    const first = await follow(api, '?limit=1');
    const visit = async (): Promise<number> => {
      const before = made();
      await (await follow(api, '?limit=1&sort=-id')).leave();

      return made() - before;
    };
    expect([await visit(), await visit()]).toEqual([1, 0]);
    for (let other = 2; other < 66; other++) await (await follow(api, `?limit=${other}`)).leave();
    expect(await visit()).toBe(1);
    await first.leave();
  });

  test('makes no picture while nobody listens, and leaves nothing behind', async () => {
    const api = makeApi();
    const before = api.clock.timers;
    const streams = await open(api, 3);
    expect([api.live.size, api.clock.timers]).toEqual([3, before + 1]);
    await Promise.all(streams.map((stream) => stream.leave()));
    expect([api.live.size, api.clock.timers]).toEqual([0, before]);
    const again = await follow(api);
    await api.clock.advance(2000);
    expect(again.events()).toHaveLength(4);
    await again.leave();
  });

  test('who comes when others have left sees the fleet as it is now', async () => {
    const api = makeApi();
    await (await follow(api)).leave();
    await api.clock.advance(60_000);
    await api.send('DELETE', '/v1/nodes/0', undefined);
    const stream = await follow(api);
    expect(idsOf(stream)).toEqual([1]);
    expect(stream.events()[0]?.data.at).toBe(api.clock.utc());
    await stream.leave();
  });

  test('a client that does not read misses pictures and gets the newest', async () => {
    const api = makeApi();
    const { body } = await api.ask('GET', '/v1/live');
    const reader = (body ?? new ReadableStream<Uint8Array>()).getReader();
    const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
    const at = (text: string): number => Number(/"at":(\d+)/.exec(text)?.[1]);
    expect(await read()).toBe('retry: 2000\n\n');
    expect(at(await read())).toBe(api.clock.utc());
    expect(await read()).toStartWith('event: nodes\n');
    await api.clock.advance(60_000);
    const overview = await read();
    expect([overview.split('\n')[0], at(overview)]).toEqual(['event: overview', api.clock.utc()]);
    expect(await read()).toStartWith('event: nodes\n');
    await reader.cancel();
  });

  test('the 65th is refused until another has gone', async () => {
    const api = makeApi();
    const streams = await open(api, 64);
    const refused = await api.ask('GET', '/v1/live');
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'RTPC_BUSY' }]);
    expect(refused.headers.get('retry-after')).toBe('2');
    await streams.pop()?.leave();
    streams.push(await follow(api));
    await Promise.all(streams.map((stream) => stream.leave()));
  });

  test.each(['state=gone', 'sort=name', 'limit=0', 'limit=1001', 'offset=-1', 'set=x'])(
    '?%s is refused as in the list',
    async (query) => {
      expect((await makeApi().ask('GET', `/v1/live?${query}`)).status).toBe(400);
    },
  );

  test('ends when the program stops, and begins no more', async () => {
    const api = makeApi();
    const stream = await follow(api);
    const timers = api.clock.timers;
    api.live.stop();
    await settle();
    expect([stream.isEnded(), api.live.size, api.clock.timers]).toEqual([true, 0, timers - 1]);
    expect((await api.ask('GET', '/v1/live')).status).toBe(503);
  });
});

describe.each(['/v1/live', '/v1/events'])('a stream of %s', (path) => {
  const stream = async (api: Api, headers: Record<string, string> = BEARER): Promise<Followed> =>
    followBody(await api.ask('GET', path, { headers: { accept: 'text/event-stream', ...headers } }));
  const recheck = (api: Api): void => {
    api.streams.recheck();
    api.live.recheck();
  };

  test.each([
    ['is taken away', [{ ...TOKEN, name: 'other', token: 'another-token-012345' }]],
    ['is renamed', [{ ...TOKEN, name: 'other' }]],
    ['may not look any more', [{ ...TOKEN, role: 'call' as const }]],
  ])('ends with its token, when that %s', async (_, tokens) => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    const followed = await stream(api);
    api.guard.replace({ tokens, hosts: [] });
    recheck(api);
    await settle();
    expect([followed.isEnded(), api.live.size + api.streams.size]).toEqual([true, 0]);
  });

  test('goes on when other tokens come and go, and its own becomes one that may do more', async () => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    const followed = await stream(api);
    const other = { ...TOKEN, name: 'other', token: 'another-token-012345' };
    api.guard.replace({ tokens: [{ ...TOKEN, role: 'admin' }, other], hosts: [] });
    recheck(api);
    await api.clock.advance(20_000);
    expect(followed.isEnded()).toBe(false);
    await followed.leave();
  });

  test('that needed no token ends when one is needed', async () => {
    const api = makeApi();
    const followed = await stream(api, {});
    api.guard.replace({ tokens: [TOKEN], hosts: [] });
    recheck(api);
    await settle();
    expect(followed.isEnded()).toBe(true);
  });

  test('tells nothing more once its token has gone, even if nobody closes it', async () => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    const followed = await stream(api);
    const text = followed.text();
    api.guard.replace({ tokens: [{ ...TOKEN, token: 'another-token-012345' }], hosts: [] });
    api.store.event('node.added', { nodeId: 1 });
    await api.clock.advance(15_000);
    expect([followed.text(), followed.isEnded()]).toEqual([text, true]);
  });

  test('of a session ends with it', async () => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    const login = await api.send('POST', '/v1/session', { token: TOKEN.token });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    api.clock.utcStep = 43_200_000 - 30_000;
    const followed = await stream(api, { cookie });
    await api.clock.advance(29_999);
    expect(followed.isEnded()).toBe(false);
    await api.clock.advance(15_001);
    expect(followed.isEnded()).toBe(true);
  });

  test('of a session of a clock that was ahead ends when that is set right', async () => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    api.clock.utcStep = 365 * 24 * 3_600_000;
    const login = await api.send('POST', '/v1/session', { token: TOKEN.token });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const followed = await stream(api, { cookie });
    api.clock.utcStep = 0;
    await api.clock.advance(15_000);
    expect(followed.isEnded()).toBe(true);
  });

  test('is not opened by HEAD, whose body nobody would read', async () => {
    const api = makeApi();
    const response = await api.ask('HEAD', path, { headers: { accept: 'text/event-stream' } });
    expect([response.status, response.headers.get('content-type'), response.body]).toEqual([
      ...[200, 'text/event-stream; charset=utf-8', null],
    ]);
    expect(api.live.size + api.streams.size).toBe(0);
  });

  test('of a client that does not read ends as well', async () => {
    const api = makeApi({ guard: { tokens: [TOKEN] } });
    await api.ask('GET', path, { headers: { accept: 'text/event-stream', ...BEARER } });
    expect(api.live.size + api.streams.size).toBe(1);
    api.guard.replace({ tokens: [{ ...TOKEN, name: 'other' }], hosts: [] });
    recheck(api);
    expect(api.live.size + api.streams.size).toBe(0);
  });
});
