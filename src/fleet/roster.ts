/** Changes people make to the list of nodes: checked as a whole, then made as a whole. */

import { Failure } from '../domain/errors.ts';
import type { Node } from '../domain/node.ts';
import type { Sides } from '../domain/side.ts';
import type { Store } from '../store/store.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';
import type { NodeInput } from './node-input.ts';
import {
  type Change,
  type Declaration,
  matchNodes,
  nodeChange,
  type Plan,
  planFleet,
  planNode,
  planNodes,
  type Wanted,
} from './plan.ts';

/** One row of an import. */
export interface ImportRow extends NodeInput {
  /** Line in the file, for the report. */
  readonly row: number;
}

export interface RowReport {
  readonly row: number;
  readonly id: number | null;
  readonly result: 'added' | 'updated' | 'unchanged' | 'ok' | 'error';
  readonly message: string;
}

const RESULTS = { add: 'added', change: 'updated', none: 'unchanged', remove: 'error' } as const;
const EVENTS = { add: 'node.added', change: 'node.changed', remove: 'node.removed' } as const;

export class Roster {
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #sides: Sides;

  constructor(fleet: Fleet, store: Store, sides: Sides) {
    this.#fleet = fleet;
    this.#store = store;
    this.#sides = sides;
  }

  /** Adds one node. Adding the socket of a removed node that still has calls brings that node back. */
  add(input: NodeInput): Member | Failure {
    return this.#put({ input, before: undefined }, 'node.added');
  }

  /** The node that `add`, or `change` of the node of that id, would make, without making it. */
  draft(input: NodeInput): Node | Failure {
    const before = input.id === undefined ? undefined : this.#fleet.find(input.id);

    return planNode(
      { input, before: before instanceof Failure ? undefined : before?.node },
      { fleet: this.#fleet, sides: this.#sides },
    );
  }

  /** Changes one node. */
  change(id: number, input: NodeInput): Member | Failure {
    const member = this.#fleet.find(id);
    if (member instanceof Failure) return member;
    if (input.id !== undefined && input.id !== id) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `id is ${input.id} but the path says ${id}; a node keeps its id`,
      );
    }

    return this.#put({ input: { ...input, id }, before: member.node }, 'node.changed');
  }

  /** Takes a node out of its set. Calls on it go on until they end. */
  remove(id: number): { calls: number } | Failure {
    const member = this.#fleet.find(id);
    if (member instanceof Failure) return member;
    const { socket, calls } = member;
    const failure = this.#fleet.remove(id);
    if (failure !== undefined) return failure;
    this.#store.event('node.removed', { nodeId: id, socket, calls });

    return { calls };
  }

  /** Adds and changes many nodes. If any row is bad nothing is changed. */
  import(rows: readonly ImportRow[], isDryRun: boolean): { reports: RowReport[]; isGood: boolean } | Failure {
    const wanted = matchNodes(rows, this.#fleet);
    const planned = planNodes(wanted, { fleet: this.#fleet, sides: this.#sides }).map(
      (node, index) => mistaken(wanted[index]) ?? node,
    );
    const nodes = planned.flatMap((node) => (node instanceof Failure ? [] : node));
    const isGood = nodes.length === rows.length;
    const reports = rows.map(({ row, id = null }, index): RowReport => {
      const node = planned[index];
      if (node === undefined || node instanceof Failure)
        return { row, id, result: 'error', message: node?.message ?? '' };
      const change = nodeChange(node, wanted[index]?.before);
      const result = isGood ? RESULTS[change.change] : 'ok';

      return {
        row,
        id: node.id,
        result,
        message: [changesText(change), gapText(node)].filter(Boolean).join('; '),
      };
    });
    if (!isGood || isDryRun) return { reports, isGood };
    const failure = this.#fleet.put(nodes);
    if (failure !== undefined) return failure;
    for (const { id, result } of reports) {
      if (id !== null && result !== 'unchanged') {
        const { socket, setId } = this.#fleet.get(id)?.node ?? {};
        this.#store.event(result === 'added' ? 'node.added' : 'node.changed', {
          nodeId: id,
          socket,
          set_id: setId,
          by: 'import',
        });
      }
    }

    return { reports, isGood };
  }

  /**
   * Makes the fleet what is declared, as a whole or not at all.
   * @param isPruning whether what is not declared goes away; otherwise it stays
   */
  declare(
    declaration: Declaration,
    { isDryRun, isPruning }: { isDryRun: boolean; isPruning: boolean },
  ): Plan | Failure {
    const present = this.#fleet.list().length;
    if (isPruning && declaration.nodes.length === 0 && present > 0) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `the declaration has no nodes, and pruning would remove all ${present}; nothing was changed. To remove them all, remove each with "rtp-cluster node remove"`,
      );
    }
    const plan = planFleet(declaration, this.#fleet, this.#sides, isPruning);
    if (plan.errors.length > 0 || isDryRun) return plan;
    const failure = this.#fleet.apply(plan.fleet);
    if (failure !== undefined) return failure;
    // These say nothing now; should the disk be full at just this moment, the next pruning tidies up.
    for (const id of plan.forgottenSets) this.#fleet.deleteSet(id);
    for (const { what, id, socket, change, calls } of plan.changes) {
      if (what === 'set' || change === 'none') continue;
      this.#store.event(EVENTS[change], {
        nodeId: id,
        socket,
        by: 'apply',
        ...(calls === undefined ? {} : { calls }),
      });
    }

    return plan;
  }

  #put(wanted: Wanted, event: string): Member | Failure {
    const node = planNode(wanted, { fleet: this.#fleet, sides: this.#sides });
    if (node instanceof Failure) return node;
    const failure = this.#fleet.put([node]);
    if (failure !== undefined) return failure;
    const changes = changesText(nodeChange(node, wanted.before));
    this.#store.event(event, {
      nodeId: node.id,
      socket: node.socket,
      set_id: node.setId,
      ...(changes === '' ? {} : { changes }),
    });

    return this.#fleet.find(node.id);
  }
}

/** Why a row cannot be about the node it was matched with: one of the kinds is wrong, or the id is that of another table. */
function mistaken(wanted: Wanted | undefined): Failure | undefined {
  const { input, before } = wanted ?? {};
  if (before === undefined || input?.kind === undefined || input.kind === before.kind) return undefined;
  const advice =
    input.id === undefined
      ? `if it has become one, say so with "rtp-cluster node set ${before.id} --kind ${input.kind}"`
      : 'leave out the id of the row, and it gets a free one';

  return new Failure(
    'RTPC_NODE_EXISTS',
    `node ${before.id} is ${before.kind} ${before.socket}, but the row is about an ${input.kind}; ${advice}`,
  );
}

/** What a row changes: `socket udp:… -> udp:…, weight 100 -> 50`. */
function changesText({ fields }: Change): string {
  return Object.entries(fields)
    .map(([name, { from, to }]) =>
      name === 'media_addresses' ? name : `${name} ${String(from)} -> ${String(to)}`,
    )
    .join(', ');
}

/** What a node lacks to be of use for most calls. */
function gapText({ mediaAddresses }: Node): string {
  const missing = ['inner', 'outer'].filter((name) => !mediaAddresses.some(({ side }) => side === name));

  return missing.length === 0
    ? ''
    : `no media address for side ${missing.join(' and ')}: it gets no calls that need one`;
}
