/** What a metric is: its name, what it means, and where its values are read when somebody asks. */

import type { Histogram } from '../util/histogram.ts';
import type { MetricParts } from './parts.ts';

/** Values of the labels, in the order in which the family names them, and the value. */
export type Sample<V> = readonly [labels: readonly string[], value: V];
type Samples<V> = Iterable<Sample<V>>;

interface Described {
  /** As in Prometheus' text: base units, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A metric and all its series. */
export type Family = Described &
  (
    | {
        readonly type: 'counter' | 'gauge';
        /** Reading changes nothing: several may ask. */
        readonly read: (parts: MetricParts) => Samples<number> | Promise<Samples<number>>;
      }
    | { readonly type: 'histogram'; readonly read: (parts: MetricParts) => Samples<Histogram> }
  );

export const PREFIX = 'rtp_cluster_';

/** What one number is read from; null and undefined for not known, then there is no series. */
type One = (parts: MetricParts) => number | null | undefined;

/** A counter without labels. @param name without the prefix */
export function counter(name: string, help: string, read: One): Family {
  return { type: 'counter', name: PREFIX + name, help, labels: [], read: one(read) };
}

/** A gauge without labels. @param name without the prefix */
export function gauge(name: string, help: string, read: One): Family {
  return { type: 'gauge', name: PREFIX + name, help, labels: [], read: one(read) };
}

/** A histogram without labels. @param name without the prefix */
export function histogram(name: string, help: string, read: (parts: MetricParts) => Histogram): Family {
  return { type: 'histogram', name: PREFIX + name, help, labels: [], read: (parts) => [[[], read(parts)]] };
}

/** A family with labels. @param name without the prefix */
export function labelled(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  labels: readonly string[],
  read: (parts: MetricParts) => Samples<number> | Promise<Samples<number>>,
): Family {
  return { type, name: PREFIX + name, help, labels, read };
}

/**
 * A counter for each figure of an object that counts. The compiler sees to it that none is forgotten.
 * @param names name without the prefix, and help, of each
 */
export function counters<K extends string>(
  read: (parts: MetricParts) => Readonly<Record<K, number>> | undefined,
  names: Readonly<Record<K, readonly [name: string, help: string]>>,
): Family[] {
  return Object.entries<readonly [name: string, help: string]>(names).map(([key, [name, help]]) =>
    counter(name, help, (parts) => read(parts)?.[key as K]),
  );
}

function one(read: One): (parts: MetricParts) => Samples<number> {
  return (parts) => {
    const value = read(parts);

    return value === null || value === undefined ? [] : [[[], value]];
  };
}
