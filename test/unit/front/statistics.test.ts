import { describe, expect, test } from 'bun:test';
import { mergedStatistics } from '../../../src/front/statistics.ts';
import type { NgDict, RelayStatistics } from '../../../src/relay/driver.ts';
import { encodeText } from '../../../src/relay/ng/bencode.ts';
import { innerOf, makeNode } from '../../fakes/cluster.ts';
import { QUIET } from '../../fakes/monitor.ts';
import { type Front, makeFront, OFFER } from './front.ts';

/** A node tells its figures now. */
function tell({ fleet, clock, calls }: Front, id: number, changes: Partial<RelayStatistics> = {}): void {
  const member = fleet.get(id);
  if (member === undefined) throw new Error(`there is no node ${id}`);
  member.figures = {
    ...QUIET,
    ...changes,
    at: clock.monotonic(),
    ourCalls: calls.countOn(id),
    ourSessions: calls.sessionsOn(id),
  };
}

const ofNodes = async (front: Front, setId = 0): Promise<NgDict> =>
  (await front.ask({ command: 'statistics' }, setId)).statistics as NgDict;

describe('statistics', () => {
  test('are sums over the nodes of the set, in the structure and the types of rtpengine', async () => {
    const front = makeFront({ nodes: [makeNode(0), makeNode(1), makeNode(2, { setId: 1 })] });
    tell(front, 0, {
      uptimeS: 500,
      sessions: 3,
      packetsPerS: 10.4,
      bytesPerS: 1720,
      errorsPerS: 1,
      rejected: 2,
    });
    tell(front, 1, {
      uptimeS: 90,
      sessions: 4,
      packetsPerS: 20.3,
      bytesPerS: 100,
      errorsPerS: 0,
      rejected: 5,
    });
    tell(front, 2, { sessions: 100 });
    const reply = await front.ask({ command: 'statistics' });
    expect(reply).toEqual({
      result: 'ok',
      statistics: {
        currentstatistics: {
          sessionsown: 7,
          sessionsforeign: 0,
          sessionstotal: 7,
          packetrate: 31,
          byterate: 1820,
          errorrate: 1,
        },
        totalstatistics: { uptime: '90', rejectedsessions: 7 },
        interfaces: [0, 1].map((id) => ({
          name: `node ${id}`,
          address: innerOf(id),
          ports: { used: 0, used_pct: '0.00', free: 10_000, totals: 10_000 },
        })),
      },
    });
    expect(encodeText(reply)).toStartWith('d');
    expect(front.asked()).toEqual([]);
    expect(await ofNodes(front, 1)).toMatchObject({ currentstatistics: { sessionsown: 100 } });
  });

  test('count our calls as they are now, and the ports they take', async () => {
    const front = makeFront({ nodes: [makeNode(0)] });
    tell(front, 0, { sessions: 1, ports: { free: 99, total: 103 } });
    await front.ask(OFFER);
    expect(await ofNodes(front)).toMatchObject({
      currentstatistics: { sessionsown: 2, sessionstotal: 2 },
      interfaces: [{ ports: { used: 8, used_pct: '7.77', free: 95, totals: 103 } }],
    });
  });

  test('let the uptime go on between two looks', async () => {
    const front = makeFront();
    tell(front, 0, { uptimeS: 10 });
    tell(front, 1, { uptimeS: null });
    await front.clock.advance(5900);
    expect(await ofNodes(front)).toMatchObject({ totalstatistics: { uptime: '15' } });
  });

  test('say nothing of nodes that told nothing lately, but for our calls', async () => {
    const front = makeFront();
    tell(front, 0, { sessions: 5, packetsPerS: 9 });
    await front.clock.advance(60_000);
    await front.ask(OFFER);
    const empty = { packetrate: 0, byterate: 0, errorrate: 0 };
    expect(await ofNodes(front)).toEqual({
      currentstatistics: { sessionsown: 1, sessionsforeign: 0, sessionstotal: 1, ...empty },
      totalstatistics: { uptime: '0', rejectedsessions: 0 },
      interfaces: [],
    });
    expect(await ofNodes(front, 7)).toMatchObject({ currentstatistics: { sessionsown: 0 } });
  });

  test('take what a relay does not tell for 0', async () => {
    const front = makeFront({ nodes: [makeNode(0)] });
    tell(front, 0, {
      uptimeS: null,
      ports: null,
      packetsPerS: null,
      bytesPerS: null,
      errorsPerS: null,
      rejected: null,
    });
    expect(await ofNodes(front)).toMatchObject({
      currentstatistics: { packetrate: 0, byterate: 0, errorrate: 0 },
      totalstatistics: { uptime: '0', rejectedsessions: 0 },
      interfaces: [],
    });
  });

  test('of a large fleet fit into a datagram, with the fullest nodes', () => {
    const front = makeFront({ nodes: Array.from({ length: 400 }, (_, id) => makeNode(id)) });
    for (let id = 0; id < 400; id++) tell(front, id, { ports: { free: 60_000 - id, total: 65_000 } });
    const statistics = mergedStatistics(front.fleet.membersOf(0), front.clock.monotonic());
    const interfaces = statistics.interfaces as NgDict[];
    expect(interfaces).toHaveLength(256);
    expect(interfaces[0]).toMatchObject({ name: 'node 399' });
    expect(encodeText(statistics).length).toBeLessThan(60_000);
    expect(JSON.stringify(statistics).length).toBeLessThan(60_000);
  });
});
