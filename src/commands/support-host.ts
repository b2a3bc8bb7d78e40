/** What the support bundle tells of the host and of the unit. Nothing here fails: what cannot be had is told. */

import { readFileSync, statfsSync } from 'node:fs';
import {
  availableParallelism,
  cpus,
  freemem,
  hostname,
  version as kernel,
  loadavg,
  totalmem,
  uptime,
} from 'node:os';
import { dirname } from 'node:path';
import { size } from './table.ts';

/** How long a program may run, ms. */
const MAX_RUN_MS = 10_000;
/** Bytes of its output that are kept, the last ones. */
const MAX_OUTPUT = 8_000_000;
/** Bytes of a file of the system. */
const MAX_FILE = 100_000;

/** The unit of the service. */
const UNIT = 'rtp-cluster.service';
const BACKUP_UNIT = 'rtp-cluster-backup.service';
const JOURNAL_LINES = 5000;

/** Facts of the host. */
export function hostFacts(database: string): string {
  const processors = cpus();

  return [
    `host: ${hostname()}`,
    `kernel: ${kernel()} (${process.platform} ${process.arch})`,
    `processors: ${availableParallelism()} of ${processors.length}, ${processors[0]?.model ?? 'unknown'}`,
    `memory: ${size(totalmem())}, free ${size(freemem())}`,
    `load: ${loadavg()
      .map((value) => value.toFixed(2))
      .join(' ')}`,
    `up for: ${Math.round(uptime())} s`,
    `time: ${new Date().toISOString()}`,
    `this user: ${process.geteuid?.() ?? 'unknown'}`,
    diskLine(dirname(database)),
    '',
    section('/etc/os-release'),
    section('/proc/self/limits'),
    section('/proc/meminfo'),
    section('/proc/pressure/cpu'),
    section('/proc/pressure/memory'),
    section('/proc/pressure/io'),
  ].join('\n');
}

function diskLine(folder: string): string {
  try {
    const { bsize, blocks, bavail, files, ffree } = statfsSync(folder);

    return `disk of ${folder}: ${size(blocks * bsize)}, free ${size(bavail * bsize)}; inodes ${files}, free ${ffree}`;
  } catch (error) {
    return `disk of ${folder}: ${String(error)}`;
  }
}

function section(file: string): string {
  try {
    return `== ${file}\n${readFileSync(file, 'utf8').slice(0, MAX_FILE).trimEnd()}\n`;
  } catch (error) {
    return `== ${file}: ${String(error)}\n`;
  }
}

/** What systemd knows of the service: properties, state, the unit with its drop-ins, limits of the process. */
export async function unitFacts(): Promise<string> {
  const [show, status, files, timer, pid] = await Promise.all([
    capture(['systemctl', 'show', '--no-pager', UNIT]),
    capture(['systemctl', 'status', '--no-pager', '--full', '--lines=0', UNIT]),
    capture(['systemctl', 'cat', '--no-pager', UNIT]),
    capture(['systemctl', 'list-timers', '--no-pager', '--all', 'rtp-cluster*']),
    capture(['systemctl', 'show', '--property=MainPID', '--value', UNIT]),
  ]);
  const main = /^(\d+)\s*$/.exec(pid)?.[1] ?? '0';
  const limits = main === '0' ? [] : [section(`/proc/${main}/limits`), section(`/proc/${main}/status`)];

  return [status, show, files, timer, ...limits].join('\n');
}

/** The end of the log of the service, and of its backups. */
export function journal(): Promise<string> {
  return capture([
    'journalctl',
    '--no-pager',
    '--output=short-iso-precise',
    `--lines=${JOURNAL_LINES}`,
    `--unit=${UNIT}`,
    `--unit=${BACKUP_UNIT}`,
  ]);
}

/** What a program prints, the last of it; what went wrong is a line of it. */
async function capture(command: readonly string[]): Promise<string> {
  const title = `== ${command.join(' ')}`;
  if (Bun.which(command[0] ?? '') === null) return `${title}: there is no ${command[0]} here\n`;
  try {
    const child = Bun.spawn([...command], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => late.resolve('late'), MAX_RUN_MS);
    const output = new Tail();
    const read = Promise.all([output.take(child.stdout), output.take(child.stderr), child.exited]);
    const ended = await Promise.race([read, late.promise]);
    clearTimeout(timer);
    if (ended !== 'late') return `${title}: exit ${ended[2]}\n${output.text()}\n`;
    child.kill('SIGKILL');
    // What it has started may hold the pipes; nobody waits for that.
    read.catch(() => undefined);

    return `${title}: ended after ${MAX_RUN_MS / 1000} s\n${output.text()}\n`;
  } catch (error) {
    return `${title}: ${String(error)}\n`;
  }
}

/** Keeps the last bytes of what it is given. */
class Tail {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  async take(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      while (this.#size - (this.#chunks[0]?.length ?? 0) >= MAX_OUTPUT)
        this.#size -= this.#chunks.shift()?.length ?? 0;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
