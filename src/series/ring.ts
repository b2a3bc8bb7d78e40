/** The samples of the last hour of one node, or of the fleet: a fixed number of steps, the oldest overwritten. */

/** Steps that are kept. */
export const POINTS = 360;

export class Ring {
  /** By column, then by step; a column nobody ever knew anything of takes no room. NaN is unknown. */
  readonly #columns: (Float32Array | undefined)[];
  #last: number | undefined;

  /** @param columns how many values a sample has */
  constructor(columns: number) {
    this.#columns = new Array<undefined>(columns).fill(undefined);
  }

  /** Keeps the sample of a step. Steps only grow; those left out are unknown. */
  put(step: number, values: readonly number[]): void {
    const from = Math.max((this.#last ?? step) + 1, step - POINTS + 1);
    for (const [column, value] of values.entries()) {
      let kept = this.#columns[column];
      if (kept === undefined) {
        if (Number.isNaN(value)) continue;
        kept = new Float32Array(POINTS).fill(Number.NaN);
        this.#columns[column] = kept;
      }
      for (let missed = from; missed < step; missed++) kept[missed % POINTS] = Number.NaN;
      kept[step % POINTS] = value;
    }
    this.#last = step;
  }

  /** A column, oldest first; its last one is that of the newest sample. */
  read(column: number): number[] {
    const kept = this.#columns[column];
    const last = this.#last;
    if (kept === undefined || last === undefined) return new Array<number>(POINTS).fill(Number.NaN);
    const first = (last + 1) % POINTS;

    return Array.from({ length: POINTS }, (_, index) => kept[(first + index) % POINTS] ?? Number.NaN);
  }
}
