import { describe, expect, test } from 'bun:test';
import { expose, type Format, formatFor } from '../../../src/metrics/exposition.ts';
import { type Family, labelled } from '../../../src/metrics/family.ts';
import type { MetricParts } from '../../../src/metrics/parts.ts';
import { Histogram } from '../../../src/util/histogram.ts';
import { makeCluster } from '../../fakes/cluster.ts';
import { metricParts } from '../../fakes/metrics.ts';

const parts: MetricParts = metricParts(makeCluster());

async function write(format: Format, ...families: Family[]): Promise<string> {
  let text = '';
  for await (const piece of expose(parts, format, families)) text += piece;

  return text;
}

const requests = labelled('counter', 'things_total', 'Things\nand \\ "more".', ['a', 'b'], () => [
  [['1', 'x"y\\z\nw'], 3],
  [['2', ''], 0.25],
]);

const times: Family = {
  type: 'histogram',
  name: 'rtp_cluster_wait_seconds',
  help: 'Waits.',
  labels: ['kind'],
  read: () => {
    const histogram = new Histogram([0.5, 1]);
    for (const value of [0.25, 0.75, 0.75, 3]) histogram.add(value);

    return [[['k'], histogram]];
  },
};

describe('in the format of Prometheus', () => {
  test('a counter has its full name everywhere; labels and help are escaped', async () => {
    expect(await write('prometheus', requests)).toBe(
      [
        '# HELP rtp_cluster_things_total Things\\nand \\\\ "more".',
        '# TYPE rtp_cluster_things_total counter',
        'rtp_cluster_things_total{a="1",b="x\\"y\\\\z\\nw"} 3',
        'rtp_cluster_things_total{a="2",b=""} 0.25',
        '',
      ].join('\n'),
    );
  });

  test('the buckets of a histogram add up, and the last one has all', async () => {
    expect(await write('prometheus', times)).toBe(
      [
        '# HELP rtp_cluster_wait_seconds Waits.',
        '# TYPE rtp_cluster_wait_seconds histogram',
        'rtp_cluster_wait_seconds_bucket{kind="k",le="0.5"} 1',
        'rtp_cluster_wait_seconds_bucket{kind="k",le="1"} 3',
        'rtp_cluster_wait_seconds_bucket{kind="k",le="+Inf"} 4',
        'rtp_cluster_wait_seconds_sum{kind="k"} 4.75',
        'rtp_cluster_wait_seconds_count{kind="k"} 4',
        '',
      ].join('\n'),
    );
  });

  test('a metric without labels has no brackets, and what is no number is told as one', async () => {
    const odd = labelled('gauge', 'odd', 'Odd.', [], () => [
      [[], Number.POSITIVE_INFINITY],
      [[], Number.NEGATIVE_INFINITY],
      [[], Number.NaN],
    ]);
    expect((await write('prometheus', odd)).split('\n').slice(2, 5)).toEqual([
      'rtp_cluster_odd +Inf',
      'rtp_cluster_odd -Inf',
      'rtp_cluster_odd NaN',
    ]);
  });
});

describe('in OpenMetrics', () => {
  test('the family of a counter has no ending, its samples have; the end is marked', async () => {
    expect(await write('openmetrics', requests)).toBe(
      [
        '# HELP rtp_cluster_things Things\\nand \\\\ \\"more\\".',
        '# TYPE rtp_cluster_things counter',
        'rtp_cluster_things_total{a="1",b="x\\"y\\\\z\\nw"} 3',
        'rtp_cluster_things_total{a="2",b=""} 0.25',
        '# EOF',
        '',
      ].join('\n'),
    );
  });

  test('a whole bound has a point', async () => {
    expect(await write('openmetrics', times)).toContain('_bucket{kind="k",le="1.0"} 3\n');
  });
});

test('others have their turn while many series are written', async () => {
  const many = labelled('gauge', 'many', 'Many.', ['id'], () =>
    Array.from({ length: 3500 }, (_, id) => [[String(id)], id] as const),
  );
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const text = await write('prometheus', many);
  isDone = true;
  expect(turns).toBeGreaterThanOrEqual(3);
  expect(text.split('\n').length).toBe(3503);
});

describe('the format', () => {
  test.each<[string, Format]>([
    ['', 'prometheus'],
    ['*/*', 'prometheus'],
    ['text/plain', 'prometheus'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'prometheus'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version=1.0.0', 'openmetrics'],
    // As Prometheus 2.42 and 3 ask.
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/vnd.google.protobuf;proto=x;q=0.7,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3',
      'openmetrics',
    ],
    ['application/openmetrics-text;version=2.0.0', 'prometheus'],
    ['application/openmetrics-text;q=0.2, text/plain', 'prometheus'],
    ['application/openmetrics-text;q=0', 'prometheus'],
    ['application/openmetrics-text;q=nonsense', 'prometheus'],
    [',;;,=', 'prometheus'],
  ])('for Accept %p is %p', (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });
});
