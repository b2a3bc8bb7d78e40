/** The unit of the service: what it promises that can be seen without a systemd. `npm run test:install` boots one. */

import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dir, '..', '..', 'systemd', 'rtp-cluster.service');
const TEXT = readFileSync(FILE, 'utf8');
const analyze = Bun.which('systemd-analyze');
if (analyze === null)
  console.warn('the exposure of the unit is not judged: there is no systemd-analyze here');

/** Each setting with its values, in order. */
const unit = new Map<string, string[]>();
for (const [, key = '', value = ''] of TEXT.matchAll(/^(\w+)=(.*)$/gm))
  unit.set(key, [...(unit.get(key) ?? []), value]);

/** The value of a setting that stands there once. */
function the(key: string): string | undefined {
  const values = unit.get(key) ?? [];
  if (values.length > 1) throw new Error(`${key} stands there ${values.length} times`);

  return values[0];
}

describe('the unit', () => {
  test('is read whole by this test', () => {
    const lines = TEXT.split('\n').filter((line) => line !== '' && !/^[#[]/.test(line));
    expect([...unit.values()].flat().length).toBe(lines.length);
  });

  test('comes before the SIP proxies, and waits for nobody', () => {
    expect(the('Before')?.split(' ').sort()).toEqual(['kamailio.service', 'opensips.service']);
    for (const key of ['After', 'Requires', 'Requisite', 'BindsTo', 'Wants', 'PartOf'])
      expect(the(key)).toBeUndefined();
  });

  test('is ready when the program says so, and only the program itself may say it', () => {
    expect([the('Type'), the('NotifyAccess')]).toEqual(['notify', 'main']);
  });

  test('comes back at once and for ever', () => {
    expect([the('Restart'), the('RestartSec'), the('StartLimitIntervalSec')]).toEqual([
      'always',
      '200ms',
      '0',
    ]);
  });

  test('is ended when it hangs, by what ends a stopped process too, and leaves no core with secrets', () => {
    expect([the('WatchdogSec'), the('WatchdogSignal'), the('LimitCORE')]).toEqual(['10s', 'SIGKILL', '0']);
  });

  test('checks the settings before it reloads them, and not with the first command, which sees no credentials', () => {
    const command = the('ExecStart')?.replace(/ serve$/, '');
    expect(command).toMatch(/^\/\S+\/rtp-cluster$/);
    expect(unit.get('ExecReload')).toEqual(['/bin/true', `${command} check`, '/bin/kill -HUP $MAINPID']);
  });

  test('runs as a user of its own that keeps its files', () => {
    expect([the('User'), the('Group'), the('DynamicUser')]).toEqual([
      'rtp-cluster',
      'rtp-cluster',
      undefined,
    ]);
    expect([the('StateDirectory'), the('StateDirectoryMode'), the('UMask')]).toEqual([
      'rtp-cluster',
      '0700',
      '0077',
    ]);
    expect([the('RuntimeDirectory'), the('RuntimeDirectoryMode')]).toEqual(['rtp-cluster', '0750']);
  });

  test('starts without the file of tokens', () => {
    const [id, file] = the('LoadCredential')?.split(':') ?? [];
    expect([id, file]).toEqual(['tokens', '/etc/rtp-cluster/tokens']);
    // A comment: no tokens.
    expect(the('SetCredential')).toBe(`${id}:#`);
  });

  test('takes no code from its environment', () => {
    expect(the('UnsetEnvironment')?.split(' ').sort()).toEqual([
      'BUN_BE_BUN',
      'BUN_INSPECT',
      'BUN_OPTIONS',
      'NODE_OPTIONS',
    ]);
  });

  test('leaves the compiler of the runtime its memory', () => {
    expect(the('MemoryDenyWriteExecute')).toBeUndefined();
  });

  test('does not name an address, a port or a home that would have to be opened for it', () => {
    for (const key of [
      'PrivateNetwork',
      'IPAddressDeny',
      'IPAddressAllow',
      'SocketBindDeny',
      'RootDirectory',
    ])
      expect(the(key)).toBeUndefined();
    expect(the('RestrictAddressFamilies')?.split(' ').sort()).toEqual(['AF_INET', 'AF_INET6', 'AF_UNIX']);
  });

  test.each([
    ['NoNewPrivileges', 'yes'],
    ['CapabilityBoundingSet', ''],
    ['AmbientCapabilities', ''],
    ['PrivateUsers', 'yes'],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'yes'],
    ['PrivateTmp', 'yes'],
    ['PrivateDevices', 'yes'],
    ['DevicePolicy', 'closed'],
    ['ProtectProc', 'invisible'],
    ['ProcSubset', 'pid'],
    ['ProtectClock', 'yes'],
    ['ProtectControlGroups', 'yes'],
    ['ProtectHostname', 'yes'],
    ['ProtectKernelLogs', 'yes'],
    ['ProtectKernelModules', 'yes'],
    ['ProtectKernelTunables', 'yes'],
    ['RemoveIPC', 'yes'],
    ['RestrictNamespaces', 'yes'],
    ['RestrictRealtime', 'yes'],
    ['RestrictSUIDSGID', 'yes'],
    ['LockPersonality', 'yes'],
    ['KeyringMode', 'private'],
    ['SystemCallArchitectures', 'native'],
    ['SystemCallErrorNumber', 'EPERM'],
  ])('has %s=%s', (key, value) => {
    expect(the(key)).toBe(value);
  });

  test.skipIf(analyze === null)('is exposed to at most 1.5, as systemd-analyze counts', () => {
    const { exitCode, stdout } = Bun.spawnSync(
      [analyze ?? '', 'security', '--offline=true', '--threshold=15', '--no-pager', FILE],
      { env: { PATH: Bun.env.PATH } },
    );
    expect([exitCode, `${stdout}`.trim().split('\n').at(-1)]).toEqual([
      0,
      expect.stringContaining('Overall'),
    ]);
  });

  test('allows the system calls of a service, without those that need privileges or take resources', () => {
    expect(unit.get('SystemCallFilter')).toEqual(['@system-service', '~@privileged @resources']);
  });
});
