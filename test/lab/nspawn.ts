/**
 * A machine: Debian with systemd as PID 1, booted by systemd-nspawn on a copy of a root, in a network of its own. What happens
 * in it is told by its commands and its journal; the machine around it keeps nothing of it.
 *
 * The copy is an overlay, so it costs nothing to make. The network is a namespace of `ip netns`, so it outlives a reboot, and
 * relays and load generators of the lab can be started in it without being installed in the machine.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ext4Disk } from './ext4-disk.ts';
import { type Place, placeIn } from './netns.ts';
import { Slot, type SlotOptions } from './nspawn-slot.ts';
import { leashed, own, poll } from './processes.ts';

/** Longest time for a boot, a power-off, a unit to become what it should, in milliseconds. */
const PATIENCE_MS = 30_000;
/** What root has in its environment after logging in. */
const ENV = ['env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'];

export interface Result {
  readonly code: number;
  /** What it wrote, both outputs, in order. */
  readonly text: string;
}

export interface HttpAnswer {
  /** 0 if nobody answered. */
  readonly status: number;
  readonly text: string;
}

/** Asked by a process of its own, because only a process can live in another network. */
const ASK = `const [url, init] = process.argv.slice(1);
const answer = await fetch(url, JSON.parse(init)).then(async (r) => ({ status: r.status, text: await r.text() }), (e) => ({ status: 0, text: String(e) }));
console.log(JSON.stringify(answer));`;

export class Machine {
  /** Its network, for relays, phones and load generators. */
  readonly place: Place;
  readonly #slot: Slot;
  #nspawn: Bun.Subprocess | undefined;
  /** PID 1, as it is known out here. */
  #init = 0;
  #console = '';

  private constructor(slot: Slot) {
    this.#slot = slot;
    this.place = placeIn(slot.name);
  }

  /** A machine that has just been installed, switched on. */
  static async boot(options: SlotOptions = {}): Promise<Machine> {
    const slot = await Slot.make(options);
    const machine = new Machine(slot);
    try {
      await machine.switchOn();
    } catch (error) {
      await machine.stop();
      throw error;
    }

    return machine;
  }

  /** Of the machine, its network and its cgroup; nobody else's. */
  get name(): string {
    return this.#slot.name;
  }

  /** The disk it was given. */
  get disk(): Ext4Disk {
    if (this.#slot.disk === undefined) throw new Error('this machine has no disk of its own');

    return this.#slot.disk;
  }

  /** A process of the machine as it is known out here; undefined if it is gone. */
  pidOutside(pid: number): number | undefined {
    const pids = this.#slot.cgroups
      .flatMap((folder) => [...new Bun.Glob('**/cgroup.procs').scanSync({ cwd: folder, absolute: true })])
      .flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'));

    return pids.map(Number).find((candidate) => innerPid(candidate) === pid);
  }

  /** Where a file of the machine is out here. Mounts that it made itself are not seen there. */
  path(file: string): string {
    return join(this.#slot.root, file);
  }

  /** Boots it, until systemd has done what it does at a boot. */
  async switchOn(): Promise<void> {
    const enter = this.#slot.cgroups.map((folder) => `echo $$ > ${folder}/cgroup.procs`).join('; ');
    const child = own(
      Bun.spawn(
        leashed([
          ...['sh', '-c', `${enter}; exec "$@"`, 'sh'],
          ...[
            'systemd-nspawn',
            '--quiet',
            '--boot',
            `--directory=${this.path('')}`,
            `--machine=${this.name}`,
          ],
          ...[
            `--network-namespace-path=/run/netns/${this.name}`,
            '--register=no',
            '--keep-unit',
            '--console=pipe',
          ],
        ]),
        { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
      ),
    );
    this.#nspawn = child;
    this.#console = '';
    for (const stream of [child.stdout, child.stderr]) this.#listen(stream);
    this.#init = await poll(
      () => {
        if (child.exitCode !== null) throw new Error(`systemd-nspawn ended:\n${this.#console}`);

        return this.#initOf(child.pid);
      },
      () => `systemd-nspawn starts nothing:\n${this.#console}`,
      PATIENCE_MS,
    );
    await poll(
      async () => {
        const { text } = await this.run('systemctl', 'is-system-running');

        return ['running', 'degraded'].includes(text) ? true : undefined;
      },
      () => `the machine does not boot:\n${this.#console}`,
      PATIENCE_MS,
    );
  }

  /** Switches it off, as its power button does. */
  async switchOff(): Promise<void> {
    // SIGRTMIN+4, systemd's word for it.
    if (this.#nspawn?.exitCode === null) process.kill(this.#init, 38);
    const late = setTimeout(() => this.#pullPlug(), PATIENCE_MS);
    await this.#nspawn?.exited;
    clearTimeout(late);
  }

  async reboot(): Promise<void> {
    await this.switchOff();
    await this.switchOn();
  }

  /** As if the power was cut: nothing is told to end. */
  async crash(): Promise<void> {
    this.#pullPlug();
    await this.#nspawn?.exited;
  }

  /** Runs a command in it, as root. */
  async run(...words: string[]): Promise<Result> {
    const child = own(
      Bun.spawn(
        leashed([
          ...['nsenter', '--target', `${this.#init}`, '--all', '--', ...ENV],
          // One pipe for both outputs keeps their order.
          ...['sh', '-c', 'exec "$@" 2>&1', 'sh', ...words],
        ]),
        { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' },
      ),
    );
    const [code, text] = await Promise.all([child.exited, new Response(child.stdout).text()]);

    return { code, text: text.trim() };
  }

  /** What a command wrote; throws if it failed. */
  async must(...words: string[]): Promise<string> {
    const { code, text } = await this.run(...words);
    if (code !== 0) throw new Error(`${words.join(' ')}: code ${code}\n${text}`);

    return text;
  }

  /** Runs a line of shell; throws if it failed. */
  shell(line: string): Promise<string> {
    return this.must('sh', '-c', line);
  }

  /** The value of a property of a unit. */
  property(unit: string, name: string): Promise<string> {
    return this.must('systemctl', 'show', '--value', `--property=${name}`, unit);
  }

  /** Waits until a unit is `active`, `failed` or what else `systemctl is-active` says. */
  async until(unit: string, state = 'active'): Promise<void> {
    await poll(
      async () => ((await this.run('systemctl', 'is-active', unit)).text === state ? true : undefined),
      () => `${unit} does not become ${state}`,
      PATIENCE_MS,
    );
  }

  /** What a unit, and systemd about it, wrote to the journal. */
  async journal(unit: string): Promise<string> {
    await this.run('journalctl', '--sync');

    return await this.must('journalctl', '--no-pager', '--output=short-unix', `--unit=${unit}`);
  }

  /** Asks somebody in the network of the machine. */
  async http(url: string, init: Readonly<Record<string, unknown>> = {}): Promise<HttpAnswer> {
    const text = await this.outside(process.execPath, '-e', ASK, url, JSON.stringify(init));

    return JSON.parse(text) as HttpAnswer;
  }

  /** Runs a program of out here in the network of the machine; returns what it wrote to standard output, throws if it failed. */
  async outside(...words: string[]): Promise<string> {
    const child = own(
      Bun.spawn(leashed(['ip', 'netns', 'exec', this.name, ...words]), {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'inherit',
      }),
    );
    const [code, text] = await Promise.all([child.exited, new Response(child.stdout).text()]);
    if (code !== 0) throw new Error(`${words.join(' ')}: code ${code}\n${text}`);

    return text;
  }

  /** Ends it and removes all that is left of it. */
  async stop(): Promise<void> {
    await this.#slot.clear();
  }

  #pullPlug(): void {
    // What is in a PID namespace goes with its PID 1, and systemd-nspawn goes with that.
    if (this.#init !== 0) process.kill(this.#init, 'SIGKILL');
  }

  /** The child of systemd-nspawn that is number 1 in a namespace of its own; it has others while it starts. */
  #initOf(nspawn: number): number | undefined {
    try {
      const children = readFileSync(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8').trim().split(' ');

      return children.map(Number).find((pid) => innerPid(pid) === 1);
    } catch {
      // It has just gone.
      return undefined;
    }
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) this.#console = (this.#console + Buffer.from(chunk)).slice(-65_536);
  }
}

/** The number a process has in the innermost namespace it is in. */
function innerPid(pid: number): number | undefined {
  try {
    const line = /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));

    return line === null ? undefined : Number(line[1]);
  } catch {
    // Gone.
    return undefined;
  }
}
