/** The service on a booted machine: calls, restarts of every kind, reload, watchdog. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, writeFileSync } from 'node:fs';
import { Installed, SERVICE, whyNoInstall } from '../lab/installed.ts';
import { poll, sweep } from '../lab/processes.ts';
import { complaintsOf, figuresOf } from '../lab/traffic.ts';

const reason = whyNoInstall();
/** What a proxy would see of us when it starts. */
const FIND = `(systemctl is-active ${SERVICE}; rtp-cluster healthcheck) > /run/found`;
/** Prints the first webhook it gets. */
const RECEIVER =
  'Bun.serve({ port: 9000, async fetch(r) { console.log(await r.text()); setTimeout(() => process.exit(0), 50); return new Response(); } })';
const SETTINGS = '/etc/rtp-cluster/config.toml';

describe.skipIf(reason !== undefined)(
  `the service${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;
    const settings = (text: string): void => writeFileSync(here.machine.path(SETTINGS), text);

    beforeAll(async () => {
      here = await Installed.running();
      await here.addRelays(2);
    });
    afterAll(async () => {
      await here?.stop();
      sweep();
    });

    /** Lets something happen to the service while proxies place calls; returns what they saw. */
    async function underTraffic(happen: () => Promise<unknown>) {
      const traffic = await here.traffic();
      await Bun.sleep(1000);
      await happen();
      await here.ready();
      await Bun.sleep(1000);

      return await traffic.stop();
    }

    /** How long systemd found it not ready, last time, ms. */
    async function awayMs(): Promise<number> {
      const [left, back] = [
        await stamp('ActiveExitTimestampMonotonic'),
        await stamp('ActiveEnterTimestampMonotonic'),
      ];
      console.log(`not ready for ${Math.round(back - left)} ms`);

      return back - left;
    }
    const stamp = async (name: string): Promise<number> =>
      Number(await here.machine.property(SERVICE, name)) / 1000;

    test('kill -9: back within a second, no request lost that the proxy repeats', async () => {
      const before = await here.pid();
      const seen = await underTraffic(() => here.machine.must('systemctl', 'kill', '--signal=KILL', SERVICE));
      console.log(`kill -9: ${figuresOf(seen)}`);
      expect(await here.pid()).not.toBe(before);
      expect(complaintsOf(seen)).toEqual([]);
      expect(await awayMs()).toBeLessThan(1000);
      expect(await here.machine.journal(SERVICE)).toContain('code=killed, status=9/KILL');
    });

    test('systemctl restart: no request lost that the proxy repeats', async () => {
      const seen = await underTraffic(() => here.machine.must('systemctl', 'restart', SERVICE));
      console.log(`restart: ${figuresOf(seen)}`);
      expect(complaintsOf(seen)).toEqual([]);
    });

    test('reload takes a setting without a restart', async () => {
      const before = await here.pid();
      settings('[log]\nlevel = "debug"\n[calls]\nmax = 77\n');
      await here.machine.must('systemctl', 'reload', SERVICE);
      const journal = await poll(
        async () => {
          const text = await here.machine.journal(SERVICE);

          return text.includes('settings.reloaded') ? text : undefined;
        },
        () => 'the reload is not told',
      );
      expect(journal).toMatch(/settings\.reloaded.*calls\.max/);
      expect(await here.pid()).toBe(before);
    });

    test('reload takes tokens that were written, and their removal', async () => {
      const tokens = here.machine.path('/etc/rtp-cluster/tokens');
      const status = async (): Promise<number> => (await here.http('GET', '/v1/nodes')).status;
      for (const [text, expected] of [
        ['read lab a-token-of-the-lab-0123456789\n', 401],
        ['# none\n', 200],
      ] as const) {
        writeFileSync(tokens, text);
        await here.machine.must('systemctl', 'reload', SERVICE);
        await poll(
          async () => ((await status()) === expected ? true : undefined),
          () => `the API does not answer ${expected}`,
        );
      }
    });

    test('reload says which settings wait for a restart', async () => {
      settings('[http]\nlisten = "127.0.0.1:7999"\n');
      await here.machine.must('systemctl', 'reload', SERVICE);
      await poll(
        async () =>
          (await here.machine.journal(SERVICE)).match(/need_restart.*http\.listen/) ? true : undefined,
        () => 'nothing is said about http.listen',
      );
      expect((await here.http('GET', '/readyz')).status).toBe(200);
    });

    test('reload of settings that are wrong fails, says why, and the service goes on', async () => {
      const before = await here.pid();
      settings('[calls]\nmax = "many"\n');
      expect((await here.machine.run('systemctl', 'reload', SERVICE)).code).toBe(1);
      expect(await here.machine.journal(SERVICE)).toContain('calls.max');
      expect((await here.http('GET', '/readyz')).status).toBe(200);
      expect(await here.pid()).toBe(before);
      settings('');
      await here.machine.must('systemctl', 'reload', SERVICE);
    });

    test('what the unit shuts does not shut out what settings ask for: unix socket, hook, webhook, compiler', async () => {
      const hook = here.machine.path('/usr/local/bin/lab-hook');
      writeFileSync(
        hook,
        '#!/bin/sh\necho "$RTP_CLUSTER_EVENT $RTP_CLUSTER_NODE_ID" > /run/rtp-cluster/hook\n',
      );
      chmodSync(hook, 0o755);
      const told = here.machine.outside(process.execPath, '-e', RECEIVER);
      settings(`[http]\nunix = "/run/rtp-cluster/api.sock"\n[drain]\nhook = "/usr/local/bin/lab-hook"
[webhooks]\nurls = ["http://192.0.2.10:9000/"]\nkinds = ["node.drained"]\n`);
      await here.machine.must('systemctl', 'restart', SERVICE);
      expect((await here.cli('healthcheck', '--unix', '/run/rtp-cluster/api.sock')).code).toBe(0);
      // A node of its own: a call that ended 10 ms before the kill above may have come back, and would keep the others from being empty.
      const added = await here.machine.shell(
        'rtp-cluster node add udp:192.0.2.99:22222 --set=9 --inner=192.0.2.99 --outer=198.51.100.99 --json',
      );
      const id = String((JSON.parse(added) as { id: number }).id);
      await here.machine.must('rtp-cluster', 'node', 'drain', id, '--reason', 'lab');
      expect(await told).toContain('node.drained');
      await poll(
        async () =>
          (await here.machine.run('cat', '/run/rtp-cluster/hook')).text === `drained ${id}`
            ? true
            : undefined,
        () => 'the hook was not run',
      );
      expect(await here.machine.must('grep', '-c', ' rwxp ', `/proc/${await here.pid()}/maps`)).not.toBe('0');
      await here.machine.must('rtp-cluster', 'node', 'remove', id);
    });

    test('event loop stopped: the watchdog restarts it', async () => {
      const before = await here.pid();
      const startedAt = performance.now();
      await here.machine.must('systemctl', 'kill', '--signal=STOP', SERVICE);
      await poll(
        async () => ((await here.pid()) !== before ? true : undefined),
        () => 'the watchdog does nothing',
        30_000,
      );
      await here.ready();
      console.log(`event loop stopped: back after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      expect(await here.machine.journal(SERVICE)).toContain('Watchdog timeout');
    });

    const CALLS = ['one@boot', 'two@boot', 'three@boot', 'four@boot'];

    test('boot: it is up before the proxy, and calls are where they were', async () => {
      for (const call of CALLS) await here.offer(call);
      // In place of a proxy: a unit of its name, which notes what it finds.
      writeFileSync(
        here.machine.path('/etc/systemd/system/kamailio.service'),
        `[Service]\nType=oneshot\nExecStart=/bin/sh -c '${FIND}'\n[Install]\nWantedBy=multi-user.target\n`,
      );
      await here.machine.must('systemctl', 'enable', 'kamailio.service');
      await here.machine.reboot();
      await here.machine.until(SERVICE);
      expect(await here.machine.must('cat', '/run/found')).toBe('active\nready');
      for (const call of CALLS) await here.expectCallStays(call);
    });

    test('boot after a power cut: calls are where they were', async () => {
      await here.offer('late@cut');
      await here.machine.crash();
      await here.machine.switchOn();
      await here.ready();
      for (const call of [...CALLS, 'late@cut']) await here.expectCallStays(call);
    });

    test('no proxy, no relay: it runs all the same', async () => {
      await here.machine.shell(
        'rm /etc/systemd/system/kamailio.service /etc/systemd/system/*/kamailio.service',
      );
      sweep();
      await here.machine.reboot();
      await here.ready();
      expect(await here.machine.must('systemctl', 'is-system-running')).toBe('running');
    });
  },
);
