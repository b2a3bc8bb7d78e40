/**
 * Rebuilds the calls in memory at start. Row by row and in plain SQL: Drizzle makes all rows before the first can be looked
 * at, which with 100,000 calls is most of the time and the memory of a start.
 */

import type { Database } from 'bun:sqlite';
import type { Call, CallState, Leg } from '../domain/call.ts';
import type { Direction } from '../domain/side.ts';
import type { Family } from '../util/ip.ts';

interface CallRow {
  id: number;
  call_id: string;
  node_id: number | null;
  set_id: number;
  caller_side: string;
  callee_side: string;
  caller_tag: string;
  state: CallState;
  initial: string | null;
  offers: string;
  memo: string | null;
  sessions: number;
  created_at: number;
  updated_at: number;
  end_reason: string | null;
}

interface LegRow {
  call: number;
  tag: string;
  branch: string;
  side: string;
  reader_side: string;
  family: Family;
  confirmed: number;
  offering: number;
  created_at: number;
  updated_at: number;
}

/** All calls that have not ended, each with the number of its row. Throws SQLite's errors. */
export function loadLiveCalls(database: Database, take: (call: Call, id: number) => void): void {
  const words = new Words();
  const live = new Map<number, Call>();
  for (const row of database.query<CallRow, []>("SELECT * FROM call WHERE state != 'ended'").iterate()) {
    const call: Call = {
      callId: row.call_id,
      nodeId: row.node_id,
      setId: row.set_id,
      direction: words.direction(row.caller_side, row.callee_side),
      callerTag: row.caller_tag,
      state: words.same(row.state),
      initial: row.initial,
      offers: row.offers === '' ? [] : row.offers.split('\n'),
      legs: [],
      memo: row.memo,
      sessions: row.sessions,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      endReason: row.end_reason,
    };
    live.set(row.id, call);
    take(call, row.id);
  }
  for (const row of database.query<LegRow, []>('SELECT * FROM leg').iterate()) {
    const call = live.get(row.call);
    if (call === undefined) continue;
    const leg: Leg = {
      // The caller's tag is the text that the call has already.
      tag: row.tag === call.callerTag ? call.callerTag : row.tag,
      branch: words.same(row.branch),
      side: words.same(row.side),
      readerSide: words.same(row.reader_side),
      family: words.same(row.family),
      confirmed: row.confirmed !== 0,
      offering: row.offering !== 0,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
    call.legs.push(leg);
  }
  // The pages read are not needed again soon.
  database.run('PRAGMA shrink_memory');
}

/** Words that come again and again, kept once instead of once for each row. */
class Words {
  readonly #texts = new Map<string, string>();
  readonly #directions = new Map<string, Direction>();

  same<T extends string>(text: T): T {
    const known = this.#texts.get(text);
    // What is stored under a text is that text.
    if (known !== undefined) return known as T;
    this.#texts.set(text, text);

    return text;
  }

  direction(from: string, to: string): Direction {
    const key = `${from}>${to}`;
    const known = this.#directions.get(key);
    if (known !== undefined) return known;
    const direction = { from, to };
    this.#directions.set(key, direction);

    return direction;
  }
}
