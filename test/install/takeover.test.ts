/** What install.sh does with what is there already: the installation of the first installer, a full disk, a second install.sh. */

import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { withServe } from '../lab/builds.ts';
import { DATABASE, FILES, Installed, RELEASE, SERVICE, whyNoInstall } from '../lab/installed.ts';
import { sweep } from '../lab/processes.ts';

const reason = whyNoInstall();
const BINARY = '/usr/local/bin/rtp-cluster';
const UNIT = '/etc/systemd/system/rtp-cluster.service';
/** The program where the service can see it, to stand behind a script. */
const BEHIND = '/opt/rtp-cluster-behind';
/** As the first installer wrote it: install.sh knows its sum. */
const FIRST_UNIT = `[Unit]
Description=rtp_cluster: one appliance in front of a fleet of media relays
# The SIP proxy asks us over loopback: be there first, and do not wait for the network.
Before=opensips.service kamailio.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/rtp-cluster serve
Restart=always
# A SIP proxy that finds nobody at the ng port leaves us alone for a while: be back soon, and never give up.
RestartSec=200ms
DynamicUser=yes
StateDirectory=rtp-cluster
StateDirectoryMode=0700
RuntimeDirectory=rtp-cluster
# Both would run code of the caller in any Bun binary.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN NODE_OPTIONS
TimeoutStopSec=10s
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
CapabilityBoundingSet=
LockPersonality=yes

[Install]
WantedBy=multi-user.target
`;
const NODE = { id: 7, socket: 'udp:192.0.2.99:22222', inner_media_ip: '192.0.2.99' };

describe.skipIf(reason !== undefined)(
  `install.sh on what is there${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;

    afterEach(async () => {
      await here?.stop();
      sweep();
    });

    const nodes = async (): Promise<number[]> => {
      const { nodes: list } = (await here.api('GET', '/v1/nodes')) as { nodes: { id: number }[] };

      return list.map(({ id }) => id);
    };

    describe('the first installer, which had no user of its own', () => {
      /** An installation as of then, with a node. Its program knows no `healthcheck`. */
      async function installFirst(): Promise<void> {
        here = await Installed.unpacked();
        const { machine } = here;
        await machine.shell(`cp ${RELEASE}/rtp-cluster ${BEHIND}`);
        mkdirSync(machine.path('/usr/local/bin'), { recursive: true });
        writeFileSync(
          machine.path(BINARY),
          `#!/bin/sh\nif [ "$1" = healthcheck ]; then echo 'there is no command "healthcheck"' >&2; exit 2; fi\nexec ${BEHIND} "$@"\n`,
          { mode: 0o755 },
        );
        writeFileSync(machine.path(UNIT), FIRST_UNIT);
        await machine.shell('systemctl daemon-reload; systemctl --quiet enable --now rtp-cluster');
        await here.ready();
        await here.api('POST', '/v1/nodes', NODE);
        expect(await machine.must('readlink', '/var/lib/rtp-cluster')).toBe('private/rtp-cluster');
      }

      test('its data and nodes go on under the new user', async () => {
        await installFirst();
        const { code, text } = await here.install();
        expect(text).toContain('moving the data of the earlier installation');
        expect(code).toBe(0);
        expect(await nodes()).toEqual([7]);
        expect(await here.machine.must('stat', '-c', '%F %U', '/var/lib/rtp-cluster', DATABASE)).toBe(
          'directory rtp-cluster\nregular file rtp-cluster',
        );
        expect(existsSync(here.machine.path('/var/lib/private/rtp-cluster'))).toBe(false);
      }, 60_000);

      test('a run that was killed between two steps of the move is taken up again', async () => {
        await installFirst();
        await here.machine.shell('systemctl stop rtp-cluster; rm /var/lib/rtp-cluster');
        expect((await here.install()).code).toBe(0);
        expect(await nodes()).toEqual([7]);
      }, 60_000);

      test('taken away by --uninstall before: its data go on all the same', async () => {
        await installFirst();
        expect((await here.install('--uninstall')).code).toBe(0);
        expect((await here.install()).code).toBe(0);
        expect(await nodes()).toEqual([7]);
      }, 60_000);

      test('with --no-start it refuses, since the move would stop the service', async () => {
        await installFirst();
        const pid = await here.pid();
        const { code, text } = await here.install('--no-start');
        expect(text).toContain('first: systemctl stop rtp-cluster');
        expect(code).toBe(1);
        expect(await here.pid()).toBe(pid);
      }, 60_000);

      test('a new version that ends at once: everything is as before, and the old one is told to run', async () => {
        await installFirst();
        withServe(here.machine.path(`${RELEASE}/rtp-cluster`), BEHIND, 'exit 3');
        // What it keeps to undo is in a folder whose name a shell could take for more.
        const temporary = "/root/a'b c";
        mkdirSync(here.machine.path(temporary));
        const startedAt = performance.now();
        const { code, text } = await here.machine.run('env', `TMPDIR=${temporary}`, `${RELEASE}/install.sh`);
        expect(text).not.toContain('could not undo');
        expect(text).toContain('the old version runs again');
        expect(code).toBe(1);
        expect(performance.now() - startedAt).toBeLessThan(25_000);
        await here.ready();
        expect(await nodes()).toEqual([7]);
        expect(await here.machine.must('readlink', '/var/lib/rtp-cluster')).toBe('private/rtp-cluster');
      }, 60_000);
    });

    test('a disk that cannot hold the old program too: refused, and the old one is not replaced by one before it', async () => {
      here = await Installed.running();
      const { machine } = here;
      const folder = '/usr/local/lib/rtp-cluster';
      await machine.shell(`mv ${folder} ${folder}.was; mkdir ${folder}; mount -t tmpfs -o size=1m none ${folder}
        cp -a ${folder}.was/. ${folder}; printf '#!/bin/sh\\nexit 1\\n' > ${folder}/rtp-cluster.previous; chmod +x ${folder}/rtp-cluster.previous`);
      const pid = await here.pid();
      const sum = await machine.must('sha256sum', BINARY);
      await machine.shell(`printf x >> ${RELEASE}/rtp-cluster`);
      const { code, text } = await here.install();
      expect(text).toContain(`cannot keep the old program in ${folder}`);
      expect(text).not.toContain('could not undo');
      expect(code).toBe(1);
      expect(await machine.must('sha256sum', BINARY)).toBe(sum);
      expect(await here.pid()).toBe(pid);
      expect((await machine.shell(`ls -A ${folder}`)).split('\n')).toEqual([
        'installed',
        'rtp-cluster.previous',
      ]);
    }, 60_000);

    test('a service that could not start goes on trying when an upgrade does not help either', async () => {
      here = await Installed.running();
      const { machine } = here;
      // A file that is no socket: a check of the settings has nothing against it.
      await machine.shell(
        `systemctl stop rtp-cluster; echo 'http.unix = "/etc/hostname"' > /etc/rtp-cluster/config.toml; systemctl --no-block start rtp-cluster; sleep 1`,
      );
      expect(await machine.property(SERVICE, 'ActiveState')).toBe('activating');
      const { code, text } = await here.install();
      expect(text).toContain('as it did before');
      expect(code).toBe(1);
      expect(await machine.property(SERVICE, 'ActiveState')).toBe('activating');
      // What kept it from starting is mended by somebody, and nobody starts it.
      await machine.shell('cat /dev/null > /etc/rtp-cluster/config.toml');
      await here.ready();
    }, 60_000);

    test('another install.sh at work: the second refuses at once, the first is not disturbed', async () => {
      here = await Installed.unpacked();
      const both = await here.machine.shell(
        `cd ${RELEASE}; ./install.sh >/tmp/1 2>&1 & ./install.sh >/tmp/2 2>&1; wait; cat /tmp/1 /tmp/2`,
      );
      expect(both).toContain('another install.sh is at work on this host');
      expect(both).toContain('Installed and ready:');
      expect((await here.cli('healthcheck')).code).toBe(0);
    }, 60_000);

    test('settings of an installation before: what it prints fits them', async () => {
      here = await Installed.unpacked();
      const { machine } = here;
      mkdirSync(machine.path('/etc/rtp-cluster'));
      writeFileSync(
        machine.path('/etc/rtp-cluster/config.toml'),
        '[http]\nlisten = "127.0.0.1:7999"\n[ng]\nlisten = []\n',
      );
      const { code, text } = await here.install();
      expect(code).toBe(0);
      expect(text).not.toContain('2223');
      const command = /^1\. Add your relays: +(.*)$/m.exec(text)?.[1] ?? '';
      expect((await machine.run('sh', '-c', command)).text).toStartWith('node 0 added');
      // Who may not read the settings cannot be told what would change.
      await machine.shell(`cp -r ${RELEASE} /opt/release`);
      const user = ['setpriv', '--reuid=65534', '--clear-groups'];
      const dry = await machine.run(...user, '/opt/release/install.sh', '--dry-run');
      expect(dry.text).toContain('only root may read /etc/rtp-cluster/tokens');
      expect(dry.code).toBe(1);
    }, 60_000);

    test('nobody reads what it says any more: it takes back what it began', async () => {
      here = await Installed.unpacked();
      const bare = await here.machine.shell(FILES);
      await here.machine.shell(`(${RELEASE}/install.sh; echo $? > /tmp/code) 2>/dev/null | head -n 3`);
      expect(await here.machine.must('cat', '/tmp/code')).not.toBe('0');
      expect(await here.machine.shell(FILES)).toBe(bare);
    }, 60_000);

    test('a prefix of its own: the commands it prints can be pasted, and --purge leaves nothing of it', async () => {
      here = await Installed.unpacked();
      const { machine } = here;
      mkdirSync(machine.path('/opt'), { recursive: true });
      const bare = await machine.shell(FILES);
      const { code, text } = await here.install('--prefix', '/opt/rtpc');
      expect(code).toBe(0);
      const command = /^1\. Add your relays: +(.*)$/m.exec(text)?.[1] ?? '';
      expect((await machine.run('sh', '-c', command)).text).toStartWith('node 0 added');
      expect(await machine.property(SERVICE, 'ActiveState')).toBe('active');
      expect((await here.install('--uninstall', '--purge')).code).toBe(0);
      expect(await machine.shell(FILES)).toBe(bare);
    }, 60_000);
  },
);
