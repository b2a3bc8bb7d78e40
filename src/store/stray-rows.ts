/** Calls that may be left on nodes, as rows; what is not written yet waits here. */

import type { Database } from 'bun:sqlite';

/** A call that may be left on a node. */
export interface Stray {
  readonly nodeId: number;
  readonly callId: string;
  /** UTC ms. */
  readonly since: number;
  /** What the driver remembers of the call; null if that is nothing. */
  readonly memo: string | null;
}

/** Strays that may wait for a disk that fails. The oldest are dropped first. */
const MAX_WAITING = 10_000;

export class StrayRows {
  readonly #insert;
  readonly #delete;
  readonly #select;
  readonly #unsaved = new Map<string, { stray: Stray; isOver: boolean }>();

  constructor(database: Database) {
    this.#insert = database.query(
      'INSERT OR REPLACE INTO stray (node_id, call_id, since, memo) VALUES (?, ?, ?, ?)',
    );
    this.#delete = database.query('DELETE FROM stray WHERE node_id = ? AND call_id = ?');
    this.#select = database.query<Stray, []>(
      'SELECT node_id AS nodeId, call_id AS callId, since, memo FROM stray',
    );
  }

  /** How many wait. */
  get unsaved(): number {
    return this.#unsaved.size;
  }

  load(): Stray[] {
    return this.#select.all();
  }

  note(stray: Stray, isOver: boolean): void {
    const oldest = this.#unsaved.keys().next().value;
    if (this.#unsaved.size >= MAX_WAITING && oldest !== undefined) this.#unsaved.delete(oldest);
    this.#unsaved.set(`${stray.nodeId} ${stray.callId}`, { stray, isOver });
  }

  /** Writes what waits; it goes on waiting until it is `written`. */
  write(): void {
    for (const { stray, isOver } of this.#unsaved.values()) {
      if (isOver) this.#delete.run(stray.nodeId, stray.callId);
      else this.#insert.run(stray.nodeId, stray.callId, stray.since, stray.memo);
    }
  }

  written(): void {
    this.#unsaved.clear();
  }
}
