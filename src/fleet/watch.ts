/**
 * Watches the nodes: checks them at their own pace, gathers their figures, hears what calls show of them, and keeps our
 * opinion of each. Every change of an opinion is an event with its cause.
 */

import { CHECK_TIMEOUT_MS, nextCheckIn } from '../domain/check-pace.ts';
import type { Evidence } from '../domain/evidence.ts';
import { type HealthState, step } from '../domain/health.ts';
import { addressFor } from '../domain/node.ts';
import type { Health } from '../domain/state.ts';
import { RelayFailure, type RelayMonitor, type RelayStatistics } from '../relay/driver.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { whyNotEjected } from './ejectable.ts';
import type { Fleet } from './fleet.ts';
import { HealthNews } from './health-news.ts';
import type { Member } from './member.ts';
import { Panic } from './panic.ts';

/** Makes the monitor of a node: a socket of its own. */
export type MonitorFactory = (member: Member) => RelayMonitor;

export interface WatchOptions {
  /** Whether each node gets a call of ours once a minute. */
  readonly canary: boolean;
  /** A reply after so long would have been too late for a new call, ms. */
  readonly slowMs: number;
  /** Random numbers from 0 to 1. */
  readonly random?: () => number;
}

/** How often we look what is due, ms. */
const TICK_MS = 50;
/** Time the figures may take, ms, and how often we ask for them. */
const FIGURES_MS = 2000;
const FIGURES_EVERY_MS = 10_000;
/** How soon the figures are asked for again after a node has refused a call for lack of room, ms. */
const FIGURES_SOON_MS = 200;
const CANARY_MS = 2000;
const CANARY_EVERY_MS = 60_000;
/** An uptime this much shorter than it should be is a restart, s: relays count whole seconds. */
const RESTART_SLACK_S = 3;
/** Share of a new round trip in the smoothed one (RFC 6298 section 2.3). */
const RTT_GAIN = 1 / 8;

/** One node under watch. Times are monotonic ms. */
interface Watched {
  readonly member: Member;
  /** The node's, which the monitor was made with. */
  readonly httpPort: number | null;
  readonly monitor: RelayMonitor;
  checkAt: number;
  figuresAt: number;
  canaryAt: number;
  isChecking: boolean;
  isCounting: boolean;
  /** Whether it was told that the node does not tell its figures. */
  isBlind: boolean;
  readonly news: HealthNews;
}

export class Watch {
  readonly counters = { checks: 0, failedChecks: 0, restarts: 0 };
  /** Called when a relay has restarted: calls it had may be gone. */
  onRestart: (member: Member) => void = () => undefined;
  /** Called when a node that was down answers again. */
  onBack: (member: Member) => void = () => undefined;
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #createMonitor: MonitorFactory;
  readonly #isCanaryOn: boolean;
  readonly #slowMs: number;
  readonly #random: () => number;
  readonly #watched = new Map<Member, Watched>();
  readonly #panic: Panic;
  readonly #stopTick: () => void;
  #isStopped = false;

  constructor(
    fleet: Fleet,
    store: Store,
    clock: Clock,
    createMonitor: MonitorFactory,
    { canary, slowMs, random = Math.random }: WatchOptions,
  ) {
    this.#fleet = fleet;
    this.#store = store;
    this.#panic = new Panic(fleet, store);
    this.#clock = clock;
    this.#createMonitor = createMonitor;
    this.#isCanaryOn = canary;
    this.#slowMs = slowMs;
    this.#random = random;
    fleet.onEvidence = (member, evidence) => this.#learn(member, evidence);
    this.#stopTick = clock.every(TICK_MS, () => this.#tick());
    this.#tick();
  }

  /** The monitor of a node, for whoever has to ask it something besides calls. */
  monitorOf(member: Member): RelayMonitor {
    return this.#watchedOf(member).monitor;
  }

  /** Checks a node at once. */
  recheck(member: Member): void {
    if (this.#isStopped) return;
    const watched = this.#watchedOf(member);
    watched.checkAt = this.#clock.monotonic();
    if (!watched.isChecking) void this.#check(watched);
  }

  /** A node has refused a call for lack of room: others come first for a moment, and we look at its figures. */
  hold(member: Member): void {
    member.hold();
    if (this.#isStopped) return;
    const watched = this.#watchedOf(member);
    watched.figuresAt = Math.min(watched.figuresAt, this.#clock.monotonic() + FIGURES_SOON_MS);
  }

  isInPanic(setId: number): boolean {
    return this.#panic.has(setId);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTick();
    this.#fleet.onEvidence = () => undefined;
    for (const { monitor } of this.#watched.values()) monitor.close();
    this.#watched.clear();
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const member of this.#fleet.all()) {
      const watched = this.#watchedOf(member);
      this.#learn(member, { kind: 'time' });
      watched.news.tick();
      if (watched.checkAt <= now && !watched.isChecking) void this.#check(watched);
      if (watched.figuresAt <= now && !watched.isCounting) void this.#count(watched);
      if (this.#isCanaryOn && watched.canaryAt <= now) void this.#sendCanary(watched);
    }
    for (const [member, { monitor }] of this.#watched) {
      if (this.#fleet.get(member.id) === member) continue;
      monitor.close();
      this.#watched.delete(member);
    }
    this.#panic.tick(now);
  }

  /** @param told what was told of its health, if that is not what it is now */
  #watchedOf(member: Member, told: Health = member.health): Watched {
    const known = this.#watched.get(member);
    const { httpPort } = member.node;
    if (known?.httpPort === httpPort) return known;
    known?.monitor.close();
    const now = this.#clock.monotonic();
    const watched: Watched = {
      canaryAt: now + this.#random() * CANARY_EVERY_MS,
      isBlind: false,
      news: known?.news ?? new HealthNews(member, told, { store: this.#store, clock: this.#clock }),
      ...known,
      member,
      httpPort,
      monitor: this.#createMonitor(member),
      // At once, a little apart: after a start all nodes are new.
      checkAt: now + this.#random() * TICK_MS,
      figuresAt: now,
      isChecking: false,
      isCounting: false,
    };
    this.#watched.set(member, watched);

    return watched;
  }

  async #check(watched: Watched): Promise<void> {
    const { member, monitor } = watched;
    watched.isChecking = true;
    this.counters.checks++;
    const asked = this.#clock.monotonic();
    const answer = await monitor.ping(asked + CHECK_TIMEOUT_MS);
    watched.isChecking = false;
    if (!this.#isWatching(watched)) return;
    if (answer instanceof RelayFailure) {
      this.counters.failedChecks++;
      // What our own host could not send says nothing of the node.
      if (answer.kind !== 'busy') this.#learn(member, failedCheck(answer));
    } else {
      member.rttMs = member.rttMs === null ? answer : member.rttMs + (answer - member.rttMs) * RTT_GAIN;
      this.#learn(member, { kind: answer < this.#slowMs ? 'check-ok' : 'check-slow' });
    }
    watched.checkAt = asked + nextCheckIn(member.opinion, this.#random());
    // A silent check took all the time there is between two: the next one does not wait for a tick.
    if (watched.checkAt <= this.#clock.monotonic()) void this.#check(watched);
  }

  async #count(watched: Watched): Promise<void> {
    const { member, monitor } = watched;
    watched.isCounting = true;
    const asked = this.#clock.monotonic();
    watched.figuresAt = asked + FIGURES_EVERY_MS * (0.95 + 0.1 * this.#random());
    const answer = await monitor.statistics(asked + FIGURES_MS);
    watched.isCounting = false;
    if (!this.#isWatching(watched)) return;
    this.#noteSight(watched, answer);
    if (answer instanceof RelayFailure) return;
    const at = this.#clock.monotonic();
    const before = member.figures;
    const { uptimeS } = answer;
    const startedAt = uptimeS === null ? null : this.#clock.utc() - uptimeS * 1000;
    const expected = this.#expectedUptime(member, at);
    const isShort = uptimeS !== null && expected !== null && uptimeS + RESTART_SLACK_S < expected;
    const hasFallen = before !== null && answer.growing.some((count, i) => count < (before.growing[i] ?? 0));
    const { calls: ourCalls, ourSessions } = member;
    member.figures = { ...answer, at, ourCalls, ourSessions };
    if (isShort || hasFallen) {
      this.counters.restarts++;
      member.restartedAt = this.#clock.utc();
      this.#store.event('node.restarted', {
        nodeId: member.id,
        ...(isShort ? { uptime_s: uptimeS, expected_s: Math.round(expected) } : {}),
        calls: ourCalls,
      });
      this.#note(member, startedAt);
      this.onRestart(member);
    } else if (member.startedAt === null && startedAt !== null) {
      this.#note(member, startedAt);
    }
  }

  /** How long a relay should have been up by now, s; null if it never said. */
  #expectedUptime({ figures, startedAt }: Member, at: number): number | null {
    if (figures?.uptimeS != null) return figures.uptimeS + (at - figures.at) / 1000;

    return startedAt === null ? null : (this.#clock.utc() - startedAt) / 1000;
  }

  /** Tells, once, that a living node does not tell its figures any more: it is placed by what we know ourselves then. */
  #noteSight(watched: Watched, answer: RelayStatistics | RelayFailure): void {
    const { member } = watched;
    const isBlind = answer instanceof RelayFailure;
    if (isBlind === watched.isBlind || (isBlind && (member.health !== 'up' || member.hasFigures))) return;
    watched.isBlind = isBlind;
    if (isBlind)
      this.#store.event('node.figures_lost', {
        nodeId: member.id,
        cause: answer.kind,
        reason: answer.reason,
      });
    else this.#store.event('node.figures_back', { nodeId: member.id });
  }

  async #sendCanary(watched: Watched): Promise<void> {
    const { member, monitor } = watched;
    const now = this.#clock.monotonic();
    watched.canaryAt = now + CANARY_EVERY_MS * (0.9 + 0.2 * this.#random());
    // A node in maintenance is being worked on; one that is down is known to be so.
    if (member.order === 'maint' || member.health === 'down') return;
    const address = addressFor(member.node, 'inner', 'IP4') ?? member.node.mediaAddresses[0];
    if (address === undefined) return;
    const answer = await monitor.canary(address.address, address.family, now + CANARY_MS);
    if (!(answer instanceof RelayFailure) || !this.#isWatching(watched)) return;
    this.#store.event('node.canary_failed', {
      nodeId: member.id,
      cause: answer.kind,
      reason: answer.reason,
    });
    if (answer.kind === 'silent') this.#learn(member, { kind: 'call-silent', callId: `canary ${now}` });
  }

  #isWatching({ member, monitor }: Watched): boolean {
    return this.#watched.get(member)?.monitor === monitor && this.#fleet.get(member.id) === member;
  }

  /** Takes evidence into account. On the call path for each request: nothing may happen here while all is well. */
  #learn(member: Member, evidence: Evidence): void {
    const before = member.opinion;
    const { state, recheck } = step(before, evidence, this.#clock.utc(), () =>
      this.#mayEject(member, evidence),
    );
    if (recheck) this.recheck(member);
    if (state === before) return;
    member.opinion = state;
    if (state.health !== before.health) this.#report(member, before, evidence);
  }

  #report(member: Member, before: HealthState, evidence: Evidence): void {
    const watched = this.#watchedOf(member, before.health);
    this.#note(member, member.startedAt);
    // Before it is trusted again: has it restarted?
    if (before.health === 'down' || before.health === 'unknown') {
      watched.figuresAt = this.#clock.monotonic();
    }
    if (before.health === 'down') this.onBack(member);
    this.#panic.mayHaveChanged();
    watched.news.changed(evidence.kind);
  }

  /** Whether the node may go. */
  #mayEject(member: Member, evidence: Evidence): boolean {
    const reason = whyNotEjected(this.#fleet, member);
    if (reason !== null) this.#watchedOf(member).news.kept(evidence, reason);

    return reason === null;
  }

  #note(member: Member, startedAt: number | null): void {
    member.startedAt = startedAt;
    const { health, since, cause, ejections, ejectedUntil, rampFrom } = member.opinion;
    this.#store.noteHealth({
      nodeId: member.id,
      health,
      since,
      cause,
      ejections,
      ejectedUntil,
      rampFrom,
      startedAt,
    });
  }
}

function failedCheck({ kind, reason }: RelayFailure): Evidence {
  if (kind === 'unreachable') return { kind: 'check-refused', why: reason };

  return kind === 'silent' ? { kind: 'check-silent' } : { kind: 'check-failed', why: reason };
}
