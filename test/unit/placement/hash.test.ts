import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { byHash, LOAD_BOUND } from '../../../src/placement/hash.ts';
import type { Candidate } from '../../../src/placement/policy.ts';
import { candidateLists, describePolicy, nodes, numbers } from '../../suites/policy.ts';

describePolicy('byHash', () => byHash);

/**
 * Calls in a sample. A share p strays by 1 % of all calls with a probability that is greatest at p = 1/2, where its
 * standard deviation is 0.5 / sqrt(N): 0.16 % here, so 1 % is more than six of them. And the samples are always the same.
 */
const N = 100_000;

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

const random = numbers(20_261_123);
const STYLES: Readonly<Record<string, (index: number) => string>> = {
  uuid: () => {
    const [a = '', b = '', c = '', d = ''] = [random(), random(), random(), random()].map(hex);

    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(0, 3)}-${c.slice(3)}${d.slice(0, 7)}@10.0.0.9`;
  },
  sipp: (index) => `${index + 1}-12345@10.0.0.9`,
  sequential: (index) => String(1_000_000_000 + index),
};
const SAMPLES = Object.entries(STYLES).map(
  ([style, make]) => [style, Array.from({ length: N }, (_, index) => make(index))] as const,
);

function first(callId: string, list: readonly Candidate[]): number {
  return byHash(callId, list)[0]?.id ?? -1;
}

describe.each(SAMPLES)('with %s Call-IDs', (_, callIds) => {
  test.each([
    [[200, 100, 50, 50]],
    [[100, 100, 100]],
    [[4000, 4000]],
    [[1, 65_535]],
    [[1, 1, 1, 1, 1, 1, 1]],
  ])('weights %p come out within 1 %% of all calls', (weights) => {
    const list = nodes(...weights);
    const counts = weights.map(() => 0);
    for (const callId of callIds) {
      const id = first(callId, list);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [id, weight] of weights.entries()) {
      expect(Math.abs((counts[id] ?? 0) / N - weight / total)).toBeLessThan(0.01);
    }
  });

  test('a node that is added takes its share, and nothing moves between the others', () => {
    const before = nodes(100, 100, 100);
    const after = nodes(100, 100, 100, 100);
    let moved = 0;
    let astray = 0;
    for (const callId of callIds) {
      const [was, is] = [first(callId, before), first(callId, after)];
      if (was !== is) moved++;
      if (was !== is && is !== 3) astray++;
    }
    expect(astray).toBe(0);
    expect(moved / N).toBeLessThanOrEqual(0.26);
    expect(moved / N).toBeGreaterThanOrEqual(0.24);
  });

  test('the calls of a node that is removed spread over the others as their weights say', () => {
    const before = nodes(100, 100, 200, 100);
    const after = before.filter(({ id }) => id !== 3);
    const gained = [0, 0, 0];
    let astray = 0;
    for (const callId of callIds) {
      const [was, is] = [first(callId, before), first(callId, after)];
      if (was === 3) gained[is] = (gained[is] ?? 0) + 1;
      else if (was !== is) astray++;
    }
    const all = gained.reduce((sum, count) => sum + count, 0);
    expect(astray).toBe(0);
    expect(gained.map((count) => Math.round((count / all) * 20) / 20)).toEqual([0.25, 0.25, 0.5]);
  });

  test('the second choice is spread by weight as well', () => {
    const list = nodes(100, 100, 100);
    const counts = [0, 0, 0];
    for (const callId of callIds) {
      const id = byHash(callId, list)[1]?.id ?? -1;
      counts[id] = (counts[id] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count / N - 1 / 3)).toBeLessThan(0.01);
  });
});

test.each([[[200, 100, 50, 50]], [[100, 100, 100]], [[4000, 4000]]])(
  'weights %p come out within 1 %% of each share',
  (weights) => {
    const list = nodes(...weights);
    const counts = weights.map(() => 0);
    // Of a share of 1/8, one standard deviation is 0.26 % in a million calls.
    const calls = 1_000_000;
    for (let index = 0; index < calls; index++) {
      const id = first(`${index}-12345@10.0.0.9`, list);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [id, weight] of weights.entries()) {
      expect(Math.abs(((counts[id] ?? 0) / calls) * (total / weight) - 1)).toBeLessThan(0.01);
    }
  },
);

test('a fifth node beside four equal ones takes at most 21 % of the calls, and none move between the four', () => {
  const before = nodes(100, 100, 100, 100);
  const after = nodes(100, 100, 100, 100, 100);
  const moves = Array.from({ length: N }, (_, index) => [
    first(`${index}`, before),
    first(`${index}`, after),
  ]);
  const moved = moves.filter(([was, is]) => was !== is);
  expect(moved.filter(([, is]) => is !== 4)).toEqual([]);
  expect(moved.length / N).toBeLessThanOrEqual(0.21);
});

describe('with bounded load', () => {
  test('a node with more than 125 % of its share comes after the others, which keep their order', () => {
    for (let index = 0; index < 200; index++) {
      const idle = nodes(100, 100, 100, 100);
      const busy = idle.map((node) => ({ ...node, load: node.id === 2 ? 130 : 90 }));
      const expected = [
        ...byHash(`c${index}`, idle).filter(({ id }) => id !== 2),
        ...idle.filter(({ id }) => id === 2),
      ];
      expect(byHash(`c${index}`, busy).map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    }
  });

  test('nodes that are all below 125 % come in the order they have without load', () => {
    for (let index = 0; index < 200; index++) {
      const busy = nodes(100, 100, 100, 100).map((node) => ({ ...node, load: 90 + 10 * node.id }));
      expect(byHash(`c${index}`, busy).map(({ id }) => id)).toEqual(
        byHash(`c${index}`, nodes(100, 100, 100, 100)).map(({ id }) => id),
      );
    }
  });

  test('the bound counts the call that is placed, and is rounded up', () => {
    // 125 % of a quarter of 16 calls and this one are 5.3, so six calls are allowed and the node with five may win.
    const busy = nodes(100, 100, 100, 100).map((node, id) => ({ ...node, load: [5, 4, 4, 3][id] ?? 0 }));
    const winners = Array.from({ length: 100 }, (_, index) => first(`c${index}`, busy));
    expect(winners).toContain(0);
  });

  test('the share goes by weight', () => {
    const big = { id: 0, socket: 'udp:10.0.0.1:7890', weight: 300, load: 300 };
    const small = { id: 1, socket: 'udp:10.0.0.2:7890', weight: 100, load: 150 };
    for (let index = 0; index < 100; index++) expect(first(`c${index}`, [small, big])).toBe(0);
  });

  test('no call takes a node above its bound, for any nodes and loads', () => {
    fc.assert(
      fc.property(fc.string(), candidateLists(2), (callId, list) => {
        const whole = list.map((node) => ({ ...node, load: Math.floor(node.load) }));
        const load = whole.reduce((sum, node) => sum + node.load, 1);
        const weight = whole.reduce((sum, node) => sum + node.weight, 0);
        const chosen = byHash(callId, whole)[0];
        const bound = Math.ceil((LOAD_BOUND * load * (chosen?.weight ?? 0)) / weight);
        expect(chosen?.load).toBeLessThan(bound);
      }),
    );
  });

  test('no node ever has more, though every Call-ID would rather go to one of them', () => {
    const list = nodes(100, 100, 200);
    const callIds = Array.from({ length: 5000 }, (_, index) => `${index}`).filter(
      (callId) => first(callId, nodes(100, 100, 200)) === 0,
    );
    for (const [index, callId] of callIds.entries()) {
      const chosen = byHash(callId, list)[0];
      if (chosen !== undefined) chosen.load++;
      for (const { load, weight } of list) {
        expect(load).toBeLessThanOrEqual(Math.ceil((LOAD_BOUND * (index + 1) * weight) / 400));
      }
    }
    // A quarter is its share, and it is at its bound all the time.
    expect((list[0]?.load ?? 0) / callIds.length).toBeCloseTo(0.25 * LOAD_BOUND, 2);
  });
});

describe('placement by hash', () => {
  const list = candidateLists(2).map((all) => all.map((node) => ({ ...node, load: 0 })));

  test('gives the same order for the same call and nodes, in whatever order they come', () => {
    // Whole numbers: sums of others depend on the order by a last digit.
    const whole = candidateLists().map((all) =>
      all.map((node) => ({ ...node, weight: Math.ceil(node.weight), load: Math.floor(node.load) })),
    );
    fc.assert(
      fc.property(fc.string(), whole, fc.infiniteStream(fc.nat()), (call, all, keys) => {
        const order = new Map(all.map((candidate) => [candidate, Number(keys.next().value)]));
        const shuffled = [...all].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
        expect(byHash(call, shuffled)).toEqual(byHash(call, all));
      }),
    );
  });

  test('without one node keeps the order of the rest, for any call and any nodes', () => {
    fc.assert(
      fc.property(fc.string(), list, fc.nat(), (callId, all, index) => {
        const gone = all[index % all.length];
        const rest = byHash(
          callId,
          all.filter((node) => node !== gone),
        );
        expect(rest).toEqual(byHash(callId, all).filter((node) => node !== gone));
      }),
    );
  });

  test('with more weight never moves a node back', () => {
    fc.assert(
      fc.property(fc.string(), list, fc.nat(), (callId, all, index) => {
        const chosen = all[index % all.length];
        const place = (all: readonly Candidate[]) =>
          byHash(callId, all).findIndex(({ id }) => id === chosen?.id);
        const heavier = all.map((node) => (node === chosen ? { ...node, weight: node.weight + 1000 } : node));
        expect(place(heavier)).toBeLessThanOrEqual(place(all));
      }),
    );
  });

  test('goes by socket, not by the id a database gave', () => {
    const here = nodes(100, 50, 200);
    const elsewhere = here.map((node) => ({ ...node, id: 90 - node.id }));
    for (let index = 0; index < 200; index++) {
      expect(byHash(`c${index}`, elsewhere).map(({ socket }) => socket)).toEqual(
        byHash(`c${index}`, here).map(({ socket }) => socket),
      );
    }
  });

  test('gives the order it always gave: another would scatter the calls of a cluster at an update', () => {
    const here = nodes(200, 100, 50, 50);
    const order = (callId: string) =>
      byHash(callId, here)
        .map(({ id }) => id)
        .join('');
    expect(
      [
        '',
        'a',
        '1-2345@127.0.0.1',
        '2-2345@127.0.0.1',
        'f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.example.com',
        'caf\xe9/%25@x',
        'x'.repeat(1024),
        '1000000000',
      ].map(order),
    ).toEqual(['1203', '0132', '1302', '1023', '0123', '1032', '3102', '1302']);
  });
});
