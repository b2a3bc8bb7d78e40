/** The sessions of a fake rtpproxy: found by Call-ID and tags as the daemon does it, ended by D, X and time. */

import type { Clock } from '../../util/clock.ts';
import type { Place } from './fake-addresses.ts';
import type { FakePortTable } from './fake-ports.ts';
import {
  type FakeSession,
  type Leg,
  matchTag,
  type Notice,
  newLeg,
  type Side,
  sideOf,
} from './fake-session.ts';
import type { FakeStatistics } from './fake-statistics.ts';

export interface FakeLifetimes {
  /** Seconds without U and L after which a session ends; undefined = never, and Q shows 60. */
  readonly mediaTimeoutSec: number | undefined;
  /** The same before the answer; as `mediaTimeoutSec` if undefined. */
  readonly setupTimeoutSec: number | undefined;
}

/** Life of a session as a daemon without options shows it, seconds. */
const DEFAULT_TTL = 60;
const TICK_MS = 1000;

export class FakeSessions {
  readonly ports: FakePortTable;
  readonly #byCall = new Map<string, FakeSession[]>();
  readonly #clock: Clock;
  readonly #statistics: FakeStatistics;
  readonly #lifetimes: FakeLifetimes;
  readonly #onTimeout: (notice: Notice) => void;
  #stopTimer: (() => void) | undefined;
  #size = 0;
  /** Seconds since the start, as the daemon counts them. */
  #second = 0;

  constructor(
    ports: FakePortTable,
    lifetimes: FakeLifetimes,
    statistics: FakeStatistics,
    clock: Clock,
    onTimeout: (notice: Notice) => void,
  ) {
    this.ports = ports;
    this.#lifetimes = lifetimes;
    this.#statistics = statistics;
    this.#clock = clock;
    this.#onTimeout = onTimeout;
    if (lifetimes.mediaTimeoutSec !== undefined)
      this.#stopTimer = clock.every(TICK_MS, () => this.#passSecond());
  }

  /** Sessions, which are streams: a call with audio and video has two. */
  get size(): number {
    return this.#size;
  }

  /** Call-IDs it has. */
  callIds(): string[] {
    return [...this.#byCall.keys()];
  }

  /** All sessions of a call. */
  of(callId: string): readonly FakeSession[] {
    return this.#byCall.get(callId) ?? [];
  }

  /** The session that an offer with these tags means, and the leg it is about. */
  find(
    callId: string,
    from: string,
    to: string | undefined,
  ): { session: FakeSession; side: Side } | undefined {
    for (const session of this.of(callId)) {
      const side = sideOf(session, from, to);
      if (side !== undefined) return { session, side };
    }

    return undefined;
  }

  /** A new session with its first leg open; undefined if there is no port for it. */
  create(
    callId: string,
    tag: string,
    [first, second]: readonly [Place, Place],
    isWeak: boolean,
  ): FakeSession | undefined {
    const port = this.ports.take(first);
    if (port === 0) return undefined;
    const legs: [Leg, Leg] = [newLeg(first), newLeg(second)];
    legs[0].port = port;
    legs[0].isWeak = isWeak;
    const { mediaTimeoutSec = DEFAULT_TTL, setupTimeoutSec = mediaTimeoutSec } = this.#lifetimes;
    const session: FakeSession = {
      callId,
      tag,
      legs,
      createdMs: this.#clock.monotonic(),
      isStrong: !isWeak,
      isComplete: false,
      ttl: setupTimeoutSec,
      streamTtl: mediaTimeoutSec,
      renewedAt: this.#second,
      notice: undefined,
    };
    const others = this.#byCall.get(callId);
    if (others === undefined) this.#byCall.set(callId, [session]);
    else others.push(session);
    this.#size++;
    this.#statistics.add('nsess_created');

    return session;
  }

  /** Gives a leg a new port pair on a place; false if there is none, and then it keeps the one it has. */
  openPort(leg: Leg, place: Place): boolean {
    const port = this.ports.take(place);
    if (port === 0) return false;
    if (leg.port !== 0) this.ports.give(leg.place, leg.port);
    leg.place = place;
    leg.port = port;

    return true;
  }

  /** Begins its life anew. */
  renew(session: FakeSession): void {
    session.renewedAt = this.#second;
  }

  /** Seconds it lives on without U and L. */
  remaining(session: FakeSession): number {
    return session.ttl - (this.#second - session.renewedAt);
  }

  /**
   * Does D: takes a flag from each session that the tags mean, and ends those that have none left. A tag without media number means
   * all streams. False if there is no such session (reference: rtpproxy-protocol 3.2).
   */
  delete(callId: string, from: string, to: string | undefined, isWeak: boolean): boolean {
    let isFound = false;
    for (const session of [...this.of(callId)]) {
      let match = matchTag(session.tag, from);
      const side = match === 0 ? 0 : 1;
      if (match === 0 && to !== undefined) match = matchTag(session.tag, to);
      if (match === 0) continue;
      isFound = true;
      if (isWeak) session.legs[side].isWeak = false;
      else session.isStrong = false;
      if (session.isStrong || session.legs[0].isWeak || session.legs[1].isWeak) continue;
      this.end(session);
      if (match === 1) break;
    }

    return isFound;
  }

  /** Ends a session and frees its ports. */
  end(session: FakeSession): void {
    const others = this.#byCall.get(session.callId);
    const at = others?.indexOf(session) ?? -1;
    if (others === undefined || at < 0) return;
    if (others.length === 1) this.#byCall.delete(session.callId);
    else others.splice(at, 1);
    this.#size--;
    for (const leg of session.legs) {
      if (leg.port !== 0) this.ports.give(leg.place, leg.port);
      this.stopCopy(leg);
      this.stopPlaying(leg);
    }
    this.#statistics.add('nsess_destroyed');
    if (session.isComplete) {
      this.#statistics.add('nsess_nortp');
      this.#statistics.add('nsess_nortcp');
    }
    this.#statistics.add('total_duration', (this.#clock.monotonic() - session.createdMs) / 1000);
  }

  /** Ends the recording or copy of a leg; false if there was none. */
  stopCopy(leg: Leg): boolean {
    if (leg.copy === undefined) return false;
    if (leg.copy !== 'file') this.ports.give(leg.copy.place, leg.copy.port);
    leg.copy = undefined;

    return true;
  }

  stopPlaying(leg: Leg): void {
    if (leg.isPlaying) this.#statistics.add('nplrs_destroyed');
    leg.isPlaying = false;
  }

  /** Does X. */
  endAll(): void {
    for (const sessions of [...this.#byCall.values()]) for (const session of [...sessions]) this.end(session);
  }

  /** Forgets everything, as a restart does. */
  clear(): void {
    this.#byCall.clear();
    this.#size = 0;
    this.ports.clear();
  }

  /** Ends the clock's hold. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #passSecond(): void {
    for (const sessions of [...this.#byCall.values()]) {
      for (const session of [...sessions]) {
        if (this.remaining(session) > 0) continue;
        this.#statistics.add('nsess_timeout');
        this.end(session);
        if (session.notice !== undefined) this.#onTimeout(session.notice);
      }
    }
    this.#second++;
  }
}
