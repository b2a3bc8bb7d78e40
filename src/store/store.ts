/**
 * The database behind the memory. Use cases change objects in memory and say what changed. What an answer must not leave
 * without, a new binding, is written in one transaction at the end of this turn of the event loop, together with
 * everything else said meanwhile (group commit); what nobody waits for rides along, after `RIDE_MS` at the latest.
 * When the disk fails, calls go on from memory: what is unsaved stays noted and is written when the disk works again.
 */

import { SQLiteError } from 'bun:sqlite';
import { drizzle } from 'drizzle-orm/bun-sqlite';
import type { Call, Leg, LegSdp } from '../domain/call.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { CallRows, type EndedCalls, type EndedQuery, legKey } from './call-rows.ts';
import { type EventRecord, EventRows } from './event-rows.ts';
import { FleetRows } from './fleet-rows.ts';
import { explain, type OpenDatabase } from './open.ts';
import { stray } from './schema.ts';

/** How long a change that nobody waits for may stay unwritten, ms. */
const RIDE_MS = 10;
/** How often a failed commit is tried again, ms. */
const RETRY_MS = 1000;
/** Legs whose SDP may wait for a disk that fails; beyond, SDP texts (for people only) are dropped, never bindings. */
const MAX_WAITING_SDP = 10_000;
/** Rows removed per turn, so that nothing on the call path waits for it longer than some ms. */
const PRUNE_ROWS = 200;
/** How often ended calls are counted, ms; it takes some ms when there are many. */
const COUNT_MS = 10_000;
/** Events, and strays, that may wait for a disk that fails. The oldest are dropped first. */
const MAX_WAITING_EVENTS = 1000;
const MAX_WAITING_STRAYS = 10_000;

/** What is to be written of one call. */
interface Unsaved {
  call: Call;
  isNew: boolean;
  /** Whether an earlier call with this Call-ID has a row that still says it lives. */
  readonly replaces: boolean;
  readonly legs: Set<Leg>;
  readonly forgotten: Set<Leg>;
  readonly sdp: Map<Leg, LegSdp>;
}

interface Turn {
  readonly done: Promise<void>;
  finish(): void;
}

/** A call that may be left on a node. */
export interface Stray {
  readonly nodeId: number;
  readonly callId: string;
  /** UTC ms. */
  readonly since: number;
}

/** What is to be written of a call besides its own row. */
export interface CallChange {
  /** Whether the call was never written before. */
  readonly isNew?: boolean;
  readonly leg?: Leg;
  /** The last SDP of `leg`. */
  readonly sdp?: LegSdp;
  /** A leg that is gone. */
  readonly forgotten?: Leg;
}

export interface RetentionLimits {
  /** How long ended calls are kept, ms. */
  readonly endedCallMs: number;
  readonly maxEndedCalls: number;
  readonly eventMs: number;
  readonly maxEvents: number;
}

export class Store {
  readonly fleet: FleetRows;
  readonly counters = { commits: 0, failedCommits: 0, droppedSdp: 0, droppedEvents: 0 };
  readonly #open: OpenDatabase;
  readonly #db;
  readonly #calls: CallRows;
  readonly #events: EventRows;
  readonly #clock: Clock;
  readonly #begin;
  readonly #end;
  readonly #undo;
  readonly #insertStray;
  readonly #deleteStray;
  #unsaved = new Map<string, Unsaved>();
  #unsavedStrays = new Map<string, { stray: Stray; isOver: boolean }>();
  #unsavedEvents: EventRecord[] = [];
  #waitingSdp = 0;
  #turn: Turn | undefined;
  /** Stops the timer of changes nobody waits for. */
  #stopRide: (() => void) | undefined;
  /** When ended calls were last counted, and the end (UTC ms) before which there are too many. */
  #countedAt = 0;
  #excess = 0;
  #retry: (() => void) | undefined;
  #trouble: string | undefined;
  /** Whether what was committed may be missing on the disk although SQLite believes it is there. */
  #isSyncInDoubt = false;
  #isClosed = false;

  constructor(open: OpenDatabase, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
    this.#db = drizzle(open.database);
    this.#calls = new CallRows(this.#db, open.database);
    this.#events = new EventRows(this.#db);
    this.fleet = new FleetRows(this.#db, open.database);
    this.#begin = open.database.query('BEGIN IMMEDIATE');
    this.#end = open.database.query('COMMIT');
    this.#undo = open.database.query('ROLLBACK');
    this.#insertStray = open.database.query(
      'INSERT OR IGNORE INTO stray (node_id, call_id, since) VALUES (?, ?, ?)',
    );
    this.#deleteStray = open.database.query('DELETE FROM stray WHERE node_id = ? AND call_id = ?');
  }

  /** Why the database cannot be written at the moment, or undefined. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Writes a call, and one leg of it. Resolves when they are on disk, or when the disk has failed. */
  saveCall(call: Call, change: CallChange = {}): Promise<void> {
    this.noteCall(call, change);

    return this.#commitThisTurn();
  }

  /** Writes a call, and one leg of it, soon. */
  noteCall(call: Call, { isNew = false, leg, sdp, forgotten }: CallChange = {}): void {
    const unsaved = this.#unsavedOf(call, isNew);
    if (leg !== undefined) unsaved.legs.add(leg);
    if (leg !== undefined && sdp !== undefined) {
      if (!unsaved.sdp.has(leg)) this.#waitingSdp++;
      unsaved.sdp.set(leg, sdp);
    }
    if (forgotten !== undefined) {
      unsaved.legs.delete(forgotten);
      if (unsaved.sdp.delete(forgotten)) this.#waitingSdp--;
      unsaved.forgotten.add(forgotten);
    }
    // A call that began and ended while the disk failed was never in the database and need not get there. So what waits
    // is bounded by the calls that live, and those that lived when the disk failed.
    if (this.#trouble !== undefined && unsaved.isNew && !unsaved.replaces && call.state === 'ended') {
      this.#waitingSdp -= unsaved.sdp.size;
      this.#unsaved.delete(call.callId);
    }
    this.#commitSoon();
  }

  /** Notes that a call may be left on a node, or that it is not any more. Does not wait. */
  noteStray(record: Stray, isOver: boolean): void {
    const oldest = this.#unsavedStrays.keys().next().value;
    if (this.#unsavedStrays.size >= MAX_WAITING_STRAYS && oldest !== undefined)
      this.#unsavedStrays.delete(oldest);
    this.#unsavedStrays.set(`${record.nodeId} ${record.callId}`, { stray: record, isOver });
    this.#commitSoon();
  }

  /** Records an event and logs it. Does not wait. */
  event(kind: string, fields: { nodeId?: number; callId?: string; [detail: string]: unknown } = {}): void {
    const { nodeId = null, callId = null, ...detail } = fields;
    if (this.#unsavedEvents.length >= MAX_WAITING_EVENTS) {
      this.#unsavedEvents.shift();
      this.counters.droppedEvents++;
    }
    this.#unsavedEvents.push({ at: this.#clock.utc(), kind, nodeId, callId, detail });
    log.info(kind, {
      ...(nodeId === null ? {} : { node: nodeId }),
      ...(callId === null ? {} : { call_id: callId }),
      ...detail,
    });
    this.#commitSoon();
  }

  loadLiveCalls(): Call[] {
    return this.#calls.loadLive();
  }

  loadStrays(): Stray[] {
    return this.#db.select().from(stray).all();
  }

  sdpOf(callId: string): Map<string, LegSdp> {
    const sdp = this.#calls.sdpOf(callId);
    for (const [leg, text] of this.#unsaved.get(callId)?.sdp ?? []) sdp.set(legKey(leg), text);

    return sdp;
  }

  findEndedCall(callId: string): Call | undefined {
    return this.#calls.findEnded(callId);
  }

  listEndedCalls(query: EndedQuery): EndedCalls {
    return this.#calls.listEnded(query);
  }

  listEvents(limit: number, before: number | null): (EventRecord & { id: number })[] {
    return this.#events.list(limit, before);
  }

  /** Removes a slice of what is older than its retention. Call it now and then. */
  prune(limits: RetentionLimits): void {
    if (this.#trouble !== undefined) return;
    try {
      const now = this.#clock.utc();
      this.#open.database
        .transaction(() => {
          if (now - this.#countedAt > COUNT_MS) {
            this.#countedAt = now;
            this.#excess = this.#calls.endOfNewest(limits.maxEndedCalls);
          }
          this.#calls.prune(Math.max(now - limits.endedCallMs, this.#excess), PRUNE_ROWS);
          this.#events.prune(now - limits.eventMs, limits.maxEvents, PRUNE_ROWS);
        })
        .immediate();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      log.warning('store.prune_failed', { cause: explain(error) });
    }
  }

  /** Writes what is noted, and closes the database. */
  close(): void {
    this.#retry?.();
    this.#commit();
    this.#isClosed = true;
    this.#open.close();
  }

  #unsavedOf(call: Call, isNew: boolean): Unsaved {
    let unsaved = this.#unsaved.get(call.callId);
    if (unsaved === undefined || isNew) {
      if (unsaved !== undefined) this.#waitingSdp -= unsaved.sdp.size;
      const replaces = unsaved !== undefined && (!unsaved.isNew || unsaved.replaces);
      unsaved = { call, isNew, replaces, legs: new Set(), forgotten: new Set(), sdp: new Map() };
      this.#unsaved.set(call.callId, unsaved);
    }

    return unsaved;
  }

  #commitThisTurn(): Promise<void> {
    // While the disk fails nobody waits for it; the retry timer writes everything.
    if (this.#trouble !== undefined) return Promise.resolve();
    if (this.#turn === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#turn = { done: promise, finish: resolve };
      setImmediate(() => this.#commit());
    }

    return this.#turn.done;
  }

  #commitSoon(): void {
    if (this.#trouble !== undefined || this.#turn !== undefined) return;
    this.#stopRide ??= this.#clock.every(RIDE_MS, () => this.#commit());
  }

  #commit(): void {
    if (this.#isClosed) return;
    const turn = this.#turn;
    this.#turn = undefined;
    this.#stopRide?.();
    this.#stopRide = undefined;
    try {
      if (this.#isSyncInDoubt) this.#open.database.run('PRAGMA wal_checkpoint(TRUNCATE)');
      this.#begin.run();
      this.#write();
      this.#end.run();
      this.#unsaved.clear();
      this.#waitingSdp = 0;
      this.#unsavedStrays.clear();
      this.#unsavedEvents = [];
      this.counters.commits++;
    } catch (error) {
      if (this.#open.database.inTransaction) this.#undo.run();
      if (!(error instanceof SQLiteError)) throw error;
      this.#fail(explain(error));
      turn?.finish();

      return;
    }
    const { walSync } = this.#open;
    const failures = this.counters.failedCommits;
    if (walSync === undefined) this.#settle(turn, failures, null);
    else walSync.afterSync((error) => this.#settle(turn, failures, error));
  }

  /**
   * A commit has reached the disk, or has not.
   * @param failures how many commits had failed when it was made: a later one may have failed since
   */
  #settle(turn: Turn | undefined, failures: number, error: Error | null): void {
    if (error !== null) {
      // After a failed sync the system takes the pages for written. A checkpoint writes them again, elsewhere.
      this.#isSyncInDoubt = true;
      this.#fail(`the disk did not take the data: ${error.message}`);
    } else if (this.#trouble !== undefined && failures === this.counters.failedCommits) {
      this.#isSyncInDoubt = false;
      this.#recover();
    }
    turn?.finish();
  }

  #write(): void {
    for (const { call, isNew, legs, forgotten, sdp } of this.#unsaved.values()) {
      if (isNew) this.#calls.insert(call);
      else this.#calls.update(call);
      for (const leg of forgotten) this.#calls.deleteLeg(call, leg);
      for (const leg of legs) this.#calls.writeLeg(call, leg);
      for (const [leg, text] of sdp) this.#calls.writeSdp(call, leg, text);
    }
    for (const { stray: record, isOver } of this.#unsavedStrays.values()) {
      if (isOver) this.#deleteStray.run(record.nodeId, record.callId);
      else this.#insertStray.run(record.nodeId, record.callId, record.since);
    }
    for (const record of this.#unsavedEvents) this.#events.insert(record);
  }

  #fail(cause: string): void {
    this.counters.failedCommits++;
    if (this.#waitingSdp > MAX_WAITING_SDP) {
      for (const { sdp } of this.#unsaved.values()) sdp.clear();
      this.counters.droppedSdp += this.#waitingSdp;
      this.#waitingSdp = 0;
    }
    if (this.#trouble === undefined) {
      this.#trouble = cause;
      log.error('store.durability_lost', { cause });
      this.event('store.durability_lost', { cause });
      this.#retry = this.#clock.every(RETRY_MS, () => this.#commit());
    }
    this.#trouble = cause;
  }

  #recover(): void {
    this.#trouble = undefined;
    this.#retry?.();
    this.#retry = undefined;
    this.event('store.durability_regained');
  }
}
