import { describe, expect, test } from 'bun:test';
import { version } from '../../../src/util/version.ts';
import { makeNode, phoneSdp } from '../../fakes/cluster.ts';
import { fillDisk, flush } from '../../fakes/store.ts';
import { type Api, makeApi } from './api.ts';

interface Overview {
  readonly [key: string]: unknown;
  readonly totals: Readonly<Record<string, unknown>>;
  readonly sets: readonly Readonly<Record<string, unknown>>[];
}

const overview = async (api: Api): Promise<Overview> =>
  (await (await api.ask('GET', '/v1/overview')).json()) as Overview;
const place = (api: Api, callId: string, set: number) =>
  api.post(`/v1/media/offer?call-id=${callId}&from-tag=A&dir=out&set=${set}`, phoneSdp('10.9.9.9'));

describe('/v1/overview', () => {
  test('of a fleet that nobody asked anything yet says what is known, and null for the rest', async () => {
    const api = makeApi();
    const sums = {
      nodes: 2,
      nodes_up: 2,
      calls: 0,
      sessions: null,
      ports_in_use: null,
      ports_total: null,
      placed_per_s: null,
    };
    expect(await overview(api)).toEqual({
      at: api.clock.utc(),
      version,
      started_at: api.clock.utc(),
      database: 'ok',
      totals: {
        ...sums,
        requests_per_s: null,
        failed_per_s: null,
        p50_ms: null,
        p99_ms: null,
        loop_delay_ms: null,
        commit_ms: null,
      },
      sets: [
        {
          id: 0,
          description: '',
          policy: 'hash',
          media_probe: false,
          ...sums,
          nodes_ready: 2,
          probes_failed: 0,
          is_in_panic: false,
        },
      ],
    });
  });

  test('sums up the nodes of each set and of all', async () => {
    const api = makeApi({ nodes: [makeNode(0), makeNode(1, { setId: 5 }), makeNode(2, { setId: 5 })] });
    for (const member of api.fleet.list(5))
      member.figures = {
        ...{ uptimeS: 1, sessions: 3, growing: [], ports: { free: 60, total: 100 } },
        ...{ packetsPerS: 1, bytesPerS: 1, errorsPerS: 0, rejected: 0, version: null },
        ...{ at: api.clock.monotonic(), ourCalls: 0, ourSessions: 0 },
      };
    const down = api.fleet.get(2);
    if (down !== undefined) down.opinion = { ...down.opinion, health: 'down' };
    await api.send('POST', '/v1/nodes/1/drain', {});
    const silent = api.fleet.get(1);
    if (silent !== undefined)
      silent.probe = {
        at: 1,
        result: 'failed',
        lossPercent: 100,
        delayMs: null,
        reordered: 0,
        reason: 'no packet came',
      };
    await api.send('PUT', '/v1/sets/5', { description: 'far away', policy: 'round-robin' });
    expect((await place(api, 'c1', 0)).status).toBe(200);
    const { totals, sets } = await overview(api);
    expect(totals).toMatchObject({
      nodes: 3,
      nodes_up: 2,
      calls: 1,
      sessions: 6,
      ports_in_use: 80,
      ports_total: 200,
    });
    expect(sets).toMatchObject([
      { id: 0, nodes: 1, nodes_up: 1, nodes_ready: 1, probes_failed: 0, calls: 1, sessions: null },
      {
        id: 5,
        nodes: 2,
        nodes_up: 1,
        nodes_ready: 0,
        probes_failed: 1,
        calls: 0,
        sessions: 6,
        description: 'far away',
        policy: 'round-robin',
      },
    ]);
  });

  test('has the rates of the last sample', async () => {
    const api = makeApi();
    for (const callId of ['c1', 'c2', 'c3']) await place(api, callId, 0);
    await place(api, 'c4', 9);
    await api.clock.advance(10_000);
    const { totals, sets } = await overview(api);
    expect(totals).toMatchObject({
      placed_per_s: 0.3,
      requests_per_s: 0.4,
      failed_per_s: 0.1,
      p50_ms: expect.any(Number),
      p99_ms: expect.any(Number),
      loop_delay_ms: 2,
      commit_ms: 1,
    });
    expect(sets).toMatchObject([{ placed_per_s: 0.3 }]);
    const { nodes } = (await (await api.ask('GET', '/v1/nodes')).json()) as {
      nodes: { placed_per_s: number }[];
    };
    expect(nodes.reduce((sum, node) => sum + node.placed_per_s, 0)).toBeCloseTo(0.3);
    await api.clock.advance(10_000);
    expect((await overview(api)).totals).toMatchObject({ placed_per_s: 0, requests_per_s: 0, p50_ms: null });
  });

  test('says why the database cannot be written', async () => {
    const api = makeApi();
    const makeRoom = fillDisk(api.open);
    for (let index = 0; index < 200; index++) api.store.event('test.filler', { text: 'x'.repeat(500) });
    await flush(api.store);
    expect((await overview(api)).database).toContain('the disk is full');
    makeRoom();
  });

  test('shows a set without nodes that somebody described', async () => {
    const api = makeApi({ nodes: [] });
    await api.send('PUT', '/v1/sets/7', { description: 'soon' });
    const { totals, sets } = await overview(api);
    expect(totals).toMatchObject({ nodes: 0, calls: 0, sessions: null });
    expect(sets).toMatchObject([{ id: 7, description: 'soon', nodes: 0, ports_total: null }]);
  });
});
