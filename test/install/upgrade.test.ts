/** Upgrades on a booted machine under load: good ones, and bad ones, which must go back by themselves. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { buildVariant, withServe } from '../lab/builds.ts';
import {
  BACKUPS,
  binaryUnderTest,
  DATABASE,
  Installed,
  RELEASE,
  SERVICE,
  whyNoInstall,
} from '../lab/installed.ts';
import { sweep } from '../lab/processes.ts';
import { complaintsOf, figuresOf, type Report } from '../lab/traffic.ts';

const reason = whyNoInstall();
const MIGRATION = "ALTER TABLE node ADD COLUMN lab text NOT NULL DEFAULT 'x';";
/** Where a program is that stands behind a script: a place the service can see. */
const BEHIND = '/opt/lab/rtp-cluster';

describe.skipIf(reason !== undefined)(
  `upgrades${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;
    let present = '';
    const offered = `${RELEASE}/rtp-cluster`;

    beforeAll(async () => {
      here = await Installed.running();
      await here.addRelays(2);
      await here.offer('before@upgrade');
      mkdirSync(here.machine.path('/opt/lab'));
      // Half a minute of waiting for what never comes proves no more than five seconds.
      await here.machine.shell(`sed -i 's/^patience=30$/patience=5/' ${RELEASE}/install.sh`);
      present = (await here.cli('--version')).text;
    });
    afterAll(async () => {
      await here?.stop();
      sweep();
    });

    /** Puts a program into the release. */
    const bring = (binary: string, to = offered): void =>
      cpSync(binary, here.machine.path(to), { force: true });

    /** Runs install.sh while proxies place calls. */
    async function upgrade(): Promise<{ code: number; text: string; seen: Report }> {
      const traffic = await here.traffic();
      await Bun.sleep(500);
      const { code, text } = await here.install();
      await Bun.sleep(500);

      return { code, text, seen: await traffic.stop() };
    }

    /** The service runs as before: same version, same nodes, and the call from the beginning is where it was. */
    async function expectAsBefore(): Promise<void> {
      expect((await here.http('GET', '/readyz')).status).toBe(200);
      expect(await here.api('GET', '/healthz')).toMatchObject({ version: '0.1.0' });
      expect((await here.cli('--version')).text).toBe(present);
      expect((await here.cli('check', '--database')).code).toBe(0);
      await here.expectCallStays('before@upgrade');
    }

    test('to a version that keeps the tables: none lost', async () => {
      bring(buildVariant({ version: '0.1.1' }));
      const { code, text, seen } = await upgrade();
      console.log(`upgrade: ${figuresOf(seen)}`);
      expect(text).toContain('Installed and ready: rtp-cluster 0.');
      expect(code).toBe(0);
      expect(complaintsOf(seen)).toEqual([]);
      expect(await here.api('GET', '/healthz')).toMatchObject({ version: '0.1.1' });
      expect(readdirSync(here.machine.path(BACKUPS)).join()).toContain('rtp-cluster-before-0.1.1');
      await here.expectCallStays('before@upgrade');
    });

    test('and back to the version before', async () => {
      bring(await binaryUnderTest());
      const { code, seen } = await upgrade();
      expect(code).toBe(0);
      expect(complaintsOf(seen)).toEqual([]);
      await expectAsBefore();
    });

    test('to a file that is no program for this processor: refused, nothing was changed', async () => {
      const pid = await here.pid();
      bring(await binaryUnderTest());
      // The field e_machine of ELF: arm64.
      await here.machine.shell(`printf '\\267' | dd of=${offered} bs=1 seek=18 conv=notrunc status=none`);
      const { code, text } = await here.install();
      expect(text).toContain('is for arm64 (aarch64), this host is x86_64');
      expect(code).toBe(1);
      expect(await here.pid()).toBe(pid);
      await expectAsBefore();
    });

    test('to a version that does not take the settings: refused, nothing was changed', async () => {
      const pid = await here.pid();
      withServe(here.machine.path(offered), BEHIND, 'exit 3');
      bring(await binaryUnderTest(), BEHIND);
      await here.machine.shell(
        `sed -i '2i [ "$1" = check ] && { echo "calls.max: gone" >\\&2; exit 1; }' ${offered}`,
      );
      const { code, text } = await here.install();
      expect(text).toContain('calls.max: gone');
      expect(text).toContain('the service goes on with the old one, unchanged');
      expect(code).toBe(1);
      expect(await here.pid()).toBe(pid);
      await expectAsBefore();
    });

    test('to a version whose migration fails: refused, nothing was changed', async () => {
      const pid = await here.pid();
      bring(buildVariant({ version: '0.2.0', migration: 'ALTER TABLE nobody ADD COLUMN lab text;' }));
      const { code, text } = await here.install();
      expect(text).toContain('no such table: nobody');
      expect(code).toBe(1);
      expect(await here.pid()).toBe(pid);
      await expectAsBefore();
    });

    const broken: readonly (readonly [string, string])[] = [
      ['that ends at once', 'exit 3'],
      [
        'that is never ready',
        `unset NOTIFY_SOCKET; exec ${BEHIND} serve --http-listen=127.0.0.1:7000 --ng-listen=`,
      ],
    ];
    for (const [name, serve] of broken) {
      test(`to a version ${name}: rolled back, data whole`, async () => {
        withServe(here.machine.path(offered), BEHIND, serve);
        bring(await binaryUnderTest(), BEHIND);
        const startedAt = performance.now();
        const { code, text, seen } = await upgrade();
        console.log(
          `rolled back after ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${figuresOf(seen)}`,
        );
        expect(text).toContain('the old version runs again');
        expect(code).toBe(1);
        await expectAsBefore();
      }, 90_000);
    }

    test('to a version that migrates and then dies: rolled back, with the database as it was', async () => {
      bring(buildVariant({ version: '0.2.0', migration: MIGRATION }), BEHIND);
      withServe(here.machine.path(offered), BEHIND, `timeout -s KILL 1 ${BEHIND} serve; exit 1`);
      const { code, text } = await here.install();
      expect(text).toContain('bringing the database back');
      expect(text).toContain('the old version runs again');
      expect(code).toBe(1);
      await expectAsBefore();
    }, 90_000);

    test('to a version with a migration: none lost, and the call is where it was', async () => {
      bring(buildVariant({ version: '0.2.0', migration: MIGRATION }));
      const { code, text, seen } = await upgrade();
      console.log(`upgrade with a migration: ${figuresOf(seen)}`);
      expect(text).toContain('Installed and ready: rtp-cluster 0.');
      expect(code).toBe(0);
      expect(complaintsOf(seen)).toEqual([]);
      expect((await here.cli('check', '--database')).text).toMatch(/0 to do/);
      expect(await here.machine.must('stat', '-c', '%U:%G %a', DATABASE)).toBe('rtp-cluster:rtp-cluster 600');
      await here.expectCallStays('before@upgrade');
    });

    test('back to a version that does not know the tables: refused, nothing was changed', async () => {
      bring(await binaryUnderTest());
      const pid = await here.pid();
      const { code, text } = await here.install();
      expect(text).toContain('9999_lab');
      expect(code).toBe(1);
      expect(await here.pid()).toBe(pid);
      expect(await here.machine.must('systemctl', 'is-active', SERVICE)).toBe('active');
    });
  },
);
