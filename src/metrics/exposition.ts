/**
 * Metrics as text, in Prometheus' format 0.0.4 and in OpenMetrics 1.0.0. A fleet of thousands has megabytes of it, so others have
 * their turn between two pieces.
 */

import { turn } from '../util/clock.ts';
import type { Histogram } from '../util/histogram.ts';
import type { Family, Sample } from './family.ts';
import type { MetricParts } from './parts.ts';
import { METRICS } from './table.ts';

export const FORMATS = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;
export type Format = keyof typeof FORMATS;

/** Samples written before others have their turn: a millisecond or so. */
const SAMPLES_PER_TURN = 500;

/** All metrics as they are now, in pieces. */
export async function* expose(
  parts: MetricParts,
  format: Format,
  families: readonly Family[] = METRICS,
): AsyncGenerator<string> {
  let text = '';
  let count = 0;
  for (const family of families) {
    const writer = new Writer(family, format);
    text += writer.head;
    for (const sample of await family.read(parts)) {
      text += writer.sample(sample);
      if (++count % SAMPLES_PER_TURN !== 0) continue;
      yield text;
      text = '';
      await turn();
    }
  }
  yield format === 'openmetrics' ? `${text}# EOF\n` : text;
}

class Writer {
  readonly #family: Family;
  readonly #isOpen: boolean;
  /** Label names with what stands before their values. */
  readonly #before: readonly string[];

  constructor(family: Family, format: Format) {
    this.#family = family;
    this.#isOpen = format === 'openmetrics';
    this.#before = family.labels.map((label, index) => `${index === 0 ? '{' : ','}${label}="`);
  }

  get head(): string {
    const { name, type, help } = this.#family;
    // In OpenMetrics a counter's family goes without the ending of its samples.
    const shown = this.#isOpen && type === 'counter' ? name.replace(/_total$/, '') : name;

    return `# HELP ${shown} ${escapeHelp(help, this.#isOpen)}\n# TYPE ${shown} ${type}\n`;
  }

  sample([labels, value]: Sample<number | Histogram>): string {
    const { name } = this.#family;
    const shown = this.#labels(labels);
    if (typeof value === 'number') return `${name}${shown === '' ? '' : `${shown}}`} ${number(value)}\n`;
    const { bounds, counts, sum } = value;
    const open = shown === '' ? '{' : `${shown},`;
    let text = '';
    let below = 0;
    for (const [index, count] of counts.entries()) {
      below += count;
      text += `${name}_bucket${open}le="${this.#bound(bounds[index])}"} ${below}\n`;
    }
    const close = shown === '' ? '' : `${shown}}`;

    return `${text}${name}_sum${close} ${number(sum)}\n${name}_count${close} ${below}\n`;
  }

  /** All but the closing bracket; '' without labels. */
  #labels(values: readonly string[]): string {
    let text = '';
    for (let index = 0; index < values.length; index++)
      text += `${this.#before[index]}${escapeLabel(values[index] ?? '')}"`;

    return text;
  }

  /** OpenMetrics wants the same bound always written in the same way, with a point. */
  #bound(bound: number | undefined): string {
    if (bound === undefined) return '+Inf';

    return this.#isOpen && Number.isInteger(bound) ? `${bound}.0` : String(bound);
  }
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';

  return value > 0 ? '+Inf' : '-Inf';
}

function escapeLabel(text: string): string {
  return /["\\\n]/.test(text)
    ? text.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
    : text;
}

/** Prometheus' format leaves quotes as they are. */
function escapeHelp(text: string, isOpen: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

  return isOpen ? escaped.replaceAll('"', '\\"') : escaped;
}

/** Which format a client wants, by its Accept header: OpenMetrics if it names it and does not like text better. */
export function formatFor(accept: string): Format {
  let best: Format = 'prometheus';
  let weight = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const format = WANTED.get(type);
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    // A version we do not write is none we offer.
    const version = parameters.find((parameter) => parameter.startsWith('version='))?.slice(8);
    if (format === undefined || (version !== undefined && !VERSIONS[format].includes(version))) continue;
    if (!(Number(q) > weight)) continue;
    weight = Number(q);
    best = format;
  }

  return best;
}

const WANTED: ReadonlyMap<string, Format> = new Map([
  ['application/openmetrics-text', 'openmetrics'],
  ['text/plain', 'prometheus'],
  ['text/*', 'prometheus'],
  ['*/*', 'prometheus'],
]);
const VERSIONS: Readonly<Record<Format, readonly string[]>> = {
  prometheus: ['0.0.4'],
  openmetrics: ['1.0.0', '0.0.1'],
};
