/** What nodes and the fleet did over some minutes, as rows: read as series, kept for a week. */

import type { Database } from 'bun:sqlite';

/** The columns of a node, and of the whole fleet, besides its time. */
export const NODE_COLUMNS = [
  'up',
  'calls',
  'sessions',
  'ports_in_use',
  'ports_total',
  'placed_per_s',
  'packets_per_s',
  'errors_per_s',
  'rtt_ms',
  'probe_loss',
  'probe_delay_ms',
] as const;
export const FLEET_COLUMNS = [
  'nodes_up',
  'calls',
  'sessions',
  'placed_per_s',
  'requests_per_s',
  'failed_per_s',
  'p50_ms',
  'p99_ms',
  'loop_delay_ms',
  'commit_ms',
] as const;
export type Column = (typeof NODE_COLUMNS)[number] | (typeof FLEET_COLUMNS)[number];

/** How long samples are kept, ms. */
export const SAMPLES_MS = 7 * 24 * 3_600_000;
/** Rows of one node removed when one is written: many nodes are written together. A clock that is wrong for a moment costs no more. */
const PRUNE_ROWS = 4;

export interface SampleRow {
  /** Null for the fleet. */
  readonly nodeId: number | null;
  /** UTC ms of its end. */
  readonly at: number;
  /** In the order of the columns; null where nobody knows. */
  readonly values: readonly (number | null)[];
}

/** Time, and the columns in their order. */
export type ReadSample = readonly [at: number, ...values: (number | null)[]];

export class SampleRows {
  readonly #addSeries;
  readonly #insertNode;
  readonly #insertFleet;
  readonly #pruneNode;
  readonly #pruneFleet;
  readonly #gone;
  readonly #pruneGone;
  readonly #deleteSeries;
  readonly #readNode;
  readonly #readFleet;

  constructor(database: Database) {
    const named = (columns: readonly string[]): string => columns.join(', ');
    const inSeries = 'series = (SELECT id FROM node_series WHERE node_id = ?1)';
    const marks = (columns: readonly string[]): string => columns.map(() => '?').join(', ');
    // A node may be gone meanwhile.
    this.#addSeries = database.query(
      'INSERT OR IGNORE INTO node_series (node_id) SELECT id FROM node WHERE id = ?',
    );
    // A clock that was set back gives the same time again: the newer word counts.
    this.#insertNode = database.query(
      `INSERT OR REPLACE INTO node_sample (at, ${named(NODE_COLUMNS)}, series) SELECT ?, ${marks(NODE_COLUMNS)}, id FROM node_series WHERE node_id = ?`,
    );
    this.#insertFleet = database.query(
      `INSERT OR REPLACE INTO fleet_sample (at, ${named(FLEET_COLUMNS)}) VALUES (?, ${marks(FLEET_COLUMNS)})`,
    );
    this.#pruneNode = database.query(
      `DELETE FROM node_sample WHERE ${inSeries} AND at IN (SELECT at FROM node_sample WHERE ${inSeries} AND at < ?2 ORDER BY at LIMIT ${PRUNE_ROWS})`,
    );
    this.#pruneFleet = database.query(
      `DELETE FROM fleet_sample WHERE at IN (SELECT at FROM fleet_sample WHERE at < ? ORDER BY at LIMIT ${PRUNE_ROWS})`,
    );
    this.#gone = database.query<{ id: number }, []>(
      'SELECT id FROM node_series WHERE node_id IS NULL LIMIT 1',
    );
    this.#pruneGone = database.query(
      'DELETE FROM node_sample WHERE series = ?1 AND at IN (SELECT at FROM node_sample WHERE series = ?1 ORDER BY at LIMIT ?2)',
    );
    this.#deleteSeries = database.query('DELETE FROM node_series WHERE id = ?');
    this.#readNode = database.query(
      `SELECT at, ${named(NODE_COLUMNS)} FROM node_sample WHERE ${inSeries} AND at > ?2 AND at <= ?3 ORDER BY at LIMIT ?4`,
    );
    this.#readFleet = database.query(
      `SELECT at, ${named(FLEET_COLUMNS)} FROM fleet_sample WHERE at > ? AND at <= ? ORDER BY at LIMIT ?`,
    );
  }

  /** Writes a row, as part of a transaction of the caller, and removes some that are too old. Throws SQLite's errors. */
  write({ nodeId, at, values }: SampleRow): void {
    const before = at - SAMPLES_MS;
    if (nodeId === null) {
      this.#insertFleet.run(at, ...values);
      this.#pruneFleet.run(before);
    } else {
      this.#addSeries.run(nodeId);
      this.#insertNode.run(at, ...values, nodeId);
      this.#pruneNode.run(nodeId, before);
    }
  }

  /** Removes up to `limit` rows of nodes that are gone, as part of a transaction of the caller. Throws SQLite's errors. */
  pruneGone(limit: number): void {
    const gone = this.#gone.get();
    if (gone === null) return;
    // The number is given anew, so it goes last.
    if (this.#pruneGone.run(gone.id, limit).changes < limit) this.#deleteSeries.run(gone.id);
  }

  /**
   * Oldest first: rows of a node, or of the fleet if it is null, after one time and up to another (UTC ms), at most `limit`.
   */
  read(nodeId: number | null, after: number, until: number, limit: number): ReadSample[] {
    const rows =
      nodeId === null
        ? this.#readFleet.values(after, until, limit)
        : this.#readNode.values(nodeId, after, until, limit);

    return rows as unknown as ReadSample[];
  }
}
