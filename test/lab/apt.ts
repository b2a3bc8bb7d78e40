/** Installs Debian packages the lab needs, where that is possible; says what it does. */

import { existsSync, rmSync, writeFileSync } from 'node:fs';

const POLICY = '/usr/sbin/policy-rc.d';

/** The packages of a list that are not installed. */
function missingOf(packages: readonly string[]): string[] {
  return packages.filter((name) => {
    const query = Bun.spawnSync(['dpkg-query', '--status', name], { stderr: 'ignore' });

    return !query.stdout.toString().includes('install ok installed');
  });
}

/**
 * Makes sure that packages are installed. Their services are kept from starting: the lab starts what it needs itself.
 * @param why what they are needed for, for the user
 * @returns why they are not there, or undefined if they are
 */
export function ensurePackages(
  packages: readonly string[],
  why: string,
  say: (line: string) => void = console.log,
): string | undefined {
  if (Bun.which('apt-get') === null || Bun.which('dpkg-query') === null) {
    return `this is no Debian, so ${packages.join(', ')} cannot be installed from here`;
  }
  const missing = missingOf(packages);
  if (missing.length === 0) return undefined;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) {
    return `${missing.join(', ')} missing, and without root it cannot be installed; as root: ${command}`;
  }
  say(`installing ${missing.join(', ')}, needed for ${why}: apt-get update; ${command}`);
  // Asked by every package's install script whether its service may start; 101 is "no".
  const isOurs = !existsSync(POLICY);
  if (isOurs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    for (const args of [
      ['update', '-q'],
      ['install', '-y', '-q', '--no-install-recommends', ...missing],
    ]) {
      const apt = Bun.spawnSync(['apt-get', ...args], {
        env: { ...Bun.env, DEBIAN_FRONTEND: 'noninteractive' },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      });
      if (apt.exitCode !== 0) {
        const words = apt.stderr.toString().trim() || apt.stdout.toString().trim();

        return `apt-get ${args[0]} failed: ${words.split('\n').slice(-3).join(' ')}`;
      }
    }
  } finally {
    if (isOurs) rmSync(POLICY, { force: true });
  }
  disableServices(missing, say);

  return undefined;
}

/** Nor may what we installed start with the machine; `systemctl enable` undoes it. */
function disableServices(packages: readonly string[], say: (line: string) => void): void {
  if (!existsSync('/run/systemd/system')) return;
  const files = Bun.spawnSync(['dpkg-query', '-L', ...packages])
    .stdout.toString()
    .split('\n');
  for (const file of files) {
    const unit = /\/systemd\/system\/([^/]+\.service)$/.exec(file)?.[1];
    if (unit === undefined) continue;
    const { exitCode } = Bun.spawnSync(['systemctl', 'disable', '--quiet', unit], { stderr: 'ignore' });
    if (exitCode === 0) say(`${unit} is disabled; "systemctl enable --now ${unit}" starts it`);
  }
}
