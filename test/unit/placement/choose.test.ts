import { describe, expect, test } from 'bun:test';
import type { Health, Order } from '../../../src/domain/state.ts';
import {
  choose,
  MAX_TOLD,
  type PlaceableNode,
  type PlacementRequest,
  type PlacementRules,
} from '../../../src/placement/choose.ts';
import { byHash } from '../../../src/placement/hash.ts';
import type { Candidate, Policy } from '../../../src/placement/policy.ts';
import { createRoundRobin } from '../../../src/placement/round-robin.ts';

const REQUEST: PlacementRequest = { callId: 'c', require: [], prefer: [], hasSides: () => true };

/** A policy that leaves the order as it is. */
const asGiven: Policy = <C extends Candidate>(_callId: string, candidates: readonly C[]): C[] => [
  ...candidates,
];
const RULES: PlacementRules = { policy: asGiven, policyName: 'hash', loadBy: 'sessions', portReserve: 5 };

/** Healthy idle nodes, with ids from 0, that differ in what is given. */
function fleet(...differences: Partial<PlaceableNode>[]): PlaceableNode[] {
  return differences.map((difference, id) => ({
    id,
    socket: `udp:10.0.0.${id}:7890`,
    weight: 100,
    ramp: 1,
    order: 'ready',
    health: 'up',
    priority: 0,
    capacity: null,
    tags: [],
    sessions: 0,
    portsInUse: null,
    portsTotal: null,
    isHeld: false,
    ...difference,
  }));
}

function decide(
  nodes: readonly PlaceableNode[],
  request: Partial<PlacementRequest> = {},
  rules: Partial<PlacementRules> = {},
) {
  const { order, decision } = choose({ ...REQUEST, ...request }, nodes, { ...RULES, ...rules });
  expect(decision.candidates.map(({ id }) => id)).toEqual(order.slice(0, MAX_TOLD).map(({ id }) => id));

  return {
    ids: order.map(({ id }) => id),
    ranks: decision.candidates.map(({ rank }) => rank),
    filtered: decision.filtered.map(({ id, rule, figure }) => `${id} ${rule}: ${figure}`),
    decision,
  };
}

describe('a node is left out', () => {
  test.each<[string, Partial<PlaceableNode>]>([
    ['weight: weight 0', { weight: 0 }],
    ['order: drain', { order: 'drain' }],
    ['order: maint', { order: 'maint' }],
    ['order: drain', { order: 'drain', health: 'down' }],
    ['health: down', { health: 'down' }],
    ['health: ejected', { health: 'ejected' }],
    ['capacity: 200 of 200 calls', { sessions: 200, capacity: 200 }],
    ['capacity: 203 of 200 calls', { sessions: 203, capacity: 200 }],
    ['capacity: 0 of 0 calls', { capacity: 0 }],
    ['ports: 4.6 % of ports free after it, reserve 5 %', { portsInUse: 950, portsTotal: 1000 }],
    ['ports: 3 of 1000 ports free, a call takes 4', { portsInUse: 997, portsTotal: 1000 }],
    ['ports: 0 of 1000 ports free, a call takes 4', { portsInUse: 1012, portsTotal: 1000 }],
    ['weight: weight 0', { weight: 0, order: 'maint', health: 'down', capacity: 0 }],
    ['order: maint', { order: 'maint', health: 'down', capacity: 0 }],
  ])('by %s', (reason, difference) => {
    const { ids, filtered } = decide(fleet({}, difference, {}));
    expect(ids).toEqual([0, 2]);
    expect(filtered).toEqual([`1 ${reason}`]);
  });

  test('without a media address for both sides', () => {
    const { ids, filtered } = decide(fleet({}, {}), { hasSides: ({ id }) => id === 1 });
    expect(ids).toEqual([1]);
    expect(filtered).toEqual(['0 sides: no media address for a side of the call']);
  });

  test('if it lacks one of the required tags', () => {
    const nodes = fleet({ tags: ['gpu'] }, { tags: ['eu', 'gpu'] }, {});
    const { ids, filtered } = decide(nodes, { require: ['gpu', 'eu'] });
    expect(ids).toEqual([1]);
    expect(filtered).toEqual(['0 tags: lacks tag eu', '2 tags: lacks tag gpu']);
  });

  test('not for its ports, when it does not tell them', () => {
    expect(decide(fleet({ portsTotal: 100 }, { portsInUse: 100 })).ids).toEqual([0, 1]);
  });

  test('not when exactly the reserve stays free, and without reserve down to the last call', () => {
    const nodes = fleet({ portsInUse: 946, portsTotal: 1000 }, { portsInUse: 996, portsTotal: 1000 });
    expect(decide(nodes).ids).toEqual([0]);
    expect(decide(nodes, {}, { portReserve: 0 }).ids).toEqual([0, 1]);
  });

  test('as are all others, and then nobody is asked', () => {
    const { ids, decision } = decide(
      fleet({ sessions: 5, capacity: 5 }, { portsInUse: 1000, portsTotal: 1000 }),
    );
    expect(ids).toEqual([]);
    expect(decision.filtered.map(({ rule }) => rule)).toEqual(['capacity', 'ports']);
    expect(decide([]).ids).toEqual([]);
  });
});

describe('nodes are ranked', () => {
  test('first, then full, then spare', () => {
    const nodes = fleet(
      { health: 'unknown' },
      { health: 'falling' },
      { isHeld: true },
      { sessions: 90, capacity: 100 },
      { sessions: 89, capacity: 100 },
      { health: 'rising' },
    );
    const { ids, ranks } = decide(nodes);
    expect(ids[0]).toBe(4);
    expect(ids.slice(1, 3).sort()).toEqual([2, 3]);
    expect(ids.slice(3).sort()).toEqual([0, 1, 5]);
    expect(ranks).toEqual(['first', 'full', 'full', 'spare', 'spare', 'spare']);
  });

  test('by preferred tags inside a rank: those that lack fewer come first', () => {
    const nodes = fleet({}, { tags: ['eu'] }, { tags: ['eu', 'gpu'] }, { tags: ['eu', 'gpu'], isHeld: true });
    expect(decide(nodes, { prefer: ['gpu', 'eu'] }).ids).toEqual([2, 1, 0, 3]);
  });

  test('by priority inside a rank, after the preferred tags', () => {
    const nodes = fleet({ priority: 2 }, { priority: 1 }, { priority: 3, tags: ['gpu'] }, { priority: 0 });
    expect(decide(nodes, { prefer: ['gpu'] }).ids).toEqual([2, 3, 1, 0]);
    expect(decide(nodes).ids).toEqual([3, 1, 0, 2]);
  });

  test('so that calls spill over to the next priority from 90 % of the capacity on, and back', () => {
    const at = (sessions: number) =>
      decide(fleet({ capacity: 200, sessions }, { capacity: 200, priority: 1 })).ids;
    expect([at(179), at(180), at(199), at(200)]).toEqual([[0, 1], [1, 0], [1, 0], [1]]);
  });

  test('so that the first priority gets calls again when the next is as full', () => {
    const nodes = fleet({ capacity: 100, sessions: 95 }, { capacity: 100, sessions: 90, priority: 1 });
    expect(decide(nodes).ids).toEqual([0, 1]);
  });
});

describe('panic', () => {
  const states = (...list: [Health, Order?, number?][]) =>
    fleet(...list.map(([health, order = 'ready', weight = 100]) => ({ health, order, weight })));

  test('begins just below half of the weight', () => {
    const half = decide(states(['up', 'ready', 100], ['down', 'ready', 100]));
    expect([half.decision.isPanic, half.ids]).toEqual([false, [0]]);
    const below = decide(states(['up', 'ready', 99], ['down', 'ready', 100]));
    expect([below.decision.isPanic, below.ids]).toEqual([true, [0, 1]]);
    expect(below.ranks).toEqual(['first', 'panic']);
  });

  test('takes nodes that answer before those that do not', () => {
    const { ids, ranks } = decide(states(['down'], ['ejected'], ['up', 'drain'], ['falling', 'drain']));
    expect(ids.slice(0, 2).sort()).toEqual([2, 3]);
    expect(ids.slice(2).sort()).toEqual([0, 1]);
    expect(ranks).toEqual(['panic', 'panic', 'panic', 'panic']);
  });

  test('takes no node that is both drained and down, and none in maintenance', () => {
    const { ids, filtered } = decide(states(['down'], ['down', 'drain'], ['up', 'maint'], ['down', 'maint']));
    expect(ids).toEqual([0]);
    expect(filtered).toEqual(['1 order: drain', '2 order: maint', '3 order: maint']);
  });

  test('is not for a set that people drained: it takes no new calls', () => {
    const { ids, decision } = decide(states(['up', 'drain'], ['up', 'drain'], ['up', 'maint']));
    expect([decision.isPanic, ids]).toEqual([false, []]);
  });

  test('does not count nodes without weight', () => {
    const { decision } = decide(states(['up', 'ready', 10], ['down', 'ready', 0]));
    expect(decision.isPanic).toBe(false);
  });

  test('is none when nothing was heard of any node yet: all of them are asked', () => {
    const { ranks, decision } = decide(states(['unknown'], ['unknown']));
    expect([decision.isPanic, ranks]).toEqual([false, ['spare', 'spare']]);
  });

  test('lifts no limit: capacity and ports hold', () => {
    const nodes = fleet(
      { health: 'down', capacity: 5, sessions: 5 },
      { health: 'down', portsInUse: 100, portsTotal: 100 },
    );
    expect(decide(nodes).ids).toEqual([]);
  });
});

describe('the policy', () => {
  /** Notes what it is asked. */
  function listening(): { policy: Policy; asked: Candidate[][] } {
    const asked: Candidate[][] = [];

    return {
      asked,
      policy: (_callId, candidates) => {
        asked.push([...candidates]);

        return [...candidates];
      },
    };
  }

  test('is asked once, for the best group only; the others follow by load for their weight', () => {
    const { policy, asked } = listening();
    const nodes = fleet(
      { health: 'unknown', sessions: 30 },
      {},
      { health: 'unknown', sessions: 40, weight: 200 },
      { health: 'unknown', sessions: 10 },
      {},
    );
    expect(decide(nodes, {}, { policy }).ids).toEqual([1, 4, 3, 2, 0]);
    expect(asked.map((group) => group.map(({ id }) => id))).toEqual([[1, 4]]);
  });

  test('sees the weight that slow start leaves, and the decision says it to one decimal', () => {
    const { policy, asked } = listening();
    const { decision } = decide(fleet({ weight: 50, ramp: 0.3333 }), {}, { policy });
    expect(asked[0]?.[0]?.weight).toBeCloseTo(16.665, 6);
    expect(decision.candidates[0]?.weight).toBe(16.7);
  });

  test('sees the load in calls: ports as the calls they would be enough for, calls where ports are unknown', () => {
    const { policy, asked } = listening();
    const nodes = fleet({ sessions: 7, portsInUse: 400, portsTotal: 10_000 }, { sessions: 90 });
    for (const loadBy of ['sessions', 'ports'] as const) decide(nodes, {}, { policy, loadBy });
    expect(asked.map((group) => group.map(({ load }) => load))).toEqual([
      [7, 90],
      [100, 90],
    ]);
  });

  test('with turns gives none away to a group that is only there for retries', () => {
    const policy = createRoundRobin();
    const nodes = fleet({}, {}, { priority: 1 }, { priority: 1 });
    const firsts = Array.from({ length: 4 }, () => decide(nodes, {}, { policy }).ids[0]);
    const next = Array.from({ length: 2 }, () => decide(nodes.slice(2), {}, { policy }).ids[0]);
    expect([...firsts, ...next]).toEqual([0, 1, 0, 1, 2, 3]);
  });

  test('by hash sends a Call-ID to the same node again', () => {
    const nodes = fleet({}, {}, {}, {});
    for (let index = 0; index < 50; index++) {
      const request = { callId: `${index}@10.0.0.9` };
      expect(decide(nodes, request, { policy: byHash }).ids).toEqual(
        decide([...nodes].reverse(), request, { policy: byHash }).ids,
      );
    }
  });
});

test('the decision gives the figures of each candidate', () => {
  const { decision } = decide(fleet({ priority: 3, sessions: 12, portsInUse: 60, portsTotal: 1000 }));
  expect(decision).toEqual({
    policy: 'hash',
    isPanic: false,
    candidates: [{ id: 0, rank: 'first', priority: 3, weight: 100, sessions: 12, portsFree: 940 }],
    filtered: [],
    candidateCount: 1,
    filteredCount: 0,
  });
});

test('the decision names a bounded number of nodes, and says how many there are', () => {
  const nodes = fleet(...Array.from({ length: 60 }, (_, index) => ({ weight: index % 2 === 0 ? 100 : 0 })));
  const { decision } = decide(nodes);
  expect([decision.candidates.length, decision.candidateCount]).toEqual([MAX_TOLD, 30]);
  expect([decision.filtered.length, decision.filteredCount]).toEqual([MAX_TOLD, 30]);
});

describe('panic is judged by the nodes the call can use', () => {
  test.each<Health>(['down', 'ejected'])(
    'the only one with a required tag is tried though it is %s',
    (health) => {
      const nodes = fleet({ tags: ['gpu'], health }, {}, {}, {});
      const { ids, ranks, decision, filtered } = decide(nodes, { require: ['gpu'] });
      expect([ids, ranks, decision.isPanic]).toEqual([[0], ['panic'], true]);
      expect(filtered).toEqual(['1 tags: lacks tag gpu', '2 tags: lacks tag gpu', '3 tags: lacks tag gpu']);
    },
  );

  test('the only one with an address on both sides is tried though it is down', () => {
    const { ids, decision } = decide(fleet({ health: 'down' }, {}, {}), { hasSides: ({ id }) => id === 0 });
    expect([ids, decision.isPanic]).toEqual([[0], true]);
  });

  test('dead nodes it cannot use make no panic for a call that has healthy ones', () => {
    const nodes = fleet(
      { tags: ['gpu'] },
      { tags: ['gpu'], health: 'down' },
      { health: 'down' },
      { health: 'down' },
    );
    const { ids, decision } = decide(nodes, { require: ['gpu'] });
    expect([ids, decision.isPanic]).toEqual([[0], false]);
  });

  test('one in maintenance is not tried, tag or not', () => {
    const nodes = fleet({ tags: ['gpu'], order: 'maint' }, {});
    expect(decide(nodes, { require: ['gpu'] }).ids).toEqual([]);
  });
});
