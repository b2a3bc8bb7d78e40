/** What the page lives on, from the compiled binary: the live stream when a relay dies, and series after some samples. */

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { FakeNode } from '../../src/relay/ng/fake-node.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, names, place } from '../lab/client.ts';
import { type EventSource, openEventSource } from '../lab/event-source.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';

const TIMEOUT_MS = 90_000;
/** A relay that refuses is found within 2 s and told within 2 s; the rest is for a busy host, ms. */
const SEEN_MS = 5000;

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

/** Health of a node in the newest picture. */
function healthOf(stream: EventSource, nodeId: number): string | undefined {
  const { data } = stream.events().findLast(({ event }) => event === 'nodes') ?? {};
  const nodes = (data?.nodes ?? []) as { id: number; health: { state: string } }[];

  return nodes.find(({ id }) => id === nodeId)?.health.state;
}

test(
  'a relay that dies is seen to be down by all who look within some seconds, and the overview counts it out',
  async () => {
    const relays = [await FakeNode.start(), await FakeNode.start()];
    const appliance = await startAppliance({ binary });
    await addNodes(
      appliance,
      relays.map(({ address: { host, port } }) => ({ socket: `udp:${host}:${port}` })),
    );
    const url = `${appliance.url}/v1/live`;
    const streams = [openEventSource(url), openEventSource(`${url}?sort=health&limit=1`)];
    await poll(
      () => (streams.every((stream) => stream.events().length >= 2) ? true : undefined),
      () => 'the streams do not begin',
    );
    expect(streams[0]?.events().slice(0, 2)).toMatchObject([
      { event: 'overview', data: { database: 'ok', totals: { nodes: 2, nodes_up: 2 } } },
      { event: 'nodes', data: { total: 2 } },
    ]);
    relays[0]?.stop();
    await poll(
      () => (streams.every((stream) => healthOf(stream, 1) === 'down') ? true : undefined),
      () => `after ${SEEN_MS} ms: ${streams.map((stream) => healthOf(stream, 1)).join(', ')}`,
      SEEN_MS,
    );
    const overview = streams[0]?.events().findLast(({ event }) => event === 'overview')?.data;
    expect(overview).toMatchObject({ totals: { nodes: 2, nodes_up: 1 } });
    const began = performance.now();
    expect(await appliance.stop()).toBe(0);
    // Open streams are no requests under way: the grace of 3 s is not used up for them.
    expect(performance.now() - began).toBeLessThan(2000);
    await poll(
      () => (streams.every((stream) => stream.isEnded()) ? true : undefined),
      () => 'streams outlive the program',
    );
    relays[1]?.stop();
  },
  TIMEOUT_MS,
);

test(
  'a client that reads nothing costs no memory, and the others get their pictures',
  async () => {
    const appliance = await startAppliance({ binary });
    for (let first = 0; first < 1000; first += 250) {
      const rows = Array.from({ length: 250 }, (_, index) => ({
        row: index,
        id: first + index,
        socket: `udp:127.1.${Math.floor((first + index) / 250)}.${(index % 250) + 1}:9`,
        inner_media_ip: '10.9.0.1',
        out_media_ip: '198.51.100.1',
      }));
      await appliance.api('POST', '/v1/nodes/import', { rows });
    }
    const { hostname, port } = new URL(appliance.url);
    const request = 'GET /v1/live?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const deaf = await Promise.all(
      Array.from({ length: 20 }, () =>
        Bun.connect({
          hostname,
          port: Number(port),
          socket: {
            open: (socket) => {
              socket.write(request);
              socket.pause();
            },
            data: () => undefined,
          },
        }),
      ),
    );
    const reader = openEventSource(`${appliance.url}/v1/live?limit=10`);
    const pictures = (count: number) =>
      poll(
        () => (reader.events().length >= 2 * count ? true : undefined),
        () => `${reader.events().length} events instead of ${2 * count}`,
        20_000,
      );
    await pictures(3);
    const before = await residentBytes(appliance);
    await pictures(8);
    // 20 streams of some 800 kB each, every 2 s: 80 MB in this time, if they were kept.
    expect((await residentBytes(appliance)) - before).toBeLessThan(40e6);
    for (const socket of deaf) socket.terminate();
    await appliance.stop();
  },
  TIMEOUT_MS,
);

async function residentBytes({ pid }: Appliance): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();

  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

interface Series {
  readonly times: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

test(
  'series tell what happened, and what was sampled before a stop is there after it',
  async () => {
    const relay = await FakeNode.start();
    const { host, port } = relay.address;
    const database = join(temporaryFolder(), 'cluster.db');
    const options = { binary, database };
    let appliance = await startAppliance(options);
    await addNodes(appliance, [{ socket: `udp:${host}:${port}` }]);
    await place(appliance.url, names(10, 'series'));
    const known = async (query: string, column: string): Promise<number[]> => {
      const { values } = (await appliance.api('GET', `/v1/series?${query}`)) as Series;

      return (values[column] ?? []).filter((value) => value !== null);
    };
    await poll(
      async () => ((await known('node=1', 'calls')).length >= 2 ? true : undefined),
      () => 'no samples',
      30_000,
    );
    expect((await known('node=1', 'calls')).at(-1)).toBe(10);
    expect(Math.max(...(await known('node=1', 'placed_per_s')))).toBeCloseTo(1, 1);
    expect((await known('', 'nodes_up')).at(-1)).toBe(1);
    expect(Math.max(...(await known('', 'requests_per_s')))).toBeGreaterThan(0.9);
    expect(Math.max(...(await known('', 'p99_ms')))).toBeGreaterThan(0);
    const stored = async (): Promise<number> => {
      const { Database } = await import('bun:sqlite');
      const file = new Database(database, { readonly: true });
      const found = file.query('SELECT count(*) AS count FROM node_sample WHERE calls = 10').get();
      file.close();

      return (found as { count: number }).count;
    };
    expect(await appliance.stop()).toBe(0);
    expect(await stored()).toBeLessThanOrEqual(2);
    appliance = await startAppliance(options);
    expect(await known('node=1', 'calls')).toEqual([]);
    const { times, values } = (await appliance.api('GET', '/v1/series?node=1&span=week')) as Series;
    expect([times.length, values.calls?.length]).toEqual([2016, 2016]);
    expect(await appliance.stop()).toBe(0);
    relay.stop();
  },
  TIMEOUT_MS,
);
