/** Nodes and sets as rows. Changes are rare and made by people, so each is its own transaction and waits for the disk. */

import type { Database } from 'bun:sqlite';
import { eq, inArray } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import type { Node } from '../domain/node.ts';
import type { AdminState, Health } from '../domain/state.ts';
import type { LoadMeasure, PolicyName } from '../placement/policy.ts';
import { mediaAddress, node, nodeHealth, nodeSet } from './schema.ts';

/** What is said of a set as a whole. */
export interface NodeSet {
  readonly id: number;
  readonly description: string;
  /** Direction of calls when nothing else tells it; null = such calls are refused. */
  readonly direction: string | null;
  readonly policy: PolicyName;
  readonly loadBy: LoadMeasure;
  /** Percent of a node's media ports that new calls leave free, for re-offers of running ones; 0 to 50. */
  readonly portReserve: number;
  /** Whether each of its nodes gets a call of ours with real RTP once a minute. */
  readonly mediaProbe: boolean;
}

/** A node as stored. */
export interface StoredNode extends Node {
  readonly admin: AdminState;
  /** What the relay itself was told: to take no new calls, with the limit it had before; null if nothing. */
  readonly limited: { readonly before: number | null } | null;
  /** UTC ms of its removal while calls keep it, else null. */
  readonly removedAt: number | null;
}

/** What is stored of our opinion of a node. */
export interface StoredHealth {
  readonly nodeId: number;
  readonly health: Health;
  readonly since: number;
  readonly cause: string;
  readonly ejections: number;
  readonly ejectedUntil: number | null;
  readonly rampFrom: number | null;
  readonly startedAt: number | null;
}

export class FleetRows {
  readonly #db: BunSQLiteDatabase;
  readonly #database: Database;

  /** Writes nothing for a node that is gone meanwhile. */
  readonly #writeHealth;

  constructor(db: BunSQLiteDatabase, database: Database) {
    this.#db = db;
    this.#database = database;
    this.#writeHealth = database.query(
      `INSERT OR REPLACE INTO node_health
        (node_id, health, since, cause, ejections, ejected_until, ramp_from, started_at)
       SELECT $nodeId, $health, $since, $cause, $ejections, $ejectedUntil, $rampFrom, $startedAt
       FROM node WHERE id = $nodeId`,
    );
  }

  loadNodes(): StoredNode[] {
    const addresses = Map.groupBy(this.#db.select().from(mediaAddress).all(), ({ nodeId }) => nodeId);

    return this.#db
      .select()
      .from(node)
      .all()
      .map(
        ({
          tags,
          adminState,
          adminBy,
          adminReason,
          adminAt,
          adminUntil,
          isLimited,
          limitBefore,
          ...row
        }): StoredNode => ({
          ...row,
          tags: tags === '' ? [] : tags.split(','),
          mediaAddresses: (addresses.get(row.id) ?? []).map(({ nodeId: _, ...address }) => address),
          admin: { order: adminState, by: adminBy, reason: adminReason, at: adminAt, until: adminUntil },
          limited: isLimited ? { before: limitBefore } : null,
        }),
      );
  }

  loadHealth(): StoredHealth[] {
    return this.#db.select().from(nodeHealth).all();
  }

  loadSets(): NodeSet[] {
    return this.#db.select().from(nodeSet).all();
  }

  /** Writes our opinion of a node, as part of a transaction of the caller. Throws SQLite's errors. */
  writeHealth({
    nodeId,
    health,
    since,
    cause,
    ejections,
    ejectedUntil,
    rampFrom,
    startedAt,
  }: StoredHealth): void {
    this.#writeHealth.run({
      $nodeId: nodeId,
      $health: health,
      $since: since,
      $cause: cause,
      $ejections: ejections,
      $ejectedUntil: ejectedUntil,
      $rampFrom: rampFrom,
      $startedAt: startedAt,
    });
  }

  /** Writes all nodes or none. Throws SQLite's errors. */
  writeNodes(nodes: readonly StoredNode[]): void {
    this.writeFleet({ put: nodes, remove: [], sets: [] });
  }

  /** Writes all of a change or nothing. Throws SQLite's errors. */
  writeFleet(change: {
    readonly put: readonly StoredNode[];
    readonly remove: readonly number[];
    readonly sets: readonly NodeSet[];
  }): void {
    this.#write(() => {
      // Removed first: what is added may have the socket of what goes.
      if (change.remove.length > 0) {
        this.#db
          .delete(node)
          .where(inArray(node.id, [...change.remove]))
          .run();
      }
      for (const stored of change.put) this.#put(stored);
      for (const set of change.sets) {
        this.#db.insert(nodeSet).values(set).onConflictDoUpdate({ target: nodeSet.id, set }).run();
      }
    });
  }

  deleteSet(id: number): void {
    this.#write(() => this.#db.delete(nodeSet).where(eq(nodeSet.id, id)).run());
  }

  #put({ mediaAddresses, admin, limited, tags, ...rest }: StoredNode): void {
    const row = {
      ...rest,
      tags: tags.join(','),
      adminState: admin.order,
      adminBy: admin.by,
      adminReason: admin.reason,
      adminAt: admin.at,
      adminUntil: admin.until,
      isLimited: limited !== null,
      limitBefore: limited?.before ?? null,
    };
    this.#db.insert(node).values(row).onConflictDoUpdate({ target: node.id, set: row }).run();
    this.#db.delete(mediaAddress).where(eq(mediaAddress.nodeId, row.id)).run();
    if (mediaAddresses.length > 0) {
      this.#db
        .insert(mediaAddress)
        .values(mediaAddresses.map((address) => ({ ...address, nodeId: row.id })))
        .run();
    }
  }

  /**
   * Runs one transaction that is safe from power loss when this returns: who asked is told at once that it is done. The
   * database is otherwise opened so that a commit waits for nothing; calls have a sync of their own.
   */
  #write(run: () => void): void {
    this.#database.run('PRAGMA synchronous = FULL');
    try {
      this.#database.transaction(run).immediate();
    } finally {
      this.#database.run('PRAGMA synchronous = NORMAL');
    }
  }
}
