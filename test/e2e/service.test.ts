/** The binary under a supervisor: what it says of itself (sd_notify), what a reload does, and when the watchdog is not fed. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, ask, eventKinds, loggedEvents, names, offer, place, readiness } from '../lab/client.ts';
import { fill, isRoot, smallDisk, unmountAll, whyNoMount } from '../lab/disks.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { freeze, thaw } from '../lab/freeze.ts';
import { NotifySocket } from '../lab/notify-socket.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { command } from '../lab/runs.ts';

const TIMEOUT_MS = 60_000;
const WATCHDOG_MS = 400;
const BEAT = 'WATCHDOG=1';
/** RTPC_REQUIRE_ALL=1 runs (and fails) the tests all the same. */
const isAllRequired = Bun.env.RTPC_REQUIRE_ALL === '1';
const skipMount = whyNoMount !== undefined && !isAllRequired;
if (whyNoMount !== undefined) console.warn(`tests with a real full disk cannot run: ${whyNoMount}`);

let binary = '';
const sockets: NotifySocket[] = [];
/** Disks that are frozen or mounted here. */
const frozen = new Set<string>();
const mounted = new Set<string>();

beforeAll(async () => {
  binary = await ensureBinary();
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
  for (const disk of frozen) command('fsfreeze', '-u', disk);
  frozen.clear();
  unmountAll();
  for (const disk of mounted) command('umount', '-l', disk);
  mounted.clear();
});
afterAll(sweep);

interface Supervised {
  readonly appliance: Appliance;
  readonly socket: NotifySocket;
  /** Writes the settings file; `reload` has it read. */
  configure(toml: string): void;
  /** SIGHUP; ends when it has been dealt with, and gives the status then. */
  reload(): Promise<string>;
}

async function supervised({
  toml = '',
  flags = [],
  database,
}: {
  toml?: string;
  flags?: readonly string[];
  database?: string;
} = {}): Promise<Supervised> {
  const socket = new NotifySocket();
  sockets.push(socket);
  const file = join(temporaryFolder(), 'config.toml');
  const configure = (text: string): void => writeFileSync(file, text);
  configure(toml);
  const appliance = await startAppliance({
    binary,
    flags: [`--config=${file}`, ...flags],
    env: { NOTIFY_SOCKET: socket.place, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) },
    ...(database === undefined ? {} : { database }),
  });

  return {
    appliance,
    socket,
    configure,
    async reload() {
      const from = socket.messages.length;
      process.kill(appliance.pid, 'SIGHUP');
      const begin = await socket.until('RELOADING=1', from);
      const end = await socket.until('READY=1', begin);

      return /STATUS=(.*)/.exec(socket.messages[end] ?? '')?.[1] ?? '';
    },
  };
}

/** Beats that come within a time. */
async function beatsIn(socket: NotifySocket, ms: number): Promise<number> {
  const from = socket.messages.length;
  await Bun.sleep(ms);

  return socket.messages.slice(from).filter((message) => message === BEAT).length;
}

describe('the supervisor', () => {
  test('hears READY first, beats four times in the interval, and STOPPING last', async () => {
    const { appliance, socket } = await supervised();
    expect(socket.messages[0]).toBe('READY=1\nSTATUS=0 of 0 nodes up, 0 calls; database ok');
    const beats = await beatsIn(socket, 5 * WATCHDOG_MS);
    // Twice is what systemd wants at least.
    expect(beats).toBeGreaterThanOrEqual(10);
    expect(beats).toBeLessThanOrEqual(22);
    expect(await appliance.stop()).toBe(0);
    const last = await socket.until('STOPPING=1');
    expect(socket.messages[last]).toBe('STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=8000000');
    expect(socket.messages.length).toBe(last + 1);
    expect(socket.messages.filter((message) => message.includes('READY=1')).length).toBe(1);
  });

  test(
    'is told how many nodes are up and how many calls there are',
    async () => {
      const { appliance, socket } = await supervised();
      await addNodes(appliance, [await startRelay(), await startRelay()]);
      await place(appliance.url, names(3, 'status'));
      await socket.until(/^STATUS=2 of 2 nodes up, 3 calls; database ok$/);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test('hears nothing of a program that cannot start', async () => {
    const socket = new NotifySocket();
    sockets.push(socket);
    const { exitCode } = Bun.spawnSync([binary, 'serve', '--database-path=/nowhere/x.db', '--ng-listen='], {
      env: { NOTIFY_SOCKET: socket.place },
      cwd: '/',
    });
    expect(exitCode).toBe(1);
    socket.take();
    expect(socket.messages).toEqual([]);
  });

  test('may be gone: nothing else changes', async () => {
    const { appliance, socket } = await supervised();
    socket.close();
    await Bun.sleep(2 * WATCHDOG_MS);
    expect((await readiness(appliance.url)).status).toBe(200);
    expect(await appliance.stop()).toBe(0);
  });
});

describe('the watchdog', () => {
  test('is not fed while the program stands still', async () => {
    const { appliance, socket } = await supervised();
    await freeze(appliance.pid);
    socket.take();
    expect(await beatsIn(socket, 4 * WATCHDOG_MS)).toBe(0);
    thaw(appliance.pid);
    await socket.until(BEAT, socket.messages.length);
    expect(await appliance.stop()).toBe(0);
  });

  test.skipIf(skipMount)(
    'is fed on a full disk, which the status tells: the calls are in memory, and a restart would lose them',
    async () => {
      const disk = smallDisk();
      const { appliance, socket } = await supervised({ database: join(disk, 'cluster.db') });
      await addNodes(appliance, [await startRelay()]);
      fill(disk);
      await poll(
        async () => {
          await place(appliance.url, names(20, `full-${performance.now()}`));

          return (await readiness(appliance.url)).status === 503 ? true : undefined;
        },
        () => 'the disk is full and /readyz does not say so',
      );
      await socket.until(/^STATUS=.*database the disk is full/);
      expect(await beatsIn(socket, 4 * WATCHDOG_MS)).toBeGreaterThanOrEqual(5);
      await appliance.kill();
    },
    TIMEOUT_MS,
  );

  test.skipIf(!canFreezeDisk() && !isAllRequired)(
    'is not fed while the disk hangs, and is again when it goes on',
    async () => {
      const disk = ext4();
      const { appliance, socket } = await supervised({ database: join(disk, 'cluster.db') });
      await addNodes(appliance, [await startRelay()]);
      await place(appliance.url, names(5, 'before'));
      expect(command('fsfreeze', '-f', disk).code).toBe(0);
      frozen.add(disk);
      // One that was made before may still be on its way.
      await Bun.sleep(WATCHDOG_MS);
      socket.take();
      expect(await beatsIn(socket, 5 * WATCHDOG_MS)).toBe(0);
      expect(command('fsfreeze', '-u', disk).code).toBe(0);
      frozen.delete(disk);
      await socket.until(BEAT, socket.messages.length);
      expect((await offer(appliance.url, 'after@hang')).status).toBe(200);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('a reload', () => {
  test('takes what can be taken at once, and names what needs a restart', async () => {
    const { appliance, configure, reload } = await supervised();
    const tokens = join(temporaryFolder(), 'tokens');
    const secret = 'a-token-of-the-tests-1';
    writeFileSync(tokens, `admin test ${secret}\n`);
    chmodSync(tokens, 0o600);
    expect((await ask(appliance.url, '/v1/nodes')).status).toBe(200);
    const nodes = (host: string): Promise<number> =>
      ask(appliance.url, '/v1/nodes', { headers: { host, authorization: `Bearer ${secret}` } }).then(
        ({ status }) => status,
      );
    expect(await nodes('rtp.example.org')).toBe(404);
    configure(
      `[http]\ntoken_file = "${tokens}"\nhosts = ["rtp.example.org"]\n[log]\nlevel = "debug"\n[media]\nbudget_ms = 800\n`,
    );
    expect(await reload()).toEndWith('; restart for media.budget_ms');
    const [told] = loggedEvents(appliance, 'settings.reloaded');
    expect(told).toMatchObject({
      changed: ['http.hosts', 'http.token_file', 'log.level'],
      need_restart: ['media.budget_ms'],
    });
    expect((await ask(appliance.url, '/v1/nodes')).status).toBe(401);
    expect(await nodes('rtp.example.org')).toBe(200);
    expect(appliance.output()).not.toContain(secret);
    configure('');
    expect(await reload()).toEndWith('; database ok');
    expect((await ask(appliance.url, '/v1/nodes')).status).toBe(200);
    expect(await nodes('rtp.example.org')).toBe(404);
    await poll(
      async () => {
        const kinds = await eventKinds(appliance);

        return kinds.filter((kind) => kind === 'settings.reloaded').length === 2 ? true : undefined;
      },
      () => 'the reloads are no events',
    );
    expect(await appliance.stop()).toBe(0);
  });

  test('with wrong settings tells each problem and leaves all as it was', async () => {
    const { appliance, socket, configure, reload } = await supervised({
      toml: '[http]\nhosts = ["rtp.example.org"]\n',
    });
    configure('[http]\nhosts = ["other.example.org", "not a host"]\n[log]\nlevel = "loud"\n');
    expect(await reload()).toEndWith('database ok; settings not taken: 2 problems, see the log');
    await poll(
      () => (loggedEvents(appliance, 'settings.bad').length === 2 ? true : undefined),
      () => appliance.output(),
    );
    expect(loggedEvents(appliance, 'settings.bad').map(({ key }) => key)).toEqual([
      'http.hosts',
      'log.level',
    ]);
    expect(loggedEvents(appliance, 'settings.reloaded')).toEqual([]);
    for (const [host, status] of [
      ['rtp.example.org', 200],
      ['other.example.org', 404],
    ] as const)
      expect((await ask(appliance.url, '/v1/nodes', { headers: { host } })).status).toBe(status);
    await socket.until(BEAT, socket.messages.length);
    configure('[http]\nhosts = ["other.example.org"]\n');
    expect(await reload()).toEndWith('; database ok');
    expect((await ask(appliance.url, '/v1/nodes', { headers: { host: 'other.example.org' } })).status).toBe(
      200,
    );
    expect(await appliance.stop()).toBe(0);
  });

  test('that comes while another one runs does not get into its way', async () => {
    const { appliance, socket, configure } = await supervised();
    const from = socket.messages.length;
    for (let i = 0; i < 20; i++) {
      configure(`[stop]\ngrace_ms = ${1000 + i}\n`);
      process.kill(appliance.pid, 'SIGHUP');
    }
    await poll(
      () => (socket.messages.slice(from).some((message) => message.startsWith('READY')) ? true : undefined),
      () => appliance.output(),
    );
    await Bun.sleep(100);
    const turns = socket.messages
      .slice(from)
      .flatMap((message) => /^(RELOADING|READY)=1/.exec(message)?.[1] ?? []);
    expect(turns.length % 2).toBe(0);
    expect(turns).toEqual(turns.map((_turn, index) => (index % 2 === 0 ? 'RELOADING' : 'READY')));
    // The last settings hold.
    expect(await appliance.stop()).toBe(0);
    expect(loggedEvents(appliance, 'appliance.stopping')).toMatchObject([{ grace_ms: 1019 }]);
  });

  test('works without a supervisor, and costs no call', async () => {
    const appliance = await startAppliance({ binary });
    await addNodes(appliance, [await startRelay()]);
    const calls = place(appliance.url, names(200, 'reload'));
    for (let i = 0; i < 5; i++) {
      process.kill(appliance.pid, 'SIGHUP');
      await Bun.sleep(10);
    }
    expect((await calls).size).toBe(200);
    await poll(
      () => (loggedEvents(appliance, 'settings.reloaded').length > 0 ? true : undefined),
      () => appliance.output(),
    );
    expect(await appliance.stop()).toBe(0);
  });
});

/** Whether a file system can be made, mounted and frozen here. */
function canFreezeDisk(): boolean {
  if (!isRoot || ['mkfs.ext4', 'mount', 'fsfreeze'].some((tool) => Bun.which(tool) === null)) return false;
  try {
    command('umount', ext4());
    mounted.clear();

    return true;
  } catch (error) {
    console.warn(`the test with a disk that hangs cannot run: ${error}`);

    return false;
  }
}

/** A disk that can be frozen. */
function ext4(): string {
  const folder = temporaryFolder();
  const [image, disk] = [join(folder, 'image'), join(folder, 'disk')];
  writeFileSync(image, '');
  truncateSync(image, 32 * 1024 * 1024);
  mkdirSync(disk);
  const made = command('mkfs.ext4', '-q', image);
  const { code, text } = made.code === 0 ? command('mount', '-o', 'loop', image, disk) : made;
  if (code !== 0) throw new Error(`cannot mount a disk of a file: ${text}`);
  mounted.add(disk);

  return disk;
}
