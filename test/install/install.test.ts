/** From a bare Debian to a running service and back again, on a booted machine. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { DATABASE, FILES, Installed, SERVICE, whyNoInstall } from '../lab/installed.ts';
import { sweep } from '../lab/processes.ts';

const reason = whyNoInstall();
const BINARY = '/usr/local/bin/rtp-cluster';
describe.skipIf(reason !== undefined)(
  `install.sh${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;
    let bare = '';

    beforeAll(async () => {
      here = await Installed.unpacked();
      bare = await here.machine.shell(FILES);
    });
    afterAll(async () => {
      await here?.stop();
      sweep();
    });

    /** Owner, group and mode, as `stat` has it. */
    const rights = (path: string): Promise<string> => here.machine.must('stat', '-c', '%U:%G %a', path);

    test('--version says what would be installed, and changes nothing', async () => {
      const { code, text } = await here.install('--version');
      expect(text).toMatch(/^installed: nothing\nhere: {6}rtp-cluster \d+\.\d+\.\d+ \(commit/);
      expect(code).toBe(0);
    });

    test('--dry-run says what it would do, and changes nothing', async () => {
      const { code, text } = await here.install('--dry-run');
      expect(text).toContain(`dry run: writing ${BINARY}`);
      expect(text).toEndWith('Nothing was changed (--dry-run).');
      expect(code).toBe(0);
      expect(await here.machine.shell(FILES)).toBe(bare);
    });

    test('a failure in the middle undoes what was done', async () => {
      // Nobody can write a unit there any more.
      await here.machine.shell('mount -t tmpfs -o ro none /etc/systemd/system');
      const { code, text } = await here.install();
      await here.machine.shell('umount /etc/systemd/system');
      expect(text).toContain('cannot write /etc/systemd/system/rtp-cluster');
      expect(text).toEndWith('undone');
      expect(code).toBe(1);
      expect(await here.machine.shell(FILES)).toBe(bare);
    });

    test('--no-start puts everything in place and starts nothing', async () => {
      const { code, text } = await here.install('--no-start');
      expect(text).toContain('not started (--no-start): systemctl start rtp-cluster');
      expect(code).toBe(0);
      expect((await here.machine.run('systemctl', 'is-active', SERVICE)).text).toBe('inactive');
      expect((await here.machine.run('systemctl', 'is-enabled', SERVICE)).text).toBe('enabled');
    });

    test('the service is active and ready when install.sh ends', async () => {
      const { code, text } = await here.install();
      expect(text).toContain('starting the service');
      expect(code).toBe(0);
      expect((await here.http('GET', '/readyz')).status).toBe(200);
      expect(await here.machine.must('systemctl', 'is-active', SERVICE)).toBe('active');
      expect(await here.machine.property(SERVICE, 'StatusText')).toContain('0 of 0 nodes up');
      expect((await here.cli('healthcheck')).code).toBe(0);
    });

    test('files have the owners and modes they should have', async () => {
      expect(await rights(BINARY)).toBe('root:root 755');
      expect(await rights('/usr/local/share/bash-completion/completions/rtp-cluster')).toBe('root:root 644');
      expect(await rights('/etc/rtp-cluster/config.toml')).toBe('root:rtp-cluster 640');
      expect(await rights('/etc/rtp-cluster/tokens')).toBe('root:root 600');
      expect(await rights('/var/lib/rtp-cluster')).toBe('rtp-cluster:rtp-cluster 700');
      expect(await rights('/var/lib/rtp-cluster/backup')).toBe('rtp-cluster:rtp-cluster 700');
      expect(await rights(DATABASE)).toBe('rtp-cluster:rtp-cluster 600');
      expect(await here.machine.must('stat', '-c', '%U', `/proc/${await here.pid()}`)).toBe('rtp-cluster');
    });

    test('the settings it wrote are the defaults, with comments, and valid', async () => {
      const text = readFileSync(here.machine.path('/etc/rtp-cluster/config.toml'), 'utf8');
      expect(text).toContain('#listen = "127.0.0.1:7888"');
      expect((await here.cli('check', '--database')).code).toBe(0);
    });

    test('a second run finds nothing to do and does not touch the service', async () => {
      const before = [await here.pid(), await here.machine.shell(FILES)];
      const { code, text } = await here.install();
      expect(text).toContain('Nothing was missing; the service runs.');
      expect(code).toBe(0);
      expect([await here.pid(), await here.machine.shell(FILES)]).toEqual(before);
    });

    test('what somebody removed is put back, settings of his are kept', async () => {
      const settings = here.machine.path('/etc/rtp-cluster/config.toml');
      writeFileSync(settings, '[log]\nlevel = "warning"\n');
      await here.machine.shell('rm /usr/lib/tmpfiles.d/rtp-cluster.conf');
      expect((await here.install()).text).toContain('writing /usr/lib/tmpfiles.d/rtp-cluster.conf');
      expect(readFileSync(settings, 'utf8')).toBe('[log]\nlevel = "warning"\n');
    });

    test('--token makes a token that the API then asks for', async () => {
      const { text } = await here.install('--token');
      const token = /Bearer ([^"]+)"/.exec(text)?.[1] ?? '';
      expect(token).toHaveLength(48);
      expect((await here.http('GET', '/v1/nodes')).status).toBe(401);
      const authorization = `Bearer ${token}`;
      expect((await here.http('GET', '/v1/nodes', undefined, { authorization })).status).toBe(200);
      // Root may read the file of tokens, so his commands need nothing more.
      expect((await here.cli('node', 'list')).code).toBe(0);
    });

    test('systemd finds the service exposed by 1.5 at most', async () => {
      const text = await here.machine.must('systemd-analyze', 'security', '--no-pager', SERVICE);
      const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
      console.log(`systemd-analyze security: ${exposure}`);
      expect(exposure).toBeLessThanOrEqual(1.5);
    });

    test('the nightly backup is due, and leaves a copy that is whole', async () => {
      expect(await here.machine.must('systemctl', 'is-active', 'rtp-cluster-backup.timer')).toBe('active');
      await here.machine.must('systemctl', 'start', 'rtp-cluster-backup.service');
      const folder = '/var/lib/rtp-cluster/backup';
      const [copy = ''] = readdirSync(here.machine.path(folder)).filter((name) =>
        name.startsWith('rtp-cluster-2'),
      );
      expect(copy).toMatch(/^rtp-cluster-\d{8}T\d{6}Z\.db$/);
      expect(await rights(`${folder}/${copy}`)).toBe('rtp-cluster:rtp-cluster 600');
      expect((await here.cli('check', '--database', `--database-path=${folder}/${copy}`)).code).toBe(0);
    });

    test('--uninstall takes the service away and leaves settings and data', async () => {
      const { code, text } = await here.install('--uninstall');
      expect(text).toContain('rtp_cluster is gone from this host.');
      expect(code).toBe(0);
      expect((await here.machine.run('systemctl', 'status', SERVICE)).code).toBe(4);
      expect(existsSync(here.machine.path(BINARY))).toBe(false);
      expect(statSync(here.machine.path(DATABASE)).size).toBeGreaterThan(0);
      expect(existsSync(here.machine.path('/etc/rtp-cluster/tokens'))).toBe(true);
    });

    test('installed again it goes on with the data it had; --uninstall --purge leaves nothing', async () => {
      expect((await here.install()).code).toBe(0);
      expect((await here.install('--uninstall', '--purge')).code).toBe(0);
      expect(await here.machine.shell(FILES)).toBe(bare);
    });
  },
);
