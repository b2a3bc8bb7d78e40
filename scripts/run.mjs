#!/usr/bin/env node
/**
 * Every task of the project: `node scripts/run.mjs TASK [ARGS]`, behind the npm scripts. Runs on Node alone: it installs
 * what package-lock.json pins when that is missing or old, Bun among it, and goes on with Bun.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => join(root, 'node_modules', '.bin', name);
const bun = bin('bun');

/** What each task runs, after the packages are there. */
const TASKS = {
  build: (args) => run(bun, ['scripts/build.ts', ...args]),
  release: (args) => run(bun, ['scripts/release.ts', ...args]),
  check: () =>
    run(bin('tsc'), ['--noEmit', '-p', '.']) ||
    run(bin('tsc'), ['--noEmit', '-p', 'src/ui/page']) ||
    run(bin('biome'), ['check', '--error-on-warnings', '.']),
  format: () => run(bin('biome'), ['check', '--write', '.']),
  test: (args) => run(bun, ['scripts/test.ts', ...args]),
  e2e: () => run(bun, ['scripts/test.ts', 'netns']),
  'test:install': () => run(bun, ['scripts/test.ts', 'install']),
  demo: (args) => run(bun, ['scripts/demo.ts', ...args]),
  bench: (args) => run(bun, ['test/bench/bench.ts', ...args]),
  rehearse: (args) => run(bun, ['test/rehearse/rehearse.ts', ...args]),
  migration: (args) => run(bin('drizzle-kit'), ['generate', ...args]),
};

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) say(`cannot run ${command}: ${error.message}`);

  return signal === null ? (status ?? 1) : 1;
}

function say(text) {
  process.stderr.write(`rtp_cluster: ${text}\n`);
}

/** Installs the packages if the lock file has changed since they were installed. */
function ensurePackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.rtp-cluster-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return 0;
  say('installing the packages of package-lock.json (npm ci)');
  const status = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status !== 0) return status;
  // An npm that does not run install scripts leaves a stub in place of Bun; its own installer puts that right.
  if (statSync(join(root, 'node_modules', 'bun', 'bin', 'bun.exe')).size < 1_000_000) {
    say('npm did not run the installer of the package "bun"; running it now');
    const repaired = run(process.execPath, [join('node_modules', 'bun', 'install.js')]);
    if (repaired !== 0) return repaired;
  }
  rmSync(stamp, { force: true });
  writeFileSync(stamp, lock);

  return 0;
}

const [task = '', ...args] = process.argv.slice(2);
const todo = Object.hasOwn(TASKS, task) ? TASKS[task] : undefined;
if (todo === undefined) {
  say(`there is no task "${task}"; there are ${Object.keys(TASKS).join(', ')}`);
  process.exit(2);
}
process.exitCode = ensurePackages() || todo(args);
