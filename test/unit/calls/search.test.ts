import { describe, expect, test } from 'bun:test';
import { turn } from '../../../src/util/clock.ts';
import { makeCluster, makeNode } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';

describe('looking for a call on the nodes', () => {
  test('all nodes are asked at once, and the one that has the call is found', async () => {
    const cluster = makeCluster({ nodes: [makeNode(0), makeNode(1), makeNode(2)] });
    cluster.relay(1).calls.add('c1');
    const found = await cluster.search.find({ callId: 'c1' });
    expect(found?.id).toBe(1);
    expect(cluster.asked()).toEqual(['0 query', '1 query', '2 query']);
    expect(cluster.search.counters).toEqual({ searches: 1, found: 1, overRate: 0 });
  });

  test('a silent node does not hold up the answer of another', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('query', 'never');
    cluster.relay(1).calls.add('c1');
    expect((await cluster.search.find({ callId: 'c1' }))?.id).toBe(1);
  });

  test('a call nobody has is unknown after 250 ms at the latest', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('query', 'never');
    let found: unknown = 'still searching';
    const search = cluster.search.find({ callId: 'c1' }).then((member) => {
      found = member;
    });
    await cluster.clock.advance(249);
    expect(found).toBe('still searching');
    await cluster.clock.advance(1);
    await search;
    expect(found).toBeUndefined();
    expect(cluster.relay(0).deadlines).toEqual([cluster.clock.now]);
  });

  test('with a set only its nodes are asked; removed nodes without calls are gone', async () => {
    const cluster = makeCluster({ nodes: [makeNode(0), makeNode(1, { setId: 5 }), makeNode(2)] });
    await cluster.search.find({ callId: 'c1' }, 5);
    expect(cluster.asked()).toEqual(['1 query']);
    cluster.fleet.remove(2);
    cluster.trace.length = 0;
    await cluster.search.find({ callId: 'c1' });
    expect(cluster.asked()).toEqual(['0 query', '1 query']);
  });

  test('a set without nodes finds nothing', async () => {
    expect(await makeCluster().search.find({ callId: 'c1' }, 99)).toBeUndefined();
  });

  test('a call is deleted wherever it is; only a node that had it answers', async () => {
    const cluster = makeCluster();
    cluster.relay(1).calls.add('c1');
    cluster.relay(0).next('delete', { result: 'ok', warning: 'Call-ID not found' });
    cluster.relay(1).next('delete', { result: 'ok', total: 1 });
    expect(await cluster.search.deleteEverywhere({ callId: 'c1' })).toEqual({ result: 'ok', total: 1 });
    expect(await cluster.search.deleteEverywhere({ callId: 'c1' })).toBeUndefined();
  });

  test('is asked for, and deleted, with the tags of its parties: some relays know a call by one of them only', async () => {
    const cluster = makeCluster();
    const call = { callId: 'c1', tags: ['A', 'B'] };
    await cluster.search.find(call);
    await cluster.search.deleteEverywhere(call);
    for (const id of [0, 1]) {
      expect(cluster.relay(id).queries).toEqual([{ ...call, fromTag: undefined }]);
      expect(cluster.relay(id).deletes).toEqual([call]);
    }
  });

  test('a node that fails counts as not having the call', async () => {
    const cluster = makeCluster();
    cluster.relay(0).next('query', fails('unreachable'));
    cluster.relay(1).next('query', fails('garbled'));
    expect(await cluster.search.find({ callId: 'c1' })).toBeUndefined();
  });

  test('1000 questions may come at once; beyond, nodes are not asked, and 500 a second come back', async () => {
    const cluster = makeCluster({ nodes: Array.from({ length: 10 }, (_, id) => makeNode(id)) });
    for (let i = 0; i < 120; i++) await cluster.search.find({ callId: `c${i}` });
    expect(cluster.trace.length).toBe(1000);
    expect(cluster.search.counters.overRate).toBe(20);
    await cluster.clock.advance(1000);
    for (let i = 0; i < 60; i++) await cluster.search.deleteEverywhere({ callId: `d${i}` });
    expect(cluster.trace.length).toBe(1500);
  });

  test('of more nodes than may be asked in a second all are asked, and then nobody for a while', async () => {
    const cluster = makeCluster({ nodes: Array.from({ length: 1200 }, (_, id) => makeNode(id)) });
    expect(await cluster.search.find({ callId: 'c1' })).toBeUndefined();
    expect(cluster.trace.length).toBe(1200);
    await cluster.search.find({ callId: 'c2' });
    expect(cluster.trace.length).toBe(1200);
  });

  test('of many nodes 50 are asked at a time, then others have their turn, until all were asked', async () => {
    const cluster = makeCluster({ nodes: Array.from({ length: 120 }, (_, id) => makeNode(id)) });
    cluster.relay(119).calls.add('c1');
    const found = cluster.search.find({ callId: 'c1' });
    const asked = [cluster.trace.length];
    for (let i = 0; i < 2; i++) {
      await turn();
      asked.push(cluster.trace.length);
    }
    expect(asked).toEqual([50, 100, 120]);
    expect((await found)?.id).toBe(119);
    expect(new Set(cluster.trace.map(({ node }) => node)).size).toBe(120);
  });

  test('the search for a call of which the first nodes are silent ends in time for all', async () => {
    const cluster = makeCluster({ nodes: Array.from({ length: 120 }, (_, id) => makeNode(id)) });
    for (let id = 0; id < 120; id++) cluster.relay(id).always('query', 'never');
    const begun = cluster.clock.now;
    const found = cluster.search.find({ callId: 'c1' });
    await cluster.clock.advance(250);
    expect(await found).toBeUndefined();
    expect(new Set(cluster.relay(119).deadlines)).toEqual(new Set([begun + 250]));
  });
});
