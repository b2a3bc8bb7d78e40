/** Everything a lab starts ends with it: by its process id, whatever way the lab ends. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const pids = new Map<number, NodeJS.Signals>();
const folders = new Set<string>();
let isArmed = false;

/** Ends all that is still running and removes the temporary folders. For tests: the runner does it for nobody. */
export function sweep(): void {
  for (const [pid, signal] of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already.
    }
  }
  pids.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

function arm(): void {
  if (isArmed) return;
  isArmed = true;
  process.on('exit', sweep);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    // A program with a handler of its own decides itself when to end; the sweep then comes with its exit.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    });
  }
}

/**
 * A command whose process the kernel ends when this one dies, whatever it dies of: the test runner ends on Ctrl-C without
 * a word to anybody. Its pid is the command's own.
 */
export function leashed(command: readonly string[], signal: NodeJS.Signals = 'SIGKILL'): string[] {
  const setpriv = Bun.which('setpriv');

  return setpriv === null ? [...command] : [setpriv, '--pdeathsig', signal.slice(3), ...command];
}

/** A command that runs in a network namespace, of the name `ip netns` has for it; its pid is the command's own. */
export function inNamespace(namespace: string | undefined, command: readonly string[]): readonly string[] {
  return namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command];
}

/**
 * Makes sure that a process ends with this one.
 * @param signal SIGTERM for programs that have children of their own to end
 */
export function own<T extends { readonly pid: number; readonly exited: Promise<number> }>(
  child: T,
  signal: NodeJS.Signals = 'SIGKILL',
): T {
  arm();
  pids.set(child.pid, signal);
  child.exited.then(() => pids.delete(child.pid));

  return child;
}

/** An empty folder that is removed when the program ends. */
export function temporaryFolder(): string {
  arm();
  const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-lab-'));
  folders.add(folder);

  return folder;
}

/** Calls `probe` until it says something other than undefined; throws what `describe` says if that takes too long. */
export async function poll<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  describe: () => string,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms: ${describe()}`);
    await Bun.sleep(10);
  }
}

/** Asks a process to end, and ends it if it does not within `graceMs`. Returns its exit code. */
export async function endProcess(
  child: { kill(signal: NodeJS.Signals): void; readonly exited: Promise<number> },
  graceMs = 5000,
): Promise<number> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  const code = await child.exited;
  clearTimeout(timer);

  return code;
}
