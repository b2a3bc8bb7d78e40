/** Ended calls in the order of their ends, newest first, read in slices along their index: who looks for one must not hold up calls. */

import type { Database } from 'bun:sqlite';

/** What a slice tells of a call. */
export interface EndedRow {
  readonly id: number;
  readonly callId: string;
  /** When it began and ended, UTC ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly nodeId: number | null;
  readonly setId: number;
}

/** After which call a slice begins. */
export type EndedPlace = Pick<EndedRow, 'id' | 'updatedAt'>;

/** Before the newest. */
export const NEWEST: EndedPlace = { id: 0, updatedAt: Number.MAX_SAFE_INTEGER };

const COLUMNS =
  'id, call_id AS callId, created_at AS createdAt, updated_at AS updatedAt, node_id AS nodeId, set_id AS setId';

export class EndedCalls {
  readonly #sameEnd;
  readonly #olderEnd;

  constructor(database: Database) {
    // Two questions: in one, SQLite would read all that ended in the same millisecond again for each slice.
    this.#sameEnd = database.query<EndedRow, [number, number, number]>(
      `SELECT ${COLUMNS} FROM call WHERE state = 'ended' AND updated_at = ? AND id < ? ORDER BY id DESC LIMIT ?`,
    );
    this.#olderEnd = database.query<EndedRow, [number, number, number]>(
      `SELECT ${COLUMNS} FROM call WHERE state = 'ended' AND updated_at < ? AND updated_at >= ?
        ORDER BY updated_at DESC, id DESC LIMIT ?`,
    );
  }

  /** The next `count` calls after a place, of those that ended at `since` (UTC ms) or later. Fewer are the last ones. */
  slice({ id, updatedAt }: EndedPlace, since: number, count: number): EndedRow[] {
    const same = updatedAt < since ? [] : this.#sameEnd.all(updatedAt, id, count);
    if (same.length === count) return same;

    return [...same, ...this.#olderEnd.all(updatedAt, since, count - same.length)];
  }
}
