/** The values that hold, out of all that were given. */

import { Refusal, type Setting } from './kinds.ts';
import type { Origin } from './settings.ts';
import type { Given, Problem } from './sources.ts';

/** The values that were taken, with their origins; refused ones are reported and replaced by the default. */
export class Taken {
  readonly origins: Origin[] = [];
  constructor(
    readonly given: ReadonlyMap<string, Given>,
    readonly problems: Problem[],
  ) {}

  take<V>(row: Setting<V>): V {
    const given = this.given.get(row.key);
    const value = given === undefined ? row.fallback : read(row, given);
    if (value instanceof Refusal) {
      this.report(row.key, value.message);

      return row.fallback;
    }
    const { source, where } = given ?? { source: 'default' as const, where: 'default' };
    this.origins.push({
      key: row.key,
      source,
      where,
      shown: row.show(value),
      reloads: row.reloads === true,
    });

    return value;
  }

  /** Reports a problem at the place the value came from. */
  report = (key: string, message: string): void => {
    this.problems.push({ where: this.given.get(key)?.where ?? 'default', key, message });
  };
}

function read<V>(row: Setting<V>, { value, source }: Given): V | Refusal {
  return source === 'file' ? row.fromToml(value) : row.fromText(String(value));
}
