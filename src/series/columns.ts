/** What is sampled, how some samples become one, and how exactly it is shown. */

import { type Column, FLEET_COLUMNS, NODE_COLUMNS } from '../store/sample-rows.ts';

export interface ColumnRule {
  readonly name: Column;
  /** Whether the largest of some samples stands for them, and not their mean. */
  readonly isMax: boolean;
  /** Digits behind the point that are worth showing. */
  readonly decimals: number;
}

const MAXIMA: readonly Column[] = ['ports_total', 'loop_delay_ms', 'commit_ms'];
/** Digits where it is not one. */
const DECIMALS: Partial<Record<Column, number>> = {
  up: 3,
  ports_total: 0,
  placed_per_s: 2,
  errors_per_s: 2,
  requests_per_s: 2,
  failed_per_s: 2,
  rtt_ms: 2,
  probe_delay_ms: 2,
  p50_ms: 2,
  p99_ms: 2,
  loop_delay_ms: 2,
  commit_ms: 2,
};

const ruleOf = (name: Column): ColumnRule => ({
  name,
  isMax: MAXIMA.includes(name),
  decimals: DECIMALS[name] ?? 1,
});
export const NODE_RULES: readonly ColumnRule[] = NODE_COLUMNS.map(ruleOf);
export const FLEET_RULES: readonly ColumnRule[] = FLEET_COLUMNS.map(ruleOf);

/** A value as it is shown. NaN is unknown. */
export function shown(value: number, { decimals }: ColumnRule): number | null {
  if (!Number.isFinite(value)) return null;
  const scale = 10 ** decimals;

  return Math.round(value * scale) / scale;
}
