import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { byHash } from '../../../src/placement/hash.ts';
import type { Candidate } from '../../../src/placement/policy.ts';
import { describePolicy } from '../../suites/policy.ts';

describePolicy('byHash', byHash);

function nodes(...weights: number[]): Candidate[] {
  return weights.map((weight, id) => ({ id, socket: `udp:192.168.2.${3 + id}:7890`, weight }));
}

/**
 * Calls in a sample. A share p strays by 1 % of all calls with a probability that is greatest at p = 1/2, where its
 * standard deviation is 0.5 / sqrt(N): 0.16 % here, so 1 % is more than six of them. And the samples are always the same.
 */
const N = 100_000;

/** A generator whose numbers are always the same (xorshift32). */
function numbers(seed: number): () => number {
  let state = seed;

  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;

    return state >>> 0;
  };
}

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

describe('placement by hash', () => {
  const list = fc
    .uniqueArray(fc.nat(250), { minLength: 2, maxLength: 10 })
    .chain((ids) =>
      fc.tuple(
        ...ids.map((id) =>
          fc
            .integer({ min: 1, max: 65_535 })
            .map((weight) => ({ id, socket: `udp:10.0.0.${id}:7890`, weight })),
        ),
      ),
    );

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
        const rank = (nodes: readonly Candidate[]) =>
          byHash(callId, nodes).findIndex(({ id }) => id === chosen?.id);
        const heavier = all.map((node) => (node === chosen ? { ...node, weight: node.weight + 1000 } : node));
        expect(rank(heavier)).toBeLessThanOrEqual(rank(all));
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
