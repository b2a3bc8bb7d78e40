/**
 * The database behind the memory. Use cases change objects in memory and say what changed. What an answer must not leave
 * without, a new binding, is written in one transaction at the end of this turn of the event loop, together with
 * everything else said meanwhile (group commit); what nobody waits for rides along, after `RIDE_MS` at the latest.
 * When the disk fails, calls go on from memory: what is unsaved stays noted and is written when the disk works again.
 */

import { SQLiteError } from 'bun:sqlite';
import { drizzle } from 'drizzle-orm/bun-sqlite';
import type { Call, LegSdp } from '../domain/call.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { CallRows, type EndedCalls, type EndedQuery } from './call-rows.ts';
import { EventRows } from './event-rows.ts';
import { FleetRows, type StoredHealth } from './fleet-rows.ts';
import { explain, type OpenDatabase } from './open.ts';
import { stray } from './schema.ts';
import { type TraceRow, TraceRows } from './trace-rows.ts';
import { type CallChange, UnsavedCalls } from './unsaved-calls.ts';

/** How long a change that nobody waits for may stay unwritten, ms. */
const RIDE_MS = 10;
/** How often a failed commit is tried again, ms. */
const RETRY_MS = 1000;
/** Rows removed per turn, so that nothing on the call path waits for it longer than some ms. */
const PRUNE_ROWS = 200;
/** How often ended calls are counted, ms; it takes some ms when there are many. */
const COUNT_MS = 10_000;
/** Strays that may wait for a disk that fails. The oldest are dropped first. */
const MAX_WAITING_STRAYS = 10_000;

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
  /** What the driver remembers of the call; null if that is nothing. */
  readonly memo: string | null;
}

export interface RetentionLimits {
  /** How long ended calls are kept, ms. */
  readonly endedCallMs: number;
  readonly maxEndedCalls: number;
  readonly eventMs: number;
  readonly maxEvents: number;
  /** How long what was done for a call is kept, ms, and how many rows of it at most. */
  readonly traceMs: number;
  readonly maxTraces: number;
}

export class Store {
  readonly fleet: FleetRows;
  readonly events: EventRows;
  readonly counters = { commits: 0, failedCommits: 0, droppedSdp: 0, droppedEvents: 0, droppedSteps: 0 };
  readonly #open: OpenDatabase;
  readonly #db;
  readonly #calls: CallRows;
  readonly #traces: TraceRows;
  readonly #clock: Clock;
  readonly #begin;
  readonly #end;
  readonly #undo;
  readonly #insertStray;
  readonly #deleteStray;
  readonly #touch;
  readonly #unsaved: UnsavedCalls;
  #unsavedStrays = new Map<string, { stray: Stray; isOver: boolean }>();
  #unsavedSteps: TraceRow[] = [];
  readonly #unsavedHealth = new Map<number, StoredHealth>();
  #turn: Turn | undefined;
  /** Stops the timer of changes nobody waits for. */
  #stopRide: (() => void) | undefined;
  /** When ended calls were last counted, and the end (UTC ms) before which there are too many. */
  #countedAt = 0;
  #excess = 0;
  #retry: (() => void) | undefined;
  /** Whether the next commit is to write a row although nothing has changed. */
  #isProving = false;
  #trouble: string | undefined;
  /** Whether what was committed may be missing on the disk although SQLite believes it is there. */
  #isSyncInDoubt = false;
  #isClosed = false;

  constructor(open: OpenDatabase, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
    this.#db = drizzle(open.database);
    this.#calls = new CallRows(this.#db, open.database);
    this.#unsaved = new UnsavedCalls(this.#calls);
    this.events = new EventRows(this.#db);
    this.#traces = new TraceRows(open.database);
    this.fleet = new FleetRows(this.#db, open.database);
    this.#begin = open.database.query('BEGIN IMMEDIATE');
    this.#end = open.database.query('COMMIT');
    this.#undo = open.database.query('ROLLBACK');
    this.#insertStray = open.database.query(
      'INSERT OR REPLACE INTO stray (node_id, call_id, since, memo) VALUES (?, ?, ?, ?)',
    );
    this.#deleteStray = open.database.query('DELETE FROM stray WHERE node_id = ? AND call_id = ?');
    this.#touch = open.database.query(
      'UPDATE migration SET idx = idx WHERE idx = (SELECT max(idx) FROM migration)',
    );
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
  noteCall(call: Call, change: CallChange = {}): void {
    this.#unsaved.note(call, change, this.#trouble !== undefined);
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
    this.counters.droppedEvents += this.events.note(
      { at: this.#clock.utc(), kind, nodeId, callId, detail },
      this.#trouble !== undefined,
    );
    log.info(kind, {
      ...(nodeId === null ? {} : { node: nodeId }),
      ...(callId === null ? {} : { call_id: callId }),
      ...detail,
    });
    this.#commitSoon();
  }

  /** Notes our opinion of a node. Does not wait. */
  noteHealth(health: StoredHealth): void {
    this.#unsavedHealth.set(health.nodeId, health);
    this.#commitSoon();
  }

  /** Notes some steps of a call, as JSON. Does not wait; while the disk fails they are dropped. */
  noteSteps(callId: string, at: number, steps: string): void {
    if (this.#trouble !== undefined) {
      this.counters.droppedSteps++;
      return;
    }
    this.#unsavedSteps.push({ callId, at, steps });
    this.#commitSoon();
  }

  /** What was noted of a call, oldest first, each an array in JSON. */
  stepsOf(callId: string): string[] {
    const waiting = this.#unsavedSteps.filter((row) => row.callId === callId);

    return [...this.#traces.of(callId), ...waiting.map(({ steps }) => steps)];
  }

  loadLiveCalls(): Call[] {
    return this.#calls.loadLive();
  }

  /** The calls that ended after `since` (UTC ms), at most `limit`, in the order of their ends. */
  loadEndedCalls(since: number, limit: number): Call[] {
    return this.#calls.loadEnded(since, limit);
  }

  loadStrays(): Stray[] {
    return this.#db.select().from(stray).all();
  }

  sdpOf(callId: string): Map<string, LegSdp> {
    const sdp = this.#calls.sdpOf(callId);
    this.#unsaved.addSdp(callId, sdp);

    return sdp;
  }

  findEndedCall(callId: string): Call | undefined {
    return this.#calls.findEnded(callId);
  }

  listEndedCalls(query: EndedQuery): EndedCalls {
    return this.#calls.listEnded(query);
  }

  /** Notes how far a webhook has been told. Does not wait. */
  noteWebhook(url: string, lastEventId: number): void {
    this.events.noteWebhook(url, lastEventId);
    this.#commitSoon();
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
          this.events.prune(now - limits.eventMs, limits.maxEvents, PRUNE_ROWS);
          this.#traces.prune(now - limits.traceMs, limits.maxTraces, PRUNE_ROWS);
        })
        .immediate();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      log.warning('store.prune_failed', { cause: explain(error) });
    }
  }

  /**
   * Makes a commit that writes, even if there is nothing to write. Resolves when it has come to its end: on disk, or with an error
   * that is told as any other. Never if it hangs. While the disk fails calls live in memory and nobody waits for commits: at once.
   */
  prove(): Promise<void> {
    this.#isProving = true;

    return this.#commitThisTurn();
  }

  /** Writes what is noted, and closes the database. */
  close(): void {
    this.#retry?.();
    this.#commit();
    this.#isClosed = true;
    this.#open.close();
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
      this.#unsaved.written();
      this.#unsavedStrays.clear();
      this.#unsavedHealth.clear();
      this.#unsavedSteps = [];
      this.events.written();
      this.counters.commits++;
    } catch (error) {
      if (this.#open.database.inTransaction) this.#undo.run();
      if (!(error instanceof SQLiteError)) throw error;
      this.#fail(explain(error));
      turn?.finish();

      return;
    }
    const { walSync } = this.#open;
    const { writtenId } = this.events;
    const failures = this.counters.failedCommits;
    if (walSync === undefined) this.#settle(turn, { failures, writtenId }, null);
    else walSync.afterSync((error) => this.#settle(turn, { failures, writtenId }, error));
  }

  /**
   * A commit has reached the disk, or has not.
   * @param then how many commits had failed when it was made (a later one may have failed since), and its newest event
   */
  #settle(
    turn: Turn | undefined,
    then: { readonly failures: number; readonly writtenId: number },
    error: Error | null,
  ): void {
    if (error !== null) {
      // After a failed sync the system takes the pages for written. A checkpoint writes them again, elsewhere.
      this.#isSyncInDoubt = true;
      this.#fail(`the disk did not take the data: ${error.message}`);
    } else if (this.#trouble !== undefined && then.failures === this.counters.failedCommits) {
      this.#isSyncInDoubt = false;
      this.#recover();
    }
    if (this.#trouble === undefined) this.events.settled(then.writtenId);
    turn?.finish();
  }

  #write(): void {
    this.#unsaved.write();
    for (const { stray: record, isOver } of this.#unsavedStrays.values()) {
      if (isOver) this.#deleteStray.run(record.nodeId, record.callId);
      else this.#insertStray.run(record.nodeId, record.callId, record.since, record.memo);
    }
    for (const row of this.#unsavedSteps) this.#traces.insert(row);
    for (const health of this.#unsavedHealth.values()) this.fleet.writeHealth(health);
    this.events.write();
    if (this.#isProving) this.#touch.run();
    this.#isProving = false;
  }

  #fail(cause: string): void {
    this.counters.failedCommits++;
    this.counters.droppedSdp += this.#unsaved.failed();
    // For people only, and the first to go: nothing may grow while nothing can be written.
    this.counters.droppedSteps += this.#unsavedSteps.length;
    this.#unsavedSteps = [];
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
