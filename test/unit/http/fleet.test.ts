import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FleetFileFault, readFleetFile } from '../../../src/commands/fleet-toml.ts';
import { makeNode, phoneSdp } from '../../fakes/cluster.ts';
import { fillDisk } from '../../fakes/store.ts';
import { type Api, makeApi } from './api.ts';

const NEW = {
  socket: 'udp:192.168.2.9:7890',
  set_id: 3,
  inner_media_ip: '192.168.2.9',
  out_media_ip: '1.2.3.9',
};

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly message?: string;
  readonly unmanaged?: number;
  readonly changes?: readonly { what: string; id: number; change: string; fields: object; calls?: number }[];
  readonly errors?: readonly { what: string; index: number; key: string | null; message: string }[];
}

async function declare(api: Api, body: unknown, query = ''): Promise<Answer> {
  const response = await api.send('POST', `/v1/fleet${query}`, body);

  return { status: response.status, ...((await response.json()) as object) };
}

async function exported(api: Api): Promise<unknown> {
  return (await api.ask('GET', '/v1/fleet')).json();
}

const summary = ({ changes = [] }: Answer): string[] =>
  changes.map(({ what, id, change }) => `${change} ${what} ${id}`);

describe('GET /v1/fleet', () => {
  test('tells what people declare of sets and nodes, and neither calls nor health nor orders', async () => {
    const api = makeApi({ nodes: [makeNode(4, { setId: 2, priority: 6, capacity: 10, tags: ['x'] })] });
    expect(await exported(api)).toEqual({
      sets: [
        {
          id: 2,
          description: '',
          direction: null,
          policy: 'hash',
          load_by: 'sessions',
          port_reserve: 5,
          media_probe: false,
        },
      ],
      nodes: [
        {
          id: 4,
          kind: 'rtpengine',
          socket: makeNode(4).socket,
          set_id: 2,
          weight: 100,
          impose_mode: 'media-address',
          priority: 6,
          capacity: 10,
          tags: ['x'],
          http_port: null,
          media_addresses: makeNode(4).mediaAddresses,
        },
      ],
    });
  });
});

describe('POST /v1/fleet', () => {
  test.each([
    ['?dryrun=true', {}, 'dryrun'],
    ['', { prune: true }, 'prune'],
  ])('%s with %p changes nothing: a word nobody reads would be believed', async (query, more, word) => {
    const api = makeApi();
    const before = await exported(api);
    const answer = await declare(api, { nodes: [NEW], ...more }, query);
    expect([answer.status, answer.code]).toEqual([400, 'RTPC_BAD_PARAMETER']);
    expect(answer.message).toContain(`"${word}"`);
    expect(await exported(api)).toEqual(before);
  });

  test.each([
    ['docs/fleet-file.md', /```toml\n(.+?)```/s],
    ['src/commands/apply.ts', /(\n {2}\[\[set\]\].+?weight = 100\n)/s],
  ])('takes the file that %s shows', async (path, pattern) => {
    const page = readFileSync(join(import.meta.dir, '../../..', path), 'utf8');
    const file = readFleetFile(pattern.exec(page)?.[1] ?? 'missing');
    if (file instanceof FleetFileFault) throw new Error(file.message);
    const { sets, nodes } = file;
    const api = makeApi({ nodes: [] });
    expect(await declare(api, { sets, nodes }, '?prune=true')).toMatchObject({ status: 200, errors: [] });
    expect(api.fleet.list()).toHaveLength(nodes.length);
    expect(nodes.length).toBeGreaterThan(0);
  });

  test('takes what GET tells, and then changes nothing', async () => {
    const api = makeApi({ nodes: [makeNode(0), makeNode(1, { setId: 1 })] });
    const answer = await declare(api, await exported(api), '?prune=true');
    expect(answer.status).toBe(200);
    expect(summary(answer)).toEqual(['none set 0', 'none set 1', 'none node 0', 'none node 1']);
    expect(await api.events()).toEqual([]);
  });

  test('adds, changes and removes at once, tells the difference, and records who did it', async () => {
    const api = makeApi();
    await api.post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', phoneSdp('10.9.9.9'));
    const { socket } = makeNode(1);
    const changed = { id: 1, socket, inner_media_ip: '10.0.0.2', out_media_ip: '198.51.100.2', weight: 50 };
    const body = { sets: [{ id: 3, policy: 'least-load' }], nodes: [changed, NEW] };
    const answer = await declare(api, body, '?prune=true');
    expect(answer).toMatchObject({
      status: 200,
      errors: [],
      unmanaged: 0,
      changes: [
        { what: 'set', id: 3, socket: null, change: 'add', fields: {} },
        { what: 'node', id: 1, socket, change: 'change', fields: { weight: { from: 100, to: 50 } } },
        { what: 'node', id: 2, socket: NEW.socket, change: 'add', fields: {} },
        { what: 'node', id: 0, change: 'remove', calls: 1 },
      ],
    });
    expect(api.fleet.list().map(({ id, weight }) => [id, weight])).toEqual([
      [1, 50],
      [2, 100],
    ]);
    expect(api.fleet.get(0)?.removedAt).toBeNumber();
    expect(api.fleet.set(3).policy).toBe('least-load');
    const kinds = (await api.events()).filter((kind) => kind.startsWith('node.'));
    expect(kinds).toEqual(['node.changed', 'node.added', 'node.removed']);
  });

  test('a new node may take over the socket of one that is removed and still has calls', async () => {
    const api = makeApi();
    await api.post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', phoneSdp('10.9.9.9'));
    const nodes = [{ ...NEW, id: 9, socket: makeNode(0).socket, set_id: 0 }];
    expect((await declare(api, { nodes }, '?prune=true')).status).toBe(200);
    expect(api.fleet.list().map(({ id }) => id)).toEqual([9]);
    expect(api.fleet.get(0)?.calls).toBe(1);
  });

  test('without prune what is not named stays and is counted', async () => {
    const api = makeApi();
    expect(await declare(api, { nodes: [NEW] })).toMatchObject({ unmanaged: 2 });
    expect(api.fleet.list()).toHaveLength(3);
  });

  test('keeps the order of a node', async () => {
    const api = makeApi();
    const [member] = api.fleet.list();
    if (member === undefined) throw new Error('no node');
    api.fleet.order(member, { admin: { order: 'drain', by: 'me', reason: '', at: 1, until: null } });
    await declare(api, { nodes: [{ ...NEW, id: 0, set_id: 0, socket: makeNode(0).socket }] });
    expect(api.fleet.get(0)?.admin).toMatchObject({ order: 'drain', by: 'me' });
    expect(api.fleet.get(0)?.node.mediaAddresses[0]?.address).toBe('192.168.2.9');
  });

  test('a dry run tells the same and changes nothing', async () => {
    const api = makeApi();
    const body = { sets: [{ id: 0, policy: 'round-robin' }], nodes: [NEW] };
    const told = summary(await declare(api, body, '?dry_run=true&prune=true'));
    expect(api.fleet.list().map(({ id }) => id)).toEqual([0, 1]);
    expect(api.fleet.set(0).policy).toBe('hash');
    expect(await api.events()).toEqual([]);
    expect(summary(await declare(api, body, '?prune=true'))).toEqual(told);
  });

  test('changes nothing if one entry is wrong, and says which and what', async () => {
    const api = makeApi();
    const body = {
      sets: [{ id: 0, policy: 'random' }],
      nodes: [NEW, { ...NEW, set_id: 4, wieght: 5, weight: 70_000 }],
    };
    const answer = await declare(api, body, '?prune=true');
    expect(answer).toMatchObject({ status: 400, code: 'RTPC_BAD_PARAMETER' });
    expect(answer.message).toBe('2 of 3 nodes and sets are wrong; nothing was changed');
    expect(answer.errors?.map(({ what, index, key }) => [what, index, key])).toEqual([
      ['set', 0, null],
      ['node', 1, 'wieght'],
      ['node', 1, null],
    ]);
    expect(api.fleet.list().map(({ id }) => id)).toEqual([0, 1]);
    expect(await api.events()).toEqual([]);
  });

  test('changes nothing if the database cannot be written', async () => {
    const api = makeApi();
    const makeRoom = fillDisk(api.open);
    const nodes = Array.from({ length: 400 }, (_, i) => ({ ...NEW, socket: `udp:192.168.9.9:${7000 + i}` }));
    expect(await declare(api, { nodes }, '?prune=true')).toMatchObject({
      status: 503,
      code: 'RTPC_NOT_DURABLE',
    });
    expect(api.fleet.list().map(({ id }) => id)).toEqual([0, 1]);
    makeRoom();
    expect((await declare(api, { nodes }, '?prune=true')).status).toBe(200);
    expect(api.fleet.list()).toHaveLength(400);
  });

  test('an empty declaration with prune is refused, unless there is nothing to remove', async () => {
    const api = makeApi();
    const answer = await declare(api, { nodes: [] }, '?prune=true');
    expect(answer.status).toBe(400);
    expect(answer.message).toContain('pruning would remove all 2; nothing was changed');
    expect(api.fleet.list()).toHaveLength(2);
    expect((await declare(makeApi({ nodes: [] }), {}, '?prune=true')).status).toBe(200);
  });

  test.each([
    [{ nodes: [{ ...NEW, weight: 'heavy' }] }, 'nodes.0.weight'],
    [{ nodes: [{ set_id: 1 }] }, 'nodes.0.socket'],
    [{ sets: [{}] }, 'sets.0.id'],
    [{ nodes: {} }, 'nodes'],
  ])('%j has the wrong form; the message says where', async (body, words) => {
    const answer = await declare(makeApi(), body);
    expect(answer).toMatchObject({ status: 400, code: 'RTPC_BAD_PARAMETER' });
    expect(answer.message).toContain(words);
  });

  test.each(['?prune=yes', '?dry_run=1'])('%s is refused: it would do what was not meant', async (query) => {
    const api = makeApi();
    expect((await declare(api, { nodes: [NEW] }, query)).status).toBe(400);
    expect(api.fleet.list()).toHaveLength(2);
  });
});
