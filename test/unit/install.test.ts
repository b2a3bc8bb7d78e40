/** The installer and the release, as far as they can be tried without installing: test/install does the rest. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { control, makeDeb } from '../../scripts/package/deb.ts';
import { makeTarball } from '../../scripts/package/tarball.ts';
import { type Parts, sumOf, writeSums } from '../../scripts/package/tools.ts';
import { readSource } from '../../scripts/program.ts';
import { pinned } from '../../scripts/runtime.ts';

const ROOT = join(import.meta.dir, '..', '..');
const INSTALLER = join(ROOT, 'install.sh');
const SCRIPTS = readdirSync(join(ROOT, 'scripts', 'debian')).map((name) =>
  join(ROOT, 'scripts', 'debian', name),
);
const EPOCH = 1_700_000_000;
const scratch = mkdtempSync(join(tmpdir(), 'rtp-cluster-install-'));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Result {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    env: { PATH: Bun.env.PATH ?? '', TMPDIR: scratch, ...env },
    stdin: 'ignore',
  });

  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

/** A folder as of a tarball, with a program that knows just enough for a dry run. */
function unpacked(name: string, version = '9.9.9'): string {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  for (const part of ['install.sh', 'systemd'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  const program = join(folder, 'rtp-cluster');
  // A place of its own, so that whatever listens on this host does not matter.
  writeFileSync(
    program,
    `#!/bin/sh
case $1 in
--version) echo "rtp-cluster ${version} (commit 01234567, bun 1.4.5)" ;;
check) echo "http.listen  127.0.0.1:1  test"; echo "ng.listen  none  test" ;;
esac
`,
  );
  chmodSync(program, 0o755);

  return folder;
}

describe('the shell scripts', () => {
  test('are read by sh without complaint', () => {
    for (const script of [INSTALLER, ...SCRIPTS])
      expect(run(['sh', '-n', script])).toEqual({ code: 0, out: '', err: '' });
  });

  test.skipIf(Bun.which('shellcheck') === null)('satisfy shellcheck', () => {
    expect(run(['shellcheck', INSTALLER, ...SCRIPTS])).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('install.sh', () => {
  const text = readFileSync(INSTALLER, 'utf8');
  const help = run([INSTALLER, '--help']);

  test('explains every flag it knows', () => {
    const flags = [...text.matchAll(/^\t(--[a-z-]+)\b[^\n]*\)/gm)].map(([, flag = '']) => flag);
    expect(new Set(flags).size).toBeGreaterThan(8);
    for (const flag of flags) expect(help.out).toContain(flag);
    expect(help.code).toBe(0);
  });

  test.each([
    [['--frobnicate'], 'there is no flag "--frobnicate"'],
    [['install'], 'there is no flag "install"'],
    [['--purge'], '--purge goes with --uninstall'],
    [['--public-ip', '192.0.2.1'], '--public-ip goes with --with-local-rtpengine'],
    [['--with-local-rtpengine', '--public-ip=here'], '--public-ip is "here", which is no IP address'],
    [['--prefix', 'opt'], '--prefix is "opt"; it must be an absolute path'],
    [['--prefix=/opt/a b'], '--prefix is "/opt/a b"; it must be an absolute path'],
    [['--prefix'], '--prefix wants a folder'],
    [['--token=secret'], 'the token has 6 characters; allowed are 16 or more'],
    [['--token=0123456789abcdef$'], 'a token has only letters, digits'],
    [['--token=-'], '--token=-: standard input is empty'],
  ])('called wrongly with %p, says so and exits with 2', (flags, message) => {
    const { code, err } = run([INSTALLER, ...flags]);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  test('never repeats a token it refuses', () => {
    const { err } = run([INSTALLER, '--token=geheim$geheim$geheim']);
    expect(err).not.toContain('geheim');
  });

  test('--version tells what is here, and needs no rights', () => {
    const { code, out } = run([
      join(unpacked('version', '3.2.1'), 'install.sh'),
      '--version',
      '--prefix',
      scratch,
    ]);
    expect(out).toBe('installed: nothing\nhere:      rtp-cluster 3.2.1 (commit 01234567, bun 1.4.5)\n');
    expect(code).toBe(0);
  });

  test('refuses a prefix the service could not see', () => {
    const folder = unpacked('hidden');
    const { code, err } = run([join(folder, 'install.sh'), '--dry-run', '--prefix', '/home/somebody']);
    expect(err).toContain('the service cannot see home and temporary folders');
    expect(code).toBe(1);
  });

  test('says that a program is none', () => {
    const folder = unpacked('garbage');
    writeFileSync(join(folder, 'rtp-cluster'), 'this is a text and more than eighteen bytes');
    const { code, err } = run([join(folder, 'install.sh'), '--dry-run', '--prefix', '/opt/rtpc']);
    expect(err).toContain('is no Linux program for x64 or arm64');
    expect(code).toBe(1);
  });

  const isInstalled = ['/etc/systemd/system', '/lib/systemd/system'].some((folder) =>
    existsSync(`${folder}/rtp-cluster.service`),
  );
  test.skipIf(isInstalled)('--dry-run names what it would write, and writes nothing', () => {
    const prefix = '/opt/rtp-cluster-of-a-test';
    const { code, out } = run([
      join(unpacked('dry'), 'install.sh'),
      '--dry-run',
      '--prefix',
      prefix,
      '--token',
    ]);
    const named = [...out.matchAll(/^dry run: writing ([^\s:]+)/gm)].map(([, file = '']) => file);
    expect(named).toContain(`${prefix}/bin/rtp-cluster`);
    expect(named).toContain('/etc/systemd/system/rtp-cluster.service');
    expect(named).toContain('/usr/lib/sysusers.d/rtp-cluster.conf');
    expect(named).toContain('/etc/rtp-cluster/tokens');
    expect(named.filter((file) => existsSync(file))).toEqual([]);
    expect(out).toEndWith('Nothing was changed (--dry-run).\n');
    expect(code).toBe(0);
  });
});

describe('the version stamp', () => {
  const tree = (name: string, commit: string): string => {
    const root = join(scratch, name);
    mkdirSync(join(root, 'scripts'), { recursive: true });
    writeFileSync(join(root, 'scripts', 'commit.txt'), `${commit}\n`);

    return root;
  };
  const git = (root: string, ...args: readonly string[]): string => {
    const identity = {
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@b',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@b',
    };
    const { code, out, err } = run(['git', '-C', root, ...args], { HOME: scratch, ...identity });
    if (code !== 0) throw new Error(err);

    return out.trim();
  };

  test('of an archive is the commit that git wrote into it', () => {
    const { version, commit } = readSource(tree('archive', '0123456789abcdef0123456789abcdef01234567'));
    expect({ version, commit }).toEqual({ version: manifest.version, commit: '01234567' });
  });

  test('of a tree that says nothing is "unknown", also inside of another checkout', () => {
    const outer = tree('outer', '');
    git(outer, 'init', '-q');
    git(outer, 'add', '.');
    git(outer, 'commit', '-qm', 'x');
    expect(readSource(tree('alone', '$Format:%H$')).commit).toBe('unknown');
    expect(readSource(tree('outer/inner', '$Format:%H$')).commit).toBe('unknown');
  });

  test('of a checkout is its commit, and says when files differ from it', () => {
    const root = tree('checkout', '$Format:%H$');
    git(root, 'init', '-q');
    git(root, 'add', '.');
    git(root, 'commit', '-qm', 'x', '--date=@1700000000');
    const id = git(root, 'rev-parse', 'HEAD').slice(0, 8);
    expect(readSource(root).commit).toBe(id);
    writeFileSync(join(root, 'new.ts'), '');
    expect(readSource(root).commit).toBe(`${id}-dirty`);
  });

  test('is put in by git: commit.txt has the mark, and .gitattributes names it', () => {
    expect(readFileSync(join(ROOT, 'scripts', 'commit.txt'), 'utf8')).toBe('$Format:%H$\n');
    expect(readFileSync(join(ROOT, '.gitattributes'), 'utf8')).toContain('scripts/commit.txt export-subst');
  });
});

test('the runtimes of a release are pinned with their sums, in the version that builds', () => {
  for (const name of ['@oven/bun-linux-x64', '@oven/bun-linux-aarch64']) {
    expect(pinned(name)?.version).toBe(manifest.devDependencies.bun);
    expect(pinned(name)?.integrity).toStartWith('sha512-');
  }
});

const HAS_TOOLS = ['tar', 'gzip', 'dpkg-deb'].every((tool) => Bun.which(tool) !== null);

describe.skipIf(!HAS_TOOLS)('a release', () => {
  /** The packages of one build, in a folder of their own. */
  function release(name: string): string {
    const out = join(scratch, name);
    mkdirSync(out, { recursive: true });
    const binary = join(unpacked(`${name}-program`), 'rtp-cluster');
    const parts: Parts = {
      root: ROOT,
      binary,
      arch: 'arm64',
      version: '9.9.9',
      epoch: EPOCH,
      out,
      work: join(scratch, `${name}-work`),
    };
    expect(makeTarball(parts)).toBe(join(out, 'rtp-cluster-9.9.9-linux-arm64.tar.gz'));
    expect(makeDeb(parts)).toBe(join(out, 'rtp-cluster_9.9.9_arm64.deb'));
    writeSums(out);

    return out;
  }
  let out = '';
  beforeAll(() => {
    out = release('first');
  });

  test('has the same bytes when it is made again, elsewhere and with another umask', () => {
    const before = process.umask(0o077);
    try {
      expect(readFileSync(join(release('second'), 'SHA256SUMS'), 'utf8')).toBe(
        readFileSync(join(out, 'SHA256SUMS'), 'utf8'),
      );
    } finally {
      process.umask(before);
    }
  });

  test('has sums that sha256sum accepts', () => {
    const { code } = run(['sh', '-c', `cd ${out} && sha256sum -c SHA256SUMS`]);
    expect(code).toBe(0);
    const listed = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(listed.map((line) => line.slice(66))).toEqual([
      'rtp-cluster-9.9.9-linux-arm64.tar.gz',
      'rtp-cluster_9.9.9_arm64.deb',
    ]);
    expect(listed[0]).toStartWith(sumOf(join(out, 'rtp-cluster-9.9.9-linux-arm64.tar.gz'), 'sha256'));
  });

  test('has one folder in the tarball, with all the installer and the documents need', () => {
    const { out: list } = run(['tar', '-tvzf', join(out, 'rtp-cluster-9.9.9-linux-arm64.tar.gz')]);
    const lines = list.trim().split('\n');
    const names = lines.map((line) => line.split(' ').at(-1) ?? '');
    expect(names.filter((name) => !name.startsWith('rtp-cluster-9.9.9-linux-arm64/'))).toEqual([]);
    for (const name of [
      'rtp-cluster',
      'install.sh',
      'systemd/rtp-cluster.service',
      'docs/ng.md',
      'LICENSE',
    ]) {
      expect(names).toContain(`rtp-cluster-9.9.9-linux-arm64/${name}`);
    }
    const owners = new Set(lines.map((line) => line.split(/\s+/)[1]));
    expect([...owners]).toEqual(['0/0']);
    expect(lines.find((line) => line.endsWith('/install.sh'))).toStartWith('-rwxr-xr-x');
  });

  test('has a package whose units start the packaged program', () => {
    const tree = join(scratch, 'tree');
    run(['dpkg-deb', '-x', join(out, 'rtp-cluster_9.9.9_arm64.deb'), tree]);
    const folder = join(tree, 'lib', 'systemd', 'system');
    const units = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(units.length).toBeGreaterThanOrEqual(3);
    expect(units.join('')).not.toContain('/usr/local');
    expect(readFileSync(join(folder, 'rtp-cluster.service'), 'utf8')).toContain(
      '\nExecStart=/usr/bin/rtp-cluster serve\n',
    );
    expect(existsSync(join(tree, 'usr/lib/sysusers.d/rtp-cluster.conf'))).toBe(true);
    expect(existsSync(join(tree, 'usr/lib/tmpfiles.d/rtp-cluster.conf'))).toBe(true);
  });

  test('has a package that says what it is, with all four scripts', () => {
    const file = join(out, 'rtp-cluster_9.9.9_arm64.deb');
    const field = (name: string): string => run(['dpkg-deb', '-f', file, name]).out.trim();
    expect([field('Package'), field('Version'), field('Architecture')]).toEqual([
      'rtp-cluster',
      '9.9.9',
      'arm64',
    ]);
    const folder = join(scratch, 'control');
    run(['dpkg-deb', '-e', file, folder]);
    expect(readdirSync(folder).sort()).toEqual([
      'control',
      'md5sums',
      'postinst',
      'postrm',
      'preinst',
      'prerm',
    ]);
    expect(control('1.2.3', 'amd64', 5)).toContain('\nInstalled-Size: 5\n');
  });
});
