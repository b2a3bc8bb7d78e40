/**
 * What goes wrong on a real host, done to the compiled binary for real: a full disk, a damaged database, signals, relays that
 * are silent, dead or mad, hostile clients, a log nobody reads. Nothing here waits for a time: it polls for what must come.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseSocket } from '../../src/domain/node.ts';
import { type NgDict, RelayFailure } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { FakeNode } from '../../src/relay/ng/fake-node.ts';
import { systemClock } from '../../src/util/clock.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { endProcess, leashed, own, poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { callsOnRelay, expectEmpty } from '../lab/relays.ts';
import { buildSdp } from '../lab/sdp.ts';

const TIMEOUT_MS = 60_000;
const isRoot = process.getuid?.() === 0;
/** Why nothing can be mounted here; RTPC_REQUIRE_ALL=1 runs (and fails) the tests all the same. */
const whyNoMount =
  isRoot && Bun.which('mount') !== null ? mountProblem() : 'mounting a small disk needs root';
const skipMount = whyNoMount !== undefined && Bun.env.RTPC_REQUIRE_ALL !== '1';
if (whyNoMount !== undefined) console.warn(`tests with a real full disk cannot run: ${whyNoMount}`);

let binary = '';
const mounts: string[] = [];

beforeAll(async () => {
  binary = await ensureBinary();
});
afterEach(unmountAll);
afterAll(() => {
  sweep();
  unmountAll();
});

// --- small disks ---

function command(...words: string[]): { code: number; text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(words);

  return { code: exitCode, text: `${stdout}${stderr}`.trim() };
}

function mountProblem(): string | undefined {
  const folder = temporaryFolder();
  const { code, text } = command('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder);
  if (code === 0) command('umount', folder);

  return code === 0 ? undefined : text;
}

/** A disk of 4 MB. */
function smallDisk(): string {
  const folder = join(temporaryFolder(), 'disk');
  mkdirSync(folder);
  const { code, text } = command('mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder);
  if (code !== 0) throw new Error(`cannot mount a small disk: ${text}`);
  mounts.push(folder);

  return folder;
}

function unmountAll(): void {
  for (const folder of mounts.splice(0)) command('umount', '-l', folder);
}

/** Takes all the room that is left. */
function fill(folder: string): void {
  const file = openSync(join(folder, 'filler'), 'a');
  try {
    for (const size of [65_536, 1024, 1]) writeUntilFull(file, Buffer.alloc(size, 1));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    while (writeSync(file, block) === block.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

// --- relays ---

interface Relay {
  readonly socket: string;
  /** Changes its faults. */
  order(faults: NgDict): Promise<void>;
  /** Call-IDs it has. */
  calls(): Promise<readonly string[]>;
  kill(): Promise<void>;
}

async function startRelay(port?: number, ...flags: string[]): Promise<Relay> {
  const at = port ?? (await freeUdpPort());
  const words = [binary, 'fake-relay', '--listen', `127.0.0.1:${at}`, '--ports', '1024-65535', ...flags];
  const child = own(Bun.spawn(leashed(words), { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }));
  let output = '';
  const collect = async (): Promise<void> => {
    for await (const chunk of child.stdout) output += Buffer.from(chunk).toString();
  };
  collect().catch(() => undefined);
  await poll(
    () => (output.includes('fake relay on udp') ? true : undefined),
    () => `the fake relay does not start: ${output}`,
  );
  const socket = `udp:127.0.0.1:${at}`;

  return {
    socket,
    async order(faults) {
      const address = parseSocket(socket);
      if (address === undefined) throw new Error(`${socket} is no socket`);
      const driver = createNgDriver(address, systemClock);
      try {
        // The reply to the first order may fall victim to the fault it asks for; the second comes through.
        await poll(
          async () => {
            const message = { command: 'fake', ...faults };
            const reply = await driver.command(message, systemClock.monotonic() + 1000);

            return reply instanceof RelayFailure ? undefined : true;
          },
          () => 'the fake relay takes no orders',
        );
      } finally {
        driver.close();
      }
    },
    calls: () => callsOnRelay(socket),
    async kill() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

// --- the appliance and its clients ---

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url + path, init);
  const text = await response.text();
  let body: Answer['body'] = {};
  try {
    body = JSON.parse(text) as Answer['body'];
  } catch {
    // Not every answer is JSON.
  }

  return { status: response.status, text, body };
}

function post(url: string, path: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };

  return ask(url, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

function offer(url: string, callId: string): Promise<Answer> {
  const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });

  return post(url, '/v1/media/offer', { 'call-id': callId, 'from-tag': 'f', direction: 'out', sdp });
}

function answer(url: string, callId: string): Promise<Answer> {
  const sdp = buildSdp({ address: '203.0.113.9', port: 5000 });

  return post(url, '/v1/media/answer', { 'call-id': callId, 'from-tag': 'f', 'to-tag': 't', sdp });
}

function hangUp(url: string, callId: string): Promise<Answer> {
  return post(url, '/v1/media/delete', { 'call-id': callId });
}

/** Places calls at once; returns the node of each. Anything but 200 fails the test. */
async function place(url: string, callIds: readonly string[]): Promise<Map<string, unknown>> {
  const placed = await Promise.all(
    callIds.map(async (callId) => [callId, await offer(url, callId)] as const),
  );
  const failed = placed.filter(([, { status }]) => status !== 200).map(([id, { text }]) => [id, text]);
  expect(failed).toEqual([]);

  return new Map(placed.map(([callId, { body }]) => [callId, body.node]));
}

function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}@fails`);
}

async function addNodes(appliance: Appliance, relays: readonly { readonly socket: string }[]): Promise<void> {
  for (const [index, { socket }] of relays.entries()) {
    const [inner, outer] = [`10.9.0.${index + 1}`, `198.51.100.${index + 1}`];
    await appliance.api('POST', '/v1/nodes', {
      id: index + 1,
      socket,
      inner_media_ip: inner,
      out_media_ip: outer,
    });
  }
}

/** Node of every live call. */
async function liveCalls(appliance: Appliance): Promise<Map<string, unknown>> {
  const { calls } = (await appliance.api('GET', '/v1/calls?limit=1000')) as {
    calls: { call_id: string; node_id: unknown }[];
  };

  return new Map(calls.map(({ call_id: callId, node_id: node }) => [callId, node]));
}

function sorted(map: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function loggedEvents(appliance: Appliance, event: string) {
  return appliance.logs().filter((line) => line.event === event);
}

async function eventKinds(appliance: Appliance): Promise<string[]> {
  const { events } = (await appliance.api('GET', '/v1/events')) as { events: { kind: string }[] };

  return events.map(({ kind }) => kind);
}

async function readiness(url: string): Promise<Answer> {
  return await ask(url, '/readyz');
}

/** Waits until `/readyz` has this status. */
function pollReadiness(appliance: Appliance, status: number): Promise<Answer> {
  return poll(
    async () => {
      const ready = await readiness(appliance.url);

      return ready.status === status ? ready : undefined;
    },
    () => `/readyz does not come to ${status}:\n${appliance.output().slice(-2000)}`,
  );
}

/** What no client may read: paths of files, places in the source, names of foreign errors. */
const INTERNALS =
  /\/(?:work|tmp|root|home|usr|proc|var)\/|\$bunfs|node_modules|\.(?:ts|js):\d|\n\s+at |SQLITE|[A-Za-z]Error\b|TypeBox/;

describe.skipIf(skipMount)('a disk that is full (really: a mounted file system of 4 MB)', () => {
  test(
    'calls go on, /readyz is 503 with the cause, it recovers by itself, and what happened meanwhile is kept',
    async () => {
      const disk = smallDisk();
      const database = join(disk, 'cluster.db');
      const relays = [await startRelay(), await startRelay()];
      let appliance = await startAppliance({ binary, database });
      await addNodes(appliance, relays);
      const { url } = appliance;
      const live = await place(url, names(20, 'before'));
      const ended = new Set<string>();

      for (const cycle of [1, 2, 3]) {
        fill(disk);
        let count = 0;
        // The write-ahead log has some room left in its file, so the first calls may still be written.
        const unready = await poll(
          async () => {
            for (const [callId, node] of await place(url, [`until-${cycle}-${count++}@fails`]))
              live.set(callId, node);
            const ready = await readiness(url);

            return ready.status === 503 ? ready : undefined;
          },
          () => 'the disk is full and /readyz does not say so',
        );
        expect(unready.body.ready).toBe(false);
        expect(String(unready.body.database)).toContain('disk is full');
        expect((await ask(url, '/healthz')).status).toBe(200);
        const lost = loggedEvents(appliance, 'store.durability_lost').filter(
          ({ level }) => level === 'error',
        );
        expect(lost.length).toBe(cycle);
        expect(String(lost.at(-1)?.cause)).toContain('disk is full');

        for (const [callId, node] of await place(url, names(50, `during-${cycle}`))) live.set(callId, node);
        // A call of before, and one of now: both are answered by their node. Others end.
        for (const callId of [`before-${cycle}@fails`, `during-${cycle}-1@fails`]) {
          const reply = await answer(url, callId);
          expect([reply.status, reply.body.node]).toEqual([200, live.get(callId)]);
        }
        for (const callId of [`before-${cycle + 10}@fails`, `during-${cycle}-2@fails`]) {
          expect((await hangUp(url, callId)).status).toBe(200);
          live.delete(callId);
          ended.add(callId);
        }
        expect(sorted(await liveCalls(appliance))).toEqual(sorted(live));
        const refused = await post(url, '/v1/nodes', {
          id: 99,
          socket: 'udp:127.0.0.1:9',
          inner_media_ip: '10.0.0.9',
        });
        expect([refused.status, refused.body.code]).toEqual([503, 'RTPC_NOT_DURABLE']);
        expect((await ask(url, '/v1/nodes/99')).status).toBe(404);

        unlinkSync(join(disk, 'filler'));
        await pollReadiness(appliance, 200);
        expect(loggedEvents(appliance, 'store.durability_regained').length).toBe(cycle);
      }
      // Events are written with the next commit, at most some milliseconds later; bindings are not.
      await poll(
        async () => {
          const kinds = await eventKinds(appliance);

          return kinds.filter((kind) => kind === 'store.durability_regained').length === 3 ? true : undefined;
        },
        () => 'the event store.durability_regained is not written',
      );
      await appliance.kill();

      appliance = await startAppliance({ binary, database });
      expect(sorted(await liveCalls(appliance))).toEqual(sorted(live));
      for (const cycle of [1, 2, 3]) {
        for (const callId of [`before-${cycle}@fails`, `during-${cycle}-1@fails`]) {
          const call = (await appliance.api('GET', `/v1/calls/${callId}`)) as {
            state: string;
            legs: { sdp_received: string | null }[];
          };
          expect(call.state).toBe('confirmed');
          expect(call.legs.map(({ sdp_received: sdp }) => sdp?.slice(0, 3))).toEqual(['v=0', 'v=0']);
        }
      }
      for (const callId of ended) {
        const { status, body } = await ask(appliance.url, `/v1/calls/${callId}`);
        // One that began and ended while the disk was full was never written.
        if (callId.startsWith('before')) expect([callId, status, body.state]).toEqual([callId, 200, 'ended']);
        else expect([callId, status]).toEqual([callId, 404]);
      }
      const kinds = await eventKinds(appliance);
      expect(kinds.filter((kind) => kind === 'store.durability_lost').length).toBe(3);
      expect(kinds.filter((kind) => kind === 'store.durability_regained').length).toBe(3);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'SIGTERM still ends it with 0, and what was durable before is there after room was made',
    async () => {
      const disk = smallDisk();
      const database = join(disk, 'cluster.db');
      const relays = [await startRelay()];
      let appliance = await startAppliance({ binary, database });
      await addNodes(appliance, relays);
      const durable = await place(appliance.url, names(20, 'before'));
      fill(disk);
      let count = 0;
      await poll(
        async () => {
          await place(appliance.url, [`until-${count++}@fails`]);

          return (await readiness(appliance.url)).status === 503 ? true : undefined;
        },
        () => 'the disk is full and /readyz does not say so',
      );
      expect(await appliance.stop()).toBe(0);
      expect(loggedEvents(appliance, 'appliance.stopped').length).toBe(1);
      expect(appliance.output()).not.toMatch(/\n\s+at /);
      unlinkSync(join(disk, 'filler'));
      appliance = await startAppliance({ binary, database });
      const live = await liveCalls(appliance);
      expect(sorted(durable).filter(([callId, node]) => live.get(callId) !== node)).toEqual([]);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

/** Runs `serve` where it cannot start; returns how it ended. */
function failToStart(database: string, options: { flags?: string[]; prefix?: string[] } = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [
      ...(options.prefix ?? []),
      binary,
      'serve',
      `--database-path=${database}`,
      '--http-listen=127.0.0.1:0',
      '--log-format=json',
      ...(options.flags ?? []),
    ],
    { cwd: '/', env: {}, timeout: 20_000 },
  );

  return { exitCode, output: `${stdout}${stderr}` };
}

/** One line for a person: which file, what is wrong, what to do; and nothing of our inside. */
function expectPlainRefusal(
  result: { exitCode: number | null; output: string },
  path: string,
  advice: string,
) {
  expect(result.output).toContain(advice);
  expect(result.output.trim().split('\n').length).toBe(1);
  expect(result.output).toStartWith(`rtp-cluster: `);
  expect(result.output).toContain(path);
  expect(result.output).not.toMatch(/\.ts:\d|\n\s+at |\$bunfs|defect/);
  expect(result.exitCode).toBe(1);
}

describe('a start that cannot succeed exits 1 with one line that says what to do', () => {
  test('missing directory', () => {
    const path = join(temporaryFolder(), 'not', 'there', 'cluster.db');
    expectPlainRefusal(failToStart(path), path, 'does not exist; create it');
  });

  test('the database path is a directory', () => {
    const path = temporaryFolder();
    expectPlainRefusal(failToStart(path), path, 'cannot be opened; check');
  });

  test('not a database', () => {
    const path = join(temporaryFolder(), 'cluster.db');
    const text = 'this is a letter to my grandmother\n'.repeat(200);
    writeFileSync(path, text);
    expectPlainRefusal(failToStart(path), path, 'not an SQLite database; give another database.path');
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('a directory its user may not write to', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    const path = join(folder, 'cluster.db');
    const prefix = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    expectPlainRefusal(
      failToStart(path, { prefix }),
      path,
      'check owner and mode of the file and its directory',
    );
  });

  test('a database file its user may not write to', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'cluster.db');
    writeFileSync(path, '');
    chmodSync(path, 0o444);
    chmodSync(folder, 0o777);
    const prefix = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    expectPlainRefusal(
      failToStart(path, { prefix }),
      path,
      'check owner and mode of the file and its directory',
    );
  });

  test.skipIf(skipMount)(
    'a file system that is mounted read-only, with and without a database on it',
    async () => {
      const disk = smallDisk();
      const path = join(disk, 'cluster.db');
      expect(command('mount', '-o', 'remount,ro', disk).code).toBe(0);
      expectPlainRefusal(failToStart(path), path, 'whether the file system is mounted read-only');
      expect(command('mount', '-o', 'remount,rw', disk).code).toBe(0);
      const appliance = await startAppliance({ binary, database: path });
      expect(await appliance.stop()).toBe(0);
      expect(command('mount', '-o', 'remount,ro', disk).code).toBe(0);
      expectPlainRefusal(failToStart(path), path, 'whether the file system is mounted read-only');
    },
  );

  test.skipIf(skipMount)('a full disk, with and without a database on it', async () => {
    const disk = smallDisk();
    const path = join(disk, 'cluster.db');
    fill(disk);
    expectPlainRefusal(failToStart(path), path, 'disk is full; make room');
    unlinkSync(join(disk, 'filler'));
    const appliance = await startAppliance({ binary, database: path });
    expect(await appliance.stop()).toBe(0);
    fill(disk);
    expectPlainRefusal(failToStart(path), path, 'disk is full; make room');
    unlinkSync(join(disk, 'filler'));
    const again = await startAppliance({ binary, database: path });
    expect(await again.stop()).toBe(0);
  });

  test(
    'a damaged database, whichever page is damaged: it refuses plainly, or serves',
    async () => {
      const folder = temporaryFolder();
      const sound = join(folder, 'sound.db');
      const relays = [await startRelay()];
      const appliance = await startAppliance({ binary, database: sound });
      await addNodes(appliance, relays);
      const callIds = names(60, 'kept');
      await place(appliance.url, callIds);
      await Promise.all(callIds.map((callId) => answer(appliance.url, callId)));
      expect(await appliance.stop()).toBe(0);
      const page = 4096;
      const pages = statSync(sound).size / page;
      const random = seeded(4);
      let refused = 0;
      for (let index = 0; index < pages; index++) {
        const path = join(folder, `damaged-${index}.db`);
        copyFileSync(sound, path);
        const file = openSync(path, 'r+');
        // The first 100 bytes tell that it is a database.
        const start = index === 0 ? 100 : 0;
        const junk = Buffer.from(Array.from({ length: page - start }, () => Math.floor(random() * 256)));
        writeSync(file, junk, 0, junk.length, index * page + start);
        closeSync(file);
        const outcome = await tryToStart(path);
        if (outcome.exitCode === undefined) continue;
        refused++;
        expectPlainRefusal({ exitCode: outcome.exitCode, output: outcome.output }, path, 'restore a backup');
      }
      console.log(`${refused} of ${pages} damaged pages keep it from starting`);
      expect(refused).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  test('a database cut off in the middle', async () => {
    const path = join(temporaryFolder(), 'cluster.db');
    const appliance = await startAppliance({ binary, database: path });
    expect(await appliance.stop()).toBe(0);
    writeFileSync(path, readFileSync(path).subarray(0, 3 * 4096 + 100));
    expectPlainRefusal(failToStart(path), path, 'restore a backup');
  });
});

/** Starts `serve` and ends it; the exit code is undefined if it did start. */
async function tryToStart(database: string): Promise<{ exitCode: number | undefined; output: string }> {
  const words = [
    binary,
    'serve',
    `--database-path=${database}`,
    '--http-listen=127.0.0.1:0',
    '--log-format=json',
  ];
  const child = own(Bun.spawn(leashed(words), { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env: {} }));
  let output = '';
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const chunk of stream) output += Buffer.from(chunk).toString();
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  let exitCode: number | undefined;
  const ended = child.exited.then((code) => {
    exitCode = code;
  });
  const hasStarted = await poll(
    () => (output.includes('appliance.started') ? 'yes' : exitCode === undefined ? undefined : 'no'),
    () => `neither started nor ended: ${output}`,
  );
  if (hasStarted === 'yes') child.kill('SIGKILL');
  await Promise.all([ended, collected]);

  return { exitCode: hasStarted === 'yes' ? undefined : exitCode, output };
}

/** Random numbers that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;

  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;

    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('signals', () => {
  test('SIGTERM: requests that wait for a relay are finished, the exit code is 0, and nothing is lost', async () => {
    const slow = await FakeNode.start({ faults: { delayMs: 800 } });
    const { host, port } = slow.address;
    const database = join(temporaryFolder(), 'cluster.db');
    const patience = ['--media-budget-ms=8000', '--media-first-try-ms=4000', '--media-retransmit-ms=2000'];
    let appliance = await startAppliance({ binary, database, flags: patience });
    await addNodes(appliance, [{ socket: `udp:${host}:${port}` }]);
    const callIds = names(60, 'flying');
    const flying = place(appliance.url, callIds);
    // The relay has them all and keeps its replies back: every request is under way.
    await poll(
      () => (slow.calls.size === callIds.length ? true : undefined),
      () => `the relay has ${slow.calls.size} calls`,
    );
    const code = appliance.stop();
    const placed = await flying;
    expect(placed.size).toBe(callIds.length);
    expect(await code).toBe(0);
    slow.setFaults({ delayMs: 0 });
    appliance = await startAppliance({ binary, database });
    expect(sorted(await liveCalls(appliance))).toEqual(sorted(placed));
    expect(await appliance.stop()).toBe(0);
    slow.stop();
  });

  test('SIGTERM under load: exit 0, and every call that was answered 200 is known afterwards', async () => {
    const relays = [await startRelay(), await startRelay()];
    const database = join(temporaryFolder(), 'cluster.db');
    let appliance = await startAppliance({ binary, database });
    const { url, pid } = appliance;
    await addNodes(appliance, relays);
    const acknowledged = new Map<string, unknown>();
    const others: string[] = [];
    const client = async (connection: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const callId = `term-${connection}-${i}@fails`;
        const reply = await offer(url, callId).catch(() => undefined);
        if (reply === undefined) return;
        if (reply.status === 200) acknowledged.set(callId, reply.body.node);
        else others.push(reply.text);
        if (acknowledged.size === 400) process.kill(pid, 'SIGTERM');
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, connection) => client(connection)));
    expect(others).toEqual([]);
    expect(await appliance.stop()).toBe(0);
    appliance = await startAppliance({ binary, database });
    for (const [callId, node] of acknowledged) {
      const { body } = await ask(appliance.url, `/v1/calls/${encodeURIComponent(callId)}`);
      expect([callId, body.node_id]).toEqual([callId, node]);
    }
    expect(await appliance.stop()).toBe(0);
  });

  test('SIGTERM does not wait for ever: not for a silent relay, not for half a request', async () => {
    const relay = await startRelay();
    await relay.order({ hang: '' });
    const flags = ['--media-budget-ms=10000', '--media-first-try-ms=5000', '--stop-grace-ms=300'];
    const appliance = await startAppliance({ binary, flags });
    await addNodes(appliance, [relay]);
    const half = await halfRequest(
      appliance.url,
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Le',
    );
    const waiting = offer(appliance.url, 'never@fails').catch(() => undefined);
    // The lab kills it after 10 s, which is another exit code.
    expect(await appliance.stop()).toBe(0);
    await waiting;
    half.destroy();
  });

  test('SIGHUP, SIGUSR1 and SIGUSR2 do not end it, and are logged', async () => {
    const appliance = await startAppliance({ binary });
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
      process.kill(appliance.pid, signal);
      await poll(
        () =>
          loggedEvents(appliance, 'signal.ignored').some((line) => line.signal === signal) ? true : undefined,
        () => `${signal} is not logged:\n${appliance.output()}`,
      );
      expect((await readiness(appliance.url)).status).toBe(200);
    }
    expect(await appliance.stop()).toBe(0);
  });
});

describe('a relay in trouble', () => {
  /** Two relays; the first one is the one in trouble. */
  async function cluster(): Promise<{ first: Relay; second: Relay; appliance: Appliance }> {
    const [first, second] = [await startRelay(), await startRelay()];
    const appliance = await startAppliance({ binary });
    await addNodes(appliance, [first, second]);

    return { first, second, appliance };
  }

  /** Places calls, some of which would go to node 1, and expects all of them on node 2. */
  async function expectAllOnSecond(appliance: Appliance, prefix: string): Promise<string[]> {
    const placed = await place(appliance.url, names(24, prefix));
    expect([...placed].filter(([, node]) => node !== 2)).toEqual([]);

    return [...placed.keys()];
  }

  function triesFailedOnFirst(appliance: Appliance): string[] {
    return loggedEvents(appliance, 'media.try_failed').flatMap((line) =>
      line.node === 1 ? [String(line.cause)] : [],
    );
  }

  test(
    'silent: new calls land on the other node, and the first forgets them when it speaks again',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ hang: '' });
      const callIds = await expectAllOnSecond(appliance, 'silent');
      expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['silent']));
      await first.order({ hang: '0' });
      await expectEmpty([first.socket], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'late: it takes the call but says so too late; the call is on the other node, and the first is told to delete it',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ delay: 600 });
      const callIds = await expectAllOnSecond(appliance, 'late');
      expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['silent']));
      await first.order({ delay: 0 });
      await expectEmpty([first.socket], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('dead: nobody listens on its port; new calls land on the other node', async () => {
    const { first, appliance } = await cluster();
    await first.kill();
    await expectAllOnSecond(appliance, 'dead');
    expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['unreachable']));
    expect(await appliance.stop()).toBe(0);
  });

  test('refusing new calls by its load limit: they land on the other node', async () => {
    const { first, appliance } = await cluster();
    await first.order({ refuse: 'load limit' });
    await expectAllOnSecond(appliance, 'refuse');
    expect(new Set(triesFailedOnFirst(appliance))).toEqual(new Set(['refused']));
    expect(await first.calls()).toEqual([]);
    expect(await appliance.stop()).toBe(0);
  });

  test(
    'answering garbage: new calls land on the other node, and the first forgets them',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ garbage: '1' });
      const callIds = await expectAllOnSecond(appliance, 'garbage');
      expect(triesFailedOnFirst(appliance).length).toBeGreaterThan(0);
      await first.order({ garbage: '0' });
      await expectEmpty([first.socket], 20_000);
      expect([...(await second.calls())].sort()).toEqual([...callIds].sort());
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'answering a wrong address: nobody is told it, new calls land on the other node, and the first forgets them',
    async () => {
      const { first, second, appliance } = await cluster();
      const wrong = '192.0.2.66';
      await first.order({ 'wrong-address': wrong });
      const replies = await Promise.all(names(24, 'wrong').map((callId) => offer(appliance.url, callId)));
      expect(replies.map(({ status, body }) => [status, body.node])).toEqual(replies.map(() => [200, 2]));
      expect(replies.filter(({ text }) => text.includes(wrong))).toEqual([]);
      expect(loggedEvents(appliance, 'node.bad_sdp').length).toBeGreaterThan(0);
      await expectEmpty([first.socket], 20_000);
      await second.order({ 'wrong-address': wrong });
      const refused = await offer(appliance.url, 'wrong-everywhere@fails');
      expect([refused.status, refused.body.code]).toEqual([502, 'RTPC_RELAY_ADDRESS']);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'losing 30 % of all datagrams: every call is placed, and no relay has a call the cluster does not know there',
    async () => {
      const { first, second, appliance } = await cluster();
      await first.order({ loss: '0.3' });
      const callIds = names(120, 'lossy');
      await place(appliance.url, callIds);
      await first.order({ loss: '0' });
      for (const callId of callIds.slice(0, 40))
        expect((await hangUp(appliance.url, callId)).status).toBe(200);
      const live = sorted(await liveCalls(appliance));
      expect(live.length).toBe(80);
      const on = (node: number): string[] => live.flatMap(([callId, at]) => (at === node ? [callId] : []));
      let found: string[][] = [];
      await poll(
        async () => {
          found = await Promise.all([first, second].map(async (relay) => [...(await relay.calls())].sort()));

          return Bun.deepEquals(found, [on(1), on(2)]) ? true : undefined;
        },
        () =>
          `relays have ${found.map((calls) => calls.length)}, the cluster says ${on(1).length}, ${on(2).length}`,
        20_000,
      );
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('all silent, or all dead: 504 with one clear line; all full: 503; and it goes on when they are back', async () => {
    const { first, second, appliance } = await cluster();
    const asProxy = (callId: string) =>
      ask(appliance.url, `/v1/media/auto?call-id=${callId}&from-tag=f&method=INVITE&cseq=1&dir=out`, {
        method: 'POST',
        headers: { 'content-type': 'application/sdp' },
        body: buildSdp({ address: '10.1.1.1', port: 4000 }),
      });
    for (const relay of [first, second]) await relay.order({ hang: '' });
    const silent = await asProxy('silent');
    expect(silent.status).toBe(504);
    expect(silent.text).toMatch(/^RTPC_RELAY_SILENT node \d \(udp:127\.0\.0\.1:\d+\): [^\n]+\n$/);
    for (const relay of [first, second]) await relay.order({ hang: '0', refuse: 'load limit' });
    const full = await asProxy('full');
    expect(full.status).toBe(503);
    expect(full.text).toMatch(/^RTPC_NO_NODE [^\n]+\n$/);
    const ports = [first, second].map(({ socket }) => Number(socket.split(':').at(-1)));
    await Promise.all([first.kill(), second.kill()]);
    const dead = await asProxy('dead');
    expect(dead.status).toBe(504);
    expect(dead.text).toMatch(/^RTPC_RELAY_SILENT node \d \(udp:127\.0\.0\.1:\d+\): [^\n]+\n$/);
    await Promise.all(ports.map((port) => startRelay(port)));
    expect((await asProxy('back')).status).toBe(200);
    expect((await ask(appliance.url, '/v1/media/offer', { method: 'POST' })).status).toBe(400);
    expect(await appliance.stop()).toBe(0);
  });

  test('restarted, so that it forgot a call: the answer fails with RTPC_CALL_LOST, and the call may begin anew', async () => {
    const relay = await startRelay();
    const appliance = await startAppliance({ binary });
    await addNodes(appliance, [relay]);
    await place(appliance.url, ['lost@fails']);
    await relay.kill();
    await startRelay(Number(relay.socket.split(':').at(-1)));
    const lost = await answer(appliance.url, 'lost@fails');
    expect([lost.status, lost.body.code]).toEqual([502, 'RTPC_CALL_LOST']);
    expect((await ask(appliance.url, '/v1/calls/lost@fails')).body).toMatchObject({
      state: 'ended',
      end_reason: 'lost',
    });
    await poll(
      async () => ((await eventKinds(appliance)).includes('call.lost') ? true : undefined),
      () => 'there is no event call.lost',
    );
    await place(appliance.url, ['lost@fails']);
    expect((await answer(appliance.url, 'lost@fails')).status).toBe(200);
    expect(await appliance.stop()).toBe(0);
  });
});

/** A TCP connection on which `text` was sent and nothing more follows. */
function halfRequest(url: string, text: string | Buffer): Promise<ReturnType<typeof connect>> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.write(text, () => resolve(socket)),
    );
    socket.on('error', reject);
  });
}

/** Sends bytes as they are, says that nothing follows, and returns all that comes back. */
function sendRaw(url: string, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(received));
    socket.on('close', () => resolve(received));
  });
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('hostile clients', () => {
  let appliance: Appliance;

  beforeAll(async () => {
    const relay = await startRelay();
    appliance = await startAppliance({ binary });
    await addNodes(appliance, [relay]);
  });

  const SDP_QUERY = '?call-id=big&from-tag=f&dir=out';

  test('a body above 64 KiB gets 413, with and without Content-Length; one of just 64 KiB is read, and told that no relay takes it', async () => {
    const line = 'a=x-filler:0123456789abcdef\r\n';
    const start = buildSdp({ address: '10.1.1.1', port: 4000 });
    const big = start + line.repeat(Math.ceil(65_536 / line.length));
    const exact = big.slice(0, 65_536);
    const chunked = (text: string): string => {
      const parts = text.match(/[\s\S]{1,8000}/g) ?? [];
      const body = [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');

      return `POST /v1/media/offer${SDP_QUERY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    };
    const tooBig = await ask(appliance.url, `/v1/media/offer${SDP_QUERY}`, { method: 'POST', body: big });
    expect(tooBig.status).toBe(413);
    expect(await sendRaw(appliance.url, chunked(big))).toStartWith('HTTP/1.1 413');
    // As an ng message it is larger than a datagram, which is found out by us, not by the HTTP server.
    const whole = await ask(appliance.url, `/v1/media/offer${SDP_QUERY}`, { method: 'POST', body: exact });
    expect(whole.status).toBe(413);
    expect(whole.text).toStartWith('RTPC_BODY_TOO_LARGE ');
    expect((await readiness(appliance.url)).status).toBe(200);
  });

  test('broken and deep JSON gets 400, wherever JSON is read', async () => {
    const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const bodies = [
      '{',
      '{"call-id": ',
      '{"call-id": "x",}',
      '{"call-id": "\u0001"}',
      deep(13),
      deep(9000),
      `{"call-id":"x","from-tag":"f","a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      '{"__proto__": {"sdp": 1}, "constructor": 5, "call-id": {"a": 1}}',
      '{"call-id": ["x"], "from-tag": 5, "sdp": {"v": 0}}',
    ];
    const paths = ['/v1/media/auto', '/v1/media/offer', '/v1/media/command', '/v1/nodes', '/v1/nodes/import'];
    for (const path of paths) {
      for (const body of bodies) {
        const headers = { 'content-type': 'application/json' };
        const reply = await ask(appliance.url, path, { method: 'POST', headers, body });
        expect([path, body.slice(0, 40), reply.status]).toEqual([path, body.slice(0, 40), 400]);
        expect(String(reply.body.code)).toStartWith('RTPC_BAD_');
        expect(reply.text).not.toMatch(INTERNALS);
      }
    }
  });

  test('NUL, control characters and white space in a Call-ID or tag get 400 in one line', async () => {
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    for (const bad of ['%00', '%0A', '%0D%0ASet-Cookie:%20x', '%1B%5B2J', '%7F', '%09', '%20']) {
      for (const query of [`?call-id=a${bad}b&from-tag=f&dir=out`, `?call-id=a&from-tag=f${bad}&dir=out`]) {
        const reply = await ask(appliance.url, `/v1/media/offer${query}`, { method: 'POST', body: sdp });
        expect([query, reply.status]).toEqual([query, 400]);
        expect(reply.text).toMatch(/^RTPC_BAD_PARAMETER [^\p{Cc}]+\n$/u);
      }
    }
    const inJson = await post(appliance.url, '/v1/media/offer', {
      'call-id': 'a\u0000b',
      'from-tag': 'f',
      sdp,
    });
    expect([inJson.status, inJson.body.code]).toEqual([400, 'RTPC_BAD_PARAMETER']);
  });

  test('huge headers, long addresses and foreign hosts are refused, and the next request is served', async () => {
    const head = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    const long = 'x'.repeat(300_000);
    const requests = [
      `${head}X-Long: ${long}\r\n\r\n`,
      `${head}${'X-Many: 1\r\n'.repeat(20_000)}\r\n`,
      `GET /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      `GET /v1/nodes HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET /v1/nodes HTTP/1.1\r\nConnection: close\r\n\r\n`,
      `GET http://evil.example/v1/nodes HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nx`,
      `POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzzz\r\n`,
    ];
    for (const request of requests) {
      const reply = await sendRaw(appliance.url, request);
      expect([request.slice(0, 60), reply]).toEqual([
        request.slice(0, 60),
        expect.stringMatching(/^$|^HTTP\/1\.1 4\d\d /),
      ]);
      expect(reply).not.toMatch(INTERNALS);
      expect((await readiness(appliance.url)).status).toBe(200);
    }
  });

  test('half a request, then silence, on 200 connections does not hinder others', async () => {
    const halves = [
      '',
      'P',
      'POST /v1/media/offer HTTP/1.1\r\nHost: loc',
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nv=0\r\n',
      'POST /v1/media/offer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\nv=0',
    ];
    const sockets = await Promise.all(
      Array.from({ length: 200 }, (_, i) => halfRequest(appliance.url, halves[i % halves.length] ?? '')),
    );
    const placed = await place(appliance.url, names(50, 'beside-halves'));
    expect(placed.size).toBe(50);
    for (const callId of placed.keys()) expect((await answer(appliance.url, callId)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  test('1,000 connections with random bytes: it goes on', async () => {
    const random = seeded(11);
    const bytes = (length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    for (let round = 0; round < 20; round++) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const junk = bytes(Math.floor(random() * 600));
          const head = 'POST /v1/media/auto HTTP/1.1\r\nHost: localhost\r\n';

          return sendRaw(appliance.url, i % 2 === 0 ? junk : Buffer.concat([Buffer.from(head), junk]));
        }),
      );
      expect(replies.filter((reply) => /^HTTP\/1\.1 50[0-4]/.test(reply))).toEqual([]);
      expect(replies.filter((reply) => INTERNALS.test(reply))).toEqual([]);
    }
    expect((await readiness(appliance.url)).status).toBe(200);
  });

  test(
    '10,000 random requests: no crash, no 500, no memory that runs away, nothing told of our inside',
    async () => {
      const random = seeded(20_261_123);
      const bad: unknown[] = [];
      const statuses = new Map<number, number>();
      const run = async (count: number): Promise<void> => {
        for (let sent = 0; sent < count; sent += 50) {
          await Promise.all(
            Array.from({ length: 50 }, async () => {
              const { path, init } = randomRequest(random);
              const reply = await ask(appliance.url, path, init);
              statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
              const isError = reply.status >= 400;
              if (reply.status === 500 || (isError && INTERNALS.test(reply.text)))
                bad.push([
                  init.method,
                  path.slice(0, 300),
                  String(init.body).slice(0, 300),
                  reply.status,
                  reply.text,
                ]);
            }),
          );
        }
      };
      await run(2000);
      const before = rssOf(appliance.pid);
      await run(8000);
      const grown = rssOf(appliance.pid) - before;
      console.log(
        `random requests by status: ${[...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')}; RSS grew by ${Math.round(grown / 2 ** 20)} MiB`,
      );
      expect(bad.slice(0, 3)).toEqual([]);
      expect(grown).toBeLessThan(100 * 2 ** 20);
      expect(loggedEvents(appliance, 'http.defect')).toEqual([]);
      expect(loggedEvents(appliance, 'appliance.defect')).toEqual([]);
      // One process from the first hostile request to the last.
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

/** A request that is sensible in parts. */
function randomRequest(random: () => number): { path: string; init: RequestInit & { method: string } } {
  const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(random() * items.length)] ?? items[0];
  const junk = (length: number): string =>
    Array.from({ length }, () =>
      String.fromCharCode(Math.floor(random() * (random() < 0.1 ? 65_536 : 256))),
    ).join('');
  const odd = (): string =>
    pick<() => string>([
      () => '',
      () => '<null>',
      () => '0',
      () => '-1',
      () => '1e999',
      () => '99999999999999999999',
      () => 'x'.repeat(Math.floor(random() * 3000)),
      () => junk(12),
      () => '%',
      () => '%zz%0',
      () => '%ff%fe%00',
      () => "'; DROP TABLE call; --",
      () => '__proto__',
    ])();
  const good: Readonly<Record<string, readonly [string, ...string[]]>> = {
    'call-id': ['r1', 'r2', 'r3', 'r4', 'r5'],
    'from-tag': ['f', 'g'],
    'to-tag': ['t', 'u', '<null>'],
    method: ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'OPTIONS'],
    status: ['180', '183', '200', '486', '<null>'],
    cseq: ['1', '2', '3'],
    dir: ['out', 'in', 'inner', 'outer>inner'],
    set: ['0', '0', '1'],
    src: ['10.1.1.1', '2001:db8::1'],
    branch: ['b1', 'b2'],
    flags: ['trust-address', 'ICE=remove+symmetric', 'replace=origin'],
    end: ['timeout'],
  };
  const value = (key: string): string => (random() < 0.75 ? pick(good[key] ?? ['']) : odd());
  const facts = (): [string, string][] =>
    Object.keys(good)
      .filter(
        (key) =>
          random() < (['call-id', 'from-tag', 'method', 'dir'].includes(key) ? 0.9 : 0.3) && key !== 'end',
      )
      .map((key) => [key, value(key)]);
  const sdp = (): string => {
    const whole = buildSdp({
      address: pick(['10.1.1.1', '203.0.113.9', '0.0.0.0']),
      port: 4000,
      ice: random() < 0.3,
    });
    if (random() < 0.5) return whole;
    const lines = whole.split('\r\n');
    lines[Math.floor(random() * lines.length)] = pick<() => string>([
      () => '',
      () => 'm=',
      () => 'm=audio 99999999 RTP/AVP 0',
      () => 'c=IN IP6 ::1',
      () => 'c=IN IP4 ',
      () => 'a=candidate:',
      () => 'a=rtcp:9 IN IP4',
      () => junk(40),
    ])();

    return lines.join(pick(['\r\n', '\n', '\r']));
  };
  const text = (): string =>
    pick<() => string>([
      () => '',
      sdp,
      sdp,
      () =>
        `--b\r\nContent-Type: application/sdp\r\n\r\n${sdp()}\r\n--b\r\nContent-Type: x/y\r\n\r\n${junk(30)}\r\n--b--\r\n`,
      () => `--${junk(20)}`,
      () => junk(Math.floor(random() * 400)),
      () =>
        JSON.stringify({
          ...Object.fromEntries(facts()),
          sdp: sdp(),
          [odd().slice(0, 20)]: [odd(), { a: [1, null] }],
        }),
      () =>
        JSON.stringify(
          Object.fromEntries([...facts(), ['command', pick(['ping', 'play DTMF', 'block media', 'x'])]]),
        ),
      () => `{${junk(30)}`,
      () => '{"a":'.repeat(Math.floor(random() * 2000)),
    ])();
  const nodeBody = (): string =>
    JSON.stringify({
      id: pick([1, 2, -1, 1e300, 0.5, '7', null]),
      // Nobody listens on port 1, which is known at once.
      socket: pick(['udp:127.0.0.1:1', 'udp:nonsense', 'udp:127.0.0.1:99999', '', odd()]),
      set_id: pick([7, -3, 'x', 2 ** 40]),
      weight: pick([0, 100, -1, 1e9]),
      inner_media_ip: pick(['10.0.0.1', '::1', 'x', odd()]),
      media_addresses: pick([
        [],
        [{ side: 'inner', address: '10.0.0.1' }],
        [{ side: odd(), address: odd() }],
        'x',
      ]),
    });
  const query = (pairs: readonly [string, string][]): string =>
    pairs.length === 0
      ? ''
      : `?${pairs.map(([key, item]) => `${key}=${random() < 0.5 ? item.replace(/[^!-~]|[&#]/g, '.') : encodeURIComponent(item.toWellFormed())}`).join('&')}`;
  const operation = pick([
    'auto',
    'auto',
    'auto',
    'offer',
    'answer',
    'delete',
    'query',
    'command',
    'nothing',
  ]);
  const id = pick(['r1', '%00', '%ff%fe', 'a%2Fb', '..%2f..%2f', '99999999999999999999', '-1', '1', '%']);
  const [path, method, body] = pick<() => [string, string, string | undefined]>([
    () => [`/v1/media/${operation}${query(facts())}`, 'POST', text()],
    () => [`/v1/media/${operation}${query(facts())}`, 'POST', text()],
    () => [`/v1/media/${operation}${query(facts())}`, pick(['PUT', 'POST']), text()],
    () => [`/v1/media/${operation}${query(facts())}`, pick(['GET', 'DELETE', 'PATCH', 'OPTIONS']), undefined],
    () => [`/v1/calls/${id}`, 'GET', undefined],
    () => [
      `/v1/calls?state=${pick(['live', 'ended', 'x'])}&limit=${pick(['1', '0', '-5', '1e9', 'x', '2.5'])}&after=${encodeURIComponent(odd().toWellFormed())}`,
      'GET',
      undefined,
    ],
    () => [
      `/v1/calls?state=ended&limit=5&node=${pick(['1', 'x', '1e300', '0.5'])}&after=${encodeURIComponent(odd().toWellFormed())}`,
      'GET',
      undefined,
    ],
    () => [
      `/v1/events?limit=${pick(['3', '0', 'x', '2.5'])}&before=${pick(['1', '-1', '1e300', 'x', '0.5'])}`,
      'GET',
      undefined,
    ],
    () => ['/v1/nodes', 'POST', random() < 0.7 ? nodeBody() : text()],
    () => [`/v1/nodes/${pick(['2', '3', id])}`, pick(['PUT', 'DELETE']), nodeBody()],
    () => [
      '/v1/nodes/import',
      'POST',
      JSON.stringify({ rows: [{ row: pick([1, -1, 1e300]), socket: odd(), set_id: 9 }] }),
    ],
    () => [
      `/v1/sets/${pick(['7', '8', id])}`,
      pick(['PUT', 'DELETE', 'GET']),
      JSON.stringify({ description: odd(), direction: pick(['out', null, odd()]) }),
    ],
    () => [`/${encodeURIComponent(junk(8).toWellFormed())}`, pick(['GET', 'POST']), undefined],
  ])();
  const headers: Record<string, string> = {};
  if (body !== undefined && random() < 0.9)
    headers['content-type'] = pick([
      'application/json',
      'application/sdp',
      'multipart/mixed;boundary=b',
      'text/plain',
      'x',
    ]);
  if (path.startsWith('/v1/nodes') || path.startsWith('/v1/sets'))
    headers['content-type'] = 'application/json';
  if (random() < 0.2) headers.accept = 'application/json';
  if (random() < 0.1) headers['x-call-id'] = pick(['r1', '<null>', 'x'.repeat(2000)]);
  if (random() < 0.03) headers.origin = 'http://evil.example';
  const carries = body !== undefined && method !== 'GET';

  return { path, init: { method, headers, ...(carries ? { body } : {}) } };
}

describe('numbers in paths and queries, in the compiled and minified program as in the sources', () => {
  test('are numbers: a set, a filter and a page work', async () => {
    const relay = await startRelay();
    const appliance = await startAppliance({ binary });
    const { url } = appliance;
    await addNodes(appliance, [relay]);
    expect(await appliance.api('PUT', '/v1/sets/0', { direction: 'out' })).toMatchObject({ id: 0, nodes: 1 });
    // The direction of the set takes effect at once: this offer brings none.
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    const body = { 'call-id': 'by-set@fails', 'from-tag': 'f', sdp };
    expect((await post(url, '/v1/media/offer', body)).status).toBe(200);
    await place(url, names(3, 'paged'));
    const ofNode = (await appliance.api('GET', '/v1/calls?node=1&limit=3')) as { calls: unknown[] };
    expect(ofNode.calls.length).toBe(3);
    expect(await appliance.stop()).toBe(0);
  });

  test('out of range, with a fraction, or no numbers: 400', async () => {
    const appliance = await startAppliance({ binary });
    const paths = [
      '/v1/sets/1000000000',
      '/v1/sets/-1',
      '/v1/sets/2.5',
      '/v1/sets/x',
      '/v1/nodes/2.5',
      '/v1/nodes/x',
      '/v1/calls?limit=0',
      '/v1/calls?limit=1001',
      '/v1/calls?node=0.5',
      '/v1/events?limit=2.5',
      '/v1/events?before=x',
    ];
    for (const path of paths) {
      const { status, body } = await ask(appliance.url, path);
      expect([path, status, body.code]).toEqual([path, 400, 'RTPC_BAD_PARAMETER']);
    }
    expect(await appliance.stop()).toBe(0);
  });
});

describe('the unix socket', () => {
  async function overUnix(unix: string): Promise<number> {
    return (await fetch('http://localhost/v1/nodes', { unix })).status;
  }

  test('serves the API, has mode 660, and replaces what a killed process left behind', async () => {
    const folder = temporaryFolder();
    const unix = join(folder, 'api.sock');
    const database = join(folder, 'cluster.db');
    const flags = [`--http-unix=${unix}`];
    const killed = await startAppliance({ binary, database, flags, token: 'a-token-of-enough-characters' });
    expect(statSync(unix).mode & 0o777).toBe(0o660);
    // Over TCP a token is needed; over the socket its mode has decided.
    expect((await ask(killed.url, '/v1/nodes')).status).toBe(401);
    expect(await overUnix(unix)).toBe(200);
    await killed.kill();
    expect(existsSync(unix)).toBe(true);
    const next = await startAppliance({ binary, database, flags });
    expect(await overUnix(unix)).toBe(200);
    expect(statSync(unix).mode & 0o777).toBe(0o660);

    const other = failToStart(join(temporaryFolder(), 'other.db'), { flags });
    expectPlainRefusal(other, unix, 'another program does already');
    expect(await overUnix(unix)).toBe(200);
    expect(await next.stop()).toBe(0);
  });

  test('never removes a file that is no socket', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'precious.txt');
    writeFileSync(path, 'precious');
    const refused = failToStart(join(folder, 'cluster.db'), { flags: [`--http-unix=${path}`] });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expectPlainRefusal(refused, path, 'is no socket');
  });

  test('a directory that is missing: exit 1 and a plain line', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'not', 'there.sock');
    expectPlainRefusal(
      failToStart(join(folder, 'cluster.db'), { flags: [`--http-unix=${path}`] }),
      path,
      'cannot listen on',
    );
  });
});

describe('a log nobody reads', () => {
  /** The appliance with its standard output in a pipe of which we hold the reading end. */
  async function startOnPipe() {
    const folder = temporaryFolder();
    const pipe = join(folder, 'log');
    expect(command('mkfifo', pipe).code).toBe(0);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, constants.O_WRONLY);
    const words = [
      binary,
      'serve',
      `--database-path=${join(folder, 'cluster.db')}`,
      '--http-listen=127.0.0.1:0',
    ];
    const child = own(
      Bun.spawn(leashed([...words, '--log-format=json', '--log-level=debug']), {
        cwd: folder,
        env: {},
        stdin: 'ignore',
        stdout: writer,
        stderr: 'inherit',
      }),
    );
    closeSync(writer);
    let output = '';
    const url = await poll(
      () => {
        output += readNow(reader);

        return /"event":"appliance\.started".*"url":"([^"]+)"/.exec(output)?.[1];
      },
      () => `the appliance does not start: ${output}`,
    );
    const relay = await startRelay();
    const node = { id: 1, socket: relay.socket, inner_media_ip: '10.9.0.1', out_media_ip: '198.51.100.1' };
    expect((await post(url, '/v1/nodes', node)).status).toBeLessThan(300);

    return { child, url, reader };
  }

  function readNow(file: number): string {
    const bytes = Buffer.alloc(65_536);
    try {
      return bytes.toString('utf8', 0, readSync(file, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
      throw error;
    }
  }

  /** Enough calls to fill a pipe several times over. */
  async function makeNoise(url: string, prefix: string): Promise<void> {
    for (let round = 0; round < 20; round++) await place(url, names(50, `${prefix}-${round}`));
  }

  test(
    'its reader is gone: it goes on serving, and ends with 0',
    async () => {
      const { child, url, reader } = await startOnPipe();
      closeSync(reader);
      await makeNoise(url, 'gone');
      expect((await readiness(url)).status).toBe(200);
      expect(await endProcess(child, 10_000)).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'its reader stalls: it goes on serving; when the reader comes back, so does the log',
    async () => {
      const { child, url, reader } = await startOnPipe();
      await makeNoise(url, 'stalled');
      expect((await readiness(url)).status).toBe(200);
      await place(url, ['the-last-one@fails']);
      let output = '';
      await poll(
        () => {
          output = (output + readNow(reader)).slice(-200_000);

          return output.includes('the-last-one@fails') ? true : undefined;
        },
        () => 'the log does not come back',
      );
      expect(await endProcess(child, 10_000)).toBe(0);
      closeSync(reader);
    },
    TIMEOUT_MS,
  );

  test(
    'its reader stalls for good: SIGTERM ends it with 0 all the same',
    async () => {
      const { child, url, reader } = await startOnPipe();
      await makeNoise(url, 'stuck');
      expect(await endProcess(child, 10_000)).toBe(0);
      closeSync(reader);
    },
    TIMEOUT_MS,
  );
});
