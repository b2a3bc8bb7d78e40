/** Calls and their legs as rows. All statements are prepared once; the group commit runs them. */

import type { Database } from 'bun:sqlite';
import { and, asc, desc, eq, lt, max, sql } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import type { Call, CallState, Leg, LegSdp } from '../domain/call.ts';
import { loadLiveCalls } from './load-calls.ts';
import { call, leg, legSdp } from './schema.ts';

/** Written out, so that SQLite sees that the index of ended calls fits; a bound value would hide it. */
const isEnded = sql`${call.state} = 'ended'`;

export class CallRows {
  readonly #db: BunSQLiteDatabase;
  readonly #database: Database;
  /** Row numbers of the calls in memory. */
  readonly #ids = new WeakMap<Call, number>();
  #nextId: number;
  readonly #insertCall;
  readonly #updateCall;
  readonly #upsertLeg;
  readonly #upsertSdp;
  readonly #deleteLeg;
  readonly #deleteSdp;
  readonly #deleteCall;
  readonly #selectSdp;
  readonly #selectEnded;
  readonly #selectById;
  readonly #selectLegs;

  constructor(db: BunSQLiteDatabase, database: Database) {
    this.#db = db;
    this.#database = database;
    this.#nextId =
      (db
        .select({ last: max(call.id) })
        .from(call)
        .get()?.last ?? 0) + 1;
    const p = sql.placeholder;
    this.#insertCall = db
      .insert(call)
      .values({
        id: p('id'),
        callId: p('callId'),
        nodeId: p('nodeId'),
        setId: p('setId'),
        callerSide: p('callerSide'),
        calleeSide: p('calleeSide'),
        callerTag: p('callerTag'),
        state: p('state'),
        initial: p('initial'),
        offers: p('offers'),
        memo: p('memo'),
        sessions: p('sessions'),
        createdAt: p('createdAt'),
        updatedAt: p('updatedAt'),
        endReason: p('endReason'),
      })
      .prepare();
    this.#updateCall = db
      .update(call)
      .set({
        nodeId: sql`${p('nodeId')}`,
        state: sql`${p('state')}`,
        initial: sql`${p('initial')}`,
        offers: sql`${p('offers')}`,
        memo: sql`${p('memo')}`,
        sessions: sql`${p('sessions')}`,
        updatedAt: sql`${p('updatedAt')}`,
        endReason: sql`${p('endReason')}`,
      })
      .where(eq(call.id, p('id')))
      .prepare();
    this.#upsertLeg = db
      .insert(leg)
      .values({
        call: p('call'),
        tag: p('tag'),
        branch: p('branch'),
        side: p('side'),
        readerSide: p('readerSide'),
        family: p('family'),
        confirmed: p('confirmed'),
        offering: p('offering'),
        createdAt: p('createdAt'),
        updatedAt: p('updatedAt'),
      })
      .onConflictDoUpdate({
        target: [leg.call, leg.tag, leg.branch],
        set: {
          readerSide: sql`excluded.reader_side`,
          family: sql`excluded.family`,
          confirmed: sql`excluded.confirmed`,
          offering: sql`excluded.offering`,
          updatedAt: sql`excluded.updated_at`,
        },
      })
      .prepare();
    this.#upsertSdp = db
      .insert(legSdp)
      .values({
        call: p('call'),
        tag: p('tag'),
        branch: p('branch'),
        received: p('received'),
        returned: p('returned'),
      })
      .onConflictDoUpdate({
        target: [legSdp.call, legSdp.tag, legSdp.branch],
        set: { received: sql`excluded.received`, returned: sql`excluded.returned` },
      })
      .prepare();
    const isLeg = <T extends typeof leg | typeof legSdp>(table: T) =>
      and(eq(table.call, p('call')), eq(table.tag, p('tag')), eq(table.branch, p('branch')));
    this.#deleteLeg = db.delete(leg).where(isLeg(leg)).prepare();
    this.#deleteSdp = db.delete(legSdp).where(isLeg(legSdp)).prepare();
    this.#deleteCall = db
      .delete(call)
      .where(eq(call.callId, p('callId')))
      .prepare();
    this.#selectSdp = db
      .select({
        tag: legSdp.tag,
        branch: legSdp.branch,
        received: legSdp.received,
        returned: legSdp.returned,
      })
      .from(legSdp)
      .innerJoin(call, eq(call.id, legSdp.call))
      .where(eq(call.callId, p('callId')))
      .prepare();
    this.#selectEnded = db
      .select()
      .from(call)
      .where(and(eq(call.callId, p('callId')), isEnded))
      .prepare();
    this.#selectById = db
      .select()
      .from(call)
      .where(sql`${call.id} in (select value from json_each(${p('calls')}))`)
      .prepare();
    this.#selectLegs = db
      .select()
      .from(leg)
      .where(sql`${leg.call} in (select value from json_each(${p('calls')}))`)
      .orderBy(asc(leg.call), asc(leg.tag), asc(leg.branch))
      .prepare();
  }

  /** Writes a call that was never written before, in place of an ended one with the same Call-ID. */
  insert(value: Call): void {
    this.#deleteCall.run({ callId: value.callId });
    const id = this.#nextId++;
    this.#insertCall.run({
      ...stateOf(value),
      id,
      callId: value.callId,
      setId: value.setId,
      callerSide: value.direction.from,
      calleeSide: value.direction.to,
      callerTag: value.callerTag,
      createdAt: value.createdAt,
    });
    this.#ids.set(value, id);
  }

  update(value: Call): void {
    this.#updateCall.run({ ...stateOf(value), id: this.#idOf(value) });
  }

  writeLeg(
    owner: Call,
    { tag, branch, side, readerSide, family, confirmed, offering, createdAt, updatedAt }: Leg,
  ): void {
    const call = this.#idOf(owner);
    this.#upsertLeg.run({
      call,
      tag,
      branch,
      side,
      readerSide,
      family,
      confirmed,
      offering,
      createdAt,
      updatedAt,
    });
  }

  writeSdp(owner: Call, { tag, branch }: Leg, { received, returned }: LegSdp): void {
    this.#upsertSdp.run({ call: this.#idOf(owner), tag, branch, received, returned });
  }

  deleteLeg(owner: Call, { tag, branch }: Leg): void {
    const key = { call: this.#idOf(owner), tag, branch };
    this.#deleteLeg.run(key);
    this.#deleteSdp.run(key);
  }

  /** All calls that have not ended. */
  loadLive(): Call[] {
    const calls: Call[] = [];
    loadLiveCalls(this.#database, (value, id) => {
      calls.push(value);
      this.#ids.set(value, id);
    });

    return calls;
  }

  /** The calls with these row numbers, in this order; those that are gone are left out. */
  load(ids: readonly number[]): Call[] {
    const found = this.#selectById.all({ calls: JSON.stringify(ids) });
    const rows = new Map(found.map((row) => [row.id, row]));
    const ordered = ids.flatMap((id) => rows.get(id) ?? []);
    const calls = this.#withLegs(ordered);
    for (const [index, { id }] of ordered.entries()) {
      const value = calls[index];
      if (value !== undefined) this.#ids.set(value, id);
    }

    return calls;
  }

  /** The last SDP of each leg, by `legKey`. */
  sdpOf(callId: string): Map<string, LegSdp> {
    return new Map(
      this.#selectSdp
        .all({ callId })
        .map(({ tag, branch, received, returned }) => [legKey({ tag, branch }), { received, returned }]),
    );
  }

  /** An ended call that is still kept. */
  findEnded(callId: string): Call | undefined {
    const row = this.#selectEnded.get({ callId });

    return row === undefined ? undefined : this.#withLegs([row])[0];
  }

  /** The time before which ended calls are more than the newest `max`, or 0. Reads `max` index entries. */
  endOfNewest(max: number): number {
    const row = this.#db
      .select({ at: call.updatedAt })
      .from(call)
      .where(isEnded)
      .orderBy(desc(call.updatedAt))
      .limit(1)
      .offset(max)
      .get();

    return row === undefined ? 0 : row.at + 1;
  }

  /** Removes up to `limit` calls that ended before `before`. Returns how many. */
  prune(before: number, limit: number): number {
    const old = this.#db
      .select({ callId: call.callId })
      .from(call)
      .where(and(isEnded, lt(call.updatedAt, before)))
      .limit(limit)
      .all();
    for (const { callId } of old) this.#deleteCall.run({ callId });

    return old.length;
  }

  /** One query for the legs of all: a page may have a thousand calls. */
  #withLegs(rows: readonly (typeof call.$inferSelect)[]): Call[] {
    const legs = Map.groupBy(
      this.#selectLegs.all({ calls: JSON.stringify(rows.map(({ id }) => id)) }),
      ({ call: id }) => id,
    );

    return rows.map((row) => ({ ...toCall(row), legs: (legs.get(row.id) ?? []).map(toLeg) }));
  }

  #idOf(value: Call): number {
    const id = this.#ids.get(value);
    if (id === undefined) throw new Error(`call ${value.callId} was never written`);

    return id;
  }
}

/** Names a leg within its call. */
export function legKey({ tag, branch }: { tag: string; branch: string }): string {
  return `${tag} ${branch}`;
}

/** The columns of a call that change while it lives. */
function stateOf(value: Call) {
  return {
    nodeId: value.nodeId,
    state: value.state satisfies CallState,
    initial: value.initial,
    offers: value.offers.join('\n'),
    memo: value.memo,
    sessions: value.sessions,
    updatedAt: value.updatedAt,
    endReason: value.endReason,
  };
}

function toCall(row: typeof call.$inferSelect): Call {
  return {
    callId: row.callId,
    nodeId: row.nodeId,
    setId: row.setId,
    direction: { from: row.callerSide, to: row.calleeSide },
    callerTag: row.callerTag,
    state: row.state,
    initial: row.initial,
    offers: row.offers === '' ? [] : row.offers.split('\n'),
    legs: [],
    memo: row.memo,
    sessions: row.sessions,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    endReason: row.endReason,
  };
}

function toLeg({ call: _, ...columns }: typeof leg.$inferSelect): Leg {
  return columns;
}
