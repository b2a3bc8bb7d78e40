/** Events as rows. */

import { and, desc, lt, lte, sql } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import { event } from './schema.ts';

/** Something that happened, for people to read later. */
export interface EventRecord {
  /** UTC ms. */
  readonly at: number;
  /** `area.what`, the same word as in the log. */
  readonly kind: string;
  readonly nodeId: number | null;
  readonly callId: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export class EventRows {
  readonly #db: BunSQLiteDatabase;
  readonly #insert;

  constructor(db: BunSQLiteDatabase) {
    this.#db = db;
    const p = sql.placeholder;
    this.#insert = db
      .insert(event)
      .values({ at: p('at'), kind: p('kind'), nodeId: p('nodeId'), callId: p('callId'), detail: p('detail') })
      .prepare();
  }

  insert(record: EventRecord): void {
    this.#insert.run({ ...record, detail: JSON.stringify(record.detail) });
  }

  /** Newest first. `before` is the id of the last one on the previous page. */
  list(limit: number, before: number | null): (EventRecord & { id: number })[] {
    return this.#db
      .select()
      .from(event)
      .where(before === null ? undefined : lt(event.id, before))
      .orderBy(desc(event.id))
      .limit(limit)
      .all()
      .map((row) => ({ ...row, detail: JSON.parse(row.detail) }));
  }

  /** Removes up to `limit` events older than `before`, and as many of the oldest ones beyond `max`. */
  prune(before: number, max: number, limit: number): void {
    const ids = this.#db
      .select({ first: sql<number | null>`min(id)`, last: sql<number | null>`max(id)` })
      .from(event)
      .get();
    if (ids === undefined || ids.first === null || ids.last === null) return;
    const end = ids.first + limit;
    this.#db
      .delete(event)
      .where(and(lt(event.id, end), lt(event.at, before)))
      .run();
    this.#db
      .delete(event)
      .where(and(lt(event.id, end), lte(event.id, ids.last - max)))
      .run();
  }
}
