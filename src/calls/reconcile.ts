/**
 * Compares the calls of a node with ours, now and then and after a restart: calls the node lost are ended here, calls that
 * ended here by BYE and are left there are deleted, calls of other controllers are left alone and counted.
 */

import { SQLiteError } from 'bun:sqlite';
import type { Call } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Watch } from '../fleet/watch.ts';
import { isLeftBehind, isTestCall } from '../relay/checks.ts';
import { RelayFailure, type RelayMonitor } from '../relay/driver.ts';
import { MAX_UDP_LIST } from '../relay/ng/monitor.ts';
import { explain } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { after, type Clock, turn } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { failureOf } from './anchor.ts';
import type { CallTable } from './call-table.ts';
import type { Checkup, Finding } from './checkup.ts';
import type { Ledger } from './ledger.ts';
import type { Strays } from './strays.ts';

export interface ReconcileParts {
  readonly fleet: Fleet;
  readonly calls: CallTable;
  readonly ledger: Ledger;
  readonly checkup: Checkup;
  readonly strays: Strays;
  readonly store: Store;
  readonly watch: Pick<Watch, 'monitorOf'>;
  readonly clock: Clock;
  /** Whether requests of a call are under way. */
  readonly isBusy: (callId: string) => boolean;
}

export interface ReconcileOptions {
  /** How often each node has its turn, ms. */
  readonly everyMs: number;
  /** Random numbers from 0 to 1. */
  readonly random?: () => number;
}

/** Why a node is looked at: its turn has come, its relay has restarted, or somebody wants it. */
export type ReconcileCause = 'schedule' | 'restart' | 'demand';

/** What came of it. `asked` is `kept` + `lost` + `unsure`; calls that ended or moved meanwhile count in none. */
export interface Report {
  /** Calls of ours on the node. */
  readonly asked: number;
  readonly kept: number;
  /** Calls the node does not have any more; they were ended here. */
  readonly lost: number;
  /** Calls that ended here by BYE, or test calls of ours, that the node still had; it is told to delete them. */
  readonly strays: number;
  /** Calls on the node that are not ours; of a relay that only counts its sessions, those above ours. */
  readonly foreign: number;
  /** Calls of ours nobody could tell of; they are left alone. */
  readonly unsure: number;
  readonly took_ms: number;
}

/** What a node says it has. */
interface TheirList {
  readonly ids: ReadonlySet<string>;
  /** UTC ms at which it was asked. */
  readonly listedAt: number;
}

interface Entry {
  readonly member: Member;
  /** Monotonic ms. */
  dueAt: number;
  /** Whether its relay has restarted since it was last compared. */
  hasRestarted: boolean;
  running: Promise<Report | Failure> | undefined;
  /** The run that follows for those who came while one was under way. */
  next: Promise<Report | Failure> | undefined;
}

/** How often we look whose turn it is, ms. */
const TICK_MS = 250;
/** Nodes compared at a time. */
const MAX_RUNNING = 8;
/** How soon a node that has restarted is compared again if not all of its calls could be told, ms. */
const AGAIN_MS = 10_000;
const STATISTICS_MS = 1000;
const LIST_MS = 3000;
/** Calls listed at most; a node has ports for fewer. */
const MAX_LIST = 100_000;
/** Calls asked for at a time. */
const WIDTH = 20;
/**
 * Time for each `WIDTH` deletes, or questions where there is no whole list and every call must be asked for, ms: 200 a second.
 */
const PACE_MS = 100;
/** Calls looked at, and ids looked up in the database (some 10 us each), before others have their turn. */
const CALLS_PER_TURN = 1000;
const LOOKUPS_PER_TURN = 50;
/** A call that ended less than this before the node listed its calls may have been on its way out, ms. */
const ENDING_MS = 5000;

export class Reconcile {
  readonly counters = { runs: 0, failed: 0, lost: 0, strays: 0 };
  readonly #parts: ReconcileParts;
  readonly #options: ReconcileOptions;
  readonly #entries = new Map<Member, Entry>();
  /** By node id, as of the last run. */
  readonly #foreign = new Map<number, number>();
  #running = 0;
  #stopTick: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: ReconcileParts, options: ReconcileOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Calls of other controllers a node had when it was last compared; undefined if it never was. */
  foreignCalls(nodeId: number): number | undefined {
    return this.#foreign.get(nodeId);
  }

  /** From now on each node has its turn, the first one at a random time, so that they are spread. */
  start(): void {
    this.#stopTick = this.#parts.clock.every(TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTick?.();
  }

  /** The relay of a node has restarted: it is compared as soon as the node is trusted to answer. */
  restarted(member: Member): void {
    const entry = this.#entryOf(member);
    entry.hasRestarted = true;
    entry.dueAt = this.#parts.clock.monotonic();
  }

  /** Compares a node at once. Whoever comes while that is under way gets the result of one more run that begins after it. */
  async run(member: Member): Promise<Report | Failure> {
    const entry = this.#entryOf(member);
    if (entry.running === undefined) return this.#begin(entry, 'demand');
    const again = () => {
      entry.next = undefined;

      return this.#begin(entry, 'demand');
    };
    entry.next ??= entry.running.then(again, again);

    return entry.next;
  }

  #tick(): void {
    const { fleet, clock } = this.#parts;
    const now = clock.monotonic();
    for (const member of fleet.all()) {
      const entry = this.#entryOf(member);
      if (entry.dueAt > now || entry.running !== undefined || this.#running >= MAX_RUNNING) continue;
      // One that is down stays due, and has its turn when it is back.
      if (member.verdict('bound') === 'yes') void this.#begin(entry, 'schedule');
    }
    for (const [member] of this.#entries) {
      if (fleet.get(member.id) === member) continue;
      this.#entries.delete(member);
      if (fleet.get(member.id) === undefined) this.#foreign.delete(member.id);
    }
  }

  #entryOf(member: Member): Entry {
    let entry = this.#entries.get(member);
    if (entry === undefined) {
      const { everyMs, random = Math.random } = this.#options;
      const dueAt = this.#parts.clock.monotonic() + random() * everyMs;
      entry = { member, dueAt, hasRestarted: false, running: undefined, next: undefined };
      this.#entries.set(member, entry);
    }

    return entry;
  }

  #begin(entry: Entry, wanted: 'schedule' | 'demand'): Promise<Report | Failure> {
    const cause: ReconcileCause = entry.hasRestarted ? 'restart' : wanted;
    entry.hasRestarted = false;
    entry.dueAt = this.#parts.clock.monotonic() + this.#options.everyMs;
    entry.running = this.#runOnce(entry, cause).finally(() => {
      entry.running = undefined;
    });

    return entry.running;
  }

  async #runOnce(entry: Entry, cause: ReconcileCause): Promise<Report | Failure> {
    const { store, clock } = this.#parts;
    const { member } = entry;
    this.#running++;
    this.counters.runs++;
    const report = await this.#compare(member, cause)
      .catch(asFailure)
      .finally(() => this.#running--);
    // After a restart nobody rests until each call is accounted for.
    if (cause === 'restart' && (report instanceof Failure || report.unsure > 0)) {
      entry.hasRestarted = true;
      entry.dueAt = Math.min(entry.dueAt, clock.monotonic() + AGAIN_MS);
    }
    if (report instanceof Failure) {
      this.counters.failed++;
      log.warning('node.reconcile_failed', { node: member.id, cause, reason: report.message });

      return report;
    }
    this.counters.lost += report.lost;
    this.counters.strays += report.strays;
    this.#foreign.set(member.id, report.foreign);
    if (report.lost + report.strays > 0 || cause !== 'schedule') {
      store.event('node.reconciled', { nodeId: member.id, cause, ...report });
    }

    return report;
  }

  async #compare(member: Member, cause: ReconcileCause): Promise<Report | Failure> {
    const { clock, watch, ledger, checkup } = this.#parts;
    const started = clock.monotonic();
    if (this.#isGone(member) || member.verdict('bound') === 'no') {
      return new Failure('RTPC_RELAY_SILENT', `node ${member.id} (${member.socket}) is down`);
    }
    // First ours, then theirs: what is bound to a node now, the node has had before it is asked.
    const ours = await this.#callsOn(member);
    const monitor = watch.monitorOf(member);
    // A silent node is not asked for each of its calls.
    const figures = await monitor.statistics(clock.monotonic() + STATISTICS_MS);
    if (figures instanceof RelayFailure) return failureOf(member, figures);
    const listedAt = clock.utc();
    const { ids, isWhole, isTold } = await this.#list(monitor);
    // A relay that names no calls counts them: while it has no fewer than ours, none of ours is missed.
    const above = isTold ? 0 : figures.sessions - member.ourSessions;
    if (!isTold && cause === 'schedule' && above >= 0) {
      const took_ms = Math.round(clock.monotonic() - started);

      return {
        asked: ours.length,
        kept: ours.length,
        lost: 0,
        strays: 0,
        foreign: above,
        unsure: 0,
        took_ms,
      };
    }

    const found = { kept: 0, lost: 0, unsure: 0, over: 0 } satisfies Record<Finding, number>;
    const suspects: Call[] = [];
    for (const [index, call] of ours.entries()) {
      if (index % CALLS_PER_TURN === 0) await turn();
      if (!ids.has(call.callId)) suspects.push(call);
      else {
        found.kept++;
        checkup.note(call);
      }
    }
    const end = (call: Call) => ledger.lose(call, cause === 'restart' ? 'restart' : 'reconcile');
    for (let from = 0; from < suspects.length; from += WIDTH) {
      const some = suspects.slice(from, from + WIDTH);
      if (this.#isGone(member) || member.verdict('bound') === 'no') {
        found.unsure += suspects.length - from;
        break;
      }
      const asked = clock.monotonic();
      const findings = await Promise.all(
        some.map((call) => (call.nodeId === member.id ? checkup.check(call, () => end(call)) : 'over')),
      );
      for (const finding of findings) found[finding]++;
      if (!isWhole) await after(clock, PACE_MS - (clock.monotonic() - asked));
    }
    // The database may be closed by now.
    const { strays, foreign } = this.#isGone(member)
      ? { strays: 0, foreign: 0 }
      : await this.#sort(member, { ids, listedAt });
    const { kept, lost, unsure } = found;
    // The sessions of calls it has lost are not among those it told of.
    const others = isTold ? 0 : Math.max(0, above + sessionsOfLost(suspects));
    const took_ms = Math.round(clock.monotonic() - started);

    return { asked: kept + lost + unsure, kept, lost, strays, foreign: foreign + others, unsure, took_ms };
  }

  /** Our calls on a node. There may be very many calls in all. */
  async #callsOn(member: Member): Promise<Call[]> {
    const ours: Call[] = [];
    let looked = 0;
    for (const call of this.#parts.calls.values()) {
      if (call.nodeId === member.id) ours.push(call);
      if (++looked % CALLS_PER_TURN === 0) await turn();
    }

    return ours;
  }

  /** Call-IDs the node has; if it cannot tell all of them, those it tells. `isTold`: whether its kind of relay tells them at all. */
  async #list(
    monitor: RelayMonitor,
  ): Promise<{ ids: ReadonlySet<string>; isWhole: boolean; isTold: boolean }> {
    const { clock } = this.#parts;
    const all = await monitor.list(MAX_LIST, clock.monotonic() + LIST_MS);
    if (!(all instanceof RelayFailure)) {
      return { ids: new Set(all), isWhole: all.length < MAX_LIST, isTold: true };
    }
    const isTold = all.kind !== 'rejected';
    const some =
      all.kind === 'too-large' ? await monitor.list(MAX_UDP_LIST, clock.monotonic() + LIST_MS) : all;

    return { ids: new Set(some instanceof RelayFailure ? [] : some), isWhole: false, isTold };
  }

  /** Tells whose the other calls on the node are, and has those deleted that are left of ours. */
  async #sort(member: Member, list: TheirList): Promise<{ strays: number; foreign: number }> {
    let strays = 0;
    let foreign = 0;
    let lookups = 0;
    for (const callId of list.ids) {
      const owner = this.#ownerOf(member, callId, list);
      if (owner === 'stray') {
        strays++;
        this.#parts.strays.add(member.id, callId);
        // Each is deleted at once, and calls have to get through too.
        if (strays % WIDTH === 0) await after(this.#parts.clock, PACE_MS);
      } else if (owner === 'foreign') foreign++;
      if (++lookups % LOOKUPS_PER_TURN === 0) await turn();
      if (this.#isGone(member)) break;
    }

    return { strays, foreign };
  }

  /** `settled`: nothing is to be done, or it is being done. */
  #ownerOf(member: Member, callId: string, { listedAt }: TheirList): 'settled' | 'stray' | 'foreign' {
    const { calls, strays, store, isBusy } = this.#parts;
    const live = calls.get(callId);
    if (live?.nodeId === member.id || isBusy(callId) || strays.has(member.id, callId)) return 'settled';
    // A call that lives is never deleted because of a list: this may be the relay of its own node under another name. What it
    // left behind when it moved is among the strays already.
    if (live !== undefined) return 'settled';
    if (isTestCall(callId)) return isLeftBehind(callId, listedAt) ? 'stray' : 'settled';
    const ended = calls.getEnded(callId) ?? store.findEndedCall(callId);
    // What ended otherwise may still have media, or was made anew under its Call-ID by another controller: an INVITE repeated
    // with credentials, for one. After a BYE nobody uses a Call-ID again.
    if (ended?.endReason !== 'bye') return 'foreign';

    return ended.updatedAt > listedAt - ENDING_MS ? 'settled' : 'stray';
  }

  /** Whether the node was forgotten or got another socket, or we end. */
  #isGone(member: Member): boolean {
    return this.#isStopped || this.#parts.fleet.get(member.id) !== member;
  }
}

/** Sessions that calls had which were lost. */
function sessionsOfLost(calls: readonly Call[]): number {
  return calls.reduce((sum, { endReason, sessions }) => sum + (endReason === 'lost' ? sessions : 0), 0);
}

/** The database may fail while it is asked for ended calls. */
function asFailure(error: unknown): Failure {
  if (error instanceof SQLiteError) return new Failure('RTPC_NOT_DURABLE', explain(error));
  throw error;
}
