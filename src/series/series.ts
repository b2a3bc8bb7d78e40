/** Series for plots: the last hour from memory, the last week from the database. */

import type { SampleRows } from '../store/sample-rows.ts';
import type { Clock } from '../util/clock.ts';
import { Turns } from '../util/turns.ts';
import { type ColumnRule, FLEET_RULES, NODE_RULES, shown } from './columns.ts';
import { POINTS } from './ring.ts';
import { type Sampler, STEP_MS, SUMMARY_MS } from './sampler.ts';
import { Summary } from './summary.ts';

export const SPANS = ['hour', 'week'] as const;
export type SpanName = (typeof SPANS)[number];

/** Points of a week. */
const WEEK_POINTS = 2016;
/** Rows read in one turn of the event loop: less than a millisecond. */
const SLICE = 400;
/** Rows read at most: some more than points, as each stop of the service adds one. */
const MAX_ROWS = 2 * WEEK_POINTS;

export interface Series {
  readonly span: SpanName;
  readonly step_s: number;
  /** The end of each step, UTC seconds. */
  readonly times: readonly number[];
  /** By column; null is unknown. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

export class SeriesReader {
  readonly #sampler: Pick<Sampler, 'ringOf' | 'at'>;
  readonly #rows: Pick<SampleRows, 'read'>;
  readonly #clock: Clock;
  readonly #turns = new Turns();

  constructor(sampler: Pick<Sampler, 'ringOf' | 'at'>, rows: Pick<SampleRows, 'read'>, clock: Clock) {
    this.#sampler = sampler;
    this.#rows = rows;
    this.#clock = clock;
  }

  /** @param nodeId null for the whole fleet */
  read(nodeId: number | null, span: SpanName): Series | Promise<Series> {
    return span === 'hour' ? this.#hour(nodeId) : this.#week(nodeId);
  }

  #hour(nodeId: number | null): Series {
    const ring = this.#sampler.ringOf(nodeId);
    const unknown = new Array<null>(POINTS).fill(null);
    const columns = rulesOf(nodeId).map((rule, index) => [
      rule.name,
      ring === undefined ? unknown : ring.read(index).map((value) => shown(value, rule)),
    ]);

    return {
      span: 'hour',
      step_s: STEP_MS / 1000,
      times: timesUntil(this.#sampler.at, STEP_MS, POINTS),
      values: Object.fromEntries(columns),
    };
  }

  async #week(nodeId: number | null): Promise<Series> {
    const rules = rulesOf(nodeId);
    // The step under way is not in the database yet.
    const last = Math.floor(this.#clock.utc() / SUMMARY_MS) * SUMMARY_MS;
    const first = last - (WEEK_POINTS - 1) * SUMMARY_MS;
    const columns = rules.map(() => new Array<number | null>(WEEK_POINTS).fill(null));
    const summary = new Summary(rules);
    let point = 0;
    const finish = (): void => {
      if (summary.isEmpty) return;
      for (const [column, value] of summary.take().entries()) {
        const [kept, rule] = [columns[column], rules[column]];
        if (kept !== undefined && rule !== undefined) kept[point] = shown(value, rule);
      }
    };
    let after = first - SUMMARY_MS;
    for (let count = 0; count < MAX_ROWS; count += SLICE) {
      await this.#turns.next();
      const rows = this.#rows.read(nodeId, after, last, SLICE);
      for (const [at, ...values] of rows) {
        const next = Math.ceil((at - first) / SUMMARY_MS);
        if (next !== point) finish();
        point = next;
        summary.add(values);
        after = at;
      }
      if (rows.length < SLICE) break;
    }
    finish();
    // What is left, and to write it as text, takes some milliseconds more.
    await this.#turns.next();

    return {
      span: 'week',
      step_s: SUMMARY_MS / 1000,
      times: timesUntil(last, SUMMARY_MS, WEEK_POINTS),
      values: Object.fromEntries(rules.map(({ name }, index) => [name, columns[index] ?? []])),
    };
  }
}

function rulesOf(nodeId: number | null): readonly ColumnRule[] {
  return nodeId === null ? FLEET_RULES : NODE_RULES;
}

/** @param last UTC ms of the newest */
function timesUntil(last: number, stepMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Math.round((last - (count - 1 - index) * stepMs) / 1000),
  );
}
