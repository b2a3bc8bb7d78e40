/**
 * A bare Debian 12 in a folder, as debootstrap leaves it, with some packages in apt's cache: a machine booted from it has no
 * network, and is still asked to install them.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RELEASE = 'bookworm';
/** What a minimal Debian with systemd and an address has; nothing else, so that install.sh may not rely on it. */
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'iproute2', 'procps', 'ca-certificates'];
/** Put into the cache of apt, not installed. */
const CACHED = ['rtpengine-daemon', 'libfaketime'];
/** Says that a root is whole. */
const STAMP = '.rtp-cluster-root';

/** Why no root can be made here, or undefined. */
export function whyNoRoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'a root of Debian wants root to be made';
  if (Bun.which('debootstrap') === null) return 'not installed: debootstrap';

  return mirror() === undefined ? 'no mirror of Debian in the sources of apt' : undefined;
}

/**
 * Makes a root in `folder`, unless there is one that an earlier run has finished.
 * @returns what went wrong, or undefined
 */
export function makeRoot(folder: string): string | undefined {
  if (existsSync(join(folder, STAMP))) return undefined;
  mkdirSync(folder, { recursive: true });
  const include = `--include=${PACKAGES.join(',')}`;
  const steps = [
    ['debootstrap', '--variant=minbase', include, RELEASE, folder, mirror() ?? ''],
    ['chroot', folder, 'apt-get', 'update', '-q'],
    ['chroot', folder, 'apt-get', 'install', '-qy', '--download-only', '--no-install-recommends', ...CACHED],
  ];
  for (const step of steps) {
    // A package is installed in a third of the time when its files are not waited for.
    if (step[0] === 'chroot') writeFileSync(join(folder, 'etc/dpkg/dpkg.cfg.d/lab'), 'force-unsafe-io\n');
    const { exitCode, stdout, stderr } = Bun.spawnSync(step, { stdin: 'ignore' });
    const words = `${stdout}${stderr}`.trim().split('\n').slice(-3).join(' ');
    if (exitCode !== 0) return `${step.slice(0, 3).join(' ')}: ${words}`;
  }
  writeFileSync(join(folder, STAMP), '');

  return undefined;
}

/** Where this host has its own packages from. */
function mirror(): string | undefined {
  if (Bun.which('apt-get') === null) return undefined;
  const format = '$(LABEL) $(CODENAME) $(REPO_URI)';
  const { stdout } = Bun.spawnSync(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']);
  const lines = stdout
    .toString()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([label]) => label === 'Debian');

  return (lines.find(([, codename]) => codename === RELEASE) ?? lines[0])?.[2];
}
