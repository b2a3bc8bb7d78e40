/** What any placement policy must do, whatever its idea of the best node is. */

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Candidate, Policy } from '../../src/placement/policy.ts';

/** Runs the common tests on a policy. */
export function describePolicy(name: string, policy: Policy): void {
  const candidates: fc.Arbitrary<Candidate[]> = fc
    .uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 12 })
    .chain((ids) =>
      fc.tuple(
        ...ids.map((id) =>
          fc
            .integer({ min: 1, max: 65_535 })
            .map((weight) => ({ id, socket: `udp:10.0.0.${id}:7890`, weight })),
        ),
      ),
    );
  const callId = fc.string({ maxLength: 40 });

  describe(`policy ${name}`, () => {
    test('gives every candidate once, and nothing else', () => {
      fc.assert(
        fc.property(callId, candidates, (call, list) => {
          const ranked = policy(call, list);
          expect(ranked).toHaveLength(list.length);
          expect(new Set(ranked)).toEqual(new Set(list));
        }),
      );
    });

    test('gives the same order for the same call and nodes, in whatever order they come', () => {
      fc.assert(
        fc.property(callId, candidates, fc.infiniteStream(fc.nat()), (call, list, keys) => {
          const order = new Map(list.map((candidate) => [candidate, Number(keys.next().value)]));
          const shuffled = [...list].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
          const ids = policy(call, list).map(({ id }) => id);
          expect(policy(call, shuffled).map(({ id }) => id)).toEqual(ids);
          expect(policy(call, list).map(({ id }) => id)).toEqual(ids);
        }),
      );
    });

    test('changes nothing it was given', () => {
      fc.assert(
        fc.property(callId, candidates, (call, list) => {
          const frozen = Object.freeze(list.map((candidate) => Object.freeze({ ...candidate })));
          expect(policy(call, frozen)).not.toBe(frozen);
          expect(frozen).toEqual(list);
        }),
      );
    });

    test('gives nothing for no candidates, and the only one for one', () => {
      const only = { id: 5, socket: 'udp:10.0.0.5:7890', weight: 1 };
      expect(policy('c', [])).toEqual([]);
      expect(policy('c', [only])).toEqual([only]);
    });
  });
}
