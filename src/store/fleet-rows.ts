/** Nodes and sets as rows. Changes are rare and made by people, so each is its own transaction and waits for the disk. */

import type { Database } from 'bun:sqlite';
import { eq, inArray } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import type { Node } from '../domain/node.ts';
import { mediaAddress, node, nodeSet } from './schema.ts';

/** What is said of a set as a whole. */
export interface NodeSet {
  readonly id: number;
  readonly description: string;
  /** Direction of calls when nothing else tells it; null = such calls are refused. */
  readonly direction: string | null;
}

/** A node as stored: with the time of its removal while calls keep it. */
export type StoredNode = Node & { readonly removedAt: number | null };

export class FleetRows {
  readonly #db: BunSQLiteDatabase;
  readonly #database: Database;

  constructor(db: BunSQLiteDatabase, database: Database) {
    this.#db = db;
    this.#database = database;
  }

  loadNodes(): StoredNode[] {
    const addresses = Map.groupBy(this.#db.select().from(mediaAddress).all(), ({ nodeId }) => nodeId);

    return this.#db
      .select()
      .from(node)
      .all()
      .map((row) => ({
        ...row,
        mediaAddresses: (addresses.get(row.id) ?? []).map(({ nodeId: _, ...address }) => address),
      }));
  }

  loadSets(): NodeSet[] {
    return this.#db.select().from(nodeSet).all();
  }

  /** Writes all nodes or none. Throws SQLite's errors. */
  writeNodes(nodes: readonly StoredNode[]): void {
    this.#write(() => {
      for (const { mediaAddresses, ...row } of nodes) {
        this.#db.insert(node).values(row).onConflictDoUpdate({ target: node.id, set: row }).run();
        this.#db.delete(mediaAddress).where(eq(mediaAddress.nodeId, row.id)).run();
        if (mediaAddresses.length > 0) {
          this.#db
            .insert(mediaAddress)
            .values(mediaAddresses.map((address) => ({ ...address, nodeId: row.id })))
            .run();
        }
      }
    });
  }

  deleteNodes(ids: readonly number[]): void {
    this.#write(() =>
      this.#db
        .delete(node)
        .where(inArray(node.id, [...ids]))
        .run(),
    );
  }

  writeSet(set: NodeSet): void {
    this.#write(() =>
      this.#db.insert(nodeSet).values(set).onConflictDoUpdate({ target: nodeSet.id, set }).run(),
    );
  }

  deleteSet(id: number): void {
    this.#write(() => this.#db.delete(nodeSet).where(eq(nodeSet.id, id)).run());
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
