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
import { Sparing } from '../util/sparing.ts';
import { CallRows } from './call-rows.ts';
import { type Commit, CommitTimes } from './commit-times.ts';
import { EndedCalls, NEWEST } from './ended-calls.ts';
import { EventRows } from './event-rows.ts';
import { FleetRows, type StoredHealth } from './fleet-rows.ts';
import { explain, type OpenDatabase } from './open.ts';
import { Retention, type RetentionLimits } from './retention.ts';
import { type SampleRow, SampleRows } from './sample-rows.ts';
import { type Stray, StrayRows } from './stray-rows.ts';
import { type Trace, TraceRows } from './trace-rows.ts';
import { type CallChange, UnsavedCalls } from './unsaved-calls.ts';

/** How long a change that nobody waits for may stay unwritten, ms. */
const RIDE_MS = 10;
/** How often a failed commit is tried again, ms. */
const RETRY_MS = 1000;
interface Turn {
  readonly done: Promise<void>;
  finish(): void;
}

export class Store {
  readonly fleet: FleetRows;
  readonly events: EventRows;
  readonly ended: EndedCalls;
  readonly counters = { commits: 0, failedCommits: 0, droppedSdp: 0, droppedEvents: 0, droppedSteps: 0 };
  readonly commitTimes: CommitTimes;
  readonly samples: SampleRows;
  readonly #samplesFailed: Sparing;
  readonly #open: OpenDatabase;
  readonly #db;
  readonly #calls: CallRows;
  readonly #traces: TraceRows;
  readonly #clock: Clock;
  readonly #begin;
  readonly #end;
  readonly #undo;
  readonly #touch;
  readonly #unsaved: UnsavedCalls;
  readonly #strays: StrayRows;
  readonly #retention: Retention;
  readonly #unsavedHealth = new Map<number, StoredHealth>();
  #turn: Turn | undefined;
  /** Stops the timer of changes nobody waits for. */
  #stopRide: (() => void) | undefined;
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
    this.commitTimes = new CommitTimes(clock);
    this.#db = drizzle(open.database);
    this.#calls = new CallRows(this.#db, open.database);
    this.#unsaved = new UnsavedCalls(this.#calls);
    this.events = new EventRows(this.#db);
    this.ended = new EndedCalls(open.database);
    this.#traces = new TraceRows(open.database);
    this.samples = new SampleRows(open.database);
    this.#samplesFailed = new Sparing(clock, 1);
    this.fleet = new FleetRows(this.#db, open.database);
    this.#strays = new StrayRows(open.database);
    const { events, samples } = this;
    this.#retention = new Retention({ calls: this.#calls, events, traces: this.#traces, samples });
    this.#begin = open.database.query('BEGIN IMMEDIATE');
    this.#end = open.database.query('COMMIT');
    this.#undo = open.database.query('ROLLBACK');
    this.#touch = open.database.query(
      'UPDATE migration SET idx = idx WHERE idx = (SELECT max(idx) FROM migration)',
    );
  }

  /** Why the database cannot be written at the moment, or undefined. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Rows that are in memory only. */
  get unsaved(): number {
    const others = this.#strays.unsaved + this.#unsavedHealth.size + this.#traces.unsaved;

    return this.#unsaved.size + this.events.unsaved + others;
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
    this.#strays.note(record, isOver);
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

  /** Notes some steps of a call, packed. Does not wait; while the disk fails they are dropped. */
  noteSteps(callId: string, at: number, steps: Uint8Array | string): void {
    if (this.#trouble !== undefined) {
      this.counters.droppedSteps++;
      return;
    }
    this.#traces.note({ callId, at, steps });
    this.#commitSoon();
  }

  /** What was noted of a call, packed as it came. */
  stepsOf(callId: string): Trace {
    return this.#traces.of(callId);
  }

  loadLiveCalls(): Call[] {
    return this.#calls.loadLive();
  }

  /** The calls that ended after `since` (UTC ms), at most `limit`, in the order of their ends. */
  loadEndedCalls(since: number, limit: number): Call[] {
    return this.#calls.load(this.ended.slice(NEWEST, since + 1, limit).map(({ id }) => id)).reverse();
  }

  loadStrays(): Stray[] {
    return this.#strays.load();
  }

  sdpOf(callId: string): Map<string, LegSdp> {
    const sdp = this.#calls.sdpOf(callId);
    this.#unsaved.addSdp(callId, sdp);

    return sdp;
  }

  findEndedCall(callId: string): Call | undefined {
    return this.#calls.findEnded(callId);
  }

  /** The calls with these row numbers, in this order. */
  loadCalls(ids: readonly number[]): Call[] {
    return this.#calls.load(ids);
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
      this.#open.database.transaction(() => this.#retention.prune(this.#clock.utc(), limits)).immediate();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      log.warning('store.prune_failed', { cause: explain(error) });
    }
  }

  /** Writes samples in a transaction of their own; whether it did. While the disk fails it does not try. */
  writeSamples(rows: readonly SampleRow[]): boolean {
    if (this.#trouble !== undefined) return false;
    try {
      this.#open.database
        .transaction(() => {
          for (const row of rows) this.samples.write(row);
        })
        .immediate();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      if (this.#samplesFailed.pass() !== undefined)
        log.warning('store.samples_failed', { cause: explain(error) });

      return false;
    }

    return true;
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
    this.commitTimes.noted();
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
    this.commitTimes.noted();
    if (this.#trouble !== undefined || this.#turn !== undefined) return;
    this.#stopRide ??= this.#clock.every(RIDE_MS, () => this.#commit());
  }

  #commit(): void {
    if (this.#isClosed) return;
    const turn = this.#turn;
    this.#turn = undefined;
    this.#stopRide?.();
    this.#stopRide = undefined;
    const commit = this.commitTimes.begin();
    try {
      if (this.#isSyncInDoubt) this.#open.database.run('PRAGMA wal_checkpoint(TRUNCATE)');
      this.#begin.run();
      this.#write();
      this.#end.run();
      this.#unsaved.written();
      this.#strays.written();
      this.#unsavedHealth.clear();
      this.#traces.written();
      this.events.written();
      this.counters.commits++;
    } catch (error) {
      if (this.#open.database.inTransaction) this.#undo.run();
      if (!(error instanceof SQLiteError)) throw error;
      this.commitTimes.fail(commit);
      this.#fail(explain(error));
      turn?.finish();

      return;
    }
    const { walSync } = this.#open;
    const { writtenId } = this.events;
    const then = { failures: this.counters.failedCommits, writtenId, commit };
    if (walSync === undefined) this.#settle(turn, then, null);
    else walSync.afterSync((error) => this.#settle(turn, then, error));
  }

  /**
   * A commit has reached the disk, or has not.
   * @param then the commit, how many had failed when it was made (a later one may have failed since), and its newest event
   */
  #settle(
    turn: Turn | undefined,
    then: { readonly commit: Commit; readonly failures: number; readonly writtenId: number },
    error: Error | null,
  ): void {
    if (error === null) this.commitTimes.end(then.commit);
    else this.commitTimes.fail(then.commit);
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
    this.#strays.write();
    this.#traces.write();
    for (const health of this.#unsavedHealth.values()) this.fleet.writeHealth(health);
    this.events.write();
    if (this.#isProving) this.#touch.run();
    this.#isProving = false;
  }

  #fail(cause: string): void {
    this.counters.failedCommits++;
    this.counters.droppedSdp += this.#unsaved.failed();
    // For people only, and the first to go: nothing may grow while nothing can be written.
    this.counters.droppedSteps += this.#traces.drop();
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
