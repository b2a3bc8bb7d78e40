/** The Debian package on a booted machine: install, upgrade under load, an upgrade that fails, remove, purge. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeDeb } from '../../scripts/package/deb.ts';
import { PackageProblem } from '../../scripts/package/tools.ts';
import { buildVariant, withServe } from '../lab/builds.ts';
import { binaryUnderTest, DATABASE, FILES, Installed, SERVICE, whyNoInstall } from '../lab/installed.ts';
import { sweep, temporaryFolder } from '../lab/processes.ts';
import { complaintsOf, figuresOf } from '../lab/traffic.ts';

const reason = whyNoInstall();
/** Where a program is that stands behind a script: a place the service can see. */
const BEHIND = '/opt/lab/rtp-cluster';

describe.skipIf(reason !== undefined)(
  `the Debian package${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;
    let bare = '';

    beforeAll(async () => {
      here = await Installed.unpacked();
      mkdirSync(here.machine.path('/opt/lab'));
      cpSync(await binaryUnderTest(), here.machine.path(BEHIND));
      bare = await here.machine.shell(FILES);
    });
    afterAll(async () => {
      await here?.stop();
      sweep();
    });

    /** Makes a package and has apt install it. */
    async function install(version: string, binary: string): Promise<{ code: number; text: string }> {
      const [out, work] = [temporaryFolder(), temporaryFolder()];
      const root = join(import.meta.dir, '..', '..');
      const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
      const file = makeDeb({
        root,
        binary,
        arch,
        version,
        epoch: 1_700_000_000,
        out,
        work,
        compression: 'none',
      });
      if (file instanceof PackageProblem) throw new Error(file.message);
      const inside = join('/var/cache', basename(file));
      cpSync(file, here.machine.path(inside));

      return await here.machine.run('apt-get', 'install', '-qy', '--no-install-recommends', inside);
    }

    test('is installed, and the service is ready', async () => {
      const { code } = await install('0.1.0', await binaryUnderTest());
      expect(code).toBe(0);
      await here.ready();
      expect(await here.machine.property(SERVICE, 'FragmentPath')).toBe(`/lib/systemd/system/${SERVICE}`);
      expect(await here.machine.must('systemctl', 'is-enabled', SERVICE)).toBe('enabled');
      expect(await here.machine.must('systemctl', 'is-active', 'rtp-cluster-backup.timer')).toBe('active');
      expect(await here.machine.must('stat', '-c', '%U:%G %a', DATABASE)).toBe('rtp-cluster:rtp-cluster 600');
      await here.addRelays(2);
      await here.offer('before@package');
    });

    test('keeps install.sh from installing a second time', async () => {
      const { code, text } = await here.install();
      expect(text).toContain('the Debian package rtp-cluster is installed here');
      expect(code).toBe(1);
    });

    test('is upgraded under load: none lost', async () => {
      const binary = buildVariant({ version: '0.1.1' });
      const traffic = await here.traffic();
      const { code } = await install('0.1.1', binary);
      const seen = await traffic.stop();
      console.log(`upgrade of the package: ${figuresOf(seen)}`);
      expect(code).toBe(0);
      expect(complaintsOf(seen)).toEqual([]);
      expect(await here.api('GET', '/healthz')).toMatchObject({ version: '0.1.1' });
      await here.expectCallStays('before@package');
    });

    test('goes back to the version before if the new one does not start', async () => {
      const script = join(temporaryFolder(), 'rtp-cluster');
      withServe(script, BEHIND, 'exit 3');
      const { code, text } = await install('0.1.2', script);
      expect(text).toContain('the old version runs again');
      expect(code).not.toBe(0);
      expect(await here.api('GET', '/healthz')).toMatchObject({ version: '0.1.1' });
      await here.expectCallStays('before@package');
      // And after a boot too.
      await here.machine.reboot();
      await here.ready();
      await here.expectCallStays('before@package');
    });

    test('a good version after that is taken', async () => {
      expect((await install('0.1.3', buildVariant({ version: '0.1.3' }))).code).toBe(0);
      expect(await here.api('GET', '/healthz')).toMatchObject({ version: '0.1.3' });
      await here.expectCallStays('before@package');
    });

    test('remove stops the service and leaves settings and data; purge leaves nothing', async () => {
      await here.machine.must('apt-get', 'remove', '-qy', 'rtp-cluster');
      expect((await here.http('GET', '/healthz')).status).toBe(0);
      expect(existsSync(here.machine.path(DATABASE))).toBe(true);
      await here.machine.must('apt-get', 'purge', '-qy', 'rtp-cluster');
      expect(await here.machine.shell(FILES)).toBe(bare);
    });
  },
);
