import { describe, expect, test } from 'bun:test';
import { makeNode } from '../../fakes/cluster.ts';
import { type Api, makeApi } from './api.ts';

/** Five nodes in two sets, in all kinds of states. */
function fleet(): Api {
  const api = makeApi({
    nodes: [
      makeNode(0, { setId: 1 }),
      makeNode(1, { socket: 'udp:relay-a.example.org:22222', tags: ['gold', 'eu'] }),
      makeNode(2, { setId: 1, kind: 'rtpproxy' }),
      makeNode(3),
      makeNode(10, { setId: 1 }),
    ],
  });
  const healths = { 0: 'up', 1: 'down', 2: 'falling', 3: 'ejected', 10: 'up' } as const;
  for (const member of api.fleet.all()) {
    const health = healths[member.id as keyof typeof healths];
    member.opinion = { ...member.opinion, health };
  }
  const rtts = { 0: 3, 1: null, 2: 1, 3: 2, 10: null };
  for (const member of api.fleet.all()) member.rttMs = rtts[member.id as keyof typeof rtts];

  return api;
}

async function page(api: Api, query: string): Promise<{ ids: number[]; total: number }> {
  const { nodes, total } = (await (await api.ask('GET', `/v1/nodes?${query}`)).json()) as {
    nodes: { id: number }[];
    total: number;
  };

  return { ids: nodes.map(({ id }) => id), total };
}

describe('/v1/nodes', () => {
  test.each([
    ['', [0, 1, 2, 3, 10], 5],
    ['set=1', [0, 2, 10], 3],
    ['set=7', [], 0],
    ['limit=2', [0, 1], 5],
    ['limit=2&offset=3', [3, 10], 5],
    ['limit=2&offset=9', [], 5],
    ['offset=4', [10], 5],
    ['sort=id', [0, 1, 2, 3, 10], 5],
    ['sort=-id', [10, 3, 2, 1, 0], 5],
    ['sort=socket', [0, 2, 3, 10, 1], 5],
    ['sort=set', [1, 3, 0, 2, 10], 5],
    ['sort=-set', [0, 2, 10, 1, 3], 5],
    ['sort=health', [1, 3, 2, 0, 10], 5],
    ['sort=-health', [0, 10, 2, 3, 1], 5],
    // Who did not say comes last either way.
    ['sort=rtt', [2, 3, 0, 1, 10], 5],
    ['sort=-rtt', [0, 3, 2, 1, 10], 5],
    ['sort=calls', [0, 1, 2, 3, 10], 5],
    ['sort=sessions', [0, 1, 2, 3, 10], 5],
    ['sort=ports', [0, 1, 2, 3, 10], 5],
    ['sort=-id&set=1&limit=1&offset=1', [2], 3],
    ['state=up', [0, 10], 2],
    ['state=down', [1], 1],
    ['state=ready', [0, 1, 2, 3, 10], 5],
    ['state=maint', [], 0],
    ['search=relay-a', [1], 1],
    ['search=RELAY-A.Example', [1], 1],
    ['search=gold', [1], 1],
    ['search=rtpproxy', [2], 1],
    ['search=198.51.100.4', [3], 1],
    ['search=10.0.0.1', [0, 10], 2],
    ['search=7890', [0], 1],
    ['search=%20gold%20', [1], 1],
    ['search=', [0, 1, 2, 3, 10], 5],
    ['search=nothing', [], 0],
    // A search never spans two of the things it looks at.
    ['search=gold%0Aeu', [1], 1],
    ['search=goldeu', [], 0],
  ])('?%s', async (query, ids, total) => {
    expect(await page(fleet(), query)).toEqual({ ids, total });
  });

  test('sorts by calls, and finds nodes by the order of a person', async () => {
    const api = fleet();
    api.fleet.get(3)?.hold();
    await api.send('POST', '/v1/nodes/3/drain', {});
    await api.send('POST', '/v1/nodes/10/maint', {});
    expect(await page(api, 'state=drain')).toEqual({ ids: [3], total: 1 });
    expect(await page(api, 'state=maint')).toEqual({ ids: [10], total: 1 });
    expect(await page(api, 'state=ready')).toEqual({ ids: [0, 1, 2], total: 3 });
  });

  test('follows a node that is changed', async () => {
    const api = fleet();
    expect(await page(api, 'search=silver')).toEqual({ ids: [], total: 0 });
    await api.send('PUT', '/v1/nodes/3', { tags: ['silver'] });
    expect(await page(api, 'search=silver')).toEqual({ ids: [3], total: 1 });
  });

  test.each([
    [
      'state=gone',
      'state is "gone"; allowed are unknown, up, falling, down, rising, ejected, ready, drain, maint',
    ],
    [
      'sort=name',
      'sort is "name"; allowed are id, socket, set, calls, sessions, ports, rtt, health, with or without - before',
    ],
    ['sort=', 'sort is ""'],
    ['sort=--id', 'sort is "--id"'],
    ['sort=toString', 'sort is "toString"'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=x', 'limit'],
    ['offset=-1', 'offset'],
    ['set=-1', 'set'],
    [`search=${'x'.repeat(129)}`, 'search'],
  ])('?%s is refused, by a message that says what is allowed', async (query, words) => {
    const response = await makeApi().ask('GET', `/v1/nodes?${query}`);
    const { code, message } = (await response.json()) as { code: string; message: string };
    expect([response.status, code]).toEqual([400, 'RTPC_BAD_PARAMETER']);
    expect(message).toContain(words);
  });
});
