/** The compiled binary on a full disk, where calls go on, and with a database it cannot use, where it says plainly what to do. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import {
  type Answer,
  addNodes,
  answer,
  ask,
  eventKinds,
  hangUp,
  liveCalls,
  loggedEvents,
  names,
  place,
  post,
  readiness,
  sorted,
} from '../lab/client.ts';
import { fill, isRoot, smallDisk, unmountAll, whyNoMount } from '../lab/disks.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { leashed, own, poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { seeded } from '../lab/random.ts';
import { command, expectPlainRefusal, failToStart } from '../lab/runs.ts';

const TIMEOUT_MS = 60_000;
/** RTPC_REQUIRE_ALL=1 runs (and fails) the tests all the same. */
const skipMount = whyNoMount !== undefined && Bun.env.RTPC_REQUIRE_ALL !== '1';
if (whyNoMount !== undefined) console.warn(`tests with a real full disk cannot run: ${whyNoMount}`);

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterEach(unmountAll);
afterAll(() => {
  sweep();
  unmountAll();
});

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

describe.skipIf(skipMount)('a disk that is full (really: a small mounted file system)', () => {
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
    'killed there it comes back by the room that was put aside, once, and calls go on',
    async () => {
      const disk = smallDisk(80);
      const database = join(disk, 'cluster.db');
      const before = await startAppliance({ binary, database });
      await addNodes(before, [await startRelay(), await startRelay()]);
      const live = await place(before.url, names(20, 'before'));
      await before.kill();
      fill(disk);

      const after = await startAppliance({ binary, database });
      expect(loggedEvents(after, 'store.spare_room_used')).toHaveLength(1);
      for (const [callId, node] of live) {
        const reply = await answer(after.url, callId);
        expect([reply.status, reply.body.node]).toEqual([200, node]);
      }
      fill(disk);
      for (const [callId, node] of await place(after.url, names(50, 'after'))) live.set(callId, node);
      expect(sorted(await liveCalls(after))).toEqual(sorted(live));
      await after.kill();
      expectPlainRefusal(failToStart(database), database, 'make room');
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
    '--ng-listen=',
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
