/**
 * A small internet of network namespaces, one for each host, in which a wrong media address means silence:
 *
 *     outer ── gateway (1:1 NAT) ── switch ── edge (proxy and appliance)
 *                                     ├────── relay1 .. relay4
 *                                     └────── inner, which has no default route
 *
 * Reference: e2e-lab. Nothing of it appears in the machine's own namespace, so its addresses cannot clash with anybody's.
 */

import { dlopen, FFIType } from 'bun:ffi';
import { closeSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { openUdp as connectUdp, type OpenDatagrams } from '../../src/relay/wire/datagrams.ts';
import { type OpenUdp, openUdp } from './phone.ts';

export const RELAYS = ['relay1', 'relay2', 'relay3', 'relay4'] as const;
export type Relay = (typeof RELAYS)[number];
export type Host = 'switch' | 'gateway' | 'edge' | Relay | 'inner' | 'outer';

const HOSTS: readonly Host[] = ['switch', 'gateway', 'edge', ...RELAYS, 'inner', 'outer'];
/** `CLONE_NEWNET` of sched.h. */
const NETWORK = 0x40000000;
/** Stateless, as a cloud's is: connection tracking now and then gives a packet another source port. */
const RULES = `table ip cloud {
	chain in {
		type filter hook prerouting priority raw; policy accept;
		iifname "public" ip daddr set ip daddr map { $IN } meta mark set 1
		iifname "private" ip saddr { $PRIVATE } meta mark set 1
	}
	chain through {
		type filter hook forward priority filter; policy drop;
		meta mark 1 accept
	}
	chain out {
		type filter hook postrouting priority raw; policy accept;
		oifname "public" ip saddr set ip saddr map { $OUT }
	}
}`;

/** Private addresses. */
export const inside = (host: number): string => `10.77.0.${host}`;
/** What the gateway makes of them, for the edge and the relays (RFC 5737). */
export const translated = (host: number): string => `203.0.113.${host}`;
/** Of hosts elsewhere on the public network (RFC 5737). */
export const outside = (host: number): string => `198.51.100.${host}`;

/** Last byte of both addresses of a host behind the gateway. */
export const EDGE = 2;
export const relayNumber = (relay: Relay): number => 11 + RELAYS.indexOf(relay);
/** Last bytes of the addresses endpoints have, on either side. */
export const ENDPOINTS = [101, 102] as const;

const GATEWAY = 254;
const NEEDED = ['ip', 'nft', 'xargs'];

/** Why there can be no namespaces here, or undefined. */
export function whyNoNamespaces(): string | undefined {
  const missing = NEEDED.filter((name) => Bun.which(name) === null);
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces want root';
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  const name = `rtpc${process.pid}probe`;
  const { exitCode, stderr } = Bun.spawnSync(['ip', 'netns', 'add', name]);
  if (exitCode !== 0) return `no network namespace can be made: ${stderr.toString().trim()}`;
  const rules = Bun.spawnSync(['ip', 'netns', 'exec', name, 'nft', 'add', 'table', 'ip', 'probe']);
  Bun.spawnSync(['ip', 'netns', 'del', name]);

  return rules.exitCode === 0
    ? undefined
    : `no packet filter in a namespace: ${rules.stderr.toString().trim()}`;
}

/** A host as those have to know it who start programs there or open sockets. */
export interface Place {
  /** As `ip netns` has it. */
  readonly namespace: string;
  readonly open: OpenUdp;
  /** A socket of a relay driver. */
  readonly connect: OpenDatagrams;
}

let runs = 0;

export class Netns {
  readonly #prefix: string;
  readonly #janitor: Bun.Subprocess<'pipe', 'ignore', 'ignore'>;
  readonly #handles = new Map<Host, number>();

  private constructor(prefix: string) {
    this.#prefix = prefix;
    // Tidies up when its input ends, whatever this process ends of.
    const tidy =
      'trap "" INT HUP TERM; cat > /dev/null; for n in "$@"; do ip netns pids $n | xargs -r kill -9; ip netns del $n; done';
    this.#janitor = Bun.spawn(['sh', '-c', tidy, 'janitor', ...HOSTS.map((host) => this.name(host))], {
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
    });
  }

  /** Makes all of it. */
  static async up(): Promise<Netns> {
    const net = new Netns(`rtpc${process.pid}${String.fromCharCode(97 + (runs++ % 26))}`);
    try {
      net.#build();
    } catch (error) {
      await net.down();
      throw error;
    }

    return net;
  }

  /** The name `ip netns` has for it. */
  name(host: Host): string {
    return `${this.#prefix}-${host}`;
  }

  /**
   * Runs `make` inside a host. Sockets and processes made by it stay there for ever; nothing else may happen meanwhile, so it
   * must not wait for anything.
   */
  within<T>(host: Host, make: () => T): T {
    let handle = this.#handles.get(host);
    if (handle === undefined) {
      handle = openSync(`/run/netns/${this.name(host)}`, 'r');
      this.#handles.set(host, handle);
    }

    return visit(handle, make);
  }

  /** A host as programs and phones have to know it. */
  place(host: Host): Place {
    return placeOf(this.name(host), (make) => this.within(host, make));
  }

  /** Cuts the cable between a host and the switch: silence, and no word to anybody. */
  cut(host: Host): void {
    run('ip', '-n', this.name('switch'), 'link', 'set', host, 'down');
  }

  mend(host: Host): void {
    run('ip', '-n', this.name('switch'), 'link', 'set', host, 'up');
  }

  /** Ends what runs in the namespaces, and only that, and removes them. */
  async down(): Promise<void> {
    this.#janitor.stdin.end();
    await this.#janitor.exited;
  }

  #build(): void {
    for (const host of HOSTS) {
      run('ip', 'netns', 'add', this.name(host));
      run('ip', '-n', this.name(host), 'link', 'set', 'lo', 'up');
    }
    run('ip', '-n', this.name('switch'), 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', '-n', this.name('switch'), 'link', 'set', 'bridge', 'up');
    this.#plug('gateway', 'private', [inside(GATEWAY)]);
    this.#plug('edge', 'eth0', [inside(EDGE)]);
    for (const relay of RELAYS) this.#plug(relay, 'eth0', [inside(relayNumber(relay))]);
    this.#plug('inner', 'eth0', ENDPOINTS.map(inside));
    const [gateway, outer] = [this.name('gateway'), this.name('outer')];
    run(
      ...['ip', 'link', 'add', 'public', 'netns', gateway, 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'netns', outer],
    );
    this.#address('gateway', 'public', [outside(GATEWAY)]);
    this.#address('outer', 'eth0', ENDPOINTS.map(outside));
    for (const host of ['edge', ...RELAYS] as const) {
      run('ip', '-n', this.name(host), 'route', 'add', 'default', 'via', inside(GATEWAY));
    }
    // It may try to reach private addresses, as any host on the public network; it is the gateway that lets nobody through.
    run('ip', '-n', outer, 'route', 'add', 'default', 'via', outside(GATEWAY));
    this.within('gateway', () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
    this.within('switch', () => {
      try {
        writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', '0');
      } catch {
        // Without the module bridges ask no packet filter anyway.
      }
    });
    this.#translate();
  }

  #plug(host: Host, device: string, addresses: readonly string[]): void {
    const hub = this.name('switch');
    run(
      ...['ip', 'link', 'add', host, 'netns', hub, 'type', 'veth'],
      ...['peer', 'name', device, 'netns', this.name(host)],
    );
    run('ip', '-n', hub, 'link', 'set', host, 'master', 'bridge', 'up');
    this.#address(host, device, addresses);
  }

  #address(host: Host, device: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      run('ip', '-n', this.name(host), 'addr', 'add', `${address}/24`, 'dev', device);
    }
    run('ip', '-n', this.name(host), 'link', 'set', device, 'up');
  }

  #translate(): void {
    const numbers = [EDGE, ...RELAYS.map(relayNumber)];
    const rules = RULES.replace('$IN', numbers.map((n) => `${translated(n)} : ${inside(n)}`).join(', '))
      .replace('$OUT', numbers.map((n) => `${inside(n)} : ${translated(n)}`).join(', '))
      .replace('$PRIVATE', numbers.map(inside).join(', '));
    const { exitCode, stderr } = this.within('gateway', () =>
      Bun.spawnSync(['nft', '-f', '-'], { stdin: Buffer.from(rules) }),
    );
    if (exitCode !== 0) throw new Error(`nft: ${stderr}`);
  }
}

function run(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(words);
  if (exitCode !== 0) throw new Error(`${words.join(' ')}: ${stderr.toString().trim()}`);
}

/** The host of a namespace that somebody else has made and will remove. */
export function placeIn(namespace: string): Place {
  return placeOf(namespace, (make) => {
    const handle = openSync(`/run/netns/${namespace}`, 'r');
    try {
      return visit(handle, make);
    } finally {
      closeSync(handle);
    }
  });
}

function placeOf(namespace: string, within: <T>(make: () => T) => T): Place {
  return {
    namespace,
    open: (...args) => within(() => openUdp(...args)),
    connect: (...args) => within(() => connectUdp(...args)),
  };
}

/** Runs `make` in the namespace of a handle. */
function visit<T>(handle: number, make: () => T): T {
  enter(handle);
  try {
    return make();
  } finally {
    enter(home());
  }
}

let homeHandle: number | undefined;

function home(): number {
  homeHandle ??= openSync('/proc/self/ns/net', 'r');

  return homeHandle;
}

let setns: ((handle: number, kind: number) => number) | undefined;

/** Moves this thread; its file descriptors stay what they are. */
function enter(handle: number): void {
  home();
  setns ??= dlopen('libc.so.6', { setns: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } }).symbols
    .setns;
  if (setns?.(handle, NETWORK) !== 0) throw new Error(`setns: cannot enter a network namespace`);
}

/** The namespace this thread is in, for tests of the tests. */
export function namespaceHere(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}
