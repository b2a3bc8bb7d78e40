/**
 * Takes a sample of each node and of the fleet every 10 s: the last hour stays in memory, and every 5 minutes a summary goes to the
 * database. A kill loses what was sampled since the last summary; a stop writes it.
 */

import { type Fleet, MAX_NODES } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import { type FLEET_COLUMNS, NODE_COLUMNS, type SampleRow } from '../store/sample-rows.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { type ColumnRule, FLEET_RULES, NODE_RULES, shown } from './columns.ts';
import type { FleetRates, Rates } from './rates.ts';
import { Ring } from './ring.ts';
import { type Counts, type Delays, FleetSource, NodeSource, type Span } from './sources.ts';
import { Summary } from './summary.ts';
import { SampleWriter } from './writer.ts';

/** Time between two samples, ms. */
export const STEP_MS = 10_000;
/** Time that a summary covers, ms; it ends at a multiple of this. */
export const SUMMARY_MS = 300_000;

const PLACED = NODE_COLUMNS.indexOf('placed_per_s');

export interface SamplerParts {
  readonly fleet: Fleet;
  readonly store: Pick<Store, 'writeSamples'>;
  readonly counts: Counts;
  readonly delays: Delays;
  readonly clock: Clock;
}

/** What is kept of a node, or of the fleet. */
class Track {
  readonly ring: Ring;
  readonly summary: Summary;
  /** The newest sample; empty before the first. */
  values: readonly number[] = [];

  constructor(rules: readonly ColumnRule[]) {
    this.ring = new Ring(rules.length);
    this.summary = new Summary(rules);
  }

  put(step: number, values: readonly number[]): void {
    this.values = values;
    this.ring.put(step, values);
    this.summary.add(values);
  }
}

interface NodeTrack {
  readonly source: NodeSource;
  readonly track: Track;
}

export class Sampler implements Rates {
  readonly #parts: SamplerParts;
  readonly #writer: SampleWriter;
  readonly #fleetSource: FleetSource;
  readonly #fleetTrack = new Track(FLEET_RULES);
  readonly #nodes = new Map<number, NodeTrack>();
  /** What was placed on nodes that are gone: their ids may come again. The oldest is forgotten first. */
  readonly #placedBefore = new Map<number, number>();
  readonly #stopTimer: () => void;
  #step = 0;
  /** When the last sample was taken, monotonic and UTC ms. */
  #sampledAt: number;
  #at: number;
  /** The summary under way, by its end: UTC ms by `SUMMARY_MS`. */
  #window: number;

  constructor(parts: SamplerParts) {
    const { fleet, store, counts, delays, clock } = parts;
    this.#parts = parts;
    // Until its turn comes another node may have got the id.
    const writeSamples = (rows: readonly SampleRow[]): boolean =>
      store.writeSamples(rows.filter(({ nodeId }) => nodeId === null || this.#isSampled(nodeId)));
    this.#writer = new SampleWriter({ writeSamples }, clock);
    this.#fleetSource = new FleetSource(fleet, counts, delays);
    this.#sampledAt = clock.monotonic();
    this.#at = clock.utc();
    this.#window = Math.ceil(this.#at / SUMMARY_MS);
    this.#stopTimer = clock.every(STEP_MS, () => this.#sample());
  }

  get counters(): SampleWriter['counters'] {
    return this.#writer.counters;
  }

  /** Rows that wait to be written. */
  get waiting(): number {
    return this.#writer.size;
  }

  /** UTC ms of the newest sample; of the start before the first. */
  get at(): number {
    return this.#at;
  }

  fleet(): FleetRates {
    const entries = FLEET_RULES.map((rule, index) => {
      const value = this.#fleetTrack.values[index];

      return [rule.name, value === undefined ? null : shown(value, rule)] as const;
    });
    const {
      nodes_up: _,
      calls: __,
      sessions: ___,
      ...rates
    } = Object.fromEntries(entries) as Record<(typeof FLEET_COLUMNS)[number], number | null>;

    return rates;
  }

  placedPerS(nodeId: number): number | null {
    const value = this.#nodes.get(nodeId)?.track.values[PLACED];
    const rule = NODE_RULES[PLACED];

    return value === undefined || rule === undefined ? null : shown(value, rule);
  }

  /** The ring of a node, or of the fleet if it is null; undefined if there is none yet. */
  ringOf(nodeId: number | null): Ring | undefined {
    return nodeId === null ? this.#fleetTrack.ring : this.#nodes.get(nodeId)?.track.ring;
  }

  /** Writes what has been sampled so far. */
  stop(): void {
    this.#stopTimer();
    // Its own time, before the end of the summary: after a start the rest of it gets a row of its own.
    this.#summarize(Math.min(this.#at, this.#window * SUMMARY_MS));
    this.#writer.stop();
  }

  #sample(): void {
    const { fleet, counts, clock } = this.#parts;
    const now = clock.monotonic();
    const elapsed = now - this.#sampledAt;
    const steps = Math.round(elapsed / STEP_MS);
    // A timer that makes up for lost time comes too early.
    if (steps === 0) return;
    this.#step += steps;
    this.#sampledAt = now;
    this.#at = clock.utc();
    const window = Math.ceil(this.#at / SUMMARY_MS);
    if (window !== this.#window) this.#summarize(this.#window * SUMMARY_MS);
    this.#window = window;
    const span: Span = { seconds: elapsed / 1000, at: this.#at };
    this.#fleetTrack.put(this.#step, this.#fleetSource.read(span));
    for (const member of fleet.all()) {
      const { source, track } = this.#nodeTrack(member);
      track.put(this.#step, source.read(counts, span));
    }
    for (const [id, { source }] of this.#nodes) {
      if (fleet.get(id) === source.member) continue;
      this.#nodes.delete(id);
      this.#placedBefore.set(id, source.placed);
      const [oldest] = this.#placedBefore.keys();
      if (this.#placedBefore.size > MAX_NODES && oldest !== undefined) this.#placedBefore.delete(oldest);
    }
  }

  /** What is kept of a node; another relay under the same id begins anew. */
  #nodeTrack(member: Member): NodeTrack {
    const known = this.#nodes.get(member.id);
    if (known?.source.member === member) return known;
    const placed = known?.source.placed ?? this.#placedBefore.get(member.id) ?? 0;
    const created = { source: new NodeSource(member, placed), track: new Track(NODE_RULES) };
    this.#nodes.set(member.id, created);

    return created;
  }

  /** Whether the node with an id is still the one of which samples were taken. */
  #isSampled(nodeId: number): boolean {
    const known = this.#nodes.get(nodeId);

    return known !== undefined && this.#parts.fleet.get(nodeId) === known.source.member;
  }

  #summarize(at: number): void {
    const rows: SampleRow[] = [];
    const add = (nodeId: number | null, { summary }: Track): void => {
      if (summary.isEmpty) return;
      rows.push({ nodeId, at, values: summary.take().map((value) => (Number.isNaN(value) ? null : value)) });
    };
    add(null, this.#fleetTrack);
    for (const [id, { track }] of this.#nodes) add(id, track);
    this.#writer.add(rows);
  }
}
