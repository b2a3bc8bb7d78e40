import { describe, expect, test } from 'bun:test';
import { makeNode, phoneSdp } from '../../fakes/cluster.ts';
import { fillDisk, flush, makeCall, makeLeg } from '../../fakes/store.ts';
import { type Api, bytes, makeApi } from './api.ts';

const CALLER = phoneSdp('10.9.9.9');
const NEW = {
  socket: 'udp:192.168.2.9:7890',
  set_id: 3,
  inner_media_ip: '192.168.2.9',
  out_media_ip: '1.2.3.9',
};

/** What tests read of JSON answers. */
interface Shown {
  readonly code?: unknown;
  readonly message: string;
  readonly next: string | number | null;
  readonly rows: readonly { readonly result: string }[];
  readonly calls: readonly { readonly call_id: string }[];
  readonly events: readonly { readonly kind: string }[];
  readonly legs: readonly { readonly sdp_returned: string }[];
}

async function json(response: Response | Promise<Response>): Promise<unknown> {
  return (await response).json();
}

async function read(response: Response | Promise<Response>): Promise<Shown> {
  return (await json(response)) as Shown;
}

async function code(response: Response | Promise<Response>): Promise<[number, unknown]> {
  const given = await response;
  const body = await read(given);

  return [given.status, body.code];
}

describe('/v1/nodes', () => {
  test('adds, lists, shows, changes and removes a node', async () => {
    const { ask, send } = makeApi({ nodes: [] });
    const added = await send('POST', '/v1/nodes', NEW);
    const shown = {
      id: 0,
      kind: 'rtpengine',
      socket: NEW.socket,
      set_id: 3,
      weight: 100,
      impose_mode: 'media-address',
      priority: 0,
      capacity: null,
      tags: [],
      http_port: null,
      media_addresses: [
        { side: 'inner', family: 'IP4', address: '192.168.2.9', interface: null },
        { side: 'outer', family: 'IP4', address: '1.2.3.9', interface: null },
      ],
      calls: 0,
    };
    expect([added.status, await added.json()]).toMatchObject([201, shown]);
    expect(await json(ask('GET', '/v1/nodes'))).toMatchObject({ nodes: [shown] });
    expect(await json(ask('GET', '/v1/nodes/0'))).toMatchObject(shown);
    expect(await json(send('PUT', '/v1/nodes/0', { weight: 7, out_media_ip: '1.2.3.10' }))).toMatchObject({
      weight: 7,
      socket: NEW.socket,
      media_addresses: [{ address: '192.168.2.9' }, { address: '1.2.3.10' }],
    });
    expect(await json(ask('DELETE', '/v1/nodes/0'))).toEqual({ id: 0, calls: 0 });
    expect(await code(ask('GET', '/v1/nodes/0'))).toEqual([404, 'RTPC_NODE_UNKNOWN']);
  });

  test('a node has a priority, a capacity, tags and an HTTP port; null takes capacity and port away', async () => {
    const { send, store } = makeApi({ nodes: [] });
    const said = { priority: 3, capacity: 250, tags: ['Gold', 'eu-1', 'gold'], http_port: 9900 };
    const shown = { ...said, tags: ['eu-1', 'gold'] };
    expect(await json(send('POST', '/v1/nodes', { ...NEW, ...said }))).toMatchObject(shown);
    expect(store.fleet.loadNodes()).toMatchObject([
      { priority: 3, capacity: 250, tags: ['eu-1', 'gold'], httpPort: 9900 },
    ]);
    expect(await json(send('PUT', '/v1/nodes/0', { weight: 1 }))).toMatchObject(shown);
    expect(
      await json(send('PUT', '/v1/nodes/0', { capacity: null, tags: [], http_port: null })),
    ).toMatchObject({ priority: 3, capacity: null, tags: [], http_port: null });
  });

  test('a change of one field leaves all others as they were', async () => {
    const { send } = makeApi({ nodes: [] });
    const address = { side: 'inner', family: 'IP4', address: '10.1.1.1', interface: 'a' };
    const node = {
      ...{ id: 4, socket: NEW.socket, set_id: 3, weight: 7, impose_mode: 'interface', priority: 2 },
      ...{ capacity: 9, tags: ['x'], http_port: 80, media_addresses: [address] },
    };
    await send('POST', '/v1/nodes', node);
    expect(await json(send('PUT', '/v1/nodes/4', { weight: 8 }))).toMatchObject({ ...node, weight: 8 });
    expect(await json(send('PUT', '/v1/nodes/4', { priority: 3 }))).toMatchObject({
      ...node,
      weight: 8,
      priority: 3,
    });
    const rows = [{ row: 1, id: 4, socket: NEW.socket, tags: [] }];
    await send('POST', '/v1/nodes/import', { rows });
    expect(await json(send('PUT', '/v1/nodes/4', {}))).toMatchObject({
      ...node,
      weight: 8,
      priority: 3,
      tags: [],
    });
  });

  test('an rtpproxy is added, shown and stored with the port and the interfaces it has', async () => {
    const { send, store } = makeApi({ nodes: [] });
    const media_addresses = [
      { side: 'inner', family: 'IP4', address: '192.168.2.9', interface: 'internal' },
      { side: 'outer', family: 'IP4', address: '1.2.3.9', interface: 'external' },
    ];
    const added = await send('POST', '/v1/nodes', {
      kind: 'rtpproxy',
      socket: 'udp:192.168.2.9',
      media_addresses,
    });
    const shown = {
      kind: 'rtpproxy',
      socket: 'udp:192.168.2.9:22222',
      tags: [],
      http_port: null,
      media_addresses,
    };
    expect([added.status, await added.json()]).toMatchObject([201, shown]);
    expect(store.fleet.loadNodes()).toMatchObject([{ kind: 'rtpproxy', socket: 'udp:192.168.2.9:22222' }]);
  });

  test('what a node was survives a restart', async () => {
    const { send, store } = makeApi({ nodes: [] });
    await send('POST', '/v1/nodes', NEW);
    expect(store.fleet.loadNodes()).toMatchObject([{ id: 0, socket: NEW.socket, setId: 3 }]);
  });

  test.each([
    [{ ...NEW, socket: 'relay:7890' }, 'udp:IP:PORT'],
    [{ ...NEW, socket: 'udp:192.168.2.9' }, 'udp:IP:PORT'],
    [{ ...NEW, kind: 'rtpproxy', http_port: 9900 }, 'http_port is 9900; an rtpproxy has none'],
    [{ ...NEW, tags: ['rtpengine'] }, 'every node has its kind as a tag already'],
    [{ ...NEW, weight: 65_536 }, 'from 0 to 65535'],
    [{ ...NEW, weight: -1 }, 'from 0 to 65535'],
    [{ ...NEW, set_id: -1 }, 'set_id'],
    [{ ...NEW, priority: 65_536 }, 'priority is 65536; it must be a whole number from 0 to 65535'],
    [{ ...NEW, capacity: 0 }, 'capacity is 0; it must be a whole number from 1 to 1000000'],
    [{ ...NEW, http_port: 65_536 }, 'http_port is 65536; it must be a whole number from 1 to 65535'],
    [{ ...NEW, tags: ['-x'] }, 'a tag is "-x"'],
    [
      { ...NEW, tags: Array.from({ length: 17 }, (_, i) => `t${i}`) },
      'there are 17 tags; a node may have 16',
    ],
    [{ ...NEW, id: -1 }, 'id'],
    [{ ...NEW, kind: 'asterisk' }, 'rtpengine'],
    [{ ...NEW, impose_mode: 'hope' }, 'media-address'],
    [{ ...NEW, impose_mode: 'interface' }, 'interface'],
    [{ ...NEW, out_media_ip: 'relay.example.org' }, 'IP address'],
    [{ ...NEW, out_media_ip: '0.0.0.0' }, 'IP address'],
    [{ socket: NEW.socket }, 'no media address'],
    [{ socket: NEW.socket, media_addresses: [{ side: 'nowhere', address: '1.2.3.4' }] }, 'no side "nowhere"'],
    [
      {
        socket: NEW.socket,
        media_addresses: [
          { side: 'inner', address: '1.2.3.4' },
          { side: 'priv', address: '1.2.3.5' },
        ],
      },
      'two IP4 addresses',
    ],
    [{ ...NEW, weight: 'heavy' }, 'weight'],
    [{ ...NEW, weight: 1.5 }, 'weight'],
    [{ set_id: 1 }, 'socket'],
    [[], 'socket'],
  ])('%j is refused, saying what is wrong, and nothing is changed', async (body, words) => {
    const { send, fleet } = makeApi({ nodes: [] });
    const response = await send('POST', '/v1/nodes', body);
    expect(response.status).toBe(400);
    const { code: given, message } = await read(response);
    expect(given).toBe('RTPC_BAD_PARAMETER');
    expect(message).toContain(words);
    expect(fleet.list()).toEqual([]);
  });

  test('a body that does not have the right form is never shown in the error', async () => {
    const { send } = makeApi();
    const secret = 'hunter2';
    const bodies = [
      { ...NEW, weight: secret },
      { ...NEW, socket: { secret } },
      { ...NEW, media_addresses: [{ side: 'inner', address: '1.2.3.4', family: secret }] },
      secret,
      [secret],
      { ...NEW, media_addresses: secret },
      { ...NEW, id: { [secret]: 1 } },
    ];
    for (const body of bodies) {
      const response = await send('POST', '/v1/nodes', body);
      expect(response.status).toBe(400);
      expect(await bytes(response)).not.toContain(secret);
    }
    for (const path of [`/v1/nodes/${secret}`, `/v1/calls?limit=${secret}`, `/v1/calls?state=${secret}`]) {
      const response = await makeApi().ask('GET', path);
      expect(response.status).toBe(400);
      expect(await bytes(response)).not.toContain(secret);
    }
  });

  test('a broken JSON body is RTPC_BAD_BODY', async () => {
    const { ask } = makeApi();
    expect(await code(ask('POST', '/v1/nodes', { body: '{"socket":' }))).toEqual([400, 'RTPC_BAD_BODY']);
  });

  test('an id or a socket of the set that is taken is RTPC_NODE_EXISTS', async () => {
    const { send } = makeApi();
    expect(await code(send('POST', '/v1/nodes', { ...NEW, id: 0 }))).toEqual([409, 'RTPC_NODE_EXISTS']);
    const twin = { ...NEW, socket: makeNode(0).socket, set_id: 0 };
    expect(await code(send('POST', '/v1/nodes', twin))).toEqual([409, 'RTPC_NODE_EXISTS']);
    expect((await send('POST', '/v1/nodes', { ...twin, set_id: 1 })).status).toBe(201);
  });

  test('the socket of a node with calls cannot be changed', async () => {
    const { send, post } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    expect(await code(send('PUT', '/v1/nodes/0', { ...NEW, id: 0 }))).toEqual([409, 'RTPC_NODE_IN_USE']);
    expect(await code(send('PUT', '/v1/nodes/0', { id: 5 }))).toEqual([400, 'RTPC_BAD_PARAMETER']);
    expect(await json(send('PUT', '/v1/nodes/0', { weight: 0 }))).toMatchObject({ weight: 0, calls: 1 });
  });

  test('a removed node with calls serves them, and its socket added again brings it back', async () => {
    const { ask, send, post, fleet } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    expect(await json(ask('DELETE', '/v1/nodes/0'))).toEqual({ id: 0, calls: 1 });
    expect(await code(ask('GET', '/v1/nodes/0'))).toEqual([404, 'RTPC_NODE_UNKNOWN']);
    expect(fleet.get(0)?.removedAt).toBeNumber();
    const again = { ...NEW, socket: makeNode(0).socket, set_id: 0 };
    expect(await json(send('POST', '/v1/nodes', again))).toMatchObject({ id: 0, calls: 1 });
  });

  test('nothing is changed while the database cannot be written: RTPC_NOT_DURABLE', async () => {
    const { send, fleet, open } = makeApi();
    const makeRoom = fillDisk(open);
    const many = Array.from({ length: 400 }, (_, index) => ({
      row: index,
      ...NEW,
      socket: `udp:192.168.9.${index % 250}:${7000 + index}`,
    }));
    expect(await code(send('POST', '/v1/nodes/import', { rows: many }))).toEqual([503, 'RTPC_NOT_DURABLE']);
    expect(fleet.list()).toHaveLength(2);
    makeRoom();
    expect((await send('POST', '/v1/nodes/import', { rows: many })).status).toBe(200);
    expect(fleet.list()).toHaveLength(402);
  });
});

describe('/v1/nodes/import', () => {
  const row = (number: number, changes: object = {}) => ({
    row: number,
    ...NEW,
    socket: `udp:192.168.2.${number}:7890`,
    ...changes,
  });

  test('adds, changes and leaves alone, and says so of each row', async () => {
    const { send, fleet } = makeApi({ nodes: [] });
    const rows = [row(1, { id: 1 }), row(2, { id: 2 })];
    expect(await json(send('POST', '/v1/nodes/import', { rows }))).toEqual({
      rows: [
        { row: 1, id: 1, result: 'added', message: '' },
        { row: 2, id: 2, result: 'added', message: '' },
      ],
    });
    const again = [row(1, { id: 1 }), row(2, { id: 2, weight: 5 }), row(3)];
    const { rows: reports } = await read(send('POST', '/v1/nodes/import', { rows: again }));
    expect(reports.map(({ result }) => result)).toEqual(['unchanged', 'updated', 'added']);
    expect(fleet.list()).toHaveLength(3);
  });

  test('changes nothing if any row is bad, and reports every row', async () => {
    const { send, fleet, events } = makeApi({ nodes: [] });
    const rows = [row(1), row(2, { socket: 'nonsense' }), row(3, { weight: 70_000 }), row(1)];
    const response = await send('POST', '/v1/nodes/import', { rows });
    expect(response.status).toBe(400);
    const report = await read(response);
    expect(report.code).toBe('RTPC_BAD_PARAMETER');
    expect(report.message).toContain('3 of 4 rows are bad');
    expect(report.rows.map(({ result }) => result)).toEqual(['ok', 'error', 'error', 'error']);
    expect(fleet.list()).toEqual([]);
    expect(await events()).toEqual([]);
  });

  test('a row without an id is about the node that has its socket in its set', async () => {
    const { send, fleet } = makeApi({ nodes: [] });
    await send('POST', '/v1/nodes/import', { rows: [row(1, { id: 7 })] });
    const { inner_media_ip: _inner, out_media_ip: _outer, ...bare } = row(1, { weight: 3 });
    const { rows: reports } = await read(send('POST', '/v1/nodes/import', { rows: [bare] }));
    expect(reports).toMatchObject([{ id: 7, result: 'updated' }]);
    expect(fleet.list().map(({ id, weight }) => [id, weight])).toEqual([[7, 3]]);
    expect(fleet.get(7)?.node.mediaAddresses).toHaveLength(2);
  });

  test('a dry run changes nothing', async () => {
    const { send, fleet } = makeApi({ nodes: [] });
    const response = await send('POST', '/v1/nodes/import?dry_run=true', { rows: [row(1)] });
    expect(await response.json()).toMatchObject({ rows: [{ result: 'added' }] });
    expect(fleet.list()).toEqual([]);
  });
});

describe('/v1/sets', () => {
  const PLAIN_SET = {
    description: '',
    direction: null,
    policy: 'hash',
    load_by: 'sessions',
    port_reserve: 5,
    media_probe: false,
  };

  test('say how they place calls; what is left out stays', async () => {
    const { send, store } = makeApi();
    const said = { policy: 'least-load', load_by: 'ports', port_reserve: 0, media_probe: true };
    expect(await json(send('PUT', '/v1/sets/0', said))).toMatchObject(said);
    expect(await json(send('PUT', '/v1/sets/0', { port_reserve: 50 }))).toMatchObject({
      ...said,
      port_reserve: 50,
    });
    expect(store.fleet.loadSets()).toMatchObject([
      { policy: 'least-load', loadBy: 'ports', portReserve: 50 },
    ]);
  });

  test.each([
    [{ policy: 'random' }, 'policy is "random"; it must be one of hash, least-load, round-robin'],
    [{ load_by: 'calls' }, 'load_by is "calls"; it must be one of sessions, ports'],
    [{ port_reserve: 51 }, 'port_reserve is 51; it must be a whole number from 0 to 50'],
    [{ port_reserve: -1 }, 'port_reserve is -1'],
    [{ media_probe: 'on' }, 'media_probe'],
  ])('%j is refused and changes nothing', async (body, words) => {
    const { send, fleet } = makeApi();
    const response = await send('PUT', '/v1/sets/0', body);
    expect(response.status).toBe(400);
    expect((await read(response)).message).toContain(words);
    expect(fleet.set(0)).toMatchObject({ policy: 'hash', loadBy: 'sessions', portReserve: 5 });
  });

  test('are there when a node or a description names them', async () => {
    const { ask, send } = makeApi({ nodes: [makeNode(0), makeNode(1, { setId: 4 })] });
    expect(await json(ask('GET', '/v1/sets'))).toEqual({
      sets: [
        { id: 0, ...PLAIN_SET, nodes: 1, calls: 0 },
        { id: 4, ...PLAIN_SET, nodes: 1, calls: 0 },
      ],
    });
    expect(await code(ask('GET', '/v1/sets/9'))).toEqual([404, 'RTPC_SET_UNKNOWN']);
    expect(
      await json(send('PUT', '/v1/sets/9', { description: 'nine', direction: 'priv>pub' })),
    ).toMatchObject({
      id: 9,
      description: 'nine',
      direction: 'out',
    });
    expect(await json(send('PUT', '/v1/sets/9', { direction: null }))).toMatchObject({
      description: 'nine',
      direction: null,
    });
    expect(await json(ask('DELETE', '/v1/sets/9'))).toEqual({ id: 9 });
    expect(await code(ask('DELETE', '/v1/sets/9'))).toEqual([404, 'RTPC_SET_UNKNOWN']);
  });

  test('with nodes cannot be forgotten; a direction nobody knows is refused', async () => {
    const { ask, send } = makeApi();
    expect(await code(ask('DELETE', '/v1/sets/0'))).toEqual([409, 'RTPC_SET_NOT_EMPTY']);
    expect(await code(send('PUT', '/v1/sets/0', { direction: 'sideways' }))).toEqual([
      400,
      'RTPC_BAD_PARAMETER',
    ]);
    for (const id of ['-1', '1.5', 'x', '1000000000']) {
      expect(await code(send('PUT', `/v1/sets/${id}`, {}))).toEqual([400, 'RTPC_BAD_PARAMETER']);
    }
  });

  test('give new calls their direction', async () => {
    const { send, post, calls } = makeApi();
    expect((await post('/v1/media/offer?call-id=c1&from-tag=A', CALLER)).status).toBe(400);
    await send('PUT', '/v1/sets/0', { direction: 'in' });
    expect((await post('/v1/media/offer?call-id=c1&from-tag=A', CALLER)).status).toBe(200);
    expect(calls.get('c1')?.direction).toEqual({ from: 'outer', to: 'inner' });
  });
});

describe('/v1/calls', () => {
  test('shows a call with its legs and their last SDP', async () => {
    const { post, ask, clock, store } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    await flush(store);
    const call = await read(ask('GET', '/v1/calls/c1'));
    expect(call).toMatchObject({
      call_id: 'c1',
      node_id: 0,
      set_id: 0,
      direction: 'out',
      state: 'early',
      created_at: clock.utc(),
      end_reason: null,
      legs: [{ tag: 'A', side: 'inner', reader_side: 'outer', family: 'IP4', sdp_received: CALLER }],
    });
    expect(call.legs[0]?.sdp_returned).toContain('198.51.100.1');
    expect(await json(ask('GET', '/v1/calls'))).toMatchObject({ calls: [{ call_id: 'c1' }], next: null });
  });

  test.each([
    ['a/b@c', 'a/b@c'],
    ['a/b@c', 'a%2Fb%40c'],
    ['100%?x#y', '100%25%3Fx%23y'],
    ['caf\xc3\xa9', 'caf%C3%A9'],
    ['caf\xc3\xa9', 'café'],
    ['caf\xe9', 'caf%E9'],
    ['caf\xe9', 'caf%C3%A9'],
    ['..', '%2E%2E%2Fcalls%2F..'],
  ])('finds Call-ID %j at /v1/calls/%s', async (callId, path) => {
    const { ask, calls, store } = makeApi();
    const call = makeCall(callId === '..' ? '../calls/..' : callId, { legs: [makeLeg('A')] });
    calls.add(call);
    await store.saveCall(call, { isNew: true });
    expect((await ask('GET', `/v1/calls/${path}`)).status).toBe(200);
  });

  test('finds an ended call, and says 404 of one nobody knows', async () => {
    const { ask, post, store } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    await post('/v1/media/delete?call-id=c1');
    expect(await json(ask('GET', '/v1/calls/c1'))).toMatchObject({ state: 'ended', end_reason: 'delete' });
    expect(await json(ask('GET', '/v1/calls'))).toEqual({ calls: [], next: null, is_partial: false });
    await flush(store);
    const { calls } = await read(ask('GET', '/v1/calls?state=ended'));
    expect(calls.map(({ call_id }) => call_id)).toContain('c1');
    expect(await code(ask('GET', '/v1/calls/c2'))).toEqual([404, 'RTPC_CALL_UNKNOWN']);
  });

  async function pages({ ask }: Api, query: string): Promise<string[]> {
    const seen: string[] = [];
    let after = '';
    for (let page = 0; page < 50; page++) {
      const { calls, next } = await read(ask('GET', `/v1/calls?${query}${after}`));
      seen.push(...calls.map(({ call_id }) => call_id));
      if (next === null) return seen;
      after = `&after=${encodeURIComponent(String(next))}`;
    }
    throw new Error('the pages never end');
  }

  test('come in pages, none twice and none left out, whatever bytes their Call-IDs have', async () => {
    const api = makeApi();
    for (let index = 0; index < 25; index++) {
      const call = makeCall(`${index}/caf\xe9+%`, { nodeId: index % 2, setId: index % 5 });
      api.calls.add(call);
      const over = makeCall(`e${index}/caf\xe9+%`, { state: 'ended', updatedAt: 5 + (index % 3) });
      api.store.noteCall(over, { isNew: true });
    }
    await flush(api.store);
    expect(await pages(api, 'limit=4')).toHaveLength(25);
    expect(new Set(await pages(api, 'limit=7')).size).toBe(25);
    expect(await pages(api, 'limit=4&node=1')).toHaveLength(12);
    expect(await pages(api, 'limit=4&node=1&set=0')).toHaveLength(2);
    expect(await pages(api, 'limit=4&state=confirmed')).toHaveLength(0);
    expect(new Set(await pages(api, 'limit=4&state=ended')).size).toBe(26);
  });

  test('are searched by a part of the Call-ID, by node, by time', async () => {
    const { ask, calls, store } = makeApi();
    for (const [index, callId] of ['aaa-1', 'bbb-1', 'bbb-2'].entries())
      calls.add(makeCall(callId, { nodeId: index, createdAt: Date.UTC(2026, 10, 23, 12, index) }));
    store.noteCall(makeCall('bbb-9', { state: 'ended', createdAt: 5, updatedAt: 6 }), { isNew: true });
    await flush(store);
    const found = async (query: string) =>
      (await read(ask('GET', `/v1/calls?${query}`))).calls.map(({ call_id }) => call_id);
    expect(await found('search=bbb')).toEqual(['bbb-1', 'bbb-2']);
    expect(await found('search=bbb&order=newest')).toEqual(['bbb-2', 'bbb-1']);
    expect(await found('search=bbb&state=all')).toEqual(['bbb-1', 'bbb-2', 'bbb-9']);
    expect(await found('search=bbb&node=2')).toEqual(['bbb-2']);
    expect(await found('since=2026-11-23T12:01:00Z&until=2026-11-23T12:01')).toEqual(['bbb-1']);
    expect(await found('since=2026-11-23T12:01:00.001Z')).toEqual(['bbb-2']);
    expect(await found('state=ended&until=5&search=bbb')).toEqual(['bbb-9']);
    expect(await found('search=')).toHaveLength(3);
  });

  test('have no empty page after a last one that is full, nor have events', async () => {
    const { ask, store } = makeApi();
    for (const callId of ['a', 'b', 'c'])
      store.noteCall(makeCall(callId, { state: 'ended' }), { isNew: true });
    await flush(store);
    expect(await json(ask('GET', '/v1/calls?state=ended&limit=4'))).toMatchObject({ next: null });
    store.event('x');
    store.event('y');
    await flush(store);
    expect(await json(ask('GET', '/v1/events?limit=2'))).toMatchObject({ next: null });
  });

  test.each([
    ...['limit=0', 'limit=1001', 'limit=x', 'state=gone', 'node=x'],
    ...['order=up', 'since=noon', 'until=2026-13-01', 'after=c5', `search=${'x'.repeat(2000)}`],
  ])('?%s is refused', async (query) => {
    expect(await code(makeApi().ask('GET', `/v1/calls?${query}`))).toEqual([400, 'RTPC_BAD_PARAMETER']);
  });

  test('/v1/events tells what happened, newest first, page by page', async () => {
    const { ask, store } = makeApi();
    store.event('a', { nodeId: 1, callId: 'caf\xe9', why: 'x' });
    store.event('b');
    store.event('c');
    await flush(store);
    const first = await read(ask('GET', '/v1/events?limit=2'));
    expect(first.events.map(({ kind }) => kind)).toEqual(['c', 'b']);
    const second = await read(ask('GET', `/v1/events?limit=2&before=${first.next}`));
    expect(second).toMatchObject({
      events: [{ kind: 'a', node_id: 1, call_id: 'caf\u00e9', detail: { why: 'x' } }],
      next: null,
    });
  });
});

describe('health', () => {
  test('/healthz says alive; /readyz ready, and not ready while stopping', async () => {
    const { ask, readiness } = makeApi();
    expect(await json(ask('GET', '/healthz'))).toMatchObject({ status: 'alive' });
    expect(await json(ask('GET', '/readyz'))).toEqual({ ready: true, database: 'ok', stopping: false });
    readiness.isStopping = true;
    const response = await ask('GET', '/readyz');
    expect([response.status, await response.json()]).toMatchObject([503, { ready: false, stopping: true }]);
  });

  test('/readyz says why while the database cannot be written, and calls go on', async () => {
    const { ask, post, open, store, clock } = makeApi();
    const makeRoom = fillDisk(open);
    const leg = makeLeg('A');
    await store.saveCall(makeCall('large', { legs: [leg] }), {
      isNew: true,
      leg,
      sdp: { received: 'x'.repeat(50_000), returned: '' },
    });
    const response = await ask('GET', '/readyz');
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { ready: false, database: expect.stringContaining('the disk is full') },
    ]);
    expect((await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER)).status).toBe(200);
    makeRoom();
    await clock.advance(1000);
    expect((await ask('GET', '/readyz')).status).toBe(200);
    expect(store.loadLiveCalls().map(({ callId }) => callId)).toContain('c1');
  });
});
