/** What was done for calls, as rows: some steps of one call in each; what is not written yet waits here. */

import type { Database } from 'bun:sqlite';

export interface TraceRow {
  readonly callId: string;
  /** UTC ms of its first step. */
  readonly at: number;
  /** As their owner packed them; of older versions a text. */
  readonly steps: Uint8Array | string;
}

/** What is read of one call. */
export interface Trace {
  /** Oldest first. */
  readonly rows: readonly (Uint8Array | string)[];
  /** Whether rows between the first one and the others are left out, as there are too many. */
  readonly isPartial: boolean;
}

/** Rows read of one call, and bytes of them, besides its first row: whoever looks at a call must not hold up others. */
const MAX_ROWS = 256;
const MAX_BYTES = 2_097_152;

export class TraceRows {
  readonly #insert;
  readonly #first;
  readonly #newest;
  readonly #ends;
  readonly #prune;
  #unsaved: TraceRow[] = [];
  /** Rows written since the last prune. */
  #written = 0;

  constructor(database: Database) {
    this.#insert = database.query('INSERT INTO trace (call_id, at, steps) VALUES (?, ?, ?)');
    this.#first = database.query<Row, [string]>(
      'SELECT id, steps FROM trace WHERE call_id = ? ORDER BY id LIMIT 1',
    );
    this.#newest = database.query<Row, [string, number]>(
      'SELECT id, steps FROM trace WHERE call_id = ? ORDER BY id DESC LIMIT ?',
    );
    this.#ends = database.query<{ first: number | null; last: number | null }, []>(
      'SELECT (SELECT min(id) FROM trace) AS first, (SELECT max(id) FROM trace) AS last',
    );
    this.#prune = database.query('DELETE FROM trace WHERE id < ? AND (at < ? OR id <= ?)');
  }

  /** How many wait. */
  get unsaved(): number {
    return this.#unsaved.length;
  }

  note(row: TraceRow): void {
    this.#unsaved.push(row);
  }

  /** Writes what waits; it goes on waiting until it is `written`. */
  write(): void {
    for (const { callId, at, steps } of this.#unsaved) this.#insert.run(callId, at, steps);
  }

  written(): void {
    this.#written += this.#unsaved.length;
    this.#unsaved = [];
  }

  /** Forgets what waits. @returns how many rows */
  drop(): number {
    const { length } = this.#unsaved;
    this.#unsaved = [];

    return length;
  }

  /** The first row of a call, which says where it was placed, and its newest ones. */
  of(callId: string): Trace {
    const { rows, isPartial } = this.#stored(callId);
    const waiting = this.#unsaved.filter((row) => row.callId === callId);

    return { rows: [...rows, ...waiting.map(({ steps }) => steps)], isPartial };
  }

  #stored(callId: string): Trace {
    const first = this.#first.get(callId);
    if (first === null) return { rows: [], isPartial: false };
    const rows: (Uint8Array | string)[] = [];
    let bytes = 0;
    for (const { id, steps } of this.#newest.iterate(callId, MAX_ROWS + 1)) {
      if (id === first.id) return { rows: [...rows, first.steps].reverse(), isPartial: false };
      bytes += steps.length;
      if (bytes > MAX_BYTES || rows.length === MAX_ROWS) break;
      rows.push(steps);
    }

    return { rows: [...rows, first.steps].reverse(), isPartial: true };
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

interface Row {
  readonly id: number;
  readonly steps: Uint8Array | string;
}
