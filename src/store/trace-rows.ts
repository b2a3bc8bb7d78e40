/** What was done for calls, as rows: some steps of one call in each. */

import type { Database } from 'bun:sqlite';

export interface TraceRow {
  readonly callId: string;
  /** UTC ms of its first step. */
  readonly at: number;
  /** A JSON array. */
  readonly steps: string;
}

export class TraceRows {
  readonly #insert;
  readonly #select;
  readonly #ends;
  readonly #prune;
  /** Rows written since the last prune. */
  #written = 0;

  constructor(database: Database) {
    this.#insert = database.query('INSERT INTO trace (call_id, at, steps) VALUES (?, ?, ?)');
    this.#select = database.query<{ steps: string }, [string]>(
      'SELECT steps FROM trace WHERE call_id = ? ORDER BY id',
    );
    this.#ends = database.query<{ first: number | null; last: number | null }, []>(
      'SELECT (SELECT min(id) FROM trace) AS first, (SELECT max(id) FROM trace) AS last',
    );
    this.#prune = database.query('DELETE FROM trace WHERE id < ? AND (at < ? OR id <= ?)');
  }

  insert({ callId, at, steps }: TraceRow): void {
    this.#written++;
    this.#insert.run(callId, at, steps);
  }

  of(callId: string): string[] {
    return this.#select.all(callId).map(({ steps }) => steps);
  }

  /**
   * Removes up to `limit` rows older than `before` (UTC ms), and as many of the oldest ones beyond `max`. When more than `limit` were
   * written since the last time, more are removed, so that the table never grows faster than it is pruned.
   */
  prune(before: number, max: number, limit: number): void {
    const ends = this.#ends.get();
    if (ends?.first == null || ends.last === null) return;
    this.#prune.run(ends.first + Math.max(limit, 2 * this.#written), before, ends.last - max);
    this.#written = 0;
  }
}
