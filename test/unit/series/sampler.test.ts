import { describe, expect, test } from 'bun:test';
import type { Member } from '../../../src/fleet/member.ts';
import { FLEET_RULES, NODE_RULES } from '../../../src/series/columns.ts';
import { Sampler } from '../../../src/series/sampler.ts';
import type { SampleRow } from '../../../src/store/sample-rows.ts';
import { type Cluster, makeCluster, makeNode, phoneSdp, sip } from '../../fakes/cluster.ts';

/** The tests begin at 08:16:40, in the summary that ends at 08:20:00. */
const FIRST_END = 1_800_001_200_000;

interface Sampled extends Cluster {
  readonly sampler: Sampler;
  /** What was given to the database so far. */
  readonly rows: SampleRow[];
}

function sampled(nodes = [makeNode(0), makeNode(1)]): Sampled {
  const cluster = makeCluster({ nodes });
  const rows: SampleRow[] = [];
  const sampler = new Sampler({
    fleet: cluster.fleet,
    store: {
      writeSamples: (slice) => {
        rows.push(...slice);

        return true;
      },
    },
    counts: cluster.meter,
    delays: { loop: () => 0.002, commit: () => 0.5 },
    clock: cluster.clock,
  });

  return { ...cluster, sampler, rows };
}

const nodeColumn = (name: string): number => NODE_RULES.findIndex((rule) => rule.name === name);
const fleetColumn = (name: string): number => FLEET_RULES.findIndex((rule) => rule.name === name);

/** The newest values of a column, oldest first. */
function newest({ sampler }: Sampled, nodeId: number | null, name: string, count = 1): unknown {
  const column = nodeId === null ? fleetColumn(name) : nodeColumn(name);

  return sampler.ringOf(nodeId)?.read(column).slice(-count);
}

function figures(member: Member | undefined, at: number, changes = {}): void {
  if (member === undefined) throw new Error('no such node');
  member.figures = {
    ...{ uptimeS: 1, sessions: 7, growing: [], ports: { free: 60, total: 100 }, packetsPerS: 500 },
    ...{ bytesPerS: 1, errorsPerS: 2, rejected: 0, version: null, at, ourCalls: 0, ourSessions: 0 },
    ...changes,
  };
}

const place = ({ requests }: Cluster, callId: string) =>
  requests.auto(sip({ method: 'INVITE', callId }, phoneSdp('10.9.9.9')));

describe('a sample', () => {
  test('is taken every 10 s', async () => {
    const cluster = sampled();
    await cluster.clock.advance(9999);
    expect(cluster.sampler.ringOf(0)).toBeUndefined();
    await cluster.clock.advance(1);
    expect(newest(cluster, 0, 'up', 2)).toEqual([Number.NaN, 1]);
    await cluster.clock.advance(10_000);
    expect([newest(cluster, 0, 'up', 3), cluster.sampler.at]).toEqual([
      [Number.NaN, 1, 1],
      cluster.clock.utc(),
    ]);
  });

  test('of a node has what it is and what it says of itself', async () => {
    const cluster = sampled();
    const member = cluster.fleet.get(0);
    figures(member, cluster.clock.monotonic());
    if (member !== undefined) {
      member.rttMs = 1.5;
      member.probe = {
        ...{ at: cluster.clock.utc(), result: 'lossy', lossPercent: 4, delayMs: 0.5 },
        ...{ reordered: 0, reason: 'some' },
      };
    }
    await cluster.clock.advance(10_000);
    const values = NODE_RULES.map(({ name }) => [name, (newest(cluster, 0, name) as number[])[0]]);
    expect(Object.fromEntries(values)).toEqual({
      up: 1,
      calls: 0,
      sessions: 7,
      ports_in_use: 40,
      ports_total: 100,
      placed_per_s: 0,
      packets_per_s: 500,
      errors_per_s: 2,
      rtt_ms: 1.5,
      probe_loss: 4,
      probe_delay_ms: 0.5,
    });
    await cluster.clock.advance(150_000);
    expect(newest(cluster, 0, 'probe_loss', 3)).toEqual([4, Number.NaN, Number.NaN]);
  });

  test('knows nothing of figures that are old, nor of the time a dead node would take', async () => {
    const cluster = sampled();
    const member = cluster.fleet.get(0);
    figures(member, cluster.clock.monotonic() - 60_000);
    if (member !== undefined) {
      member.rttMs = 1.5;
      member.opinion = { ...member.opinion, health: 'down' };
    }
    await cluster.clock.advance(10_000);
    for (const name of ['sessions', 'ports_in_use', 'ports_total', 'packets_per_s', 'errors_per_s', 'rtt_ms'])
      expect([name, newest(cluster, 0, name)]).toEqual([name, [Number.NaN]]);
    expect(newest(cluster, 0, 'calls')).toEqual([0]);
  });

  test('has rates from the difference of counters', async () => {
    const cluster = sampled();
    for (const callId of ['c1', 'c2', 'c3', 'c4']) await place(cluster, callId);
    await cluster.clock.advance(10_000);
    const placed = [0, 1].map((id) => (newest(cluster, id, 'placed_per_s') as number[])[0] ?? 0);
    expect((placed[0] ?? 0) + (placed[1] ?? 0)).toBeCloseTo(0.4);
    expect(cluster.sampler.fleet()).toMatchObject({
      placed_per_s: 0.4,
      requests_per_s: 0.4,
      failed_per_s: 0,
    });
    expect(cluster.sampler.placedPerS(0)).toBeCloseTo(placed[0] ?? -1);
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.fleet()).toMatchObject({
      placed_per_s: 0,
      requests_per_s: 0,
      p50_ms: null,
      p99_ms: null,
    });
  });

  test('counts a call that failed', async () => {
    const cluster = sampled([]);
    await place(cluster, 'c1');
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.fleet()).toMatchObject({
      requests_per_s: 0.1,
      failed_per_s: 0.1,
      placed_per_s: 0,
    });
  });

  test('says the share of the time in which a node was up, as it changed between two', async () => {
    const cluster = sampled();
    const member = cluster.fleet.get(0);
    const become = (health: 'up' | 'down'): void => {
      if (member !== undefined) member.opinion = { ...member.opinion, health, since: cluster.clock.utc() };
    };
    await cluster.clock.advance(10_000);
    await cluster.clock.advance(4000);
    become('down');
    await cluster.clock.advance(16_000);
    await cluster.clock.advance(9000);
    become('up');
    await cluster.clock.advance(11_000);
    const shares = newest(cluster, 0, 'up', 5) as number[];
    expect(shares.map((share) => Math.round(share * 10) / 10)).toEqual([1, 0.4, 0, 0.1, 1]);
  });

  test('of the fleet counts what is up, removed nodes with calls left out', async () => {
    const cluster = sampled();
    await place(cluster, 'c1');
    const nodeId = cluster.calls.get('c1')?.nodeId ?? -1;
    expect(cluster.fleet.remove(nodeId)).toBeUndefined();
    await cluster.clock.advance(10_000);
    expect([newest(cluster, null, 'nodes_up'), newest(cluster, null, 'calls')]).toEqual([[1], [1]]);
    expect([newest(cluster, null, 'loop_delay_ms'), newest(cluster, null, 'commit_ms')]).toEqual([
      [2],
      [500],
    ]);
  });

  test('of a node is forgotten with it, and another relay under its id begins anew', async () => {
    const cluster = sampled();
    await cluster.clock.advance(20_000);
    cluster.fleet.remove(0);
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.ringOf(0)).toBeUndefined();
    cluster.fleet.put([makeNode(1, { socket: 'udp:127.0.0.1:9999' })]);
    await cluster.clock.advance(10_000);
    expect(newest(cluster, 1, 'up', 2)).toEqual([Number.NaN, expect.any(Number)]);
  });

  test('counts what was placed on a node before its first sample, and nothing of who had its id before', async () => {
    const cluster = sampled([]);
    await cluster.clock.advance(10_000);
    cluster.fleet.put([makeNode(4)]);
    for (const member of cluster.fleet.all()) member.opinion = { ...member.opinion, health: 'up' };
    for (const callId of ['c1', 'c2']) await place(cluster, callId);
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.placedPerS(4)).toBe(0.2);
    cluster.fleet.put([makeNode(4, { socket: 'udp:127.0.0.1:9999' })]);
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.placedPerS(4)).toBe(0);
    for (const callId of ['c1', 'c2'])
      await cluster.requests.auto(sip({ method: 'BYE', callId, fromTag: 'A', toTag: 'B' }));
    cluster.fleet.remove(4);
    await cluster.clock.advance(20_000);
    expect(cluster.sampler.placedPerS(4)).toBeNull();
    cluster.fleet.put([makeNode(4)]);
    await cluster.clock.advance(10_000);
    expect(cluster.sampler.placedPerS(4)).toBe(0);
  });

  test('after a pause leaves out the steps of the pause', async () => {
    const cluster = sampled();
    await cluster.clock.advance(20_000);
    // The timer comes late, and once.
    cluster.clock.now += 35_000;
    await cluster.clock.advance(0);
    const { NaN: unknown } = Number;
    expect(newest(cluster, null, 'nodes_up', 6)).toEqual([2, 2, unknown, unknown, unknown, 2]);
  });
});

describe('a summary', () => {
  test('goes to the database at each multiple of 5 minutes, with the means of it', async () => {
    const cluster = sampled([makeNode(0)]);
    const member = cluster.fleet.get(0);
    // 20 samples until 08:20:00: the first half with an RTT of 1 ms, the other with 3 ms.
    if (member !== undefined) member.rttMs = 1;
    await cluster.clock.advance(100_000);
    if (member !== undefined) member.rttMs = 3;
    await cluster.clock.advance(100_000);
    expect([cluster.clock.utc(), cluster.rows]).toEqual([FIRST_END, []]);
    if (member !== undefined) member.rttMs = 100;
    await cluster.clock.advance(10_100);
    expect(cluster.rows.map(({ nodeId, at }) => [nodeId, at])).toEqual([
      [null, FIRST_END],
      [0, FIRST_END],
    ]);
    expect(cluster.rows[1]?.values[nodeColumn('rtt_ms')]).toBe(2);
    expect(cluster.rows[1]?.values[nodeColumn('probe_loss')]).toBeNull();
    await cluster.clock.advance(300_000);
    expect(cluster.rows.slice(2).map(({ at }) => at)).toEqual([FIRST_END + 300_000, FIRST_END + 300_000]);
    expect(cluster.rows[3]?.values[nodeColumn('rtt_ms')]).toBe(100);
  });

  test('is written a few rows at a time', async () => {
    const cluster = sampled(Array.from({ length: 120 }, (_, id) => makeNode(id)));
    await cluster.clock.advance(210_000);
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      await cluster.clock.advance(100);
      counts.push(cluster.rows.length);
    }
    expect(counts).toEqual([50, 100, 121, 121]);
    expect(new Set(cluster.rows.map(({ nodeId }) => nodeId)).size).toBe(121);
  });

  test('of a node that goes before its turn comes is not written, least of all for another one with its id', async () => {
    const cluster = sampled(Array.from({ length: 60 }, (_, id) => makeNode(id)));
    await cluster.clock.advance(210_000);
    for (const id of [57, 58]) cluster.fleet.remove(id);
    cluster.fleet.put([makeNode(58, { socket: 'udp:127.0.0.1:9999' })]);
    await cluster.clock.advance(1000);
    const ids = cluster.rows.map(({ nodeId }) => nodeId);
    expect(ids).toHaveLength(59);
    expect(ids.filter((id) => id === 57 || id === 58)).toEqual([]);
  });

  test('of the time until a stop is written then, with the time of the last sample', async () => {
    const cluster = sampled([makeNode(0)]);
    await cluster.clock.advance(45_000);
    cluster.sampler.stop();
    const at = cluster.clock.utc() - 5000;
    expect(cluster.rows.map((row) => [row.nodeId, row.at])).toEqual([
      [null, at],
      [0, at],
    ]);
    await cluster.clock.advance(600_000);
    expect(cluster.rows).toHaveLength(2);
  });

  test('is none if there was no sample', async () => {
    const cluster = sampled();
    await cluster.clock.advance(9000);
    cluster.sampler.stop();
    expect(cluster.rows).toEqual([]);
  });

  test.each([
    ['forward', 3_600_000],
    ['back', -3_600_000],
  ])('ends with a clock that is set %s, and the next one begins with the new time', async (_, step) => {
    const cluster = sampled([makeNode(0)]);
    await cluster.clock.advance(50_000);
    cluster.clock.utcStep = step;
    await cluster.clock.advance(10_100);
    await cluster.clock.advance(300_000);
    const times = [...new Set(cluster.rows.map(({ at }) => at))];
    expect(times).toEqual([FIRST_END, FIRST_END + step]);
  });
});

describe('when the disk takes nothing', () => {
  test('summaries are dropped and counted, and none waits', async () => {
    const cluster = makeCluster();
    const sampler = new Sampler({
      fleet: cluster.fleet,
      store: { writeSamples: () => false },
      counts: cluster.meter,
      delays: { loop: () => 0, commit: () => 0 },
      clock: cluster.clock,
    });
    await cluster.clock.advance(600_000);
    expect([sampler.counters, sampler.waiting]).toEqual([{ written: 0, dropped: 6 }, 0]);
    sampler.stop();
  });
});
