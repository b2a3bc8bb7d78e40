/**
 * `npm test`: everything. Installs Debian packages that are missing (when root), checks types and style, builds the
 * binary, runs unit, contract and end-to-end tests, and ends with `N passed, N failed, N skipped`.
 * `npm test -- unit contract` runs only these parts.
 */

import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from '../test/lab/apt.ts';
import { makeRoot, whyNoRoot } from '../test/lab/debian-root.ts';

const root = join(import.meta.dir, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
const scratch = mkdtempSync(join(tmpdir(), 'rtp-cluster-test-'));
// Some tests run the program as other users.
chmodSync(scratch, 0o755);

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}
/** What tests are told beside what we were told. Files they leave behind go with ours. */
const told: Record<string, string> = { TMPDIR: scratch };
const total: Count = { passed: 0, failed: 0, skipped: 0 };

function say(text: string): void {
  console.log(`\n== ${text}`);
}

function spawn(command: string, args: readonly string[]): number {
  return Bun.spawnSync([command, ...args], {
    cwd: root,
    env: { ...Bun.env, ...told },
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
  }).exitCode;
}

/** A step that passes or fails as a whole. */
function step(title: string, command: string, args: readonly string[]): void {
  say(title);
  if (spawn(command, args) === 0) total.passed++;
  else total.failed++;
}

/** A folder of tests, counted one by one. */
function suite(folder: string): void {
  say(`tests in ${folder}`);
  const report = join(scratch, `${folder.replaceAll('/', '-')}.xml`);
  const flags = ['--reporter=junit', `--reporter-outfile=${report}`, '--timeout=60000'];
  const code = spawn(process.execPath, ['test', `./${folder}`, ...flags]);
  const count = readReport(report);
  // A crash of the runner leaves tests uncounted; it must not look like success.
  if (count === undefined || (code !== 0 && count.failed === 0)) total.failed++;
  if (count === undefined) return;
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}

/** The sums of a JUnit report; undefined if there is none. */
function readReport(path: string): Count | undefined {
  let head: string | undefined;
  try {
    head = /<testsuites [^>]*>/.exec(readFileSync(path, 'utf8'))?.[0];
  } catch {
    return undefined;
  }
  const value = (name: string): number => Number(new RegExp(` ${name}="(\\d+)"`).exec(head ?? '')?.[1] ?? 0);
  const [all, failed, skipped] = [value('tests'), value('failures'), value('skipped')];

  return head === undefined ? undefined : { passed: all - failed - skipped, failed, skipped };
}

const PARTS: Readonly<Record<string, () => void>> = {
  types: () => {
    step('types (tsc)', bin('tsc'), ['--noEmit', '-p', '.']);
    step('types of the page (tsc)', bin('tsc'), ['--noEmit', '-p', 'src/ui/page']);
  },
  style: () => step('lint and format (biome)', bin('biome'), ['check', '--error-on-warnings', '.']),
  unit: () => suite('test/unit'),
  build: () => step('build of the binary', process.execPath, ['scripts/build.ts']),
  contract: () => suite('test/contract'),
  e2e: () => suite('test/e2e'),
  netns: () => suite('test/netns'),
  browser: () => suite('test/browser'),
  install: () => {
    provideRoot();
    suite('test/install');
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  console.error(`there is no part "${unknown}"; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
const parts = wanted.length === 0 ? Object.keys(PARTS) : wanted;
if (parts.includes('contract')) await ensure(['rtpengine-daemon'], 'a real relay');
if (parts.includes('e2e'))
  await ensure(
    ['kamailio', 'kamailio-utils-modules', 'sip-tester', 'prometheus'],
    'real SIP calls, and metrics as Prometheus reads them',
  );
if (parts.includes('netns'))
  await ensure(
    ['kamailio', 'kamailio-utils-modules', 'sip-tester', 'rtpengine-daemon', 'iproute2', 'nftables'],
    'real calls in network namespaces',
  );
if (parts.includes('browser'))
  await ensure(['rtpengine-daemon', 'chromium', 'fonts-wqy-zenhei'], 'the dashboard in a browser');
if (parts.includes('unit'))
  await ensure(['shellcheck', 'zsh', 'fish'], 'a look at install.sh, and completion');
if (parts.includes('install'))
  await ensure(
    ['debootstrap', 'systemd-container', 'rtpengine-daemon', 'iproute2'],
    'an installation on a booted Debian',
  );
for (const part of parts) PARTS[part]?.();
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);

/** A bare Debian for machines to boot from; RTPC_INSTALL_ROOT names one to take, or to make and keep. */
function provideRoot(): void {
  say('a bare Debian 12 (debootstrap)');
  const folder = Bun.env.RTPC_INSTALL_ROOT ?? join(scratch, 'debian');
  const startedAt = performance.now();
  const reason = whyNoRoot() ?? makeRoot(folder);
  if (reason === undefined) {
    told.RTPC_INSTALL_ROOT = folder;
    console.log(`${folder}, after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  } else say(`there is none: ${reason}. Tests that need it are skipped`);
}

async function ensure(packages: readonly string[], why: string): Promise<void> {
  const reason = await ensurePackages(packages, why);
  if (reason !== undefined)
    say(`${packages.join(', ')} cannot be installed: ${reason}. Tests that need them are skipped`);
}
