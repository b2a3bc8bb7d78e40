/** Reads OpenMetrics 1.0.0 as strictly as its text says it, so that what passes here is read by everybody. */

export interface OpenFamily {
  readonly type: string;
  readonly help: string;
  /** By the whole text in front of the value. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (\\S+)$`);
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|NaN)$/i;
/** What may stand behind the name of a family, by its type. */
const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count', '_created'],
};

/** The families by name; throws at the first thing that is wrong. */
export function readOpenMetrics(text: string): ReadonlyMap<string, OpenFamily> {
  if (!text.endsWith('# EOF\n')) throw new Error('it does not end with # EOF');
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let current: { name: string; type: string; help: string; samples: Map<string, number> } | undefined;
  for (const [index, line] of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1).entries()) {
    const wrong = (what: string): Error => new Error(`line ${index + 1}: ${what}: ${line}`);
    const [, keyword, about = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword !== undefined) {
      if (current?.name !== about) {
        if (families.has(about)) throw wrong('a family that came before');
        current = { name: about, type: '', help: '', samples: new Map() };
        families.set(about, current);
      } else if (current.samples.size > 0) throw wrong('it comes after samples');
      if (keyword === 'TYPE') {
        if (ENDINGS[rest] === undefined) throw wrong('no type');
        current.type = rest;
      } else current.help = rest;
      continue;
    }
    const [, name = '', , value = ''] = SAMPLE.exec(line) ?? [];
    if (name === '' || !NUMBER.test(value)) throw wrong('no sample');
    if (current === undefined || ENDINGS[current.type]?.every((ending) => name !== current?.name + ending))
      throw wrong(`no sample of the family ${current?.name}`);
    const series = line.slice(0, line.length - value.length - 1);
    if (current.samples.has(series)) throw wrong('a series that came before');
    current.samples.set(series, Number(value.replace('Inf', 'Infinity')));
  }
  for (const [name, family] of families) {
    if (family.type === '' || family.help === '') throw new Error(`${name} has no type or no help`);
    if (family.type === 'histogram') checkBuckets(name, family.samples);
  }

  return families;
}

/** Bounds ascend, counts never fall, and the last bucket has all. */
function checkBuckets(name: string, samples: ReadonlyMap<string, number>): void {
  let bound = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const [series, value] of samples) {
    const [, le] = /le="([^"]+)"/.exec(series) ?? [];
    if (le !== undefined) {
      if (le !== '+Inf' && !/[.e]/.test(le)) throw new Error(`${series}: a bound without a point`);
      const next = Number(le.replace('+Inf', 'Infinity'));
      if (next <= bound || value < count) throw new Error(`${series}: out of order`);
      bound = next;
      count = value;
    } else if (series.startsWith(`${name}_count`)) {
      if (bound !== Number.POSITIVE_INFINITY || value !== count)
        throw new Error(`${series}: not what its buckets have`);
      bound = Number.NEGATIVE_INFINITY;
      count = 0;
    }
  }
}
