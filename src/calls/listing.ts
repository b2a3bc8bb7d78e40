/**
 * Finds calls, live and ended, by what people know of them. There may be 100,000 of each: they are looked through in slices, one search
 * at a time, so that no request of a call waits for it.
 */

import type { Call, CallState } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type EndedCalls, type EndedPlace, type EndedRow, NEWEST } from '../store/ended-calls.ts';
import type { Store } from '../store/store.ts';
import { fromText } from '../util/bytes.ts';
import { turn } from '../util/clock.ts';
import type { CallTable } from './call-table.ts';

export interface CallQuery {
  /** `live` is every state but `ended`; `all` has the live ones first. */
  readonly state: CallState | 'live' | 'all';
  readonly nodeId?: number | undefined;
  readonly setId?: number | undefined;
  /** A part of the Call-ID; a short one is the whole of it. */
  readonly search?: string | undefined;
  /** Bounds of the beginning, UTC ms. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Of live calls, by their beginning; ended ones come newest end first. */
  readonly order: 'oldest' | 'newest';
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

export interface CallPage {
  readonly calls: readonly Call[];
  /** Where the next page begins; null after the last. */
  readonly next: string | null;
  /** Whether the page ended before it was full, since enough calls were looked through for one request: `next` goes on. */
  readonly isPartial: boolean;
}

/** Shorter texts are in nearly every Call-ID. */
const MIN_PART = 3;
/** Calls looked at before everybody else gets a turn, and calls read whole: each about a ms. */
const LIVE_PER_TURN = 4096;
const ENDED_PER_TURN = 1000;
const READ_PER_TURN = 100;
/** Ended calls looked through for one page. */
const ENDED_PER_PAGE = 200_000;
/** Searches that may wait for each other. */
const MAX_WAITING = 32;

/** Where a page of live calls begins, or one of ended calls. */
type Place =
  | { readonly of: 'live'; readonly createdAt: number; readonly callId: string }
  | ({ readonly of: 'ended' } & EndedPlace);

/** Where ended calls are. */
export interface CallStore extends Pick<Store, 'loadCalls' | 'findEndedCall'> {
  readonly ended: Pick<EndedCalls, 'slice'>;
}

export class Listing {
  readonly #calls: CallTable;
  readonly #store: CallStore;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(calls: CallTable, store: CallStore) {
    this.#calls = calls;
    this.#store = store;
  }

  async page(query: CallQuery): Promise<CallPage | Failure> {
    const place = query.after === undefined ? undefined : readPlace(query.after);
    if (place === null)
      return new Failure('RTPC_BAD_PARAMETER', 'after is not the "next" of a page of calls; leave it out');
    if (this.#waiting >= MAX_WAITING)
      return new Failure('RTPC_BUSY', `${MAX_WAITING} searches for calls wait already`);
    this.#waiting++;
    const result = this.#tail.then(() => this.#find(query, place));
    this.#tail = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      this.#waiting--;
    }
  }

  async #find(query: CallQuery, place: Place | undefined): Promise<CallPage> {
    const { state, limit, search } = query;
    const exact = search === undefined ? [] : this.#exact(query, search);
    const wanted = new Wanted(query, exact);
    const calls = place === undefined ? exact : [];
    if (search !== undefined && search.length < MIN_PART) return { calls, next: null, isPartial: false };
    if (state !== 'ended' && place?.of !== 'ended') {
      const found = await this.#live(wanted, query, place, limit + 1 - calls.length);
      if (calls.length + found.length > limit) {
        const page = [...calls, ...found].slice(0, limit);

        return { calls: page, next: nextOf(page.at(-1)), isPartial: false };
      }
      calls.push(...found);
    }
    if (state !== 'ended' && state !== 'all') return { calls, next: null, isPartial: false };
    const start = place?.of === 'ended' ? place : NEWEST;

    return this.#ended(wanted, query, start, calls);
  }

  /** The calls with exactly this Call-ID; bytes that are not UTF-8 are asked for as they are shown. */
  #exact({ search: _, ...query }: CallQuery, search: string): Call[] {
    const wanted = new Wanted(query, []);
    const { state } = query;

    return [...new Set([fromText(search), search])].flatMap((callId) => {
      const live = state === 'ended' ? undefined : this.#calls.get(callId);
      const isEndedWanted = state === 'ended' || state === 'all';
      const call = live ?? (isEndedWanted ? this.#store.findEndedCall(callId) : undefined);

      return call !== undefined && wanted.has(call) && wanted.hasState(call) ? [call] : [];
    });
  }

  /** The first `count` live calls after a place, in the order of their beginnings. */
  async #live(
    wanted: Wanted,
    { order }: CallQuery,
    after: Place | undefined,
    count: number,
  ): Promise<Call[]> {
    const sign = order === 'newest' ? -1 : 1;
    const compare = (a: Begun, b: Begun): number =>
      sign * (a.createdAt - b.createdAt || (a.callId < b.callId ? -1 : a.callId > b.callId ? 1 : 0));
    const place = after?.of === 'live' ? after : undefined;
    let first: Call[] = [];
    let looked = 0;
    for (const call of this.#calls.values()) {
      if (++looked % LIVE_PER_TURN === 0) await turn();
      if (!wanted.hasState(call) || !wanted.has(call)) continue;
      if (place !== undefined && compare(call, place) <= 0) continue;
      first.push(call);
      if (first.length >= LIVE_PER_TURN + count) first = first.sort(compare).slice(0, count);
    }
    // Meanwhile some may have ended, and one may have ended and begun again, and so come twice.
    const live = [...new Set(first)].filter((call) => this.#calls.get(call.callId) === call);

    return live.sort(compare).slice(0, count);
  }

  /** Fills a page with ended calls. */
  async #ended(wanted: Wanted, query: CallQuery, start: EndedPlace, calls: Call[]): Promise<CallPage> {
    const { limit, since = 0 } = query;
    const rows: EndedRow[] = [];
    const room = limit - calls.length;
    const count = wanted.isAll ? Math.min(ENDED_PER_TURN, room + 1) : ENDED_PER_TURN;
    let place = start;
    let looked = 0;
    while (rows.length <= room && looked < ENDED_PER_PAGE) {
      // Who ended at all since then, as none ends before it begins.
      const slice = this.#store.ended.slice(place, since, count);
      rows.push(...slice.filter((row) => wanted.has(row)));
      looked += slice.length;
      place = slice.at(-1) ?? place;
      if (slice.length < count) {
        looked = Number.POSITIVE_INFINITY;
        break;
      }
      await turn();
    }
    const shown = rows.slice(0, room);
    const all = [...calls];
    for (let from = 0; from < shown.length; from += READ_PER_TURN) {
      if (from > 0) await turn();
      all.push(...this.#store.loadCalls(shown.slice(from, from + READ_PER_TURN).map(({ id }) => id)));
    }
    if (rows.length > room) return { calls: all, next: formatEnded(shown.at(-1) ?? start), isPartial: false };
    const isPartial = looked !== Number.POSITIVE_INFINITY;

    return { calls: all, next: isPartial ? formatEnded(place) : null, isPartial };
  }
}

type Begun = Pick<Call, 'createdAt' | 'callId'>;

/** What a query asks for, besides state and place. */
class Wanted {
  readonly #query: CallQuery;
  readonly #parts: readonly string[];
  readonly #exact: ReadonlySet<string>;

  /** @param exact calls that are told before all others */
  constructor(query: CallQuery, exact: readonly Call[]) {
    const { search } = query;
    this.#query = query;
    this.#parts = search === undefined ? [] : [...new Set([fromText(search), search])];
    this.#exact = new Set(exact.map(({ callId }) => callId));
  }

  /** Whether every ended call is wanted. */
  get isAll(): boolean {
    const { nodeId, setId, since, until } = this.#query;

    return [nodeId, setId, since, until].every((each) => each === undefined) && this.#parts.length === 0;
  }

  has({
    callId,
    nodeId,
    setId,
    createdAt,
  }: Pick<Call, 'callId' | 'nodeId' | 'setId' | 'createdAt'>): boolean {
    const query = this.#query;
    if (query.nodeId !== undefined && query.nodeId !== nodeId) return false;
    if (query.setId !== undefined && query.setId !== setId) return false;
    if (createdAt < (query.since ?? 0) || createdAt > (query.until ?? Number.POSITIVE_INFINITY)) return false;

    return (
      this.#parts.length === 0 ||
      (this.#parts.some((part) => callId.includes(part)) && !this.#exact.has(callId))
    );
  }

  hasState({ state }: Pick<Call, 'state'>): boolean {
    const wanted = this.#query.state;

    return wanted === 'all' || (wanted === 'live' ? state !== 'ended' : state === wanted);
  }
}

function nextOf(call: Call | undefined): string | null {
  return call === undefined ? null : `live ${call.createdAt} ${call.callId}`;
}

function formatEnded({ updatedAt, id }: EndedPlace): string {
  return `ended ${updatedAt} ${id}`;
}

/** Reads a cursor; null if it is none. */
function readPlace(text: string): Place | null {
  const [, of, time, rest = ''] = /^(live|ended) (\d{1,16}) (.*)$/s.exec(text) ?? [];
  if (of === 'live') return { of, createdAt: Number(time), callId: rest };
  if (of === 'ended' && /^\d{1,16}$/.test(rest)) return { of, updatedAt: Number(time), id: Number(rest) };

  return null;
}
