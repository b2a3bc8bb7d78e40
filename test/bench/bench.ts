/**
 * The benchmark: the appliance beside the floor (no state) and beside the relay itself, in one run on one machine.
 * `npm run bench [-- --kind rtpengine|rtpproxy] [--only fake|real|ng|start|soak] [--seconds 5] [--soak 300] [--binary FILE]
 * [--against OTHER-BINARY]`. Read the ratios; machines are noisy. With `--against` another build of the appliance, as of an earlier
 * commit, takes its turns too. Real rtpproxies need RTPPROXY_BIN in the environment.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NODE_KINDS, type NodeKind } from '../../src/domain/node.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { direct, directAtRate } from './direct.ts';
import { closedLoop, type LoadResult, type MakeCall, openLoop, quantile } from './load.ts';
import { type Measured, start, stopAll } from './processes.ts';
import { driversOf, fakeRelays, type Relays, realRelays } from './relays.ts';
import { fillDatabase } from './stored-calls.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    soak: { type: 'string', default: '300' },
    only: { type: 'string' },
    kind: { type: 'string' },
    binary: { type: 'string' },
    against: { type: 'string' },
  },
});
const kinds = NODE_KINDS.filter((kind) => values.kind === undefined || values.kind === kind);
if (kinds.length === 0) {
  console.error(`bench: --kind is "${values.kind}"; there are ${NODE_KINDS.join(', ')}`);
  process.exit(2);
}
const seconds = Number(values.seconds);
const root = join(import.meta.dir, '..', '..');
const binary = values.binary ?? join(root, 'dist', 'rtp-cluster');
const scratch = mkdtempSync(join(tmpdir(), 'rtp-cluster-bench-'));

const OFFER =
  'v=0\r\no=- 100 1 IN IP4 10.0.0.9\r\ns=call\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=rtcp:41001\r\n';
const ANSWER = OFFER.replaceAll('10.0.0.9', '198.51.100.7').replaceAll('4100', '4200');

const makeCall: MakeCall = (callId) => {
  const post = (operation: string, query: string, body: string): string =>
    `POST /v1/media/${operation}?call-id=${callId}&from-tag=A${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  return [
    post('offer', '&direction=out', OFFER),
    post('answer', '&to-tag=B', ANSWER),
    post('delete', '', ''),
  ];
};

interface Row {
  readonly what: string;
  readonly result: LoadResult;
  /** CPU of the program measured, ms for each call. */
  readonly cpuMs: number | null;
  readonly rss: number | null;
}

function print(title: string, rows: readonly Row[]): void {
  console.log(`\n${title}`);
  console.log('| what | calls/s | failed | p50 ms | p99 ms | max ms | CPU ms/call | RSS MB |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const { what, result, cpuMs, rss } of rows) {
    const cells = [
      what,
      (result.calls / result.seconds).toFixed(0),
      result.failed,
      quantile(result.times, 0.5).toFixed(2),
      quantile(result.times, 0.99).toFixed(2),
      result.times.at(-1)?.toFixed(0) ?? '',
      cpuMs?.toFixed(3) ?? '',
      rss?.toFixed(0) ?? '',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

/** What is measured side by side: a name, the program whose CPU counts, and the load. */
interface Subject {
  readonly what: string;
  readonly server?: Measured;
  readonly load: (seconds: number) => Promise<LoadResult>;
}

/** Rounds in which the subjects take turns: what else the machine does meets all of them alike. */
const ROUNDS = 4;

async function sideBySide(subjects: readonly Subject[]): Promise<Row[]> {
  const parts = subjects.map((): { results: LoadResult[]; cpu: number } => ({ results: [], cpu: 0 }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { server, load }] of subjects.entries()) {
      const before = server?.cpu() ?? 0;
      const result = await load(seconds / ROUNDS);
      const part = parts[index];
      part?.results.push(result);
      if (part !== undefined) part.cpu += (server?.cpu() ?? 0) - before;
    }
  }

  return subjects.map(({ what, server }, index) => {
    const { results, cpu } = parts[index] ?? { results: [], cpu: 0 };
    const sum = (value: (result: LoadResult) => number): number =>
      results.reduce((all, each) => all + value(each), 0);
    const result = {
      calls: sum(({ calls }) => calls),
      failed: sum(({ failed }) => failed),
      leftOut: sum(({ leftOut }) => leftOut),
      seconds: sum((each) => each.seconds),
      times: results.flatMap(({ times }) => times).sort((a, b) => a - b),
    };

    return {
      what,
      result,
      cpuMs: server === undefined ? null : (cpu * 1000) / Math.max(1, result.calls),
      rss: server?.rss() ?? null,
    };
  });
}

async function against(relays: Relays): Promise<void> {
  const { kind, name, places } = relays;
  const drivers = driversOf(relays);
  const floor = await start([process.execPath, join(import.meta.dir, 'floor.ts'), kind, ...places], /^\d+$/);
  const floorUrl = new URL(`http://127.0.0.1:${floor.line}`);
  const appliance = await startServing(join(scratch, `${name}.db`));
  const earlier =
    values.against === undefined
      ? undefined
      : await startServing(join(scratch, `${name}-earlier.db`), values.against);
  await addNodes(appliance.url, relays);
  if (earlier !== undefined) await addNodes(earlier.url, relays);
  for (const url of [floorUrl, appliance.url, ...(earlier === undefined ? [] : [earlier.url])]) {
    await closedLoop(url, makeCall, 8, 3);
  }
  for (const inFlight of [1, 8, 32]) {
    const rows = await sideBySide([
      { what: '(a) floor', server: floor, load: (time) => closedLoop(floorUrl, makeCall, inFlight, time) },
      {
        what: '(b) appliance',
        server: appliance.server,
        load: (time) => closedLoop(appliance.url, makeCall, inFlight, time),
      },
      {
        what: '(c) relay, direct',
        load: (time) => direct(drivers, { offer: OFFER, answer: ANSWER }, inFlight, time),
      },
      ...(earlier === undefined
        ? []
        : [
            {
              what: '(e) earlier build',
              server: earlier.server,
              load: (time: number) => closedLoop(earlier.url, makeCall, inFlight, time),
            },
          ]),
    ]);
    print(`${name}, ${inFlight} in flight, as fast as it goes`, rows);
    const [a, b, , e] = rows.map(({ result }) => result.calls / result.seconds);
    console.log(`(b) : (a) = ${(((b ?? 0) / (a ?? 1)) * 100).toFixed(0)} % of the calls/s`);
    if (e !== undefined) console.log(`(b) : (e) = ${(((b ?? 0) / e) * 100).toFixed(0)} % of the calls/s`);
  }
  const rows = await sideBySide([
    { what: '(a) floor', server: floor, load: (time) => openLoop(floorUrl, makeCall, 500, time) },
    {
      what: '(b) appliance',
      server: appliance.server,
      load: (time) => openLoop(appliance.url, makeCall, 500, time),
    },
    ...(earlier === undefined
      ? []
      : [
          {
            what: '(e) earlier build',
            server: earlier.server,
            load: (time: number) => openLoop(earlier.url, makeCall, 500, time),
          },
        ]),
  ]);
  print(`${name}, 500 calls/s`, rows);
  const [a, b] = rows.map(({ result }) => result) as [LoadResult, LoadResult];
  console.log(`(b) beside (a): ${added(b, a)}`);
  await floor.stop();
  await appliance.server.stop();
  await earlier?.server.stop();
  for (const driver of drivers) driver.close();
  await relays.stop();
}

/** Commands a second in all, for the time the front-end adds. */
const NG_RATE = 5000;

/** ng through the front-end beside ng straight to the relay. */
async function throughFront(relays: Relays): Promise<void> {
  const port = await freeUdpPort();
  const { server, url } = await startServing(join(scratch, 'ng.db'), binary, `udp:127.0.0.1:${port}`);
  await addNodes(url, relays);
  const front = driversOf({ kind: 'rtpengine', places: [`127.0.0.1:${port}`] });
  const drivers = driversOf(relays);
  const sdps = { offer: OFFER, answer: ANSWER };
  await direct(front, sdps, 8, 3);
  const measure = async (title: string, load: (to: typeof front, time: number) => Promise<LoadResult>) => {
    const rows = await sideBySide([
      { what: '(n) ng front-end', server, load: (time) => load(front, time) },
      { what: '(c) relay, direct', load: (time) => load(drivers, time) },
    ]);
    print(`ng, ${relays.name}, ${title}`, rows);

    return rows.map(({ result }) => result) as [LoadResult, LoadResult];
  };
  for (const inFlight of [1, 64]) {
    const [n, c] = await measure(`${inFlight} in flight, as fast as it goes`, (to, time) =>
      direct(to, sdps, inFlight, time),
    );
    const share = n.calls / n.seconds / (c.calls / c.seconds);
    console.log(`(n) : (c) = ${(share * 100).toFixed(0)} % of the calls/s; ${added(n, c)}`);
  }
  const [n, c] = await measure(`${NG_RATE} commands/s`, (to, time) =>
    directAtRate(to, sdps, NG_RATE / 3, time),
  );
  console.log(`${added(n, c)}; left out ${n.leftOut} and ${c.leftOut}`);
  for (const driver of [...front, ...drivers]) driver.close();
  await server.stop();
  await relays.stop();
}

function added(one: LoadResult, other: LoadResult): string {
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(one.times, share) - quantile(other.times, share));

  return `added p50 ${p50?.toFixed(2)} ms, p99 ${p99?.toFixed(2)} ms`;
}

/** Adds the nodes of the benchmark. */
async function addNodes(url: URL, { kind, places }: Relays): Promise<void> {
  for (const place of places) {
    const reply = await fetch(new URL('/v1/nodes', url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        kind,
        socket: `udp:${place}`,
        inner_media_ip: '192.168.2.3',
        out_media_ip: '1.2.3.4',
      }),
    });
    if (!reply.ok) throw new Error(`the node ${place} was not taken: ${await reply.text()}`);
  }
}

/** Starts the appliance and waits until it says where it listens. */
async function startServing(
  database: string,
  program = binary,
  ngListen = '',
): Promise<{ server: Measured; url: URL; startedMs: number }> {
  const begin = performance.now();
  const server = await start(
    [program, 'serve', '--database-path', database, '--http-listen', '127.0.0.1:0', '--log-format', 'json'],
    /appliance\.started/,
    // An earlier build may not know the setting.
    program === binary ? { RTP_CLUSTER_NG_LISTEN: ngListen } : {},
  );
  const url = new URL(String(JSON.parse(server.line).url));
  await fetch(new URL('/readyz', url));

  return { server, url, startedMs: performance.now() - begin };
}

async function storedCalls(): Promise<void> {
  const path = join(scratch, 'stored.db');
  const count = 100_000;
  fillDatabase(path, count);
  const { server, url, startedMs } = await startServing(path);
  const reply = await fetch(new URL('/v1/calls/stored-99999@bench', url));
  console.log(
    `\nstart with ${count} stored calls: first answer after ${startedMs.toFixed(0)} ms, RSS ${server.rss().toFixed(0)} MB, last call ${reply.status === 200 ? 'found' : 'LOST'}, database ${(Bun.file(path).size / 1e6).toFixed(0)} MB`,
  );
  await server.stop();
}

async function soak(relays: Relays): Promise<void> {
  const total = Number(values.soak);
  const { server, url } = await startServing(join(scratch, 'soak.db'));
  await addNodes(url, relays);
  console.log(`\nsoak, ${relays.name}: 500 calls/s for ${total} s`);
  const step = Math.max(5, Math.round(total / 10));
  for (let passed = 0; passed < total; passed += step) {
    const { calls, failed, leftOut, times } = await openLoop(url, makeCall, 500, step);
    console.log(
      `after ${passed + step} s: RSS ${server.rss().toFixed(0)} MB, ${calls} calls, ${failed} failed, ${leftOut} left out, p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
    );
  }
  await server.stop();
  await relays.stop();
}

async function againstReal(kind: NodeKind): Promise<void> {
  const relays = await realRelays(kind);
  if (typeof relays === 'string') console.log(`\n${kind}: left out: ${relays}`);
  else await against(relays);
}

if (!existsSync(binary)) {
  const built = Bun.spawnSync([process.execPath, join(root, 'scripts', 'build.ts'), '--outfile', binary], {
    cwd: root,
    stdout: 'inherit',
    stderr: 'inherit',
  });
  if (built.exitCode !== 0) process.exit(1);
}
const wants = (part: string): boolean => values.only === undefined || values.only === part;
try {
  for (const kind of kinds) {
    if (wants('fake')) await against(await fakeRelays(kind, binary));
    if (wants('real')) await againstReal(kind);
    if (wants('ng') && kind === 'rtpengine') await throughFront(await fakeRelays(kind, binary));
    if (values.only === 'soak') await soak(await fakeRelays(kind, binary));
  }
  if (wants('start')) await storedCalls();
} finally {
  await stopAll();
  rmSync(scratch, { recursive: true, force: true });
}
