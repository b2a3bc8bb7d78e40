/** A machine with the service of this source tree on it, as install.sh puts it there, and with relays to place calls on. */

import { expect } from 'bun:test';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBinary } from './appliance.ts';
import { Machine, type Result } from './nspawn.ts';
import { type SlotOptions, whyNoMachine } from './nspawn-slot.ts';
import { inNamespace, leashed, own, poll } from './processes.ts';
import { startRtpengine, whyNoRtpengine } from './rtpengine.ts';
import { buildSdp } from './sdp.ts';
import type { Report } from './traffic.ts';

const ROOT = join(import.meta.dir, '..', '..');
/** Where the files of a release are in the machine. */
export const RELEASE = '/root/rtp-cluster';
export const SERVICE = 'rtp-cluster.service';
export const BACKUPS = '/var/lib/rtp-cluster/backup';
export const DATABASE = '/var/lib/rtp-cluster/rtp-cluster.db';
/** Shell that lists all that is on a machine, but what a running system writes by itself: to be compared before and after. */
export const FILES = `find / -xdev \\( -path /var/log -o -path /var/cache -o -path /tmp -o -path /var/tmp -o -path /root \\
	-o -path /var/lib/systemd/random-seed -o -path '/var/lib/dpkg/*' -o -path '/var/lib/apt/*' \\) -prune -o -printf '%y %m %U:%G %p\\n' | sort; cat /etc/passwd /etc/group`;
const API = 'http://127.0.0.1:7888';
/** Longest time until a request to the API is answered, ms. */
const API_MS = 5000;

/** Why nothing can be installed on a machine here. With RTPC_REQUIRE_ALL=1 that fails the tests, so this says undefined then. */
export function whyNoInstall(): string | undefined {
  const reason = whyNoMachine() ?? whyNoRtpengine();

  return Bun.env.RTPC_REQUIRE_ALL === '1' ? undefined : reason;
}

/** The binary under test: RTPC_INSTALL_BINARY in development, else that of `npm run build`. */
export async function binaryUnderTest(): Promise<string> {
  return Bun.env.RTPC_INSTALL_BINARY ?? (await ensureBinary());
}

export class Installed {
  readonly machine: Machine;
  /** Of each call that was offered. */
  readonly #nodes = new Map<string, unknown>();

  private constructor(machine: Machine) {
    this.machine = machine;
  }

  /** A machine with the files of a release on it, and nothing done with them. */
  static async unpacked(options: SlotOptions = {}): Promise<Installed> {
    const binary = await binaryUnderTest();
    const machine = await Machine.boot(options);
    const folder = machine.path(RELEASE);
    mkdirSync(folder);
    cpSync(binary, join(folder, 'rtp-cluster'));
    for (const name of ['install.sh', 'systemd'])
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });

    return new Installed(machine);
  }

  /** A machine where the service runs. */
  static async running(options: SlotOptions = {}): Promise<Installed> {
    const here = await Installed.unpacked(options);
    try {
      const { code, text } = await here.install();
      if (code !== 0) throw new Error(`install.sh: code ${code}\n${text}`);
    } catch (error) {
      await here.stop();
      throw error;
    }

    return here;
  }

  /** Runs install.sh with these words. */
  install(...words: string[]): Promise<Result> {
    return this.machine.run(`${RELEASE}/install.sh`, ...words);
  }

  /** Runs the installed program. */
  cli(...words: string[]): Promise<Result> {
    return this.machine.run('rtp-cluster', ...words);
  }

  /** A request to the API. */
  async http(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
    const content = body === undefined ? {} : { 'content-type': 'application/json' };

    return await this.machine.http(API + path, {
      method,
      headers: { ...content, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeout: API_MS,
    });
  }

  /** A request to the API that must succeed. */
  async api(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.http(method, path, body);
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);

    return text === '' ? undefined : JSON.parse(text);
  }

  /** Starts rtpengines in the machine's network, adds them as nodes 1, 2 ... and waits until each is up. */
  async addRelays(count: number): Promise<void> {
    for (let id = 1; id <= count; id++) {
      const [inner, outer] = [`192.0.2.${10 + id}`, `198.51.100.${10 + id}`];
      for (const address of [inner, outer]) {
        await this.machine.outside('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      }
      const ports = { portMin: 30_000, portMax: 33_999 };
      await startRtpengine({
        ngAddress: inner,
        ngPort: 22_222,
        address: inner,
        ...ports,
        place: this.machine.place,
      });
      await this.api('POST', '/v1/nodes', {
        id,
        socket: `udp:${inner}:22222`,
        inner_media_ip: inner,
        out_media_ip: outer,
      });
    }
    for (let id = 1; id <= count; id++) await this.nodeUp(id);
  }

  async nodeUp(id: number): Promise<void> {
    await poll(
      async () => {
        const { health } = (await this.api('GET', `/v1/nodes/${id}`)) as { health: { state: string } };

        return health.state === 'up' ? true : undefined;
      },
      () => `node ${id} does not come up`,
      20_000,
    );
  }

  /** Begins a call; returns the node that has it. */
  async offer(callId: string): Promise<unknown> {
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    const offer = { 'call-id': callId, 'from-tag': 'f', direction: 'out', sdp };
    const { node } = (await this.api('POST', '/v1/media/offer', offer)) as { node: unknown };
    this.#nodes.set(callId, node);

    return node;
  }

  /** A re-offer of a call goes to the node that has it. */
  async expectCallStays(callId: string): Promise<void> {
    const before = this.#nodes.get(callId);
    expect(before).toBeNumber();
    expect(await this.offer(callId)).toBe(before);
  }

  /** Lets two proxies place calls, so many a second each, until it is stopped. */
  async traffic(callsPerSecond = 50): Promise<{ stop(): Promise<Report> }> {
    const program = join(import.meta.dir, 'traffic.ts');
    const child = own(
      Bun.spawn(leashed(inNamespace(this.machine.name, [process.execPath, program, `${callsPerSecond}`])), {
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'inherit',
      }),
    );

    return {
      async stop() {
        child.stdin.end();

        return JSON.parse(await new Response(child.stdout).text()) as Report;
      },
    };
  }

  /** The process of the service. */
  async pid(): Promise<number> {
    return Number(await this.machine.property(SERVICE, 'MainPID'));
  }

  /** Waits until it is ready for calls again. */
  async ready(timeoutMs = 30_000): Promise<void> {
    await poll(
      async () => ((await this.http('GET', '/readyz')).status === 200 ? true : undefined),
      () => 'the service does not become ready',
      timeoutMs,
    );
  }

  stop(): Promise<void> {
    return this.machine.stop();
  }
}
