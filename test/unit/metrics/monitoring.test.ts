/** What docs/monitoring asks Prometheus for is what the program tells. */

import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '../../../src/metrics/table.ts';

const FOLDER = join(import.meta.dir, '..', '..', '..', 'docs', 'monitoring');
const read = (file: string): string => readFileSync(join(FOLDER, file), 'utf8');

/** Labels Prometheus gives every series of ours. */
const ITS_OWN = ['instance', 'job'];
const FAMILIES = new Map(METRICS.map((family) => [family.name, family]));

interface Metric {
  readonly name: string;
  readonly labels: readonly string[];
}

/** A series by its name; undefined if there is none. */
function find(name: string): Metric | undefined {
  if (name === 'up') return { name, labels: ITS_OWN };
  const [, base = name, part] = /^(.*?)(_bucket|_sum|_count)?$/.exec(name) ?? [];
  const family = FAMILIES.get(name) ?? FAMILIES.get(base);
  if (family === undefined || (family.name !== name) !== (family.type === 'histogram')) return undefined;

  return { name, labels: [...family.labels, ...ITS_OWN, ...(part === '_bucket' ? ['le'] : [])] };
}

/** What is wrong with a query: metrics that are not there, labels their metrics do not have. */
function complaints(query: string): string[] {
  const bare = query.replace(/"(?:\\.|[^"\\])*"/g, '""').replace(/\$\{?\w+\}?/g, '1');
  const used = [...bare.matchAll(/\b(?:rtp_cluster_\w+|process_\w+|up\b(?=\{))/g)].map(([name]) => name);
  const metrics = used.map(find);
  const unknown = used.filter((_, index) => metrics[index] === undefined);
  const matchers = [...bare.matchAll(/\b((?:rtp_cluster|process)_\w+|up)\{([^}]*)\}/g)].flatMap(
    ([, name = '', inside = '']) =>
      [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]
        .map(([, label = '']) => label)
        .filter((label) => find(name)?.labels.includes(label) !== true)
        .map((label) => `${name}{${label}}`),
  );
  const all = new Set(metrics.flatMap((metric) => metric?.labels ?? []));
  const grouped = [...bare.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)].flatMap(([, inside = '']) =>
    inside.split(',').map((label) => label.trim()),
  );

  return [...unknown, ...matchers, ...grouped.filter((label) => !all.has(label))];
}

describe('the check of these tests', () => {
  test.each([
    ['sum by (node) (rate(rtp_cluster_placements_total{set="0"}[5m]))', []],
    ['rtp_cluster_nonsense', ['rtp_cluster_nonsense']],
    ['rtp_cluster_strays_total', ['rtp_cluster_strays_total']],
    ['rtp_cluster_strays{node="1"}', ['rtp_cluster_strays{node}']],
    ['sum by (node) (rtp_cluster_strays)', ['node']],
    ['rtp_cluster_request_duration_seconds', ['rtp_cluster_request_duration_seconds']],
    ['rtp_cluster_request_duration_seconds_sum{le="1"}', ['rtp_cluster_request_duration_seconds_sum{le}']],
    ['rtp_cluster_strays_bucket', ['rtp_cluster_strays_bucket']],
    ['up{job="x"}', []],
  ])('finds what is wrong with %p', (query, expected) => {
    expect(complaints(query)).toEqual(expected as string[]);
  });
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('rtp_cluster.dashboard.json')) as {
    readonly panels: readonly Panel[];
    readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
    readonly templating: {
      readonly list: readonly { readonly name: string; readonly definition?: string }[];
    };
  };
  const shown = dashboard.panels.filter(({ type }) => type !== 'row');

  test.each(shown.map((panel) => [panel.title, panel] as const))(
    '%s asks for what there is',
    (_, { targets = [] }) => {
      expect(targets.length).toBeGreaterThan(0);
      for (const { expr, legendFormat } of targets) {
        expect(complaints(expr)).toEqual([]);
        const names = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        for (const label of names)
          expect([expr, label]).toEqual([
            expr,
            expect.stringMatching(new RegExp(`^(?:${labelsLeft(expr).join('|')})$`)),
          ]);
      }
    },
  );

  test('chooses by data source, instance, set and node, all of which exist', () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual([
      'datasource',
      'instance',
      'set',
      'node',
    ]);
    const asked = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(asked.length).toBe(3);
    for (const definition of asked) {
      const [, query = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
      expect(complaints(`sum by (${label}) (${query})`)).toEqual([]);
    }
    for (const { expr } of dashboard.annotations.list)
      if (expr !== undefined) expect(complaints(expr)).toEqual([]);
  });

  test('uses no variable that it does not have', () => {
    const text = JSON.stringify(dashboard);
    const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)\}?/g)].map(([, name = '']) => name));
    expect([...used].sort()).toEqual(['datasource', 'instance', 'node', 'set']);
  });

  test('has panels that do not lie on each other, each with an id of its own', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
          taken.add(`${x} ${y}`);
        }
    }
  });
});

/** Labels the outermost sum leaves. */
function labelsLeft(query: string): readonly string[] {
  return [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = '']) =>
    inside.split(',').map((label) => label.trim()),
  );
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

describe('the alert rules', () => {
  const rules = (
    Bun.YAML.parse(read('rtp_cluster.rules.yml')) as { groups: { rules: Rule[] }[] }
  ).groups.flatMap((group) => group.rules);

  test('are there', () => {
    expect(rules.length).toBeGreaterThan(20);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });

  test.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s asks for what there is, and says what to do',
    (_, { expr, labels, annotations }) => {
      expect(complaints(expr)).toEqual([]);
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary.length).toBeGreaterThan(10);
      expect(annotations.description).toMatch(/\.$/);
      for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g))
        expect([
          ...ITS_OWN,
          ...METRICS.filter(({ name }) => expr.includes(name)).flatMap((family) => family.labels),
        ]).toContain(label);
    },
  );

  test('each have a test of when they fire and when not', () => {
    const { tests } = Bun.YAML.parse(read('rtp_cluster.rules.test.yml')) as {
      tests: {
        name: string;
        alert_rule_test: { alertname: string; exp_alerts: { exp_labels: object }[] }[];
      }[];
    };
    expect(tests.map(({ name }) => name)).toEqual(rules.map(({ alert }) => alert));
    for (const { name, alert_rule_test: checks } of tests) {
      expect(checks.every(({ alertname }) => alertname === name)).toBe(true);
      expect(checks.map(({ exp_alerts: expected }) => expected.length)).toEqual([0, 1]);
    }
  });

  test('are all in README.md', () => {
    const listed = [...read('README.md').matchAll(/^\| `(RtpCluster\w+)` \| (\w+) \|/gm)];
    expect(listed.map(([, alert, severity]) => `${alert} ${severity}`)).toEqual(
      rules.map(({ alert, labels }) => `${alert} ${labels.severity}`),
    );
  });
});
