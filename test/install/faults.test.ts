/** What a host does to a service: no room, a broken disk, a wrong clock, too little of everything; and what its operator sees. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Installed, SERVICE, whyNoInstall } from '../lab/installed.ts';
import { inNamespace, leashed, own, poll, sweep } from '../lab/processes.ts';
import { complaintsOf, figuresOf } from '../lab/traffic.ts';

const reason = whyNoInstall();
const DATA = '/var/lib/rtp-cluster';
const DROP_IN = `/etc/systemd/system/${SERVICE}.d`;
const MEMORY = '/sys/fs/cgroup/memory';
/** Shorter than the unit has it, to save time; service.test.ts has that of the unit. */
const WATCHDOG = 'WatchdogSec=3s';
/** Longer than that, ms. */
const WATCHDOG_MS = 5000;
const DAY_S = 86_400;
const FDS = 10_000;

describe.skipIf(reason !== undefined)(`faults${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let here: Installed;

  beforeAll(async () => {
    here = await Installed.running({ disk: { at: DATA, megabytes: 32 } });
    mkdirSync(here.machine.path(DROP_IN));
    await here.addRelays(1);
    await here.offer('before@fault');
    await withUnit();
  });
  afterAll(async () => {
    await here?.stop();
    sweep();
  });

  const status = (): Promise<string> => here.machine.property(SERVICE, 'StatusText');
  const readyz = async (): Promise<string> => (await here.http('GET', '/readyz')).text;

  /** Until `systemctl status` says so. */
  async function untilStatus(text: string): Promise<void> {
    await poll(
      async () => ((await status()).includes(text) ? true : undefined),
      () => `systemctl status does not say "${text}"`,
      15_000,
    );
  }

  async function untilAnother(pid: number): Promise<void> {
    await poll(
      async () => ![0, pid].includes(await here.pid()) || undefined,
      () => 'the service is not restarted',
      60_000,
    );
    await here.ready();
  }

  /** Restarts the service with further lines in its unit. */
  async function withUnit(lines = ''): Promise<void> {
    writeFileSync(here.machine.path(`${DROP_IN}/lab.conf`), `[Service]\n${WATCHDOG}\n${lines}\n`);
    await here.machine.must('systemctl', 'daemon-reload');
    await here.machine.must('systemctl', 'restart', SERVICE);
  }

  /** What the log has of a kind of event. */
  async function logged(event: string): Promise<string> {
    return (await here.machine.journal(SERVICE))
      .split('\n')
      .filter((line) => line.includes(`"event":"${event}"`))
      .join('\n');
  }

  test('disk full: calls go on, it is said everywhere, nothing is restarted, and it recovers by itself', async () => {
    const pid = await here.pid();
    await here.machine.run('dd', 'if=/dev/zero', `of=${DATA}/filler`, 'bs=1k');
    await here.offer('full@fault');
    await untilStatus('the disk is full; make room');
    expect(await readyz()).toContain('the disk is full');
    expect((await here.cli('healthcheck')).text).toContain('the disk is full');
    expect((await here.cli('healthcheck', '--live')).code).toBe(0);
    expect(await logged('store.durability_lost')).toContain('"level":"error"');
    await Bun.sleep(WATCHDOG_MS);
    expect(await here.pid()).toBe(pid);
    await here.expectCallStays('full@fault');
    await here.machine.must('rm', `${DATA}/filler`);
    await untilStatus('database ok');
    expect((await here.http('GET', '/readyz')).status).toBe(200);
    expect(await logged('store.durability_regained')).not.toBe('');
    // What was only in memory has reached the disk.
    await here.machine.must('systemctl', 'kill', '--signal=KILL', SERVICE);
    await untilAnother(pid);
    await here.expectCallStays('full@fault');
  });

  test('disk that hangs: the watchdog kills the service, and it is back when the disk is', async () => {
    const pid = await here.pid();
    here.machine.disk.freeze();
    await poll(
      async () => ((await here.machine.journal(SERVICE)).includes('Watchdog timeout') ? true : undefined),
      () => 'the watchdog does nothing',
      WATCHDOG_MS,
    );
    here.machine.disk.thaw();
    await untilAnother(pid);
    await here.expectCallStays('before@fault');
  });

  test('clock a day ahead, then a day behind: calls and checks go on', async () => {
    const clock = here.machine.path('/etc/lab-clock');
    writeFileSync(clock, '+0');
    await here.machine.must('apt-get', 'install', '-qy', '--no-install-recommends', 'libfaketime');
    const library = await here.machine.shell('ls /usr/lib/*/faketime/libfaketime.so.1');
    await withUnit(
      `Environment=LD_PRELOAD=${library} FAKETIME_TIMESTAMP_FILE=/etc/lab-clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1`,
    );
    const pid = await here.pid();
    for (const days of [1, -1]) {
      const traffic = await here.traffic(10);
      await Bun.sleep(500);
      writeFileSync(clock, `${days > 0 ? '+' : ''}${days * DAY_S}`);
      // Three checks.
      await Bun.sleep(7000);
      const seen = await traffic.stop();
      expect(complaintsOf(seen)).toEqual([]);
      const { calls } = (await here.api('GET', '/v1/calls?limit=1000')) as { calls: { call_id: string }[] };
      expect(calls.map(({ call_id: id }) => id).sort()).toEqual(['before@fault', 'full@fault']);
      await here.nodeUp(1);
      await here.expectCallStays('before@fault');
    }
    expect(await here.pid()).toBe(pid);
    expect(await logged('node.down')).toBe('');
    expect(await logged('call.lost')).toBe('');
  });

  test(`${FDS} file descriptors used up by idle connections: ng goes on, new HTTP connections wait, both recover`, async () => {
    await withUnit(`LimitNOFILE=${FDS}`);
    const pid = await here.pid();
    const traffic = await here.traffic(10);
    const program = join(import.meta.dir, '..', 'lab', 'idle-connections.ts');
    const holder = own(
      Bun.spawn(
        leashed(
          inNamespace(here.machine.name, [
            'sh',
            '-c',
            `ulimit -n 20000; exec ${process.execPath} ${program} ${FDS + 500}`,
          ]),
        ),
        { stdin: 'pipe', stdout: 'ignore', stderr: 'inherit' },
      ),
    );
    const open = async (): Promise<number> => Number(await here.machine.shell(`ls /proc/${pid}/fd | wc -l`));
    await poll(
      async () => ((await open()) >= FDS ? true : undefined),
      () => 'its descriptors are not used up',
      20_000,
    );
    await untilStatus(`of ${FDS} file descriptors in use`);
    expect(await logged('process.descriptors')).toContain('"level":"warning"');
    await poll(
      async () => ((await open()) < FDS / 2 ? true : undefined),
      () => 'it closes no idle connection',
      30_000,
    );
    const seen = await traffic.stop();
    console.log(`file descriptors used up: ${figuresOf(seen)}`);
    expect([seen.ng.complaints, seen.ng.retried]).toEqual([[], 0]);
    expect((await here.http('GET', '/readyz')).status).toBe(200);
    expect(await here.pid()).toBe(pid);
    holder.stdin.end();
    await holder.exited;
  });

  test.skipIf(!existsSync(MEMORY))(
    'out of memory: the kernel kills it, it is back within a second, calls are kept',
    async () => {
      const group = join(MEMORY, here.machine.name);
      const pid = await here.pid();
      mkdirSync(group);
      writeFileSync(join(group, 'memory.limit_in_bytes'), `${8 * 1024 * 1024}`);
      const traffic = await here.traffic();
      writeFileSync(join(group, 'cgroup.procs'), `${here.machine.pidOutside(pid)}`);
      await untilAnother(pid);
      await Bun.sleep(1000);
      const seen = await traffic.stop();
      console.log(`out of memory: ${figuresOf(seen)}`);
      expect(complaintsOf(seen)).toEqual([]);
      expect(await here.machine.journal(SERVICE)).toContain('status=9/KILL');
      await here.expectCallStays('before@fault');
    },
  );

  // Last, since the disk is read-only from then on.
  test('a file system that the kernel made read-only: calls go on; a restart says what is wrong', async () => {
    const pid = await here.pid();
    here.machine.disk.break();
    await here.offer('broken@fault');
    await untilStatus('look at the kernel log');
    expect((await here.http('GET', '/readyz')).status).toBe(503);
    await Bun.sleep(WATCHDOG_MS);
    expect(await here.pid()).toBe(pid);
    await here.expectCallStays('broken@fault');
    expect((await here.machine.run('systemctl', 'restart', SERVICE)).code).toBe(1);
    expect(await here.machine.journal(SERVICE)).toContain('whether the file system is mounted read-only');
  });

  test('after a repair and a boot everything is there but what the disk did not take', async () => {
    await here.machine.switchOff();
    here.machine.disk.repair();
    await here.machine.switchOn();
    await here.ready();
    await here.nodeUp(1);
    await here.expectCallStays('before@fault');
    expect((await here.http('GET', '/v1/calls/broken%40fault')).status).toBe(404);
  });
});
