/** What holds for any set of nodes in any state, whatever the call wants and whichever policy is asked. */

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { HEALTHS, ORDERS, verdict } from '../../../src/domain/state.ts';
import {
  type Choice,
  choose,
  type PlaceableNode,
  type PlacementRules,
  RANKS,
} from '../../../src/placement/choose.ts';
import { byHash } from '../../../src/placement/hash.ts';
import { createLeastLoad } from '../../../src/placement/least-load.ts';
import { createRoundRobin } from '../../../src/placement/round-robin.ts';
import { chance } from '../../suites/policy.ts';

const tags = fc.subarray(['eu', 'gpu', 'video', 'test']);
const nodes: fc.Arbitrary<PlaceableNode[]> = fc
  .uniqueArray(
    fc.record({
      id: fc.nat(50),
      weight: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 65_535 })),
      ramp: fc.double({ min: 0.1, max: 1, noNaN: true }),
      order: fc.oneof({ weight: 3, arbitrary: fc.constant('ready' as const) }, fc.constantFrom(...ORDERS)),
      health: fc.oneof({ weight: 3, arbitrary: fc.constant('up' as const) }, fc.constantFrom(...HEALTHS)),
      priority: fc.oneof(fc.nat(2), fc.nat(65_535)),
      capacity: fc.option(fc.nat(120)),
      tags,
      sessions: fc.nat(100),
      portsInUse: fc.option(fc.nat(450)),
      portsTotal: fc.option(fc.integer({ min: 0, max: 500 })),
      isHeld: fc.boolean(),
    }),
    { maxLength: 12, selector: ({ id }) => id },
  )
  .map((list) => list.map((node) => ({ ...node, socket: `udp:10.0.0.${node.id}:7890` })));

const rules: fc.Arbitrary<PlacementRules> = fc.record({
  policyName: fc.constant('hash' as const),
  policy: fc.constantFrom(byHash, createLeastLoad(chance(11)), createRoundRobin()),
  loadBy: fc.constantFrom('sessions' as const, 'ports' as const),
  portReserve: fc.nat(50),
});

interface Case {
  readonly all: readonly PlaceableNode[];
  readonly require: readonly string[];
  readonly prefer: readonly string[];
  readonly portReserve: number;
  readonly choice: Choice<PlaceableNode>;
}

function hasSides({ id }: PlaceableNode): boolean {
  return id % 7 !== 6;
}

/** Checks what must hold of the choice in many cases. */
function always(check: (made: Case) => void): void {
  fc.assert(
    fc.property(
      fc.string(),
      tags,
      tags,
      fc.boolean(),
      nodes,
      rules,
      (callId, some, prefer, any, all, rule) => {
        const require = any ? [] : some;
        const choice = choose({ callId, require, prefer, hasSides }, all, rule);
        check({ all, require, prefer, portReserve: rule.portReserve, choice });
      },
    ),
    { numRuns: 500 },
  );
}

function lacking({ tags }: PlaceableNode, wanted: readonly string[]): number {
  return wanted.filter((tag) => !tags.includes(tag)).length;
}

describe('for any nodes, request and policy', () => {
  test('every node is either a candidate or filtered, exactly once', () => {
    always(({ all, choice: { order, decision } }) => {
      const seen = [...decision.candidates, ...decision.filtered].map(({ id }) => id);
      expect(seen.sort((a, b) => a - b)).toEqual(all.map(({ id }) => id).sort((a, b) => a - b));
      expect(order.map(({ id }) => id)).toEqual(decision.candidates.map(({ id }) => id));
      for (const node of order) expect(all).toContain(node);
    });
  });

  test('no candidate is in maintenance, drained outside panic, or without weight', () => {
    always(({ choice: { order, decision } }) => {
      for (const node of order) {
        expect(node.order).not.toBe('maint');
        if (!decision.isPanic) expect(node.order).toBe('ready');
        expect(node.weight).toBeGreaterThan(0);
      }
    });
  });

  test('no candidate is at its capacity, takes from the reserve of ports, or lacks what is required', () => {
    always(({ require, portReserve, choice: { order } }) => {
      for (const node of order) {
        expect(node.sessions).toBeLessThan(node.capacity ?? Number.POSITIVE_INFINITY);
        expect(lacking(node, require)).toBe(0);
        expect(node.id % 7).not.toBe(6);
        if (node.portsInUse === null || node.portsTotal === null) continue;
        const left = node.portsTotal - node.portsInUse - 4;
        expect(left).toBeGreaterThanOrEqual(0);
        expect((100 * left) / node.portsTotal).toBeGreaterThanOrEqual(portReserve);
      }
    });
  });

  test('no node is filtered by a rule that does not hold', () => {
    always(({ all, require, choice: { decision } }) => {
      for (const { id, rule } of decision.filtered) {
        const node = all.find((one) => one.id === id);
        if (node === undefined) throw new Error(`node ${id} is none of the nodes`);
        const holds = {
          weight: node.weight === 0,
          order: node.order !== 'ready',
          health: verdict(node.order, node.health, 'new') === 'panic' && !decision.isPanic,
          sides: id % 7 === 6,
          tags: lacking(node, require) > 0,
          capacity: node.sessions >= (node.capacity ?? Number.POSITIVE_INFINITY),
          ports: node.portsInUse !== null && node.portsTotal !== null,
        };
        expect(`${id} ${rule} ${holds[rule]}`).toBe(`${id} ${rule} true`);
      }
    });
  });

  test('no candidate comes before one of a better rank; then tags, then priority decide', () => {
    always(({ prefer, choice: { order, decision } }) => {
      const keys = order.map((node, index) => {
        const rank = RANKS.indexOf(decision.candidates[index]?.rank ?? 'panic');
        const isSilent = rank === RANKS.indexOf('panic') && !['up', 'falling'].includes(node.health);

        return [rank, isSilent ? 1 : 0, lacking(node, prefer), node.priority];
      });
      const sorted = [...keys].sort((a, b) => {
        const digit = a.findIndex((value, index) => value !== b[index]);

        return (a[digit] ?? 0) - (b[digit] ?? 0);
      });
      expect(keys).toEqual(sorted);
    });
  });

  test('nobody is in panic while at least half of the weight of the ready nodes it could use is healthy', () => {
    always(({ all, require, choice: { decision } }) => {
      const weigh = (list: readonly PlaceableNode[]) => list.reduce((sum, { weight }) => sum + weight, 0);
      const ready = all.filter(
        (node) => node.order === 'ready' && lacking(node, require) === 0 && hasSides(node),
      );
      const healthy = ready.filter(({ health }) => ['up', 'falling', 'unknown'].includes(health));
      expect(decision.isPanic).toBe(weigh(healthy) * 2 < weigh(ready));
    });
  });
});
