/** The compiled binary's backup, restore, check, healthcheck and support bundle beside a real service: loaded, killed, of another user. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fillDatabase } from '../bench/stored-calls.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, hangUp, liveCalls, names, offer, place, readiness, sorted } from '../lab/client.ts';
import { fill, isRoot, smallDisk, unmountAll, whyNoMount } from '../lab/disks.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { seeded } from '../lab/random.ts';
import { command } from '../lab/runs.ts';

const TIMEOUT_MS = 60_000;
const NOBODY = 65_534;
const skipMount = whyNoMount !== undefined && Bun.env.RTPC_REQUIRE_ALL !== '1';
if (whyNoMount !== undefined) console.warn(`tests with a real full disk cannot run: ${whyNoMount}`);
if (!isRoot) console.warn('tests with a service of another user need root');

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterEach(unmountAll);
afterAll(() => {
  sweep();
  unmountAll();
});

/** Runs a command of the binary on a database, to its end. */
function run(name: string, database: string, ...words: string[]): { code: number; text: string } {
  return command(binary, name, `--config=/dev/null`, `--database-path=${database}`, ...words);
}

/** As `run`, while this process goes on. */
function running(
  name: string,
  database: string,
  ...words: string[]
): Promise<{ code: number; text: string }> {
  return outcome(name, '--config=/dev/null', `--database-path=${database}`, ...words);
}

function health(appliance: Appliance, ...words: string[]): Promise<{ code: number; text: string }> {
  return outcome('healthcheck', '--url', appliance.url, ...words);
}

async function outcome(...words: string[]): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([binary, ...words], { stdout: 'pipe', stderr: 'pipe' });
  const text = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());

  return { code: await child.exited, text: text.trim() };
}

/** Owner and name of what belongs to a database. */
function owners(folder: string, name: string): [string, number][] {
  return readdirSync(folder)
    .filter((file) => file.startsWith(name))
    .map((file) => [file, statSync(join(folder, file)).uid]);
}

describe('a backup under load', () => {
  test(
    'has every call that was answered before it began, with its node; restored, another instance goes on with them',
    async () => {
      const folder = temporaryFolder();
      const relays = [await startRelay(), await startRelay()];
      const appliance = await startAppliance({ binary });
      await addNodes(appliance, relays);
      const acknowledged = new Map<string, unknown>();
      const refused: string[] = [];
      let isOver = false;
      const client = async (connection: number): Promise<void> => {
        for (let i = 0; !isOver; i++) {
          const callId = `load-${connection}-${i}@backup`;
          const { status, text, body } = await offer(appliance.url, callId);
          if (status === 200) acknowledged.set(callId, body.node);
          else refused.push(text);
        }
      };
      const load = Promise.all(Array.from({ length: 16 }, (_, i) => client(i)));
      const backups: { file: string; before: [string, unknown][] }[] = [];
      for (const file of names(4, 'backup').map((name) => join(folder, name))) {
        const target = acknowledged.size + 100;
        await poll(
          () => (acknowledged.size >= target ? true : undefined),
          () => 'no calls are answered',
        );
        const before = [...acknowledged];
        const { code, text } = await running('backup', appliance.database, file);
        expect([code, text]).toEqual([0, expect.stringContaining(`${file}: `)]);
        backups.push({ file, before });
        const checked = await running('check', appliance.database, '--database');
        expect([checked.code, checked.text]).toEqual([0, expect.stringContaining('It is whole')]);
      }
      isOver = true;
      await load;
      expect(refused).toEqual([]);
      expect(sorted(await liveCalls(appliance))).toEqual(sorted(acknowledged));
      await appliance.kill();

      for (const { file, before } of backups) {
        const database = join(temporaryFolder(), 'second.db');
        expect(run('restore', database, file).code).toBe(0);
        const second = await startAppliance({ binary, database });
        const live = await liveCalls(second);
        expect(before.filter(([callId, node]) => live.get(callId) !== node)).toEqual([]);
        expect([...live].filter(([callId, node]) => acknowledged.get(callId) !== node)).toEqual([]);
        expect((await hangUp(second.url, before[0]?.[0] ?? '')).status).toBe(200);
        expect(await second.stop()).toBe(0);
      }
    },
    TIMEOUT_MS,
  );

  test(
    'killed at any time leaves the backup of before, and the service alone',
    async () => {
      const folder = temporaryFolder();
      const database = join(folder, 'c.db');
      fillDatabase(database, 20_000);
      const appliance = await startAppliance({ binary, database });
      const file = join(folder, 'b.db');
      expect((await running('backup', database, file)).code).toBe(0);
      const good = readFileSync(file);
      const random = seeded(7);
      let killed = 0;
      for (let round = 0; round < 15; round++) {
        const child = Bun.spawn(
          [binary, 'backup', '--config=/dev/null', `--database-path=${database}`, file],
          {
            stdout: 'ignore',
            stderr: 'ignore',
          },
        );
        await Bun.sleep(random() * 150);
        child.kill('SIGKILL');
        await child.exited;
        const now = readFileSync(file);
        if (!now.equals(good)) expect(run('check', file, '--database').text).toContain('20000 live calls');
        if (readdirSync(folder).some((name) => name.includes('partial'))) killed++;
        for (const name of readdirSync(folder)) if (name.includes('partial')) rmSync(join(folder, name));
        expect((await readiness(appliance.url)).status).toBe(200);
      }
      expect(killed).toBeGreaterThan(0);
      expect((await running('backup', database, file)).code).toBe(0);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(skipMount)('backup and restore where there is no room', () => {
  test('say so and leave nothing', async () => {
    const disk = smallDisk();
    const folder = temporaryFolder();
    const database = join(folder, 'c.db');
    fillDatabase(database, 3000);
    const target = join(disk, 'b.db');
    const full = run('backup', database, target);
    expect(full.code).toBe(1);
    expect(full.text).toContain('make room');
    expect(full.text.split('\n').length).toBe(1);
    expect(readdirSync(disk)).toEqual([]);
    const small = join(folder, 'small.db');
    fillDatabase(small, 100);
    expect(run('backup', small, target).code).toBe(0);
    const before = readFileSync(target);
    fill(disk);
    expect(run('backup', small, target).text).toContain('make room');
    const other = run('restore', join(disk, 'c.db'), database);
    expect([other.code, other.text]).toEqual([1, expect.stringContaining('make room')]);
    expect(readFileSync(target).equals(before)).toBe(true);
    unlinkSync(join(disk, 'filler'));
    expect(readdirSync(disk).filter((name) => /partial|restor/.test(name))).toEqual([]);
  });

  test('a read-only disk can be read from, and not written to', () => {
    const disk = smallDisk();
    const database = join(disk, 'c.db');
    const folder = temporaryFolder();
    fillDatabase(join(folder, 'c.db'), 100);
    copyFileSync(join(folder, 'c.db'), database);
    const target = join(folder, 'b.db');
    expect(command('mount', '-o', 'remount,ro', disk).code).toBe(0);
    expect(run('backup', database, target).text).toContain('100 calls (100 live), 1 node');
    expect(run('backup', database, `${disk}/`).text).toContain('the file system is mounted read-only');
    expect(run('restore', database, target).text).toContain('mounted read-only');
    const { code, text } = run('check', database, '--database');
    expect(code).toBe(1);
    expect(text).toContain('the file system is mounted read-only');
    expect(text).toContain('100 live calls');
    command('mount', '-o', 'remount,rw', disk);
  });
});

describe.skipIf(!isRoot)('root beside a service of another user', () => {
  /** A folder of nobody's, and a program that runs the binary as nobody. */
  function ofNobody(): { folder: string; wrapper: string } {
    const top = temporaryFolder();
    chmodSync(top, 0o755);
    const folder = join(top, 'data');
    mkdirSync(folder, { mode: 0o700 });
    chownSync(folder, NOBODY, NOBODY);
    const wrapper = join(top, 'as-nobody');
    writeFileSync(
      wrapper,
      `#!/bin/sh\nexec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups '${binary}' "$@"\n`,
    );
    chmodSync(wrapper, 0o755);

    return { folder, wrapper };
  }

  test(
    'leaves no file in its way: backup, check, restore; while it runs, after a kill, after a stop',
    async () => {
      const { folder, wrapper } = ofNobody();
      const database = join(folder, 'c.db');
      const file = join(folder, 'b.db');
      const relays = [await startRelay()];
      let service = await startAppliance({ binary: wrapper, database });
      await addNodes(service, relays);
      const live = await place(service.url, names(10, 'nobody'));
      const look = (): void => {
        expect(run('backup', database, file).code).toBe(0);
        const { code, text } = run('check', database, '--database');
        expect([code, text]).toEqual([0, expect.stringContaining('10 live calls')]);
        for (const [name, uid] of owners(folder, '')) expect([name, uid]).toEqual([name, NOBODY]);
      };
      look();
      expect(command(wrapper, 'backup', '--config=/dev/null', `--database-path=${database}`, file).code).toBe(
        0,
      );
      await service.kill();
      look();
      service = await startAppliance({ binary: wrapper, database });
      expect(sorted(await liveCalls(service))).toEqual(sorted(live));
      const refused = run('restore', database, file);
      expect([refused.code, refused.text]).toEqual([1, expect.stringContaining('stop it first')]);
      await service.kill();
      expect(run('restore', database, file).code).toBe(0);
      look();
      service = await startAppliance({ binary: wrapper, database });
      expect(sorted(await liveCalls(service))).toEqual(sorted(live));
      expect(await service.stop()).toBe(0);
      look();

      // A new host: nothing there but the folder.
      const fresh = ofNobody();
      const moved = join(fresh.folder, 'c.db');
      expect(run('restore', moved, file).code).toBe(0);
      for (const [name, uid] of owners(fresh.folder, '')) expect([name, uid]).toEqual([name, NOBODY]);
      const second = await startAppliance({ binary: fresh.wrapper, database: moved });
      expect(sorted(await liveCalls(second))).toEqual(sorted(live));
      expect(await second.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('somebody who may not read the database is told so', () => {
    const { folder, wrapper } = ofNobody();
    const database = join(folder, 'c.db');
    fillDatabase(database, 1);
    chmodSync(database, 0o600);
    const { code, text } = command(
      wrapper,
      'backup',
      '--config=/dev/null',
      `--database-path=${database}`,
      join(folder, 'b.db'),
    );
    expect([code, text]).toEqual([1, expect.stringContaining('check owner and mode')]);
    expect(existsSync(join(folder, 'b.db'))).toBe(false);
    const checked = run('check', database, '--database');
    expect([checked.code, checked.text]).toEqual([
      1,
      expect.stringContaining(`give it to that user (chown ${NOBODY}:${NOBODY})`),
    ]);
  });
});

describe('healthcheck', () => {
  test('is 0 while ready, 1 while it hangs, when it is gone', async () => {
    const appliance = await startAppliance({ binary });
    expect(await health(appliance)).toEqual({ code: 0, text: 'ready' });
    expect((await health(appliance, '--live')).text).toStartWith('alive, version ');
    process.kill(appliance.pid, 'SIGSTOP');
    const hung = await health(appliance, '--timeout', '300');
    process.kill(appliance.pid, 'SIGCONT');
    expect([hung.code, hung.text]).toEqual([1, expect.stringContaining('did not answer within 0.3 s')]);
    expect((await health(appliance)).code).toBe(0);
    await appliance.stop();
    const gone = await health(appliance);
    expect([gone.code, gone.text]).toEqual([1, expect.stringContaining('no answer from')]);
    expect(gone.text.split('\n').length).toBe(1);
  });

  test.skipIf(skipMount)('is 1 while the disk is full, and 0 with --live', async () => {
    const disk = smallDisk();
    const appliance = await startAppliance({ binary, database: join(disk, 'c.db') });
    await addNodes(appliance, [await startRelay()]);
    fill(disk);
    let count = 0;
    await poll(
      async () => {
        await place(appliance.url, [`full-${count++}@health`]);

        return (await readiness(appliance.url)).status === 503 ? true : undefined;
      },
      () => 'the disk is full and /readyz does not say so',
    );
    const { code, text } = await health(appliance);
    expect([code, text]).toEqual([
      1,
      expect.stringContaining('not ready: calls go on from memory, but the database fails: the disk is full'),
    ]);
    expect((await health(appliance, '--live')).code).toBe(0);
    expect(await appliance.stop()).toBe(0);
  });
});

test('a support bundle of the binary, with the service up and down, and with a database that is damaged', async () => {
  const token = 'e2e-token-0123456789';
  const folder = temporaryFolder();
  const appliance = await startAppliance({ binary, token });
  const bundle = async (name: string): Promise<Map<string, string>> => {
    const file = join(folder, name);
    const child = Bun.spawn(
      [
        binary,
        'support-bundle',
        '--config=/dev/null',
        `--database-path=${appliance.database}`,
        '--url',
        appliance.url,
        file,
      ],
      { env: { PATH: '/usr/bin:/bin', RTP_CLUSTER_TOKEN: token }, stdout: 'ignore', stderr: 'inherit' },
    );
    expect(await child.exited).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { code, text } = command('tar', '-xzf', file, '-C', folder, '--strip-components=1');
    expect([code, text]).toEqual([0, '']);
    const texts = readdirSync(folder)
      .filter((each) => !each.endsWith('.gz'))
      .map((each) => [each, readFileSync(join(folder, each), 'utf8')] as const);
    expect(texts.filter(([, content]) => content.includes(token)).map(([each]) => each)).toEqual([]);

    return new Map(texts);
  };
  const up = await bundle('up.tar.gz');
  expect(JSON.parse(up.get('readyz.json') ?? '')).toMatchObject({ ready: true });
  expect(up.get('nodes.json')).toContain('"nodes":[]');
  expect(up.get('database.txt')).toContain('It is whole');
  await appliance.stop();
  const down = await bundle('down.tar.gz');
  expect(down.get('readyz.json')).toContain('could not be had');
  writeFileSync(appliance.database, 'no database');
  expect((await bundle('damaged.tar.gz')).get('database.txt')).toContain('PROBLEM: ');
});
