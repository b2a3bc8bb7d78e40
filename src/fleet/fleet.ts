/** The live nodes: each with its driver, grouped by set, and what may be done to the list. */

import { SQLiteError } from 'bun:sqlite';
import { Failure } from '../domain/errors.ts';
import type { Node } from '../domain/node.ts';
import type { RelayDriver } from '../relay/driver.ts';
import type { FleetRows, NodeSet, StoredNode } from '../store/fleet-rows.ts';
import { explain } from '../store/open.ts';
import type { Clock } from '../util/clock.ts';

/** A node with its driver. Has what placement wants to know of a candidate. */
export interface Member {
  readonly id: number;
  readonly socket: string;
  readonly weight: number;
  readonly node: Node;
  readonly driver: RelayDriver;
  /** UTC ms of its removal; such a node serves the calls it has and gets no new ones. Null while it is in its set. */
  readonly removedAt: number | null;
}

/** Makes the driver for a node. The node's socket has been checked. */
export type DriverFactory = (node: Node) => RelayDriver;

/** Nodes one cluster may have. */
export const MAX_NODES = 10_000;

export class Fleet {
  readonly #rows: FleetRows;
  readonly #createDriver: DriverFactory;
  readonly #clock: Clock;
  readonly #members = new Map<number, Member>();
  readonly #sets = new Map<number, NodeSet>();
  /** Nodes of a set that may get new calls; rebuilt at each change, so that a request only looks it up. */
  #placeable = new Map<number, Member[]>();

  constructor(rows: FleetRows, createDriver: DriverFactory, clock: Clock) {
    this.#rows = rows;
    this.#createDriver = createDriver;
    this.#clock = clock;
  }

  load(): void {
    for (const set of this.#rows.loadSets()) this.#sets.set(set.id, set);
    for (const node of this.#rows.loadNodes()) this.#admit(node);
    this.#regroup();
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

  /** Nodes of a set that may get new calls. */
  placeable(setId: number): readonly Member[] {
    return this.#placeable.get(setId) ?? [];
  }

  /** Every set that has nodes or a description of its own, by id. */
  sets(): NodeSet[] {
    const ids = new Set([...this.#sets.keys(), ...this.list().map(({ node }) => node.setId)]);

    return [...ids].sort((a, b) => a - b).map((id) => this.set(id));
  }

  set(id: number): NodeSet {
    return this.#sets.get(id) ?? { id, description: '', direction: null };
  }

  hasSet(id: number): boolean {
    return this.#sets.has(id) || this.list(id).length > 0;
  }

  /** A free id for a new node. */
  nextId(): number {
    return Math.max(-1, ...this.#members.keys()) + 1;
  }

  /** The removed node that would come back if this socket were added to this set again. */
  removedTwin({ socket, setId }: Pick<Node, 'socket' | 'setId'>): Member | undefined {
    return [...this.#members.values()].find(
      ({ node, removedAt }) => removedAt !== null && node.socket === socket && node.setId === setId,
    );
  }

  /** Adds nodes, or changes those with the same id. All of them or, if the database refuses, none. */
  put(nodes: readonly Node[]): undefined | Failure {
    const stored = nodes.map((node): StoredNode => ({ ...node, removedAt: null }));
    const failure = this.#write(() => this.#rows.writeNodes(stored));
    if (failure !== undefined) return failure;
    for (const node of stored) this.#admit(node);
    this.#regroup();

    return undefined;
  }

  /** Takes a node out of its set. With calls on it, it goes on serving them and is forgotten after the last. */
  remove(id: number, hasCalls: boolean): undefined | Failure {
    const member = this.#members.get(id);
    if (member === undefined) return undefined;
    const removedAt = this.#clock.utc();
    const failure = this.#write(() =>
      hasCalls ? this.#rows.writeNodes([{ ...member.node, removedAt }]) : this.#rows.deleteNodes([id]),
    );
    if (failure !== undefined) return failure;
    if (hasCalls) {
      this.#members.set(id, { ...member, removedAt });
    } else {
      this.#members.delete(id);
      member.driver.close();
    }
    this.#regroup();

    return undefined;
  }

  /**
   * Forgets removed nodes without calls, for the start: when the program ended between the last call of such a node and
   * its removal, nothing else ever would.
   */
  forgetRemoved(hasCalls: (id: number) => boolean): undefined | Failure {
    const over = [...this.#members.values()].filter(
      ({ id, removedAt }) => removedAt !== null && !hasCalls(id),
    );
    if (over.length === 0) return undefined;
    const failure = this.#write(() => this.#rows.deleteNodes(over.map(({ id }) => id)));
    if (failure !== undefined) return failure;
    for (const { id, driver } of over) {
      this.#members.delete(id);
      driver.close();
    }

    return undefined;
  }

  putSet(set: NodeSet): undefined | Failure {
    const failure = this.#write(() => this.#rows.writeSet(set));
    if (failure === undefined) this.#sets.set(set.id, set);

    return failure;
  }

  deleteSet(id: number): undefined | Failure {
    const failure = this.#write(() => this.#rows.deleteSet(id));
    if (failure === undefined) this.#sets.delete(id);

    return failure;
  }

  close(): void {
    for (const { driver } of this.#members.values()) driver.close();
  }

  #admit({ removedAt, ...node }: StoredNode): void {
    const known = this.#members.get(node.id);
    const keepsDriver =
      known !== undefined && known.node.socket === node.socket && known.node.kind === node.kind;
    if (known !== undefined && !keepsDriver) known.driver.close();
    const driver = keepsDriver ? known.driver : this.#createDriver(node);
    this.#members.set(node.id, {
      id: node.id,
      socket: node.socket,
      weight: node.weight,
      node,
      driver,
      removedAt,
    });
  }

  #regroup(): void {
    const able = [...this.#members.values()].filter(
      ({ weight, removedAt }) => weight > 0 && removedAt === null,
    );
    this.#placeable = Map.groupBy(able, ({ node }) => node.setId);
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
