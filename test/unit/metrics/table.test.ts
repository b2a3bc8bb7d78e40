/** Every figure the program keeps is a metric, under a name by Prometheus' conventions. */

import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expose } from '../../../src/metrics/exposition.ts';
import { METRICS } from '../../../src/metrics/table.ts';
import type { NgDict } from '../../../src/relay/driver.ts';
import { makeCluster, makeNode, phoneSdp, sip } from '../../fakes/cluster.ts';
import { metricParts } from '../../fakes/metrics.ts';

const SRC = join(import.meta.dir, '..', '..', '..', 'src');
const sources = [...new Bun.Glob('**/*.ts').scanSync(SRC)].map((file) => ({
  file,
  text: readFileSync(join(SRC, file), 'utf8'),
}));
const keysIn = (text: string): string[] => [...text.matchAll(/(\w+):/g)].map(([, key = '']) => key);

async function scrape(
  cluster = makeCluster(),
  more: Parameters<typeof metricParts>[1] = {},
): Promise<string[]> {
  let text = '';
  for await (const piece of expose(metricParts(cluster, more), 'prometheus')) text += piece;

  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('every object that counts is read by a family of metrics, with all of its figures', () => {
  const kept = sources
    // A fake relay is no part of the service.
    .filter(({ file }) => !file.includes('fake'))
    .flatMap(({ file, text }) =>
      [...text.matchAll(/\bcounters(?:: \w+)? = \{([^}]*)\}/g)].map(([, body = '']) => ({
        file,
        keys: keysIn(body),
      })),
    );
  const told = sources.filter(({ file }) => file.startsWith('metrics/'));
  const families = told.flatMap(({ text }) =>
    [...text.matchAll(/\bcounters\(\(?[^{]*\{[^}]*\}\) => [\w.?]+, \{(.*?)\n\s*\}\)/gs)].map(
      ([, body = '']) => [...body.matchAll(/^\s*(\w+): \[/gm)].map(([, key = '']) => key),
    ),
  );
  // Those of a webhook have a family each.
  families.push(
    told.flatMap(({ text }) => [...text.matchAll(/counters: \{ (\w+) \}/g)].map(([, key = '']) => key)),
  );
  expect(kept.length).toBeGreaterThan(18);
  const untold = kept.filter(
    ({ keys }) => !families.some((family) => keys.every((key) => family.includes(key))),
  );
  expect(untold).toEqual([]);
});

describe('names', () => {
  test('are unique, and say what the metric is', () => {
    const names = METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, type, help } of METRICS) {
      expect(name).toMatch(/^(?:rtp_cluster|process)_[a-z]+(?:_[a-z]+)*$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (type === 'histogram') expect(name).toEndWith('_seconds');
      expect(name).not.toMatch(/_(?:ms|milliseconds|percent|kilobytes|minutes)(?:_|$)/);
      expect([name, help]).toEqual([name, expect.stringMatching(/^[A-Z].{3,}\.$/)]);
    }
  });

  test('of labels are words of ours, none of which Prometheus makes itself', () => {
    const labels = new Set(METRICS.flatMap(({ labels }) => labels));
    for (const label of labels) {
      expect(label).toMatch(/^[a-z]+$/);
      expect(['le', 'quantile', 'job', 'instance']).not.toContain(label);
    }
  });
});

describe('a scrape', () => {
  test('has no series twice, and gives every label it names a value', async () => {
    const lines = await scrape();
    const series = lines.map((line) => line.replace(/ \S+$/, ''));
    expect(new Set(series).size).toBe(series.length);
    expect(lines.filter((line) => line.includes('undefined'))).toEqual([]);
    expect(lines.length).toBeGreaterThan(150);
  });

  test('tells of calls, nodes and placements', async () => {
    const cluster = makeCluster();
    for (const callId of ['c1', 'c2'])
      await cluster.requests.auto(sip({ method: 'INVITE', callId }, phoneSdp('10.9.9.9')));
    const lines = await scrape(cluster);
    expect(lines).toContain('rtp_cluster_requests_total{door="http",operation="offer",code="ok"} 2');
    expect(lines).toContain('rtp_cluster_calls{state="early"} 2');
    expect(lines).toContain('rtp_cluster_node_calls{node="0",set="0"} 2');
    expect(lines.filter((line) => line.startsWith('rtp_cluster_placements_total'))).toEqual([
      'rtp_cluster_placements_total{node="0",set="0",policy="hash"} 2',
    ]);
    expect(lines).toContain('rtp_cluster_node_order{node="0",set="0",order="ready"} 1');
    expect(lines).toContain('rtp_cluster_node_order{node="0",set="0",order="drain"} 0');
    expect(
      lines.filter((line) => line.startsWith('rtp_cluster_node_health{node="0"') && line.endsWith(' 1')),
    ).toEqual(['rtp_cluster_node_health{node="0",set="0",health="up"} 1']);
    expect(lines).toContain('rtp_cluster_set_ready_nodes{set="0"} 2');
    expect(lines).toContain(
      'rtp_cluster_relay_commands_total{kind="rtpengine",command="offer",result="ok"} 2',
    );
  });

  test('tells nothing of a node that is not there any more', async () => {
    const cluster = makeCluster();
    cluster.fleet.remove(1);
    const lines = await scrape(cluster);
    expect(lines.filter((line) => line.includes('node="1"'))).toEqual([]);
  });

  test('leaves out what nobody knows, instead of telling 0', async () => {
    const names = (await scrape()).map((line) => line.replace(/[{ ].*$/, ''));
    for (const name of ['node_ports', 'node_rtt_seconds', 'node_capacity', 'certificate_expiry_time_seconds'])
      expect(names).not.toContain(`rtp_cluster_${name}`);
  });

  test('has as many series whatever clients call their commands, tags, calls and reasons', async () => {
    const hostile = ['x"} 1\nrtp_cluster_evil 1', '\\', '', 'offer ', '\0', 'é'.repeat(300), '__proto__'];
    const run = async (words: readonly string[]): Promise<string[]> => {
      const cluster = makeCluster();
      const parts = metricParts(cluster);
      for (const [index, word] of words.entries()) {
        const { commands } = parts.ng as unknown as {
          commands: { handle(m: NgDict, s: number): Promise<NgDict> };
        };
        await commands.handle({ command: word, 'call-id': `c${index}` }, 0);
        await cluster.requests.auto(
          sip({ method: 'INVITE', callId: `${word}${index}`, fromTag: `f${index}` }, phoneSdp('10.9.9.9')),
        );
        await cluster.requests.delete({ callId: `${word}${index}`, reason: word });
      }
      let text = '';
      for await (const piece of expose(parts, 'prometheus')) text += piece;

      return text.split('\n').map((line) => line.replace(/ \S+$/, ''));
    };
    const usual = await run(Array.from({ length: hostile.length }, () => 'nonsense'));
    expect(await run(hostile)).toEqual(usual);
    expect(usual.join('\n')).toContain('calls_ended_total{reason="other"}');
  });

  test('escapes what a node is described by', async () => {
    const cluster = makeCluster({ nodes: [makeNode(0)] });
    const [member] = cluster.fleet.list();
    if (member !== undefined) member.node = { ...member.node, socket: 'udp:"a\\b\nc' };
    const [line = ''] = (await scrape(cluster)).filter((text) => text.startsWith('rtp_cluster_node_info'));
    expect(line).toContain('socket="udp:\\"a\\\\b\\nc"');
  });
});
