/** Some samples made into one: the mean of what was known, or the largest. */

import type { ColumnRule } from './columns.ts';

export class Summary {
  readonly #rules: readonly ColumnRule[];
  readonly #values: number[];
  readonly #counts: number[];

  constructor(rules: readonly ColumnRule[]) {
    this.#rules = rules;
    this.#values = rules.map(() => 0);
    this.#counts = rules.map(() => 0);
  }

  /** Whether it has any sample in it. */
  get isEmpty(): boolean {
    return this.#counts.every((count) => count === 0);
  }

  /** @param values NaN or null is unknown */
  add(values: readonly (number | null)[]): void {
    for (const [index, rule] of this.#rules.entries()) {
      const value = values[index];
      if (value === null || value === undefined || Number.isNaN(value)) continue;
      const before = this.#values[index] ?? 0;
      const count = this.#counts[index] ?? 0;
      this.#values[index] = !rule.isMax ? before + value : count === 0 ? value : Math.max(before, value);
      this.#counts[index] = count + 1;
    }
  }

  /** One value for each column; NaN where no sample knew any. Begins anew. */
  take(): number[] {
    const taken = this.#rules.map(({ isMax }, index) => {
      const count = this.#counts[index] ?? 0;
      if (count === 0) return Number.NaN;
      const value = this.#values[index] ?? 0;

      return isMax ? value : value / count;
    });
    this.#values.fill(0);
    this.#counts.fill(0);

    return taken;
  }
}
