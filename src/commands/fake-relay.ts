/** `rtp-cluster fake-relay`: nodes that only pretend, to rehearse failures and to measure. */

import { FAULT_NAMES, parseFault, parseScript } from '../relay/ng/fake-faults.ts';
import { FakeNode, type FakeNodeOptions } from '../relay/ng/fake-node.ts';
import { familyOf } from '../util/ip.ts';
import { type Args, readArgs, readInteger, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';

const MAX_NODES = 64;

export const help = `Usage: rtp-cluster fake-relay [FLAGS]

Runs nodes that speak the ng protocol as rtpengine 10.5 does, but relay no media. Ends with Ctrl-C.

  --listen HOST:PORT    Where to listen; 127.0.0.1:22222
  --count N             So many nodes on consecutive ports; 1, at most ${MAX_NODES}
  --address IP          Address in SDP where the request names none; 127.0.0.1.
                        Give it several times and each node takes its own
  --address6 IP         The same for address-family IP6; none
  --ports MIN-MAX       Media ports of each node, counted but not opened; 30000-39999
  --max-sessions N      Calls at most, 0 = no new ones; no limit
  --delete-delay SEC    How long a deleted call stays; 30

Faults, none by default:
  --loss SHARE          Datagrams lost in each direction, 0 to 1
  --delay-ms MS         Time before a reply leaves
  --duplicate SHARE     Replies that leave twice, 0 to 1
  --garbage SHARE       Replies that cannot be read, 0 to 1
  --refuse TEXT         Refuse new calls: "load limit" or an error text
  --wrong-address IP    Shown in SDP in place of the right address
  --script TEXT         Faults by time: "5s hang 2s; 10s die 1s; 20s loss 0.3; 30s restart"
  --seed N              Another row of random numbers; 1

While it runs, the ng command "fake" changes the same things, with these keys:
  ${FAULT_NAMES}`;

const FLAGS = {
  listen: 'value',
  count: 'value',
  address: 'values',
  address6: 'value',
  ports: 'value',
  'max-sessions': 'value',
  'delete-delay': 'value',
  loss: 'value',
  'delay-ms': 'value',
  duplicate: 'value',
  garbage: 'value',
  refuse: 'value',
  'wrong-address': 'value',
  script: 'value',
  seed: 'value',
} as const;

/** Flags that are faults, and their names there. */
const FAULTS = [
  ['loss', 'loss'],
  ['delay-ms', 'delay'],
  ['duplicate', 'duplicate'],
  ['garbage', 'garbage'],
  ['refuse', 'refuse'],
  ['wrong-address', 'wrong-address'],
] as const;

/** Runs until SIGINT or SIGTERM. */
export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const plan = readPlan(argv);
  if (plan instanceof UsageError) {
    io.err(`rtp-cluster fake-relay: ${plan.message}`);

    return EXIT.usage;
  }
  const nodes: FakeNode[] = [];
  for (const options of plan) {
    try {
      nodes.push(await FakeNode.start(options));
    } catch (error) {
      for (const node of nodes) node.stop();
      io.err(`rtp-cluster fake-relay: cannot listen on ${where(options.listen)}: ${String(error)}`);

      return EXIT.failed;
    }
  }
  const ended = untilSignal();
  for (const [i, node] of nodes.entries()) {
    const { address, portMin, portMax } = plan[i] ?? {};
    io.out(`fake relay on udp ${where(node.address)}, media ${address} ports ${portMin}-${portMax}`);
  }
  await ended;
  for (const node of nodes) {
    const { received, handled } = node.counters;
    io.out(
      `fake relay on udp ${where(node.address)}: ${received} datagrams, ${handled} commands, ${node.calls.size} calls left`,
    );
    node.stop();
  }

  return EXIT.ok;
}

/** One set of options per node. */
export function readPlan(argv: readonly string[]): FakeNodeOptions[] | UsageError {
  const args = readArgs(argv, FLAGS);
  if (args instanceof UsageError) return args;
  if (args.words[0] !== undefined) return new UsageError(`"${args.words[0]}" is one word too many`);
  const listen = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(args.one('listen') ?? '127.0.0.1:22222');
  const host = listen?.[1] ?? listen?.[2] ?? '';
  if (familyOf(host) === undefined) {
    return new UsageError(`--listen is "${args.one('listen')}"; allowed is 127.0.0.1:22222 or [::1]:22222`);
  }
  const count = readInteger(args.one('count') ?? '1', '--count', 1, MAX_NODES);
  if (count instanceof UsageError) return count;
  const port = readInteger(listen?.[3] ?? '', 'the port of --listen', 1, 65_536 - count);
  const common = readCommon(args);
  if (port instanceof UsageError) return port;
  if (common instanceof UsageError) return common;
  const addresses = args.all('address').length > 0 ? args.all('address') : ['127.0.0.1'];
  for (const address of addresses) {
    if (familyOf(address) === undefined)
      return new UsageError(`--address is "${address}"; allowed is an IP literal`);
  }

  return Array.from({ length: count }, (_, i) => ({
    ...common,
    listen: { host, port: port + i },
    address: addresses[i] ?? addresses.at(-1) ?? '127.0.0.1',
  }));
}

function readCommon(args: Args): FakeNodeOptions | UsageError {
  const ports = /^(\d{1,5})-(\d{1,5})$/.exec(args.one('ports') ?? '30000-39999');
  const [portMin, portMax] = [Number(ports?.[1]), Number(ports?.[2])];
  if (!(portMin >= 1 && portMin <= portMax && portMax <= 65_535)) {
    return new UsageError(`--ports is "${args.one('ports')}"; allowed is a range such as 30000-39999`);
  }
  const maxSessions =
    args.one('max-sessions') === undefined
      ? -1
      : readInteger(args.one('max-sessions') ?? '', '--max-sessions', 0, 1_000_000);
  const deleteDelaySec = readInteger(args.one('delete-delay') ?? '30', '--delete-delay', 0, 3600);
  const seed = readInteger(args.one('seed') ?? '1', '--seed', 0, 4_294_967_295);
  const address6 = args.one('address6');
  const script = parseScript(args.one('script') ?? '');
  if (maxSessions instanceof UsageError) return maxSessions;
  if (deleteDelaySec instanceof UsageError) return deleteDelaySec;
  if (seed instanceof UsageError) return seed;
  if (address6 !== undefined && familyOf(address6) !== 'IP6') {
    return new UsageError(`--address6 is "${address6}"; allowed is an IPv6 literal`);
  }
  if (typeof script === 'string') return new UsageError(`--script: ${script}`);
  let faults = {};
  for (const [flag, name] of FAULTS) {
    const text = args.one(flag);
    if (text === undefined) continue;
    const order = parseFault(name, text);
    if (typeof order === 'string') return new UsageError(`--${flag}: ${order}`);
    faults = { ...faults, ...order.faults };
  }
  const base = { portMin, portMax, maxSessions, deleteDelaySec, seed, script, faults };

  return address6 === undefined ? base : { ...base, address6 };
}

function where(address: { readonly host: string; readonly port: number } | undefined): string {
  if (address === undefined) return '';

  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
