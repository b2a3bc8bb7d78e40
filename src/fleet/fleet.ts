/** The live nodes: each with its driver, grouped by set, and what may be done to the list. */

import { SQLiteError } from 'bun:sqlite';
import { Failure } from '../domain/errors.ts';
import type { Evidence } from '../domain/evidence.ts';
import { initialHealth } from '../domain/health.ts';
import type { Node } from '../domain/node.ts';
import type { AdminState } from '../domain/state.ts';
import type { PlacementRules } from '../placement/choose.ts';
import { createPolicy } from '../placement/policies.ts';
import type { RelayDriver } from '../relay/driver.ts';
import type { FleetRows, NodeSet, StoredNode } from '../store/fleet-rows.ts';
import { explain } from '../store/open.ts';
import type { Clock } from '../util/clock.ts';
import type { CommandObserver } from './command-observer.ts';
import { Member, READY } from './member.ts';
import { observed } from './observed.ts';

/** Makes the driver for a node. The node's socket has been checked. */
export type DriverFactory = (node: Node) => RelayDriver;

/** All that a declaration changes, at once. */
export interface FleetChange {
  readonly put: readonly Node[];
  readonly remove: readonly number[];
  readonly sets: readonly NodeSet[];
}

/** What holds for a set nobody said anything of. */
export const SET_DEFAULTS: Omit<NodeSet, 'id'> = {
  description: '',
  direction: null,
  policy: 'hash',
  loadBy: 'sessions',
  portReserve: 5,
  mediaProbe: false,
};

/** Nodes one cluster may have. */
export const MAX_NODES = 10_000;

/** What the fleet learns of the rest of the program. */
export interface FleetOptions {
  /** Live calls on a node. */
  readonly countCalls: (nodeId: number) => number;
  /** Sessions the node has for them. */
  readonly countSessions: (nodeId: number) => number;
  /** A reply after so long would have been too late for a new call, ms. */
  readonly slowMs: number;
  /** Is told of each command to a relay. */
  readonly observer?: CommandObserver;
  /** Random numbers from 0 to 1, for policies. */
  readonly random?: () => number;
}

export class Fleet {
  /** Told whatever a request shows of a node's health. */
  onEvidence: (member: Member, evidence: Evidence) => void = () => undefined;
  /** Whether a node is needed though it has no calls: it still has to be told something. */
  isNeeded: (nodeId: number) => boolean = () => false;
  readonly #rows: FleetRows;
  readonly #createDriver: DriverFactory;
  readonly #clock: Clock;
  readonly #options: FleetOptions;
  readonly #members = new Map<number, Member>();
  readonly #sets = new Map<number, NodeSet>();
  /** The nodes of each set, removed ones left out; rebuilt at each change, so that a request only looks it up. */
  #bySet = new Map<number, Member[]>();
  /** How each set places calls; made anew when its settings change. */
  readonly #rules = new Map<number, PlacementRules>();

  constructor(rows: FleetRows, createDriver: DriverFactory, clock: Clock, options: FleetOptions) {
    this.#rows = rows;
    this.#createDriver = createDriver;
    this.#clock = clock;
    this.#options = options;
  }

  load(): void {
    for (const set of this.#rows.loadSets()) this.#sets.set(set.id, set);
    for (const node of this.#rows.loadNodes()) this.#admit(node);
    for (const { nodeId, startedAt, ...state } of this.#rows.loadHealth()) {
      const member = this.#members.get(nodeId);
      if (member === undefined) continue;
      member.opinion = { ...member.opinion, ...state };
      member.startedAt = startedAt;
    }
    this.#regroup();
  }

  /** Every node there is, removed ones with calls included. */
  all(): IterableIterator<Member> {
    return this.#members.values();
  }

  /** Any node that is known, removed ones with calls included. */
  get(id: number | null): Member | undefined {
    return id === null ? undefined : this.#members.get(id);
  }

  /** A node that is part of its set. */
  find(id: number): Member | Failure {
    const member = this.#members.get(id);
    if (member !== undefined && member.removedAt === null) return member;

    return new Failure(
      'RTPC_NODE_UNKNOWN',
      `there is no node ${id}; GET /v1/nodes or "rtp-cluster node list" shows all`,
    );
  }

  /** The nodes of all sets or of one, by id; removed ones left out. */
  list(setId?: number): Member[] {
    return [...this.#members.values()]
      .filter(({ node, removedAt }) => removedAt === null && (setId === undefined || node.setId === setId))
      .sort((a, b) => a.id - b.id);
  }

  /** The nodes of a set, removed ones left out, in no order. Made for the call path. */
  membersOf(setId: number): readonly Member[] {
    return this.#bySet.get(setId) ?? [];
  }

  /** How a set places new calls. */
  rulesOf(setId: number): PlacementRules {
    let rules = this.#rules.get(setId);
    if (rules === undefined) {
      const { policy, loadBy, portReserve } = this.set(setId);
      rules = {
        policy: createPolicy(policy, this.#options.random ?? Math.random),
        policyName: policy,
        loadBy,
        portReserve,
      };
      // A set nobody described may be asked for by anybody: those are not kept.
      if (this.hasSet(setId)) this.#rules.set(setId, rules);
    }

    return rules;
  }

  /** Every set that has nodes or a description of its own, by id. */
  sets(): NodeSet[] {
    const ids = new Set([...this.#sets.keys(), ...this.list().map(({ node }) => node.setId)]);

    return [...ids].sort((a, b) => a - b).map((id) => this.set(id));
  }

  set(id: number): NodeSet {
    return this.#sets.get(id) ?? { ...SET_DEFAULTS, id };
  }

  hasSet(id: number): boolean {
    return this.#sets.has(id) || this.list(id).length > 0;
  }

  /** A free id for a new node. */
  nextId(): number {
    return Math.max(-1, ...this.#members.keys()) + 1;
  }

  /** Adds nodes, or changes those with the same id. All of them or, if the database refuses, none. */
  put(nodes: readonly Node[]): undefined | Failure {
    return this.apply({ put: nodes, remove: [], sets: [] });
  }

  /** Makes a whole change: all of it or, if the database refuses, nothing. Orders and opinions stay as they are. */
  apply({ put, remove, sets }: FleetChange): undefined | Failure {
    const now = this.#clock.utc();
    const leaving = remove.flatMap((id) => this.#members.get(id) ?? []);
    const kept = leaving.filter(({ id, calls }) => calls > 0 || this.isNeeded(id));
    const gone = leaving.filter((member) => !kept.includes(member));
    const stored = put.map((node): StoredNode => {
      const known = this.#members.get(node.id);
      // A removed node that comes back begins like a new one.
      const stays = known !== undefined && known.removedAt === null;

      return {
        ...node,
        admin: stays ? known.admin : READY,
        // Another kind is another relay, which nobody told anything.
        limited: known?.node.kind === node.kind ? known.limited : null,
        removedAt: null,
      };
    });
    const failure = this.#write(() =>
      this.#rows.writeFleet({
        // Those that leave first: what is added may have the socket of one of them.
        put: [...kept.map((member): StoredNode => ({ ...member.stored, removedAt: now })), ...stored],
        remove: gone.map(({ id }) => id),
        sets,
      }),
    );
    if (failure !== undefined) return failure;
    for (const node of stored) this.#admit(node);
    for (const member of kept) member.removedAt = now;
    for (const member of gone) this.#forget(member);
    for (const set of sets) {
      this.#sets.set(set.id, set);
      this.#rules.delete(set.id);
    }
    this.#regroup();

    return undefined;
  }

  /** Puts a node under an order, and notes what its relay was told. */
  order(
    { id }: Member,
    change: { readonly admin?: AdminState; readonly limited?: StoredNode['limited'] },
  ): undefined | Failure {
    const member = this.#members.get(id);
    if (member === undefined) return undefined;
    const failure = this.#write(() => this.#rows.writeNodes([{ ...member.stored, ...change }]));
    if (failure !== undefined) return failure;
    if (change.admin !== undefined) member.admin = change.admin;
    if (change.limited !== undefined) member.limited = change.limited;

    return undefined;
  }

  /** Takes a node out of its set. With calls on it, it goes on serving them and is forgotten after the last. */
  remove(id: number): undefined | Failure {
    return this.apply({ put: [], remove: [id], sets: [] });
  }

  /**
   * Forgets removed nodes without calls, for the start: when the program ended between the last call of such a node and
   * its removal, nothing else ever would.
   */
  forgetRemoved(hasCalls: (id: number) => boolean): undefined | Failure {
    const over = [...this.#members.values()].filter(
      ({ id, removedAt }) => removedAt !== null && !hasCalls(id),
    );

    return over.length === 0
      ? undefined
      : this.apply({ put: [], remove: over.map(({ id }) => id), sets: [] });
  }

  putSet(set: NodeSet): undefined | Failure {
    return this.apply({ put: [], remove: [], sets: [set] });
  }

  deleteSet(id: number): undefined | Failure {
    const failure = this.#write(() => this.#rows.deleteSet(id));
    if (failure === undefined) {
      this.#sets.delete(id);
      this.#rules.delete(id);
    }

    return failure;
  }

  close(): void {
    for (const { driver } of this.#members.values()) driver.close();
  }

  #admit(stored: StoredNode): void {
    const { admin, limited, removedAt, ...node } = stored;
    const known = this.#members.get(node.id);
    if (known !== undefined && node.socket === known.node.socket && node.kind === known.node.kind) {
      if (known.removedAt !== null && removedAt === null) known.opinion = initialHealth(this.#clock.utc());
      Object.assign(known, { node, admin, limited, removedAt });

      return;
    }
    known?.driver.close();
    const member: Member = new Member(stored, {
      driver: observed(this.#createDriver(node), {
        clock: this.#clock,
        slowMs: this.#options.slowMs,
        tell: (evidence) => this.onEvidence(member, evidence),
        count: (command, result, tookMs) =>
          this.#options.observer?.command(node.kind, command, result, tookMs),
      }),
      clock: this.#clock,
      countCalls: this.#options.countCalls,
      countSessions: this.#options.countSessions,
    });
    this.#members.set(node.id, member);
  }

  #forget(member: Member): void {
    this.#members.delete(member.id);
    member.driver.close();
  }

  #regroup(): void {
    const present = [...this.#members.values()].filter(({ removedAt }) => removedAt === null);
    this.#bySet = Map.groupBy(present, ({ node }) => node.setId);
  }

  #write(run: () => void): undefined | Failure {
    try {
      run();

      return undefined;
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;

      return new Failure('RTPC_NOT_DURABLE', `nothing was changed: ${explain(error)}`);
    }
  }
}
