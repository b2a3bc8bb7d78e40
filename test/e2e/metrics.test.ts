/** `/metrics` of the compiled binary with calls through it, read by those who will read it: promtool and Prometheus. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '../../src/metrics/table.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { startFake } from '../lab/fake-relays.ts';
import { answerOf, NgClient, offerOf } from '../lab/ng-client.ts';
import { readOpenMetrics } from '../lab/openmetrics.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { type Prometheus, promtool, startPrometheus, whyNoPrometheus } from '../lab/prometheus.ts';
import { buildSdp } from '../lab/sdp.ts';

const MONITORING = join(import.meta.dir, '..', '..', 'docs', 'monitoring');
const TOKEN = 'a-token-of-the-test-01';
const HEADERS = { authorization: `Bearer ${TOKEN}` };
const OPEN = 'application/openmetrics-text; version=1.0.0';
const reason = whyNoPrometheus();
if (reason !== undefined) console.log(`test/e2e/metrics.test.ts: parts are skipped: ${reason}`);

let appliance: Appliance;

const scrape = async (accept = 'text/plain'): Promise<string> => {
  const response = await fetch(`${appliance.url}/metrics`, { headers: { ...HEADERS, accept } });
  expect(response.status).toBe(200);

  return response.text();
};

/** Asks at the HTTP door. */
async function media(operation: string, body: object): Promise<number> {
  const headers = { ...HEADERS, 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };

  return (await fetch(`${appliance.url}/v1/media/${operation}`, init)).status;
}

beforeAll(async () => {
  const binary = await ensureBinary();
  const ngPort = await freeUdpPort();
  const relays = await Promise.all([startFake('rtpengine'), startFake('rtpproxy')]);
  appliance = await startAppliance({ binary, token: TOKEN, ngListen: `0 == udp:127.0.0.1:${ngPort}` });
  const add = async (id: number, kind: string, socket: string): Promise<Response> =>
    fetch(`${appliance.url}/v1/nodes`, {
      method: 'POST',
      headers: { ...HEADERS, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ id, kind, socket, description: 'a "node"\n\\' },
        ...{ inner_media_ip: `10.9.0.${id}`, out_media_ip: `198.51.100.${id}` },
      }),
    });
  for (const [index, { kind, socket }] of relays.entries()) await add(index + 1, kind, socket);
  // Nobody listens there.
  await add(3, 'rtpengine', `udp:127.0.0.1:${await freeUdpPort()}`);
  await poll(
    async () =>
      (await scrape()).match(/node_health\{[^}]*health="(?:up|down)"\} 1/g)?.length === 3 || undefined,
    () => 'the nodes are not judged',
  );
  const ng = await NgClient.connect({ port: ngPort });
  for (let call = 0; call < 20; call++) {
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    expect(await media('offer', { 'call-id': `h${call}`, 'from-tag': 'f', direction: 'out', sdp })).toBe(200);
    expect((await ng.ask(offerOf(`n${call}`))).result).toBe('ok');
    expect((await ng.ask(answerOf(`n${call}`))).result).toBe('ok');
  }
  for (let call = 0; call < 10; call++) expect(await media('delete', { 'call-id': `h${call}` })).toBe(200);
  // What clients do wrong, and a command whose name would be a series of its own.
  await media('offer', { 'call-id': 'x' });
  await media('command', { 'call-id': 'h11', command: 'x"} 1\nrtp_cluster_evil 1' });
  await ng.ask({ command: 'x"} 1\nrtp_cluster_evil 1', 'call-id': 'n11' });
}, 60_000);
afterAll(sweep);

describe('a scrape', () => {
  test('of OpenMetrics can be read, and has every metric there is', async () => {
    const families = readOpenMetrics(await scrape(OPEN));
    const names = METRICS.map(({ name, type }) => (type === 'counter' ? name.replace(/_total$/, '') : name));
    expect([...families.keys()]).toEqual(names);
    expect(families.has('rtp_cluster_evil')).toBe(false);
    const empty = [...families].filter(([, { samples }]) => samples.size === 0).map(([name]) => name);
    // What there is none of here: an rtpproxy that tells, a certificate, a webhook, a media probe, a limit.
    expect(
      empty.filter(
        (name) => !/notice_|certificate|webhook|node_(?:probe|capacity|foreign)|retries/.test(name),
      ),
    ).toEqual([]);
  });

  test('of Prometheus has the same series', async () => {
    const series = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => line.replace(/ \S+$/, '').replace(/le="(\d+)\.0"/, 'le="$1"'));
    // A commit between the two may open a row that was not there.
    expect(series(await scrape(OPEN))).toEqual(series(await scrape()));
  });

  test('counts what was done at both doors', async () => {
    const lines = (await scrape()).split('\n');
    for (const line of [
      'rtp_cluster_requests_total{door="http",operation="offer",code="ok"} 20',
      'rtp_cluster_requests_total{door="ng",operation="offer",code="ok"} 20',
      'rtp_cluster_requests_total{door="ng",operation="answer",code="ok"} 20',
      'rtp_cluster_requests_total{door="http",operation="delete",code="ok"} 10',
      'rtp_cluster_http_media_answers_total{operation="offer",code="RTPC_BAD_PARAMETER"} 1',
      'rtp_cluster_http_media_answers_total{operation="command",code="RTPC_COMMAND_UNSUPPORTED"} 1',
      'rtp_cluster_ng_errors_total 1',
      'rtp_cluster_calls{state="early"} 10',
      'rtp_cluster_calls{state="confirmed"} 20',
      'rtp_cluster_calls_ended_total{reason="delete"} 10',
      'rtp_cluster_set_nodes{set="0"} 3',
      'rtp_cluster_set_ready_nodes{set="0"} 2',
      'rtp_cluster_node_health{node="3",set="0",health="down"} 1',
      'rtp_cluster_database_ok 1',
    ])
      expect(lines).toContain(line);
    const placed = lines.filter((line) => line.startsWith('rtp_cluster_placements_total'));
    expect(placed.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)).toBe(40);
  });

  test('wants a token that may look', async () => {
    expect((await fetch(`${appliance.url}/metrics`)).status).toBe(401);
  });
});

describe.skipIf(reason !== undefined)('promtool', () => {
  test('finds nothing wrong with a scrape', async () => {
    expect(promtool(['check', 'metrics'], await scrape())).toEqual({ code: 0, text: '' });
  });

  test('finds nothing wrong with the alert rules, and each fires when it should and not otherwise', () => {
    expect(promtool(['check', 'rules', join(MONITORING, 'rtp_cluster.rules.yml')])).toMatchObject({
      code: 0,
    });
    expect(promtool(['test', 'rules', join(MONITORING, 'rtp_cluster.rules.test.yml')])).toMatchObject({
      code: 0,
    });
  });
});

describe.skipIf(reason !== undefined)('Prometheus', () => {
  let prometheus: Prometheus;

  beforeAll(async () => {
    const job = {
      job_name: 'rtp-cluster',
      authorization: { credentials: TOKEN },
      static_configs: [{ targets: [new URL(appliance.url).host] }],
    };
    prometheus = await startPrometheus({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(MONITORING, 'rtp_cluster.rules.yml')],
      scrape_configs: [job],
    });
    await poll(
      async () => {
        const { result } = (await prometheus.ask('query', { query: 'count_over_time(up[1m]) > 3' })) as {
          result: unknown[];
        };

        return result.length > 0 || undefined;
      },
      () => 'nothing is scraped',
      30_000,
    );
  }, 60_000);

  test('scrapes without a complaint', async () => {
    const { activeTargets } = (await prometheus.ask('targets')) as {
      activeTargets: { health: string; lastError: string }[];
    };
    expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }]);
  });

  test('evaluates every alert; of a node that is down it warns, of nothing else', async () => {
    const rules = await poll(
      async () => {
        const { groups } = (await prometheus.ask('rules')) as {
          groups: { rules: { name: string; health: string; lastError?: string; state: string }[] }[];
        };
        const all = groups.flatMap((group) => group.rules);

        return all.every(({ health }) => health !== 'unknown') ? all : undefined;
      },
      () => 'not all rules are evaluated',
    );
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    // A machine that is busy with other tests may be slow.
    const told = rules.filter(({ state, name }) => state !== 'inactive' && !/Slow$|Stalls$/.test(name));
    expect(told.map(({ name }) => name)).toEqual(['RtpClusterNodeDown']);
  });

  test('answers every question of the dashboard', async () => {
    const { panels } = JSON.parse(readFileSync(join(MONITORING, 'rtp_cluster.dashboard.json'), 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const silent: string[] = [];
    for (const { title, targets = [] } of panels) {
      let found = 0;
      for (const { expr } of targets) {
        const query = expr.replaceAll('$__rate_interval', '1m').replace(/\$(?:instance|set|node)\b/g, '.*');
        const { result } = (await prometheus.ask('query', { query })) as { result: unknown[] };
        found += result.length;
      }
      if (targets.length > 0 && found === 0) silent.push(title);
    }
    // What did not happen here, or what fake relays do not tell.
    expect(
      silent.filter(
        (title) => !/^(?:Failing|Retries|Loss in|Delay in|Backlog|Sessions of other)/.test(title),
      ),
    ).toEqual([]);
  });
});
