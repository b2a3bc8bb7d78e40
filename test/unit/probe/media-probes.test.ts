import { describe, expect, test } from 'bun:test';
import { MediaProbes } from '../../../src/probe/media-probes.ts';
import type { MediaOutcome } from '../../../src/probe/probe.ts';
import { makeCluster, makeNode } from '../../fakes/cluster.ts';
import { flush } from '../../fakes/store.ts';

const OK: MediaOutcome = { result: 'ok', lossPercent: 0, delayMs: 1, reordered: 0, reason: '' };
const LOSSY: MediaOutcome = {
  result: 'lossy',
  lossPercent: 8,
  delayMs: 1,
  reordered: 0,
  reason: '2 of 25 lost',
};
const FAILED: MediaOutcome = {
  result: 'failed',
  lossPercent: 100,
  delayMs: null,
  reordered: 0,
  reason: 'no packet came through',
};

/** Watched nodes that are up, with a probe that finds what a test says of each; those of set 1 are not wanted. */
async function probing(count = 3) {
  const cluster = makeCluster({
    isWatched: true,
    nodes: [...Array.from({ length: count }, (_, id) => makeNode(id)), makeNode(999, { setId: 1 })],
  });
  const { clock, fleet, store } = cluster;
  fleet.putSet({ ...fleet.set(0), mediaProbe: true });
  await clock.advance(3000);
  const found = new Map<number, MediaOutcome>();
  /** When each node was probed, s after the start. */
  const probed: { node: number; at: number }[] = [];
  let underWay = 0;
  let most = 0;
  /** How long one takes, ms. */
  const pace = { ms: 600 };
  const begun = clock.monotonic();
  const probes = new MediaProbes({
    fleet,
    store,
    clock,
    random: mulberry(),
    probe: {
      async media({ id }, signal) {
        probed.push({ node: id, at: (clock.monotonic() - begun) / 1000 });
        most = Math.max(most, ++underWay);
        await Promise.race([
          clock.until(clock.monotonic() + pace.ms),
          new Promise((cut) => signal?.addEventListener('abort', cut)),
        ]);
        underWay--;

        return signal?.aborted ? { result: 'unsaid', reason: 'it was cut short' } : (found.get(id) ?? OK);
      },
    },
  });
  probes.start();
  const memberOf = (id: number) => {
    const member = fleet.get(id);
    if (member === undefined) throw new Error(`there is no node ${id}`);

    return member;
  };

  return {
    ...cluster,
    probes,
    probed,
    found,
    pace,
    most: () => most,
    memberOf,
    timesOf: (id: number) => probed.filter(({ node }) => node === id).map(({ at }) => at),
    /** Events about media and ejections, oldest first. */
    async told() {
      await clock.advance(0);
      await flush(store);

      return store.events
        .list(1000, null, {
          kinds: [
            'node.media_ok',
            'node.media_lossy',
            'node.media_failed',
            'node.ejected',
            'node.not_ejected',
          ],
        })
        .reverse()
        .map(({ kind, nodeId, detail }) => ({ kind, nodeId, ...detail }));
    },
  };
}

/** Random numbers that are always the same. */
function mulberry(): () => number {
  let state = 7;

  return () => {
    state = (state * 48_271) % 2_147_483_647;

    return state / 2_147_483_647;
  };
}

describe('the media probe', () => {
  test('comes to each node of a set that wants it once a minute, 5 % more or less, and to no other', async () => {
    const { clock, timesOf, probed } = await probing();
    await clock.advance(600_000);
    for (const id of [0, 1, 2]) {
      const times = timesOf(id);
      expect(times.length).toBeWithin(9, 12);
      expect(times[0]).toBeLessThan(61);
      const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
      expect(Math.min(...gaps)).toBeGreaterThan(56);
      expect(Math.max(...gaps)).toBeLessThan(64);
    }
    expect(probed.some(({ node }) => node === 999)).toBe(false);
  });

  test('is spread over the minute after a start', async () => {
    const { clock, probed } = await probing(60);
    await clock.advance(61_000);
    const perQuarter = [0, 15, 30, 45].map(
      (from) => probed.filter(({ at }) => at >= from && at < from + 15).length,
    );
    expect(perQuarter.every((count) => count >= 5 && count <= 30)).toBe(true);
  });

  test('is at 16 nodes at a time, and each has its turn although there are too many', async () => {
    const { clock, probed, most, pace } = await probing(100);
    pace.ms = 20_000;
    await clock.advance(240_000);
    expect(most()).toBe(16);
    expect(new Set(probed.map(({ node }) => node)).size).toBe(100);
  });

  test('leaves nodes alone that are in maintenance, down, not heard of yet or removed', async () => {
    const { clock, fleet, probed, memberOf, monitor, orders } = await probing(4);
    orders.maint(0, {});
    monitor(1).all('never');
    fleet.remove(2);
    await clock.advance(5000);
    probed.length = 0;
    await clock.advance(120_000);
    expect(memberOf(1).health).toBe('down');
    expect(new Set(probed.map(({ node }) => node))).toEqual(new Set([3]));
  });

  test('goes on while a node drains: it has calls', async () => {
    const { clock, orders, timesOf } = await probing();
    await orders.drain(0, {});
    await clock.advance(120_000);
    expect(timesOf(0).length).toBeGreaterThan(0);
  });

  test('is seen at the node, and tells nothing while all is well', async () => {
    const { clock, memberOf, told } = await probing();
    await clock.advance(120_000);
    expect(memberOf(0).probe).toEqual({
      at: expect.any(Number),
      result: 'ok',
      lossPercent: 0,
      delayMs: 1,
      reordered: 0,
      reason: '',
    });
    expect(memberOf(999).probe).toBeNull();
    expect(await told()).toEqual([]);
  });

  test('ejects a node at the second call without audio, 15 s after the first, and brings it back with the first that has some', async () => {
    const { clock, found, memberOf, timesOf, told } = await probing(4);
    found.set(0, FAILED);
    await clock.advance(90_000);
    const [first = 0, second = 0, third = 0] = timesOf(0);
    expect(second - first).toBeWithin(14, 17);
    expect(third - second).toBeWithin(14, 17);
    expect(memberOf(0)).toMatchObject({ health: 'ejected', probe: { result: 'failed', lossPercent: 100 } });
    // An ejection of 30 s, and still it is out: test calls go on to fail.
    await clock.advance(60_000);
    expect(memberOf(0).health).toBe('ejected');
    found.delete(0);
    await clock.advance(20_000);
    expect(memberOf(0)).toMatchObject({ health: 'up', probe: { result: 'ok' } });
    expect(await told()).toMatchObject([
      {
        kind: 'node.media_failed',
        nodeId: 0,
        from: 'ok',
        reason: 'no packet came through',
        loss_percent: 100,
      },
      { kind: 'node.ejected', nodeId: 0, evidence: 'media-failed' },
      { kind: 'node.media_ok', nodeId: 0, from: 'failed', loss_percent: 0, delay_ms: 1 },
    ]);
  });

  test('never takes the last node, nor more than a third of a set', async () => {
    const { clock, found, memberOf, told } = await probing(3);
    for (const id of [0, 1, 2]) found.set(id, FAILED);
    await clock.advance(180_000);
    expect([0, 1, 2].filter((id) => memberOf(id).health === 'ejected')).toHaveLength(1);
    expect((await told()).filter(({ kind }) => kind === 'node.media_failed')).toHaveLength(3);
    // Once in ten minutes for each of the others, however often they fail.
    const kept = (await told()).filter(({ kind }) => kind === 'node.not_ejected');
    expect(kept).toHaveLength(2);
    expect(kept[0]).toMatchObject({
      cause: 'test calls have no audio: no packet came through',
      reason: 'set 0 has 3 nodes that are ready and 1 of them ejected; no more than a third may be',
    });
    await clock.advance(600_000);
    expect((await told()).filter(({ kind }) => kind === 'node.not_ejected')).toHaveLength(4);
  });

  test('tells of loss, which ejects nobody', async () => {
    const { clock, found, memberOf, told } = await probing(4);
    found.set(0, LOSSY);
    await clock.advance(300_000);
    expect(memberOf(0)).toMatchObject({ health: 'up', probe: { result: 'lossy', lossPercent: 8 } });
    expect(await told()).toMatchObject([
      { kind: 'node.media_lossy', nodeId: 0, from: 'ok', loss_percent: 8 },
    ]);
  });

  test('that this host could not send changes nothing', async () => {
    const { clock, found, memberOf, told, probes } = await probing(4);
    await clock.advance(61_000);
    const before = memberOf(0).probe;
    found.set(0, { result: 'unsaid', reason: 'no way' });
    await clock.advance(180_000);
    expect(memberOf(0)).toMatchObject({ health: 'up', probe: before });
    expect([await told(), probes.counters.unsaid > 1]).toEqual([[], true]);
  });

  test('that no relay answers is a matter of its checks', async () => {
    const { clock, found, memberOf, told } = await probing(4);
    found.set(0, { result: 'silent', callId: 'x', reason: 'no reply' });
    await clock.advance(180_000);
    expect(memberOf(0)).toMatchObject({ health: 'up', probe: { result: 'failed', lossPercent: null } });
    expect(memberOf(0).opinion.mediaFailures).toBe(0);
    expect((await told()).map(({ kind }) => kind)).toEqual(['node.media_failed']);
  });

  test('ends when the set does not want it any more, and its result with it', async () => {
    const { clock, fleet, memberOf, probed } = await probing();
    await clock.advance(61_000);
    fleet.putSet({ ...fleet.set(0), mediaProbe: false });
    await clock.advance(1000);
    probed.length = 0;
    await clock.advance(120_000);
    expect([probed, memberOf(0).probe]).toEqual([[], null]);
  });

  test('gives back what it took out when the set does not want it any more', async () => {
    const { clock, found, fleet, memberOf } = await probing(4);
    found.set(0, FAILED);
    await clock.advance(90_000);
    expect(memberOf(0).health).toBe('ejected');
    fleet.putSet({ ...fleet.set(0), mediaProbe: false });
    await clock.advance(2000);
    expect(memberOf(0)).toMatchObject({ health: 'up', opinion: { mediaFailures: 0 } });
  });

  test('does not let an ejection of before a restart run out while there is no audio', async () => {
    const { clock, fleet, found, memberOf } = await probing(4);
    found.set(0, FAILED);
    const member = memberOf(0);
    // As the database has it: how many failed is not in it.
    fleet.putSet({ ...fleet.set(0), mediaProbe: false });
    await clock.advance(1000);
    member.opinion = {
      ...member.opinion,
      health: 'ejected',
      since: clock.utc(),
      ejections: 1,
      ejectedUntil: clock.utc() + 16_000,
    };
    fleet.putSet({ ...fleet.set(0), mediaProbe: true });
    for (let s = 0; s < 90; s++) {
      await clock.advance(1000);
      expect(member.health).toBe('ejected');
    }
  });

  test('says nothing of a node that was changed meanwhile', async () => {
    const { clock, found, memberOf, fleet, pace, probed } = await probing(1);
    pace.ms = 2000;
    found.set(0, FAILED);
    while (probed.length === 0) await clock.advance(250);
    fleet.put([{ ...memberOf(0).node, weight: 50 }]);
    await clock.advance(3000);
    expect(memberOf(0).probe).toBeNull();
  });

  test('is cut short when the program ends, which waits for that', async () => {
    const { clock, probes, probed, pace, memberOf } = await probing();
    pace.ms = 1_000_000;
    while (probed.length === 0) await clock.advance(250);
    await probes.stop();
    const count = probed.length;
    await clock.advance(120_000);
    expect(probed).toHaveLength(count);
    expect(memberOf(probed[0]?.node ?? 0).probe).toBeNull();
  });

  test('counts what it found', async () => {
    const { clock, found, probes } = await probing(4);
    found.set(0, LOSSY).set(1, FAILED);
    await clock.advance(61_000);
    expect(probes.counters).toMatchObject({ lossy: 1, unsaid: 0 });
    expect(probes.counters.failed).toBeGreaterThan(0);
    expect(probes.counters.probes).toBeGreaterThan(3);
  });
});
