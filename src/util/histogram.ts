/** How long things took, counted by bounds: a few additions for each, whatever the number of things. */

/** Bounds for what a caller may wait for, s: from a command on loopback to the longest time budget. */
export const REQUEST_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
] as const;

export class Histogram {
  /** Upper bounds, s, ascending; a value equal to a bound is within it. */
  readonly bounds: readonly number[];
  /** How many were within each bound and above the one before; the last is for those beyond all bounds. */
  readonly counts: Float64Array;
  /** All values together, s. */
  sum = 0;

  constructor(bounds: readonly number[] = REQUEST_BOUNDS) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** How many there were. */
  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** @param seconds negative ones count as 0 */
  add(seconds: number): void {
    const value = seconds > 0 ? seconds : 0;
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}

/**
 * The value, s, below which a share of what was counted lies, estimated within its bound as Prometheus does; the last bound for what
 * lies beyond it. Null if nothing was counted.
 * @param counts as those of a histogram, or the difference of two
 * @param share 0 to 1
 */
export function quantile(bounds: readonly number[], counts: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let index = 0; index < counts.length; index++) total += counts[index] ?? 0;
  if (total <= 0) return null;
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    const here = counts[index] ?? 0;
    if (here > 0 && below + here >= total * share) {
      const from = bounds[index - 1] ?? 0;

      return from + ((bound - from) * Math.max(0, total * share - below)) / here;
    }
    below += here;
  }

  return bounds.at(-1) ?? null;
}
