import { describe, expect, test } from 'bun:test';
import { settle } from '../../fakes/clock.ts';
import { flush } from '../../fakes/store.ts';
import { type Api, type ApiOptions, admins, makeApi } from './api.ts';
import { followBody } from './streams.ts';

const STREAM = { headers: { accept: 'text/event-stream' } };

/** An API whose store has these events, with ids from 1 on. */
async function withEvents(kinds: readonly string[], options: ApiOptions = {}): Promise<Api> {
  const api = makeApi(options);
  for (const kind of kinds) api.store.event(kind, { nodeId: kind.startsWith('node.') ? 1 : 2 });
  await flush(api.store);

  return api;
}

async function listed(api: Api, query: string): Promise<unknown> {
  const { events } = (await (await api.ask('GET', `/v1/events?${query}`)).json()) as {
    events: { id: number }[];
  };

  return events.map(({ id }) => id);
}

/** Reads a stream as far as it is there. */
async function follow(api: Api, query = '', headers: Record<string, string> = {}) {
  const response = await api.ask('GET', `/v1/events${query}`, {
    headers: { accept: 'text/event-stream', ...headers },
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const stream = await followBody(response);

  return {
    ...stream,
    ids: () => [...stream.text().matchAll(/^id: (\d+)\nevent: /gm)].map(([, id]) => Number(id)),
  };
}

describe('/v1/events as pages', () => {
  const KINDS = ['node.added', 'call.lost', 'node.removed', 'store.durability_lost'];

  test.each([
    ['kind=node.*', [3, 1]],
    ['kind=node.added', [1]],
    ['kind=node.added,call.*', [2, 1]],
    ['kind=*', [4, 3, 2, 1]],
    ['node=1', [3, 1]],
    ['node=1&kind=call.*', []],
    ['after=2', [4, 3]],
    ['before=3&kind=*', [2, 1]],
    ['since=2027-01-15T08:00:00Z&limit=1', [4]],
    ['since=2027-01-15', [4, 3, 2, 1]],
    ['since=2027-01-15T09:00:00%2B01:00&until=2099-01-01', [4, 3, 2, 1]],
    ['until=2027-01-15T08:00', []],
    ['since=1900000000000', []],
  ])('?%s', async (query, ids) => {
    // The clock of the tests says 2027-01-15 08:16:40 UTC.
    expect(await listed(await withEvents(KINDS), query)).toEqual(ids);
  });

  test.each(['caf\xe9', 'caf\xc3\xa9'])(
    '?call= finds a Call-ID as it is shown, whatever its bytes',
    async (callId) => {
      const api = makeApi();
      api.store.event('call.lost', { callId });
      api.store.event('call.lost', { callId: 'other' });
      await flush(api.store);
      expect(await listed(api, `call=${encodeURIComponent('caf\u00e9')}`)).toEqual([1]);
    },
  );

  test.each(['kind=', 'kind=x*', 'kind=a,,b', 'since=yesterday', 'until=2026-13-01', 'node=x', 'after=-1'])(
    '?%s is refused, by a message that names the parameter',
    async (query) => {
      const response = await makeApi().ask('GET', `/v1/events?${query}`);
      const { code, message } = (await response.json()) as { code: string; message: string };
      expect([response.status, code]).toEqual([400, 'RTPC_BAD_PARAMETER']);
      expect(message).toContain(
        query.startsWith('after') ? 'greater or equal to 0' : (query.split('=')[0] ?? ''),
      );
    },
  );

  test('more than 32 kinds are refused', async () => {
    const kind = Array.from({ length: 33 }, (_, index) => `k${index}`).join(',');
    expect((await makeApi().ask('GET', `/v1/events?kind=${kind}`)).status).toBe(400);
  });
});

describe('/v1/events as a stream', () => {
  test('begins now, and each event comes with id, kind and the resource of the list', async () => {
    const api = await withEvents(['node.added']);
    const stream = await follow(api);
    expect(stream.text()).toBe('retry: 2000\nid: 1\n\n');
    api.store.event('call.lost', { nodeId: 7, callId: 'caf\xe9', why: 'a\nb' });
    await flush(api.store);
    await settle();
    const shown = {
      id: 2,
      at: api.clock.utc(),
      kind: 'call.lost',
      node_id: 7,
      call_id: 'caf\u00e9',
      detail: { why: 'a\nb' },
    };
    expect(stream.text()).toBe(
      `retry: 2000\nid: 1\n\nid: 2\nevent: call.lost\ndata: ${JSON.stringify(shown)}\n\n`,
    );
    await stream.leave();
  });

  test.each([
    ['', { 'last-event-id': '1' }, [2, 3]],
    ['?after=2', {}, [3]],
    ['?after=0', { 'last-event-id': '2' }, [3]],
    ['?after=0&kind=node.*', {}, [1, 3]],
    ['?after=0&node=2', {}, [2]],
    ['?since=2027-01-15', {}, [1, 2, 3]],
    ['', { 'last-event-id': 'nonsense' }, []],
    // The database is younger than the client: restored, or it lost its end.
    ['', { 'last-event-id': '99' }, []],
  ])('%s with %p goes on after the last one the client has', async (query, headers, ids) => {
    const api = await withEvents(['node.added', 'call.lost', 'node.removed']);
    const stream = await follow(api, query, headers as Record<string, string>);
    expect(stream.ids()).toEqual(ids);
    api.store.event('node.added', { nodeId: 2 });
    await flush(api.store);
    await settle();
    expect(stream.ids()).toEqual([...ids, 4]);
    await stream.leave();
  });

  test('leaves nothing out and repeats nothing, however many there are', async () => {
    const kinds = Array.from({ length: 990 }, (_, index) => (index % 300 === 0 ? 'node.added' : 'call.lost'));
    const api = await withEvents(kinds);
    const all = await follow(api, '?after=0');
    const some = await follow(api, '?after=0&kind=node.*');
    for (let turn = 0; turn < 10; turn++) await settle();
    expect(all.ids()).toEqual(Array.from({ length: 990 }, (_, index) => index + 1));
    expect(some.ids()).toEqual([1, 301, 601, 901]);
    await Promise.all([all.leave(), some.leave()]);
  });

  test('says every 15 s that it lives', async () => {
    const api = makeApi();
    const stream = await follow(api);
    await api.clock.advance(14_999);
    expect(stream.text()).not.toContain(': keep-alive');
    await api.clock.advance(1);
    expect(stream.text()).toEndWith(': keep-alive\n\n');
    await stream.leave();
  });

  test('reads no further than the client does', async () => {
    const api = await withEvents(Array.from({ length: 900 }, () => 'call.lost'));
    const { body } = await api.ask('GET', '/v1/events?after=0', STREAM);
    const reader = (body ?? new ReadableStream()).getReader();
    await reader.read();
    const slices: unknown[] = [];
    const { after } = api.store.events;
    api.store.events.after = (id, limit) => {
      slices.push(id);

      return after.call(api.store.events, id, limit);
    };
    for (let index = 0; index < 5; index++) api.store.event('call.lost');
    await flush(api.store);
    await api.clock.advance(60_000);
    expect(slices).toEqual([]);
    await reader.read();
    expect(slices).toEqual([0]);
    await reader.cancel();
  });

  test('the 65th is refused until another has gone, and nothing of one that has gone stays', async () => {
    const api = makeApi();
    const timers = api.clock.timers;
    const open = await Promise.all(Array.from({ length: 64 }, () => follow(api)));
    const refused = await api.ask('GET', '/v1/events', STREAM);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await refused.json()).toMatchObject({ code: 'RTPC_BUSY' });
    await open[0]?.leave();
    expect(api.streams.size).toBe(63);
    open.push(await follow(api));
    await Promise.all(open.map((stream) => stream.leave()));
    expect([api.streams.size, api.clock.timers]).toEqual([0, timers]);
  });

  test('ends when the program stops, and none begins any more', async () => {
    const api = makeApi();
    const stream = await follow(api);
    api.streams.stop();
    await settle();
    expect([stream.isEnded(), api.streams.size]).toEqual([true, 0]);
    expect((await api.ask('GET', '/v1/events', STREAM)).status).toBe(503);
  });

  test('ends when the database cannot be read, instead of standing still', async () => {
    const api = await withEvents(['node.added']);
    api.open.database.run('ALTER TABLE event RENAME TO gone');
    const stream = await follow(api, '?after=0');
    expect([stream.isEnded(), api.streams.size]).toEqual([true, 0]);
  });

  test.each(['limit=5', 'before=9', 'until=2099-01-01'])('has no %s', async (query) => {
    const response = await makeApi().ask('GET', `/v1/events?${query}`, STREAM);
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'RTPC_BAD_PARAMETER' }]);
  });

  test('wants the token', async () => {
    const api = makeApi({ guard: { tokens: admins('abcdefghijklmnop') } });
    expect((await api.ask('GET', '/v1/events', STREAM)).status).toBe(401);
    expect(api.streams.size).toBe(0);
  });
});
