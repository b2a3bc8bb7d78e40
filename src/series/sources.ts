/** Where samples come from: counters that only grow, and what nodes are at the moment. NaN is unknown. */

import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Meter } from '../metrics/meter.ts';
import { quantile } from '../util/histogram.ts';

export type Counts = Pick<Meter, 'requests' | 'failed' | 'placed' | 'placedOn' | 'buckets' | 'bounds'>;

/** What is measured of this program itself, s. */
export interface Delays {
  /** The longest time the event loop stood still lately. */
  readonly loop: () => number;
  /** The longest time a commit took lately. */
  readonly commit: () => number;
}

/** Time between two samples. */
export interface Span {
  readonly seconds: number;
  /** UTC ms of its end. */
  readonly at: number;
}

/** How long the result of a media probe counts, ms. */
const PROBE_MS = 150_000;

const ratePerS = (now: number, before: number, seconds: number): number =>
  seconds > 0 ? Math.max(0, now - before) / seconds : Number.NaN;
const orNaN = (value: number | null | undefined): number => value ?? Number.NaN;

/** What a node does, in the order of the columns. */
export class NodeSource {
  readonly #member: Member;
  /** A node that has been up since before its first sample says so itself. */
  #wasUp = false;
  #placed: number;

  /** @param placed calls that had been placed on it, or on the node that had its id before */
  constructor(member: Member, placed: number) {
    this.#member = member;
    this.#placed = placed;
  }

  get member(): Member {
    return this.#member;
  }

  /** Calls placed on it as of the last sample. */
  get placed(): number {
    return this.#placed;
  }

  read(counts: Pick<Counts, 'placedOn'>, span: Span): number[] {
    const member = this.#member;
    const { health, calls, hasFigures, figures } = member;
    const placed = counts.placedOn(member.id);
    // It is sent once a minute; one that is older says nothing any more.
    const probe = Math.abs(span.at - (member.probe?.at ?? 0)) < PROBE_MS ? member.probe : null;
    const values = [
      this.#upShare(span),
      calls,
      hasFigures ? member.sessions : Number.NaN,
      orNaN(member.portsInUse),
      orNaN(member.portsTotal),
      ratePerS(placed, this.#placed, span.seconds),
      orNaN(hasFigures ? figures?.packetsPerS : null),
      orNaN(hasFigures ? figures?.errorsPerS : null),
      orNaN(health === 'down' ? null : member.rttMs),
      orNaN(probe?.lossPercent),
      orNaN(probe?.delayMs),
    ];
    this.#placed = placed;
    this.#wasUp = health === 'up';

    return values;
  }

  /** The share of the time in which it was up, if it changed once; changes between are not seen. */
  #upShare({ seconds, at }: Span): number {
    const { health, opinion } = this.#member;
    const all = seconds * 1000;
    const isUp = health === 'up';
    if (all <= 0 || isUp === this.#wasUp) return isUp ? 1 : 0;
    const since = Math.min(all, Math.max(0, at - opinion.since));

    return (isUp ? since : all - since) / all;
  }
}

/** What the fleet and this program do, in the order of the columns. */
export class FleetSource {
  readonly #fleet: Fleet;
  readonly #counts: Counts;
  readonly #delays: Delays;
  #before: { requests: number; failed: number; placed: number; buckets: Float64Array };

  constructor(fleet: Fleet, counts: Counts, delays: Delays) {
    this.#fleet = fleet;
    this.#counts = counts;
    this.#delays = delays;
    this.#before = this.#count();
  }

  read({ seconds }: Span): number[] {
    const before = this.#before;
    const now = this.#count();
    this.#before = now;
    const buckets = now.buckets.map((count, index) => count - (before.buckets[index] ?? 0));
    const ms = (share: number): number => orNaN(quantile(this.#counts.bounds, buckets, share)) * 1000;
    let nodesUp = 0;
    let calls = 0;
    let sessions = Number.NaN;
    for (const member of this.#fleet.all()) {
      calls += member.calls;
      if (member.removedAt !== null) continue;
      if (member.health === 'up') nodesUp++;
      if (member.hasFigures) sessions = (Number.isNaN(sessions) ? 0 : sessions) + member.sessions;
    }

    return [
      nodesUp,
      calls,
      sessions,
      ratePerS(now.placed, before.placed, seconds),
      ratePerS(now.requests, before.requests, seconds),
      ratePerS(now.failed, before.failed, seconds),
      ms(0.5),
      ms(0.99),
      this.#delays.loop() * 1000,
      this.#delays.commit() * 1000,
    ];
  }

  #count() {
    const { requests, failed, placed, buckets } = this.#counts;

    return { requests, failed, placed, buckets };
  }
}
