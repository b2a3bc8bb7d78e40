/** Calls and their legs as rows. All statements are prepared once; the group commit runs them. */

import { and, desc, eq, lt, ne, or, sql } from 'drizzle-orm';
import type { BunSQLiteDatabase } from 'drizzle-orm/bun-sqlite';
import type { Call, CallState, Leg, LegSdp } from '../domain/call.ts';
import { call, leg, legSdp } from './schema.ts';

/** An ended call as the database keeps it, newest first in lists. */
export type EndedCalls = { readonly calls: Call[]; readonly next: string | null };

export interface EndedQuery {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after: string | null;
  readonly nodeId?: number | undefined;
  readonly setId?: number | undefined;
}

export class CallRows {
  readonly #db: BunSQLiteDatabase;
  readonly #insertCall;
  readonly #updateCall;
  readonly #upsertLeg;
  readonly #upsertSdp;
  readonly #deleteLeg;
  readonly #deleteSdp;
  readonly #deleteCall;
  readonly #selectSdp;
  readonly #selectEnded;

  constructor(db: BunSQLiteDatabase) {
    this.#db = db;
    const p = sql.placeholder;
    this.#insertCall = db
      .insert(call)
      .values({
        callId: p('callId'),
        nodeId: p('nodeId'),
        setId: p('setId'),
        callerSide: p('callerSide'),
        calleeSide: p('calleeSide'),
        callerTag: p('callerTag'),
        state: p('state'),
        offers: p('offers'),
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
        offers: sql`${p('offers')}`,
        updatedAt: sql`${p('updatedAt')}`,
        endReason: sql`${p('endReason')}`,
      })
      .where(eq(call.callId, p('callId')))
      .prepare();
    this.#upsertLeg = db
      .insert(leg)
      .values({
        callId: p('callId'),
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
        target: [leg.callId, leg.tag, leg.branch],
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
        callId: p('callId'),
        tag: p('tag'),
        branch: p('branch'),
        received: p('received'),
        returned: p('returned'),
      })
      .onConflictDoUpdate({
        target: [legSdp.callId, legSdp.tag, legSdp.branch],
        set: { received: sql`excluded.received`, returned: sql`excluded.returned` },
      })
      .prepare();
    const isLeg = <T extends typeof leg | typeof legSdp>(table: T) =>
      and(eq(table.callId, p('callId')), eq(table.tag, p('tag')), eq(table.branch, p('branch')));
    this.#deleteLeg = db.delete(leg).where(isLeg(leg)).prepare();
    this.#deleteSdp = db.delete(legSdp).where(isLeg(legSdp)).prepare();
    this.#deleteCall = db
      .delete(call)
      .where(eq(call.callId, p('callId')))
      .prepare();
    this.#selectSdp = db
      .select()
      .from(legSdp)
      .where(eq(legSdp.callId, p('callId')))
      .prepare();
    this.#selectEnded = db
      .select()
      .from(call)
      .where(and(eq(call.callId, p('callId')), eq(call.state, 'ended')))
      .prepare();
  }

  /** Writes a call that was never written before, in place of an ended one with the same Call-ID. */
  insert(value: Call): void {
    this.#deleteCall.run({ callId: value.callId });
    this.#insertCall.run({
      ...callState(value),
      setId: value.setId,
      callerSide: value.direction.from,
      calleeSide: value.direction.to,
      callerTag: value.callerTag,
      createdAt: value.createdAt,
    });
  }

  update(value: Call): void {
    this.#updateCall.run(callState(value));
  }

  writeLeg(callId: string, value: Leg): void {
    this.#upsertLeg.run({
      callId,
      tag: value.tag,
      branch: value.branch,
      side: value.side,
      readerSide: value.readerSide,
      family: value.family,
      confirmed: value.confirmed,
      offering: value.offering,
      createdAt: value.createdAt,
      updatedAt: value.updatedAt,
    });
  }

  writeSdp(callId: string, { tag, branch }: Leg, { received, returned }: LegSdp): void {
    this.#upsertSdp.run({ callId, tag, branch, received, returned });
  }

  deleteLeg(callId: string, { tag, branch }: Leg): void {
    this.#deleteLeg.run({ callId, tag, branch });
    this.#deleteSdp.run({ callId, tag, branch });
  }

  /** All calls that have not ended. */
  loadLive(): Call[] {
    const live = new Map<string, Call>();
    for (const row of this.#db.select().from(call).where(ne(call.state, 'ended')).all()) {
      live.set(row.callId, toCall(row));
    }
    const legs = this.#db
      .select({ leg })
      .from(leg)
      .innerJoin(call, eq(call.callId, leg.callId))
      .where(ne(call.state, 'ended'))
      .all();
    for (const row of legs) live.get(row.leg.callId)?.legs.push(toLeg(row.leg));

    return [...live.values()];
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

    return row === undefined ? undefined : this.#withLegs(row);
  }

  /** Ended calls, newest end first. */
  listEnded({ limit, after, nodeId, setId }: EndedQuery): EndedCalls {
    const [at, id] = after === null ? [] : splitCursor(after);
    const beyond =
      at === undefined
        ? undefined
        : or(lt(call.updatedAt, at), and(eq(call.updatedAt, at), lt(call.callId, id ?? '')));
    const rows = this.#db
      .select()
      .from(call)
      .where(
        and(
          eq(call.state, 'ended'),
          beyond,
          nodeId === undefined ? undefined : eq(call.nodeId, nodeId),
          setId === undefined ? undefined : eq(call.setId, setId),
        ),
      )
      .orderBy(desc(call.updatedAt), desc(call.callId))
      .limit(limit)
      .all();
    const last = rows.length === limit ? rows.at(-1) : undefined;

    return {
      calls: rows.map((row) => this.#withLegs(row)),
      next: last === undefined ? null : `${last.updatedAt} ${last.callId}`,
    };
  }

  /** The time before which ended calls are more than the newest `max`, or 0. Reads `max` index entries. */
  endOfNewest(max: number): number {
    const row = this.#db
      .select({ at: call.updatedAt })
      .from(call)
      .where(eq(call.state, 'ended'))
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
      .where(and(eq(call.state, 'ended'), lt(call.updatedAt, before)))
      .limit(limit)
      .all();
    for (const { callId } of old) this.#deleteCall.run({ callId });

    return old.length;
  }

  #withLegs(row: typeof call.$inferSelect): Call {
    const legs = this.#db.select().from(leg).where(eq(leg.callId, row.callId)).all();

    return { ...toCall(row), legs: legs.map(toLeg) };
  }
}

/** Names a leg within its call. */
export function legKey({ tag, branch }: { tag: string; branch: string }): string {
  return `${tag} ${branch}`;
}

function splitCursor(cursor: string): [number, string] {
  const space = cursor.indexOf(' ');

  return [Number(cursor.slice(0, space)), cursor.slice(space + 1)];
}

/** The columns of a call that change while it lives, and its key. */
function callState(value: Call) {
  return {
    callId: value.callId,
    nodeId: value.nodeId,
    state: value.state satisfies CallState,
    offers: value.offers.join('\n'),
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
    offers: row.offers === '' ? [] : row.offers.split('\n'),
    legs: [],
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    endReason: row.endReason,
  };
}

function toLeg({ callId: _, ...columns }: typeof leg.$inferSelect): Leg {
  return columns;
}
