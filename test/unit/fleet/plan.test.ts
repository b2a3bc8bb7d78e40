import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { FleetFileFault, readFleetFile, writeFleetFile } from '../../../src/commands/fleet-toml.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { nodeShown } from '../../../src/fleet/node-input.ts';
import { type Declaration, planFleet } from '../../../src/fleet/plan.ts';
import { setShown } from '../../../src/fleet/set-input.ts';
import { POLICIES } from '../../../src/placement/policy.ts';
import { type Cluster, makeCluster, makeNode, SIDES } from '../../fakes/cluster.ts';
import { makeCall } from '../../fakes/store.ts';

const NEW = { socket: 'udp:192.168.2.9:7890', inner_media_ip: '192.168.2.9', out_media_ip: '1.2.3.9' };

/** The declaration that says what there is. */
function asItIs({ fleet }: Cluster): Declaration {
  return { sets: fleet.sets().map(setShown), nodes: fleet.list().map(({ node }) => nodeShown(node)) };
}

/** What a declaration would change, as `change what id`, without what stays. */
function changes(cluster: Cluster, declaration: Partial<Declaration>, isPruning = false): string[] {
  const plan = planFleet({ sets: [], nodes: [], ...declaration }, cluster.fleet, SIDES, isPruning);
  expect(plan.errors).toEqual([]);

  return plan.changes
    .filter(({ change }) => change !== 'none')
    .map(({ what, id, change }) => `${change} ${what} ${id}`);
}

/** What is wrong with a declaration. */
function faults(cluster: Cluster, declaration: Partial<Declaration>, isPruning = false): string[] {
  const { errors } = planFleet({ sets: [], nodes: [], ...declaration }, cluster.fleet, SIDES, isPruning);

  return errors.map(({ what, index, message }) => `${what} ${index}: ${message}`);
}

describe('a node', () => {
  test('is found by its id, and may then get another socket and set', () => {
    const cluster = makeCluster();
    expect(changes(cluster, { nodes: [{ id: 1, ...NEW, set_id: 4 }] })).toEqual(['change node 1']);
  });

  test('without an id is found by its socket in its set', () => {
    const cluster = makeCluster();
    const { id: _id, ...node } = nodeShown(makeNode(1));
    expect(changes(cluster, { nodes: [{ ...node, weight: 1 }] })).toEqual(['change node 1']);
    expect(changes(cluster, { nodes: [{ ...node, set_id: 1 }] })).toEqual(['add node 2']);
  });

  test('that is new gets a free id, which no other entry asks for', () => {
    const cluster = makeCluster();
    const other = { ...NEW, socket: 'udp:192.168.2.8:7890', id: 2 };
    expect(changes(cluster, { nodes: [NEW, other] })).toEqual(['add node 3', 'add node 2']);
  });

  test('has the default of what is left out, whatever it had before', () => {
    const cluster = makeCluster({
      nodes: [makeNode(0, { weight: 7, priority: 3, capacity: 5, tags: ['x'], httpPort: 80 })],
    });
    const {
      changes: [change],
    } = planFleet(
      {
        sets: [],
        nodes: [{ id: 0, socket: makeNode(0).socket, media_addresses: makeNode(0).mediaAddresses }],
      },
      cluster.fleet,
      SIDES,
      false,
    );
    expect(change?.fields).toEqual({
      weight: { from: 7, to: 100 },
      priority: { from: 3, to: 0 },
      capacity: { from: 5, to: null },
      tags: { from: ['x'], to: [] },
      http_port: { from: 80, to: null },
    });
  });

  test('is compared by what it says, not by how: order of addresses, letter case and order of tags', () => {
    const cluster = makeCluster({ nodes: [makeNode(0, { tags: ['a', 'b'] })] });
    const shown = nodeShown(makeNode(0));
    const nodes = [{ ...shown, tags: ['B', 'a'], media_addresses: [...shown.media_addresses].reverse() }];
    expect(changes(cluster, { nodes })).toEqual([]);
  });

  test.each([
    [{ ...NEW, wieght: 5 }, 'there is no key "wieght" in a node; did you mean weight?'],
    [{ ...NEW, calls: 5 }, 'there is no key "calls" in a node; allowed are id, kind, socket'],
    [
      { socket: NEW.socket, media_addresses: [{ side: 'inner', address: '10.0.0.1', interfce: 'a' }] },
      'there is no key "interfce" in a media address; did you mean interface?',
    ],
    [{ ...NEW, weight: -1 }, 'weight is -1'],
    [{ socket: NEW.socket }, 'the node has no media address'],
    [
      { ...NEW, socket: makeNode(1).socket, id: 0 },
      `socket ${makeNode(1).socket} is in set 0 already, as node 1`,
    ],
    [
      { ...NEW, socket: makeNode(1).socket, id: 9 },
      `socket ${makeNode(1).socket} is in set 0 already, as node 1`,
    ],
    [{ ...NEW, id: 2 ** 31 }, 'id is 2147483648'],
  ])('%j is wrong', (node, message) => {
    const [fault = '', ...rest] = faults(makeCluster(), { nodes: [NEW, { ...node, set_id: 0 }].slice(1) });
    expect(fault).toContain(message);
    expect(rest).toEqual([]);
  });

  test('cannot be there twice', () => {
    const other = { ...NEW, socket: 'udp:192.168.2.8:7890' };
    expect(
      faults(makeCluster(), {
        nodes: [
          { ...NEW, id: 5 },
          { ...other, id: 5 },
        ],
      }),
    ).toEqual(['node 1: id 5 stands in an earlier row too']);
    expect(faults(makeCluster(), { nodes: [NEW, NEW] })).toEqual([
      `node 1: socket ${NEW.socket} is in set 0 already, as node 2`,
    ]);
  });

  test('with calls keeps its socket', () => {
    const cluster = makeCluster();
    cluster.calls.add(makeCall('c1', { nodeId: 0 }));
    expect(faults(cluster, { nodes: [{ id: 0, ...NEW }] })).toEqual([
      `node 0: node 0 has 1 calls on ${makeNode(0).socket}; add ${NEW.socket} as a new node and remove this one`,
    ]);
  });

  test('with calls keeps its kind: what is known of the calls is of use to that kind only', () => {
    const cluster = makeCluster();
    const { socket } = makeNode(0);
    expect(changes(cluster, { nodes: [{ ...NEW, id: 0, socket, kind: 'rtpproxy' }] })).toEqual([
      'change node 0',
    ]);
    cluster.calls.add(makeCall('c1', { nodeId: 0 }));
    expect(faults(cluster, { nodes: [{ ...NEW, id: 0, socket, kind: 'rtpproxy' }] })).toEqual([
      'node 0: node 0 has 1 calls as rtpengine; it can be rtpproxy when they have ended',
    ]);
    // The same socket would bring the removed node back.
    expect(cluster.fleet.remove(0)).toBeUndefined();
    expect(faults(cluster, { nodes: [{ ...NEW, socket, kind: 'rtpproxy' }] })).toEqual([
      'node 0: node 0 has 1 calls as rtpengine; it can be rtpproxy when they have ended',
    ]);
  });

  test('of the kind rtpproxy is found by its socket whether that names the port or not', () => {
    const socket = 'udp:192.168.2.9:22222';
    const cluster = makeCluster({ nodes: [makeNode(0, { kind: 'rtpproxy', socket })] });
    const { id: _id, ...node } = nodeShown(makeNode(0, { kind: 'rtpproxy', socket }));
    expect(changes(cluster, { nodes: [{ ...node, socket: 'udp:192.168.2.9' }] })).toEqual([]);
    expect(changes(cluster, { nodes: [node] })).toEqual([]);
    expect(faults(cluster, { nodes: [node, { ...node, socket: 'udp:192.168.2.9' }] })).toEqual([
      'node 1: id 0 stands in an earlier row too',
    ]);
  });

  test('cannot take a socket that another one gives up in the same declaration', () => {
    const [first, second] = [nodeShown(makeNode(0)), nodeShown(makeNode(1))];
    const nodes = [
      { ...first, socket: second.socket },
      { ...second, socket: first.socket },
    ];
    expect(faults(makeCluster(), { nodes })).toHaveLength(2);
  });
});

describe('without pruning', () => {
  test('what is not named stays as it is and is counted', () => {
    const cluster = makeCluster();
    cluster.fleet.putSet({ ...cluster.fleet.set(0), description: 'main' });
    const plan = planFleet({ sets: [], nodes: [{ ...NEW, id: 5 }] }, cluster.fleet, SIDES, false);
    expect(plan.unmanaged).toBe(2);
    expect(plan.fleet.remove).toEqual([]);
    expect(plan.fleet.sets).toEqual([]);
  });
});

describe('with pruning', () => {
  test('what is not named goes away, and the plan tells the calls that go on', () => {
    const cluster = makeCluster();
    cluster.calls.add(makeCall('c1', { nodeId: 0 }));
    const plan = planFleet({ sets: [], nodes: [{ ...NEW, id: 5 }] }, cluster.fleet, SIDES, true);
    expect(plan.unmanaged).toBe(0);
    expect(plan.changes.map(({ change, id, calls }) => [change, id, calls])).toEqual([
      ['add', 5, undefined],
      ['remove', 0, 1],
      ['remove', 1, 0],
    ]);
    expect(plan.fleet.remove).toEqual([0, 1]);
  });

  test('a new node may have the socket of one that goes', () => {
    const node = { ...nodeShown(makeNode(0)), id: 9 };
    expect(changes(makeCluster(), { nodes: [node] }, true)).toEqual([
      'add node 9',
      'remove node 0',
      'remove node 1',
    ]);
  });

  test('a set that is not named has its defaults again, and goes if it has no node', () => {
    const cluster = makeCluster({ nodes: [makeNode(0), makeNode(1, { setId: 1 })] });
    for (const id of [0, 1, 2]) cluster.fleet.putSet({ ...cluster.fleet.set(id), policy: 'least-load' });
    expect(changes(cluster, { nodes: [nodeShown(makeNode(0))] }, true)).toEqual([
      'change set 0',
      'remove set 1',
      'remove set 2',
      'remove node 1',
    ]);
  });
});

describe('a set', () => {
  test('has the default of what is left out', () => {
    const cluster = makeCluster();
    cluster.fleet.putSet({
      ...cluster.fleet.set(0),
      description: 'main',
      policy: 'least-load',
      portReserve: 9,
      mediaProbe: true,
    });
    const {
      changes: [change],
    } = planFleet(
      { sets: [{ id: 0, policy: 'round-robin', direction: 'priv>pub' }], nodes: [] },
      cluster.fleet,
      SIDES,
      false,
    );
    expect(change?.fields).toEqual({
      description: { from: 'main', to: '' },
      direction: { from: null, to: 'out' },
      policy: { from: 'least-load', to: 'round-robin' },
      port_reserve: { from: 9, to: 5 },
      media_probe: { from: true, to: false },
    });
  });

  test('is added if nothing names it yet', () => {
    expect(changes(makeCluster(), { sets: [{ id: 7 }, { id: 0 }] })).toEqual(['add set 7']);
  });

  test.each([
    [{ id: -1 }, 'id is -1'],
    [{ id: 1, policy: 'x' }, 'policy is "x"'],
    [{ id: 1, direction: 'up' }, 'direction is "up"'],
    [{ id: 1, polcy: 'hash' }, 'there is no key "polcy" in a set; did you mean policy?'],
    [{ id: 0 }, 'set 0 is declared twice'],
  ])('%j is wrong', (set, message) => {
    const [fault = '', ...rest] = faults(makeCluster(), { sets: [{ id: 0 }, set] });
    expect(fault).toStartWith(`set 1: ${message}`);
    expect(rest).toEqual([]);
  });
});

describe('whatever a fleet is like', () => {
  const ids = fc.uniqueArray(fc.nat(20), { maxLength: 6 });
  const fleets = ids.map((list) =>
    list.map((id) =>
      makeNode(id, {
        kind: id % 4 === 3 ? 'rtpproxy' : 'rtpengine',
        setId: id % 3,
        weight: id,
        priority: id % 2,
        tags: id % 2 ? ['x'] : [],
      }),
    ),
  );

  test('declaring it as it is changes nothing, pruning or not', () => {
    fc.assert(
      fc.property(fleets, fc.boolean(), (nodes, isPruning) => {
        const cluster = makeCluster({ nodes });
        expect(changes(cluster, asItIs(cluster), isPruning)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('written as a file and read again it changes nothing', () => {
    const said = fc.record({
      description: fc.string({ unit: 'grapheme', maxLength: 20 }),
      direction: fc.constantFrom(null, 'out', 'in', 'mpls>inner'),
      policy: fc.constantFrom(...POLICIES),
      portReserve: fc.nat(50),
      mediaProbe: fc.boolean(),
    });
    fc.assert(
      fc.property(fleets, said, fc.boolean(), (nodes, set, hasName) => {
        const mpls = {
          side: 'mpls',
          family: 'IP6',
          address: '2001:db8::1',
          interface: hasName ? 'x' : null,
        } as const;
        const cluster = makeCluster({
          nodes: nodes.map((node, i) => (i % 2 === 0 ? node : { ...node, mediaAddresses: [mpls] })),
        });
        cluster.fleet.putSet({ ...cluster.fleet.set(1), ...set });
        const file = readFleetFile(writeFleetFile(asItIs(cluster)));
        if (file instanceof FleetFileFault) throw new Error(file.message);
        const read = { sets: file.sets, nodes: file.nodes } as unknown as Declaration;
        expect(changes(cluster, read, nodes.length > 0)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test('declaring another with pruning makes it that one, and declaring it again changes nothing', () => {
    fc.assert(
      fc.property(fleets, fleets, (before, after) => {
        fc.pre(after.length > 0);
        const cluster = makeCluster({ nodes: before });
        const declaration = asItIs(makeCluster({ nodes: after }));
        const plan = cluster.roster.declare(declaration, { isDryRun: false, isPruning: true });
        expect(plan).not.toBeInstanceOf(Failure);
        expect(asItIs(cluster)).toEqual(declaration);
        expect(changes(cluster, declaration, true)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
