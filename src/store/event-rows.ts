/** Events as rows, those that wait for a commit, and who is told of them. */

import { and, asc, desc, eq, gt, gte, inArray, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import { matchesKind } from '../domain/event.ts';
import { event, webhook } from './schema.ts';

/** Events that may wait for a disk that fails. The oldest are dropped first. */
const MAX_WAITING = 1000;

/** Fewer events than this are read through in a millisecond or two. */
const RARE = 5000;

/** Something that happened, for people to read later. */
export interface EventRecord {
  /** UTC ms. */
  readonly at: number;
  /** `area.what`, the same word as in the log. */
  readonly kind: string;
  readonly nodeId: number | null;
  /** A byte string. */
  readonly callId: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An event that is in the database. */
export interface StoredEvent extends EventRecord {
  /** Grows with each event and is never used twice. */
  readonly id: number;
}

/** Which events are wanted; what is missing lets all through. */
export interface EventFilter {
  /** Patterns as `readKindPattern` takes them. */
  readonly kinds?: readonly string[] | undefined;
  readonly nodeId?: number | undefined;
  /** Byte strings, any of which will do: a Call-ID as it may have been spelt. */
  readonly callIds?: readonly string[] | undefined;
}

/** Which part of the past is wanted. */
export interface EventRange {
  /** Only events with a higher id. */
  readonly after?: number | undefined;
  /** UTC ms, both included. The clock of the host says it: where it was set back they are not exact. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** Whether a filter lets an event through. */
export function lets(filter: EventFilter, { kind, nodeId, callId }: EventRecord): boolean {
  return (
    (filter.kinds === undefined || matchesKind(filter.kinds, kind)) &&
    (filter.nodeId ?? nodeId) === nodeId &&
    (filter.callIds === undefined || (callId !== null && filter.callIds.includes(callId)))
  );
}

export class EventRows {
  readonly #db: BunSQLiteDatabase;
  readonly #insert;
  readonly #sequence;
  readonly #nextTime;
  readonly #listeners = new Set<() => void>();
  #waiting: EventRecord[] = [];
  #waitingCursors = new Map<string, number>();
  #writtenId: number;
  #lastId: number;

  constructor(db: BunSQLiteDatabase) {
    this.#db = db;
    const p = sql.placeholder;
    this.#insert = db
      .insert(event)
      .values({ at: p('at'), kind: p('kind'), nodeId: p('nodeId'), callId: p('callId'), detail: p('detail') })
      .prepare();
    this.#sequence = db
      .select({ id: sql<number>`seq` })
      .from(sql`sqlite_sequence`)
      .where(sql`name = 'event'`)
      .prepare();
    this.#nextTime = db
      .select({ id: event.id, at: event.at })
      .from(event)
      .where(gte(event.id, p('id')))
      .orderBy(asc(event.id))
      .limit(1)
      .prepare();
    this.#writtenId = this.#newestId();
    this.#lastId = this.#writtenId;
  }

  /** Id of the newest event that is safe on the disk, pruned ones included; 0 if there never was one. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Id of the newest event that was written, safe or not. */
  get writtenId(): number {
    return this.#writtenId;
  }

  /** Events and places of webhooks that wait for a commit. */
  get unsaved(): number {
    return this.#waiting.length + this.#waitingCursors.size;
  }

  /** Calls `listener` whenever new events are safe on the disk, until the returned function is called. */
  onNew(listener: () => void): () => void {
    this.#listeners.add(listener);

    return () => this.#listeners.delete(listener);
  }

  /**
   * Keeps an event until `write`; says how many others were dropped for it.
   * @param isFailing whether nothing can be written at the moment: only then are any dropped
   */
  note(record: EventRecord, isFailing: boolean): number {
    const isFull = isFailing && this.#waiting.length >= MAX_WAITING;
    if (isFull) this.#waiting.shift();
    this.#waiting.push(record);

    return isFull ? 1 : 0;
  }

  /** Keeps how far a webhook has been told, until `write`. */
  noteWebhook(url: string, lastEventId: number): void {
    this.#waitingCursors.set(url, lastEventId);
  }

  /** Writes what waits; `written` says that it was committed. */
  write(): void {
    for (const record of this.#waiting)
      this.#insert.run({ ...record, detail: JSON.stringify(record.detail) });
    for (const [url, lastEventId] of this.#waitingCursors)
      this.#db
        .insert(webhook)
        .values({ url, lastEventId })
        .onConflictDoUpdate({ target: webhook.url, set: { lastEventId } })
        .run();
  }

  /** What waited is committed. */
  written(): void {
    if (this.#waiting.length > 0) this.#writtenId = this.#newestId();
    this.#waiting = [];
    this.#waitingCursors.clear();
  }

  /** Events up to `id` are safe on the disk. */
  settled(id: number): void {
    if (id <= this.#lastId) return;
    this.#lastId = id;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Newest first, those that are safe on the disk. `before` is the id of the last one on the previous page. */
  list(
    limit: number,
    before: number | null,
    { kinds, nodeId, callIds, after = 0, since, until }: EventFilter & EventRange = {},
  ): StoredEvent[] {
    const first = Math.max(after + 1, since === undefined ? 0 : this.firstAt(since));
    const end = Math.min(
      this.#lastId + 1,
      before ?? Infinity,
      until === undefined ? Infinity : this.firstAt(until + 1),
    );
    const range = [gte(event.id, first), lt(event.id, end)];
    const wanted = callIds === undefined ? range : [...range, inArray(event.callId, [...callIds])];
    // Each of these is read along an index, from the newest on, and ends at the limit.
    if (kinds === undefined) {
      return this.#read(limit, ...wanted, ...(nodeId === undefined ? [] : [eq(event.nodeId, nodeId)]));
    }
    const named = this.#kinds().filter((kind) => matchesKind(kinds, kind));
    if (named.length === 0) return [];
    const ofKinds = (...more: SQL[]): SQL =>
      sql.join(
        named.map((kind) => sql`select id from event where ${and(eq(event.kind, kind), ...wanted, ...more)}`),
        sql` union all `,
      );
    const newest = (ids: SQL): StoredEvent[] =>
      this.#read(limit, sql`${event.id} in (${ids} order by id desc limit ${limit})`);
    if (nodeId === undefined) return newest(ofKinds());
    // Through whichever is rarer, the kinds or the node; a plus keeps SQLite from choosing the other index.
    const [{ count } = { count: 0 }] = this.#db.all<{ count: number }>(
      sql`select count(*) as count from (${ofKinds()} limit ${RARE})`,
    );

    return count < RARE
      ? newest(ofKinds(sql`+${event.nodeId} = ${nodeId}`))
      : this.#read(limit, ...wanted, eq(event.nodeId, nodeId), sql`+${event.kind} in ${named}`);
  }

  /** Oldest first: events after `id` that are safe on the disk, at most `limit`. */
  after(id: number, limit: number): StoredEvent[] {
    return this.#db
      .select()
      .from(event)
      .where(and(gt(event.id, id), lte(event.id, this.#lastId)))
      .orderBy(asc(event.id))
      .limit(limit)
      .all()
      .map(parsed);
  }

  /**
   * An id such that events at or after `at` (UTC ms) begin there. Halves the ids: their order is that of time.
   */
  firstAt(at: number): number {
    let low = 0;
    let high = this.#writtenId + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const next = this.#nextTime.get({ id: middle });
      if (next === undefined || next.at >= at) high = middle;
      else low = next.id + 1;
    }

    return low;
  }

  /** How far each webhook has been told. Forgets those whose URL is not among `urls`. */
  webhooks(urls: readonly string[]): Map<string, number> {
    const rows = this.#db.select().from(webhook).all();
    const gone = rows.map(({ url }) => url).filter((url) => !urls.includes(url));
    if (gone.length > 0) this.#db.delete(webhook).where(inArray(webhook.url, gone)).run();

    return new Map(rows.map(({ url, lastEventId }) => [url, lastEventId]));
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

  #read(limit: number, ...conditions: SQL[]): StoredEvent[] {
    return this.#db
      .select()
      .from(event)
      .where(and(...conditions))
      .orderBy(desc(event.id))
      .limit(limit)
      .all()
      .map(parsed);
  }

  /** SQLite counts for us; what was pruned is counted too. */
  #newestId(): number {
    return this.#sequence.get()?.id ?? 0;
  }

  /** The kinds there are, by one look into the index for each: they are words of this program, some dozens. */
  #kinds(): string[] {
    return this.#db
      .all<{ kind: string }>(sql`
        with recursive kinds(kind) as (
          select min(kind) from event
          union all
          select (select min(kind) from event where kind > kinds.kind) from kinds where kind is not null
        ) select kind from kinds where kind is not null`)
      .map(({ kind }) => kind);
  }
}

function parsed(row: typeof event.$inferSelect): StoredEvent {
  return { ...row, detail: JSON.parse(row.detail) };
}
