import { describe, expect, test } from 'bun:test';
import type { Node } from '../../../src/domain/node.ts';
import { finding, type Report, reportOf } from '../../../src/probe/report.ts';
import { settle } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { makeApi } from './api.ts';

const REPORT = reportOf([
  {
    ...finding('media', 'warning', 'lossy', { advice: 'look', tookMs: 560.26 }),
    side: 'inner>outer',
    family: 'IP4',
  },
  finding('control', 'ok', 'answers', { tookMs: 0.44 }),
]);
const SHOWN = {
  result: 'warning',
  checks: [
    { check: 'control', side: null, family: null, result: 'ok', detail: 'answers', advice: '', took_ms: 0.4 },
    {
      check: 'media',
      side: 'inner>outer',
      family: 'IP4',
      result: 'warning',
      detail: 'lossy',
      advice: 'look',
      took_ms: 560.3,
    },
  ],
};
const NEW = { socket: 'udp:192.168.2.9:2223', inner_media_ip: '192.168.2.9', out_media_ip: '203.0.113.9' };

function makeChecked() {
  const asked: { node: Node; media: boolean }[] = [];
  const api = makeApi({
    isWatched: true,
    nodes: [makeNode(0), makeNode(1)],
    probe: {
      async check(node, { media }) {
        asked.push({ node, media });

        return REPORT;
      },
    },
  });

  return { ...api, asked };
}

async function read(response: Promise<Response>): Promise<unknown> {
  return (await response).json();
}

describe('POST /v1/nodes/check', () => {
  test('looks at a node that is not saved, as it would be saved, and saves nothing', async () => {
    const { send, asked, fleet } = makeChecked();
    expect(await read(send('POST', '/v1/nodes/check', NEW))).toEqual({
      node_id: null,
      socket: NEW.socket,
      ...SHOWN,
    });
    expect(asked).toMatchObject([
      {
        media: true,
        node: { kind: 'rtpengine', socket: NEW.socket, imposeMode: 'media-address', weight: 100 },
      },
    ]);
    expect(fleet.list()).toHaveLength(2);
  });

  test('looks at a change of a node, whose other values stay', async () => {
    const { send, asked, fleet } = makeChecked();
    const answer = await read(
      send('POST', '/v1/nodes/check', { id: 1, out_media_ip: '203.0.113.9', media: false }),
    );
    expect(answer).toMatchObject({ node_id: 1, socket: 'udp:127.0.0.1:7891' });
    expect(asked).toMatchObject([{ media: false, node: { id: 1, socket: 'udp:127.0.0.1:7891' } }]);
    expect(asked[0]?.node.mediaAddresses.map(({ address }) => address)).toEqual(['10.0.0.2', '203.0.113.9']);
    expect(fleet.get(1)?.node.mediaAddresses.map(({ address }) => address)).toEqual([
      '10.0.0.2',
      '198.51.100.2',
    ]);
  });

  test.each([
    [{}, 'socket is missing'],
    [{ socket: 'relay:1' }, 'socket is "relay:1"'],
    [{ socket: NEW.socket }, 'no media address'],
    [{ ...NEW, socket: 'udp:127.0.0.1:7890' }, 'node 0'],
  ])('refuses %j as saving it would be refused', async (body, message) => {
    const { send, asked } = makeChecked();
    const response = await send('POST', '/v1/nodes/check', body);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(((await response.json()) as { message: string }).message).toContain(message);
    expect(asked).toEqual([]);
  });
});

describe('POST /v1/nodes/{id}/check', () => {
  test('looks at the node, and has its own check made at once', async () => {
    const { ask, asked, monitor } = makeChecked();
    const before = monitor(0).count('ping');
    const response = await ask('POST', '/v1/nodes/0/check');
    expect([response.status, await response.json()]).toEqual([
      200,
      { node_id: 0, socket: 'udp:127.0.0.1:7890', ...SHOWN },
    ]);
    expect(asked).toMatchObject([{ media: true, node: { id: 0 } }]);
    expect(monitor(0).count('ping')).toBe(before + 1);
  });

  test('makes no sound if nobody wants it', async () => {
    const { send, asked } = makeChecked();
    await send('POST', '/v1/nodes/1/check', { media: false });
    expect(asked).toMatchObject([{ media: false }]);
  });

  test('knows no other nodes', async () => {
    const { ask } = makeChecked();
    expect(await read(ask('POST', '/v1/nodes/9/check'))).toMatchObject({ code: 'RTPC_NODE_UNKNOWN' });
  });

  test('looks at 8 nodes at a time, 64 wait, and who comes then is told to come again', async () => {
    const ends: (() => void)[] = [];
    const { ask } = makeApi({
      probe: {
        check: () => new Promise<Report>((resolve) => ends.push(() => resolve(REPORT))),
      },
    });
    const all = Array.from({ length: 72 }, () => ask('POST', '/v1/nodes/0/check'));
    await settle();
    expect(ends).toHaveLength(8);
    const refused = await ask('POST', '/v1/nodes/0/check');
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'RTPC_BUSY' }]);
    while (ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await settle();
    }
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
  });
});
