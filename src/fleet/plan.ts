/** What a change of many nodes at once would do, worked out before anything is done. */

import { Failure } from '../domain/errors.ts';
import { type Node, withPort } from '../domain/node.ts';
import { MAX_ID } from '../domain/node-limits.ts';
import type { Sides } from '../domain/side.ts';
import type { NodeSet } from '../store/fleet-rows.ts';
import { nearest } from '../util/suggest.ts';
import { ADDRESS_KEYS } from './address-input.ts';
import { type Fleet, type FleetChange, MAX_NODES, SET_DEFAULTS } from './fleet.ts';
import type { Member } from './member.ts';
import { NODE_KEYS, type NodeInput, nodeShown, outside, readFields } from './node-input.ts';
import { readSet, SET_KEYS, type SetInput, setShown } from './set-input.ts';

/** The whole fleet as a person declares it. What is left out of a node or set has its default. */
export interface Declaration {
  readonly sets: readonly SetInput[];
  readonly nodes: readonly NodeInput[];
}

/** What becomes of one node or set. */
export interface Change {
  readonly what: 'node' | 'set';
  readonly id: number;
  /** Control socket of a node; null for a set. */
  readonly socket: string | null;
  readonly change: 'add' | 'change' | 'remove' | 'none';
  /** Of a change: the fields by the names of the API that get another value. */
  readonly fields: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  /** Of a node that is removed: its calls, which go on. */
  readonly calls?: number;
}

/** What is wrong with one entry of a declaration. */
export interface Fault {
  readonly what: 'node' | 'set';
  /** Place of the entry among those of its kind, counted from 0. */
  readonly index: number;
  /** The key that is wrong, if it is a key and not the entry. */
  readonly key: string | null;
  readonly message: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly errors: readonly Fault[];
  /** Nodes the declaration does not name, and leaves alone. */
  readonly unmanaged: number;
  /** The same for the fleet. */
  readonly fleet: FleetChange;
  /** Sets without nodes of which nothing is said any more: their rows may go. */
  readonly forgottenSets: readonly number[];
}

/** A description, and the node it is about if there is one. */
export interface Wanted {
  readonly input: NodeInput;
  readonly before: Node | undefined;
}

/** What planning looks at. */
export interface Surroundings {
  readonly fleet: Fleet;
  readonly sides: Sides;
  /** Nodes that will be gone. */
  readonly leaving?: ReadonlySet<number>;
  /** What a description leaves out has its default instead of its old value. */
  readonly isWhole?: boolean;
}

/** The node each description is about: that with its id; without an id, that with its socket in its set. */
export function matchNodes(inputs: readonly NodeInput[], fleet: Fleet): Wanted[] {
  const members = fleet.list();
  const byId = new Map(members.map(({ node }) => [node.id, node]));
  const byPlace = new Map(members.map(({ node }) => [placeOf(node), node]));

  return inputs.map((input) => {
    const { id, socket = '', set_id: setId = 0 } = input;
    const place = placeOf({ socket: withPort(socket.trim()), setId });
    const before = id === undefined ? byPlace.get(place) : byId.get(id);

    return { input, before };
  });
}

/** Each description as the node it will be, or what is wrong with it. */
export function planNodes(wanted: readonly Wanted[], surroundings: Surroundings): (Node | Failure)[] {
  return wanted.map(planner(wanted, surroundings));
}

/** The same for one. */
export function planNode(wanted: Wanted, surroundings: Surroundings): Node | Failure {
  return planner([wanted], surroundings)(wanted);
}

/** Plans one node after the other, each with a look at those before it; `all` are those that will come. */
function planner(
  all: readonly Wanted[],
  { fleet, sides, leaving, isWhole = false }: Surroundings,
): (wanted: Wanted) => Node | Failure {
  const staying = fleet.list().filter(({ id }) => leaving?.has(id) !== true);
  // A socket that a node gives up stays taken until the change is made: SQLite looks at each row by itself.
  const places = new Map(staying.map(({ id, node }) => [placeOf(node), id]));
  const removed = new Map(
    [...fleet.all()].filter(({ removedAt }) => removedAt !== null).map(({ id, node }) => [placeOf(node), id]),
  );
  const taken = new Set<number>();
  let count = staying.length;
  let nextId = all.reduce((next, { input }) => Math.max(next, (input.id ?? -1) + 1), fleet.nextId());

  return ({ input, before }) => {
    const fields = readFields(input, isWhole ? undefined : before, sides);
    if (fields instanceof Failure) return fields;
    const id = input.id ?? before?.id ?? removed.get(placeOf(fields)) ?? nextId++;
    const node: Node = { id, ...fields };
    const wrong = outside('id', id, 0, MAX_ID) ?? conflict(node, before, fleet, taken, places);
    if (wrong !== undefined) return wrong;
    if (before === undefined && ++count > MAX_NODES)
      return new Failure('RTPC_BUSY', `there are ${MAX_NODES} nodes already`);
    taken.add(id);
    places.set(placeOf(node), id);

    return node;
  };
}

/** Works out what a declaration changes. With `isPruning`, what it does not name goes away. */
export function planFleet(
  { sets, nodes }: Declaration,
  fleet: Fleet,
  sides: Sides,
  isPruning: boolean,
): Plan {
  const wanted = matchNodes(nodes, fleet);
  const named = new Set(wanted.map(({ before }) => before?.id));
  const unnamed = fleet.list().filter(({ id }) => !named.has(id));
  const leaving = new Set(isPruning ? unnamed.map(({ id }) => id) : []);
  const planned = planNodes(wanted, { fleet, sides, leaving, isWhole: true });
  const becoming = planned.flatMap((node) => (node instanceof Failure ? [] : node));
  const nodeChanges = planned.flatMap((node, index) =>
    node instanceof Failure ? [] : nodeChange(node, wanted[index]?.before),
  );
  const setPlan = planSets(sets, fleet, sides);
  const staying = new Set([
    ...becoming.map(({ setId }) => setId),
    ...(isPruning ? [] : unnamed.map(({ node }) => node.setId)),
  ]);
  const pruned = isPruning ? planPrunedSets(sets, fleet, staying) : [];
  const changes = [...setPlan.changes, ...pruned, ...nodeChanges, ...(isPruning ? unnamed.map(removal) : [])];
  const changed = (what: 'node' | 'set', kinds: readonly Change['change'][]): Set<number> =>
    new Set(
      changes.filter((change) => change.what === what && kinds.includes(change.change)).map(({ id }) => id),
    );
  const [putNodes, putSets] = [changed('node', ['add', 'change']), changed('set', ['add', 'change'])];

  return {
    changes,
    errors: [
      ...setPlan.errors,
      ...nodes.flatMap((input, index) => [
        ...unknownKeys('node', index, input, NODE_KEYS),
        ...(input.media_addresses ?? []).flatMap((address) =>
          unknownKeys('node', index, address, ADDRESS_KEYS),
        ),
      ]),
      ...faultsOf('node', planned),
    ],
    unmanaged: isPruning ? 0 : unnamed.length,
    fleet: {
      put: becoming.filter(({ id }) => putNodes.has(id)),
      remove: [...leaving],
      sets: [
        ...setPlan.sets.filter(({ id }) => putSets.has(id)),
        ...pruned.map(({ id }) => ({ ...SET_DEFAULTS, id })),
      ],
    },
    forgottenSets: pruned.filter(({ change }) => change === 'remove').map(({ id }) => id),
  };
}

function planSets(
  inputs: readonly SetInput[],
  fleet: Fleet,
  sides: Sides,
): { sets: NodeSet[]; changes: Change[]; errors: Fault[] } {
  const seen = new Set<number>();
  const planned = inputs.map((input): NodeSet | Failure => {
    if (seen.has(input.id)) return new Failure('RTPC_BAD_PARAMETER', `set ${input.id} is declared twice`);
    seen.add(input.id);

    return readSet(input, SET_DEFAULTS, sides);
  });
  const sets = planned.flatMap((set) => (set instanceof Failure ? [] : set));

  return {
    sets,
    changes: sets.map((set) => setChange(set, fleet.hasSet(set.id) ? fleet.set(set.id) : undefined)),
    errors: [
      ...inputs.flatMap((input, index) => unknownKeys('set', index, input, SET_KEYS)),
      ...faultsOf('set', planned),
    ],
  };
}

/** Sets that are not declared: with nodes they have the defaults again, without they go. */
function planPrunedSets(declared: readonly SetInput[], fleet: Fleet, staying: ReadonlySet<number>): Change[] {
  const ids = new Set(declared.map(({ id }) => id));

  return fleet
    .sets()
    .filter(({ id }) => !ids.has(id))
    .flatMap((set): Change[] => {
      if (!staying.has(set.id))
        return [{ what: 'set', id: set.id, socket: null, change: 'remove', fields: {} }];
      const change = setChange({ ...SET_DEFAULTS, id: set.id }, set);

      return change.change === 'none' ? [] : [change];
    });
}

function conflict(
  node: Node,
  before: Node | undefined,
  fleet: Fleet,
  taken: ReadonlySet<number>,
  places: ReadonlyMap<string, number>,
): Failure | undefined {
  const current = fleet.get(node.id);
  if (taken.has(node.id)) {
    return new Failure('RTPC_NODE_EXISTS', `id ${node.id} stands in an earlier row too`);
  }
  if (
    before === undefined &&
    current !== undefined &&
    (current.removedAt === null || current.socket !== node.socket)
  ) {
    return new Failure(
      'RTPC_NODE_EXISTS',
      `node ${node.id} exists already, with socket ${current.socket}${current.removedAt === null ? '' : '; it is removed but still has calls'}`,
    );
  }
  const same = places.get(placeOf(node));
  if (same !== undefined && same !== node.id) {
    return new Failure(
      'RTPC_NODE_EXISTS',
      `socket ${node.socket} is in set ${node.setId} already, as node ${same}`,
    );
  }
  const calls = current?.calls ?? 0;
  if (before !== undefined && before.socket !== node.socket && calls > 0) {
    return new Failure(
      'RTPC_NODE_IN_USE',
      `node ${node.id} has ${calls} calls on ${before.socket}; add ${node.socket} as a new node and remove this one`,
    );
  }
  // Also one that was removed and would come back as another relay.
  if (current !== undefined && current.node.kind !== node.kind && calls > 0) {
    return new Failure(
      'RTPC_NODE_IN_USE',
      `node ${node.id} has ${calls} calls as ${current.node.kind}; it can be ${node.kind} when they have ended`,
    );
  }

  return undefined;
}

/** What a node's place in the fleet is known by: two nodes of one set have not the same socket. */
function placeOf({ socket, setId }: Pick<Node, 'socket' | 'setId'>): string {
  return `${setId} ${socket}`;
}

/** What becomes of a node that is described. */
export function nodeChange(node: Node, before: Node | undefined): Change {
  const fields = before === undefined ? {} : difference(nodeShown(before), nodeShown(node));

  return { what: 'node', id: node.id, socket: node.socket, change: kindOf(before, fields), fields };
}

function setChange(set: NodeSet, before: NodeSet | undefined): Change {
  const fields = before === undefined ? {} : difference(setShown(before), setShown(set));

  return { what: 'set', id: set.id, socket: null, change: kindOf(before, fields), fields };
}

function kindOf(before: unknown, fields: Change['fields']): Change['change'] {
  if (before === undefined) return 'add';

  return Object.keys(fields).length === 0 ? 'none' : 'change';
}

function removal({ id, socket, calls }: Member): Change {
  return { what: 'node', id, socket, change: 'remove', fields: {}, calls };
}

function difference<T extends object>(before: T, after: T): Change['fields'] {
  const old = new Map(Object.entries(before));

  return Object.fromEntries(
    Object.entries(after)
      .filter(([key, to]) => !Bun.deepEquals(old.get(key), to))
      .map(([key, to]) => [key, { from: old.get(key), to }]),
  );
}

function unknownKeys(what: Fault['what'], index: number, entry: object, known: readonly string[]): Fault[] {
  return Object.keys(entry)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const hint = nearest(key, known);
      const guess = hint === undefined ? `allowed are ${known.join(', ')}` : `did you mean ${hint}?`;

      return {
        what,
        index,
        key,
        message: `there is no key "${key.slice(0, 64)}" in a ${known === ADDRESS_KEYS ? 'media address' : what}; ${guess}`,
      };
    });
}

function faultsOf(what: Fault['what'], planned: readonly unknown[]): Fault[] {
  return planned.flatMap((result, index) =>
    result instanceof Failure ? [{ what, index, key: null, message: result.message }] : [],
  );
}
