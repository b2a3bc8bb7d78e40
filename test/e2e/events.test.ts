/** Nobody who listens misses an event: the compiled binary is killed while it tells of them, again and again. */

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, commandLine, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { leashed, own, poll, sweep, temporaryFolder } from '../lab/processes.ts';

const KILLS = 4;
/** Nodes added and removed in each round, an event each. */
const CHANGES = 40;
const SECRET = 'a key of enough characters';
const TIMEOUT_MS = 120_000;

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

interface Told {
  readonly id: number;
  readonly kind: string;
}

/** A receiver of webhooks that refuses every third request. */
function startReceiver() {
  const requests: { readonly ids: number[]; readonly isSigned: boolean; readonly isTaken: boolean }[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const body = await request.text();
      const mac = createHmac('sha256', SECRET).update(body).digest('hex');
      const { events } = JSON.parse(body) as { events: Told[] };
      const isTaken = requests.length % 3 !== 1;
      requests.push({
        ids: events.map(({ id }) => id),
        isSigned: request.headers.get('x-rtp-cluster-signature') === `sha256=${mac}`,
        isTaken,
      });

      return new Response(null, { status: isTaken ? 204 : 500 });
    },
  });

  return { requests, url: `http://127.0.0.1:${server.port}/`, stop: () => server.stop(true) };
}

/** A program that prints, and what it printed so far. */
function listen(...argv: string[]) {
  const child = own(Bun.spawn(leashed(argv), { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' }));
  let text = '';
  const done = (async () => {
    for await (const chunk of child.stdout) text += Buffer.from(chunk).toString('utf8');
  })();

  return { child, done, text: () => text };
}

/** Adds and removes nodes; nobody listens at their sockets, which is an event too. */
async function change(appliance: Appliance, count: number): Promise<void> {
  for (let index = 0; index < count; index += 2) {
    const id = 1 + (index % 8);
    await appliance.api('POST', '/v1/nodes', {
      id,
      socket: `udp:127.0.0.1:${2000 + id}`,
      inner_media_ip: '10.9.0.1',
      out_media_ip: '198.51.100.1',
    });
    await appliance.api('DELETE', `/v1/nodes/${id}`);
  }
}

test(
  'a webhook, a stream over the unix socket and one over TCP have every event, in order, whatever is killed',
  async () => {
    const folder = temporaryFolder();
    const [unix, secret] = [join(folder, 'api'), join(folder, 'key')];
    writeFileSync(secret, `${SECRET}\n`);
    const receiver = startReceiver();
    const options = {
      binary,
      database: join(folder, 'cluster.db'),
      flags: [
        `--http-unix=${unix}`,
        `--webhooks-urls=${receiver.url}`,
        '--webhooks-kinds=*',
        `--webhooks-secret-file=${secret}`,
      ],
    };
    let appliance = await startAppliance(options);
    const port = Number(new URL(appliance.url).port);
    const follower = listen(...commandLine(binary), 'events', '--follow', '--json', '--unix', unix);
    // Nothing is said on this one; it must be open at the end all the same, longer than Bun leaves idle sockets.
    const quiet = listen(
      ...['curl', '-sN', '--unix-socket', unix, '-H', 'Accept: text/event-stream'],
      'http://localhost/v1/events?kind=nothing.of_the_kind',
    );
    await poll(
      async () => (quiet.text().includes('keep-alive') ? true : undefined),
      () => `the quiet stream says nothing: ${quiet.text()}`,
      30_000,
    );
    expect(quiet.child.exitCode).toBeNull();
    for (let round = 0; round < KILLS; round++) {
      await change(appliance, CHANGES);
      await appliance.kill();
      appliance = await startAppliance({ ...options, port });
    }
    await change(appliance, 2);
    const { events } = (await appliance.api('GET', '/v1/events?limit=1000')) as { events: Told[] };
    const ids = events.map(({ id }) => id).reverse();
    // Events of the last 10 ms die with the process: nobody waits for them to be written, and nobody was told of them.
    expect(ids.length).toBeGreaterThan((KILLS * CHANGES) / 2);
    const last = ids.at(-1) ?? 0;

    const followed = (): number[] =>
      follower
        .text()
        .split('\n')
        .flatMap((line) =>
          line.startsWith('{') && line.endsWith('}') ? [(JSON.parse(line) as Told).id] : [],
        );
    const taken = (): number[] =>
      receiver.requests.flatMap((request) => (request.isTaken ? request.ids : []));
    await poll(
      async () => (followed().includes(last) && taken().includes(last) ? true : undefined),
      () =>
        `last is ${last}; followed ${followed().at(-1)}, delivered ${taken().at(-1)}\n${appliance.output()}`,
      60_000,
    );
    expect(followed().slice(0, ids.length)).toEqual(ids);
    // At least once: what was taken but not written down before a kill comes again. In order, the first time.
    expect([...new Set(taken())].slice(0, ids.length)).toEqual(ids);
    expect(receiver.requests.filter(({ isSigned }) => !isSigned)).toEqual([]);

    const late = listen(
      'curl',
      '-sN',
      '-H',
      'Accept: text/event-stream',
      '-H',
      'Last-Event-ID: 5',
      `${appliance.url}/v1/events`,
    );
    await poll(
      async () => (late.text().includes(`id: ${last}\nevent:`) ? true : undefined),
      () => `the stream does not come to ${last}: ${late.text()}`,
    );
    const resumed = [...late.text().matchAll(/^id: (\d+)\nevent: /gm)].map(([, id]) => Number(id));
    expect(resumed.slice(0, ids.length - 5)).toEqual(ids.slice(5));
    const began = performance.now();
    expect(await appliance.stop()).toBe(0);
    // The grace is 3 s; open streams are no requests under way.
    expect(performance.now() - began).toBeLessThan(2000);
    await late.done;
    follower.child.kill();
    await receiver.stop();
  },
  TIMEOUT_MS,
);
