import { describe, expect, test } from 'bun:test';
import { pictureOf } from '../../../src/ui/page/calls/placement.ts';
import { placementOf, tryOf } from './explained.ts';

const candidate = (nodeId: number, fields: object = {}) => ({
  node_id: nodeId,
  rank: 'first' as const,
  priority: 0,
  weight: 100,
  sessions: 10,
  ports_free: 800,
  ...fields,
});

describe('the picture of a placement', () => {
  test('has the candidates in the order of asking, with what came of it', () => {
    const { candidates } = pictureOf(
      placementOf({ candidates: [candidate(3), candidate(1), candidate(2)], candidate_count: 3 }),
      [tryOf(3, 'silent', 250), tryOf(1)],
    );
    expect(candidates.map(({ place, nodeId, attempt }) => [place, nodeId, attempt?.result])).toEqual([
      [1, 3, 'silent'],
      [2, 1, 'ok'],
      [3, 2, undefined],
    ]);
  });

  test('measures each bar against the greatest figure of its kind', () => {
    const { candidates } = pictureOf(
      placementOf({
        candidates: [
          candidate(1, { weight: 50, sessions: 0 }),
          candidate(2, { sessions: 40, ports_free: null }),
          candidate(3, { sessions: 20, ports_free: 400 }),
        ],
        candidate_count: 3,
      }),
      [],
    );
    expect(candidates.map(({ bars }) => [bars.weight, bars.sessions, bars.ports])).toEqual([
      [0.5, 0, 1],
      [1, 1, null],
      [1, 0.5, 0.5],
    ]);
  });

  test('divides by nothing when nobody has calls', () => {
    const { candidates } = pictureOf(
      placementOf({
        candidates: [candidate(1, { weight: 0.1, sessions: 0, ports_free: 0 })],
        candidate_count: 1,
      }),
      [],
    );
    expect(candidates[0]?.bars).toEqual({ weight: 0.1, sessions: 0, ports: 0 });
  });

  test('puts the nodes left out by one rule together', () => {
    const left = (node_id: number, rule: string) => ({ node_id, rule, figure: rule });
    const { leftOut } = pictureOf(
      placementOf({ left_out: [left(1, 'order'), left(2, 'health'), left(3, 'health')], left_out_count: 3 }),
      [],
    );
    expect(leftOut.map(({ rule, nodes }) => [rule, nodes.map(({ node_id }) => node_id)])).toEqual([
      ['health', [2, 3]],
      ['order', [1]],
    ]);
  });

  test('says how many it does not name', () => {
    const picture = pictureOf(
      placementOf({ candidates: [candidate(1)], candidate_count: 40, left_out: [], left_out_count: 5 }),
      [],
    );
    expect([picture.moreCandidates, picture.moreLeftOut]).toEqual([39, 5]);
  });

  test('keeps tries at nodes that were no candidates: the one that had the call', () => {
    const picture = pictureOf(placementOf({ candidates: [candidate(1)], candidate_count: 1 }), [
      tryOf(9, 'node-down'),
      tryOf(1),
    ]);
    expect(picture.otherTries).toEqual([
      { nodeId: 9, isOk: false, result: 'node-down', reason: 'node 9: node-down', tookMs: 3 },
    ]);
  });
});
