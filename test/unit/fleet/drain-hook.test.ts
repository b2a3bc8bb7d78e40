import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DrainEnd, DrainHook } from '../../../src/fleet/drain-hook.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { flush, openStore } from '../../fakes/store.ts';

const END: DrainEnd = {
  event: 'drained',
  node: { id: 3, socket: 'udp:192.168.2.3:7890', setId: 7 },
  calls: 0,
  by: 'root@edge1',
  reason: 'new "kernel"; $(date)',
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rtpc-hook-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A hook that is a shell script; `here` is its folder. */
function hookOf(script: string) {
  const path = join(folder, 'hook');
  writeFileSync(path, `#!/bin/sh\nhere='${folder}'\n${script}\n`);
  chmodSync(path, 0o755);

  return { path, ...made(path) };
}

function made(path: string) {
  const clock = new FakeClock();
  const { store } = openStore(clock);
  const hook = new DrainHook(path, store, clock);

  return {
    hook,
    clock,
    /** Runs real time until something is so; programs know no other. */
    async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
      const end = performance.now() + 20_000;
      while (!(await isSo())) {
        if (performance.now() > end) throw new Error('it never came');
        await settle();
      }
    },
    async failures(): Promise<unknown[]> {
      await flush(store);

      return store.events.list(2000, null, { kinds: ['node.hook_failed'] }).map(({ detail }) => detail);
    },
  };
}

describe('the hook of a drain', () => {
  test('is told by its environment what happened, and gets little else of ours', async () => {
    process.env.RTPC_SECRET_OF_OURS = 'x';
    const { hook, until } = hookOf('env | sort > $here/env.part && mv $here/env.part $here/env');
    hook.run(END);
    await until(() => existsSync(join(folder, 'env')));
    delete process.env.RTPC_SECRET_OF_OURS;
    const env = readFileSync(join(folder, 'env'), 'utf8').split('\n');
    expect(env.filter((line) => line.startsWith('RTP'))).toEqual([
      'RTP_CLUSTER_BY=root@edge1',
      'RTP_CLUSTER_EVENT=drained',
      'RTP_CLUSTER_NODE_CALLS=0',
      'RTP_CLUSTER_NODE_ID=3',
      'RTP_CLUSTER_NODE_SET=7',
      'RTP_CLUSTER_NODE_SOCKET=udp:192.168.2.3:7890',
      'RTP_CLUSTER_REASON=new "kernel"; $(date)',
    ]);
    expect(env.some((line) => line.startsWith('PATH='))).toBe(true);
  });

  test('that is replaced is the other program from then on, and none if there is none', async () => {
    const { hook, until, path } = hookOf('echo old >>$here/ran');
    const other = join(folder, 'other');
    writeFileSync(other, `#!/bin/sh\necho new >>'${folder}/ran'\n`);
    chmodSync(other, 0o755);
    const ran = (): string =>
      existsSync(join(folder, 'ran')) ? readFileSync(join(folder, 'ran'), 'utf8') : '';
    hook.replace(other);
    hook.run(END);
    await until(() => ran() === 'new\n');
    hook.replace('');
    hook.run(END);
    hook.replace(path);
    hook.run(END);
    await until(() => ran() === 'new\nold\n');
  });

  test('that fails is an event with its exit code', async () => {
    const { hook, until, failures } = hookOf('exit 7');
    hook.run(END);
    await until(async () => (await failures()).length > 0);
    expect(await failures()).toEqual([{ event: 'drained', exit: 7 }]);
  });

  test('that is missing is an event that says so', async () => {
    const { hook, until, failures } = made('/nonexistent/hook');
    hook.run(END);
    await until(async () => (await failures()).length > 0);
    expect(await failures()).toMatchObject([{ event: 'drained', reason: expect.stringContaining('ENOENT') }]);
  });

  test('that is none does nothing', async () => {
    const { hook, failures } = made('');
    hook.run(END);
    expect(await failures()).toEqual([]);
  });

  test('that does not end is killed after 60 s with all it started', async () => {
    const { hook, clock, until, failures } = hookOf('sleep 1000 & echo $! > $here/pid; wait');
    hook.run(END);
    await until(() => existsSync(join(folder, 'pid')) && readFileSync(join(folder, 'pid'), 'utf8') !== '');
    await clock.advance(59_000);
    expect(await failures()).toEqual([]);
    await clock.advance(2000);
    await until(async () => (await failures()).length > 0);
    expect(await failures()).toEqual([{ event: 'drained', reason: 'killed by SIGKILL' }]);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await until(
      () => !existsSync(`/proc/${pid}`) || /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
  });

  test('runs four times at a time, and a thousand wait; more are not run, which is an event', async () => {
    const { hook, until, failures } = hookOf(
      'touch $here/run.$$; while [ ! -e $here/go ]; do sleep 0.02; done',
    );
    const count = () => [...new Bun.Glob('run.*').scanSync(folder)].length;
    for (let index = 0; index < 1006; index++) hook.run(END);
    await until(() => count() === 4);
    expect(await failures()).toEqual([
      { event: 'drained', reason: 'too many hooks wait' },
      { event: 'drained', reason: 'too many hooks wait' },
    ]);
    hook.stop();
    await until(async () => (await failures()).length === 6);
    expect(count()).toBe(4);
  });
});
