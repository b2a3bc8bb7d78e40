/** Reads the flags of `fake-relay` into options of the nodes to start. */

import {
  type ControlSocket,
  NODE_KINDS,
  type NodeKind,
  parseSocket,
  type SocketAddress,
  withPort,
} from '../domain/node.ts';
import { type Faults, parseFault, parseScript } from '../relay/fake/faults.ts';
import type { FakeServerOptions } from '../relay/fake/server.ts';
import type { FakeNodeOptions } from '../relay/ng/fake-node.ts';
import type { FakeListen } from '../relay/rtpproxy/fake-addresses.ts';
import type { FakeRtpproxyOptions } from '../relay/rtpproxy/fake-node.ts';
import { isNotifySocket } from '../relay/rtpproxy/fake-notify.ts';
import { FAKE_VERSIONS } from '../relay/rtpproxy/fake-version.ts';
import { familyOf } from '../util/ip.ts';
import { type Args, readInteger, type Shape, UsageError } from './args.ts';

/** Nodes of one process at most. */
export const MAX_NODES = 64;
const MAX_SECONDS = 86_400;

/** A node to start. */
export type FakePlan =
  | { readonly kind: 'rtpengine'; readonly options: FakeNodeOptions }
  | { readonly kind: 'rtpproxy'; readonly options: FakeRtpproxyOptions };

const FLAGS = {
  kind: NODE_KINDS,
  listen: 'values',
  count: 'value',
  address: 'values',
  address6: 'value',
  ports: 'value',
  'max-sessions': 'value',
  'delete-delay': 'value',
  release: FAKE_VERSIONS,
  bridge: 'switch',
  advertise: 'value',
  label: 'values',
  notify: 'values',
  'media-timeout': 'value',
  'setup-timeout': 'value',
  record: 'switch',
  loss: 'value',
  'delay-ms': 'value',
  duplicate: 'value',
  garbage: 'value',
  refuse: 'value',
  'wrong-address': 'value',
  'wrong-port': 'value',
  script: 'value',
  seed: 'value',
  json: 'switch',
} as const;
export const SHAPE: Shape = { words: [], flags: FLAGS };

/** Flags that only one kind has. */
const ONLY: Readonly<Record<NodeKind, readonly string[]>> = {
  rtpengine: ['delete-delay'],
  rtpproxy: [
    'release',
    'bridge',
    'advertise',
    'label',
    'notify',
    'media-timeout',
    'setup-timeout',
    'record',
    'wrong-port',
  ],
};

/** Flags that are faults, and their names there. */
const FAULTS = [
  ['loss', 'loss'],
  ['delay-ms', 'delay'],
  ['duplicate', 'duplicate'],
  ['garbage', 'garbage'],
  ['refuse', 'refuse'],
  ['wrong-address', 'wrong-address'],
  ['wrong-port', 'wrong-port'],
] as const;

/** What nodes of both kinds can be told. */
interface Common extends FakeServerOptions {
  readonly maxSessions: number;
}

/** The nodes to start, in order. */
export function readPlan(args: Args): FakePlan[] | UsageError {
  const kind = NODE_KINDS.find((one) => one === args.one('kind')) ?? 'rtpengine';
  const foreign = ONLY[kind === 'rtpengine' ? 'rtpproxy' : 'rtpengine'].find((flag) => args.has(flag));
  if (foreign !== undefined)
    return new UsageError(`--${foreign} makes no sense for an ${kind}; leave it out`);
  const count = readInteger(args.one('count') ?? '1', '--count', 1, MAX_NODES);
  if (count instanceof UsageError) return count;
  const common = readCommon(args, kind);
  if (common instanceof UsageError) return common;

  return kind === 'rtpengine' ? rtpengines(args, count, common) : rtpproxies(args, count, common);
}

function rtpengines(args: Args, count: number, common: Common): FakePlan[] | UsageError {
  const [text = '127.0.0.1:22222', second] = args.all('listen');
  if (second !== undefined) return new UsageError('--listen is given twice; an rtpengine has one socket');
  const listen = readAddress(text.replace(/^udp6?:/i, ''), count);
  if (listen instanceof UsageError) return listen;
  const deleteDelaySec = readInteger(args.one('delete-delay') ?? '30', '--delete-delay', 0, 3600);
  if (deleteDelaySec instanceof UsageError) return deleteDelaySec;
  const addresses = args.all('address').length > 0 ? args.all('address') : ['127.0.0.1'];
  const wrong = addresses.find((address) => familyOf(address) === undefined);
  if (wrong !== undefined) return new UsageError(`--address is "${wrong}"; allowed is an IP literal`);
  const address6 = args.one('address6');
  const base = address6 === undefined ? { deleteDelaySec } : { deleteDelaySec, address6 };

  return Array.from({ length: count }, (_, i) => ({
    kind: 'rtpengine',
    options: {
      ...common,
      ...base,
      listen: { host: listen.host, port: listen.port + i },
      address: addresses[i] ?? addresses.at(-1) ?? '127.0.0.1',
    },
  }));
}

function rtpproxies(args: Args, count: number, common: Common): FakePlan[] | UsageError {
  const sockets: ControlSocket[] = [];
  for (const text of args.all('listen').length > 0 ? args.all('listen') : ['127.0.0.1:22222']) {
    const socket = readSocket(text, count);
    if (socket instanceof UsageError) return socket;
    sockets.push(socket);
  }
  const isBridge = args.has('bridge');
  const texts =
    args.all('address').length > 0 ? args.all('address') : [isBridge ? '127.0.0.1/127.0.0.2' : '127.0.0.1'];
  const sides: Sides[] = [];
  for (const text of texts) {
    const read = readSides(text, args.one('advertise'), isBridge);
    if (read instanceof UsageError) return read;
    sides.push(read);
  }
  const others: FakeListen[] = [];
  const address6 = args.one('address6');
  if (address6 !== undefined) others.push({ address: address6 });
  for (const text of args.all('label')) {
    const other = readLabel(text);
    if (other instanceof UsageError) return other;
    others.push(other);
  }
  const more = readRtpproxy(args);
  if (more instanceof UsageError) return more;

  return Array.from({ length: count }, (_, i): FakePlan => {
    const { addresses = [], ...side } = sides[i] ?? sides.at(-1) ?? {};
    const listen = sockets.map((one) => ('path' in one ? one : { ...one, port: one.port + i }));

    return {
      kind: 'rtpproxy',
      options: { ...common, ...more, ...side, listen, addresses: [...addresses, ...others] },
    };
  });
}

/** Options of an rtpproxy that need no other flag to be understood. */
function readRtpproxy(args: Args): FakeRtpproxyOptions | UsageError {
  const version = FAKE_VERSIONS.find((one) => one === args.one('release')) ?? '3.2';
  const notify = args.all('notify');
  const wrong = notify.find((name) => !isNotifySocket(name));
  if (wrong !== undefined)
    return new UsageError(`--notify is "${wrong}"; allowed is tcp:HOST:PORT or unix:/PATH`);
  const base = { version, notify, canRecord: args.has('record') };
  const life = args.one('media-timeout');
  const setup = args.one('setup-timeout');
  if (life === undefined)
    return setup === undefined ? base : new UsageError('--setup-timeout needs --media-timeout too');
  const mediaTimeoutSec = readInteger(life, '--media-timeout', 1, MAX_SECONDS);
  const setupTimeoutSec = readInteger(setup ?? life, '--setup-timeout', 1, MAX_SECONDS);
  if (mediaTimeoutSec instanceof UsageError) return mediaTimeoutSec;
  if (setupTimeoutSec instanceof UsageError) return setupTimeoutSec;

  return { ...base, mediaTimeoutSec, setupTimeoutSec };
}

function readCommon(args: Args, kind: NodeKind): Common | UsageError {
  const ports = /^(\d{1,5})-(\d{1,5})$/.exec(args.one('ports') ?? '30000-39999');
  const [portMin, portMax] = [Number(ports?.[1]), Number(ports?.[2])];
  if (!(portMin >= 1 && portMin <= portMax && portMax <= 65_535)) {
    return new UsageError(`--ports is "${args.one('ports')}"; allowed is a range such as 30000-39999`);
  }
  const maxSessions =
    args.one('max-sessions') === undefined
      ? -1
      : readInteger(args.one('max-sessions') ?? '', '--max-sessions', 0, 1_000_000);
  const seed = readInteger(args.one('seed') ?? '1', '--seed', 0, 4_294_967_295);
  const address6 = args.one('address6');
  const script = parseScript(args.one('script') ?? '', kind);
  if (maxSessions instanceof UsageError) return maxSessions;
  if (seed instanceof UsageError) return seed;
  if (address6 !== undefined && familyOf(address6) !== 'IP6') {
    return new UsageError(`--address6 is "${address6}"; allowed is an IPv6 literal`);
  }
  if (typeof script === 'string') return new UsageError(`--script: ${script}`);
  let faults: Partial<Faults> = {};
  for (const [flag, name] of FAULTS) {
    const text = args.one(flag);
    if (text === undefined) continue;
    const order = parseFault(name, text, kind);
    if (typeof order === 'string') return new UsageError(`--${flag}: ${order}`);
    faults = { ...faults, ...order.faults };
  }

  return { portMin, portMax, maxSessions, seed, script, faults };
}

/** `HOST:PORT`, the first of `count` ports. */
function readAddress(text: string, count: number): SocketAddress | UsageError {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (familyOf(host) === undefined)
    return new UsageError(`--listen is "${text}"; allowed is 127.0.0.1:22222 or [::1]:22222`);
  const port = readInteger(match?.[3] ?? '', 'the port of --listen', 1, 65_536 - count);

  return port instanceof UsageError ? port : { host, port };
}

/** A control socket of an rtpproxy; `HOST:PORT` alone is UDP. */
function readSocket(text: string, count: number): ControlSocket | UsageError {
  const named = parseSocket(withPort(text));
  if (named === undefined && /^[a-z]+6?:/i.test(text))
    return new UsageError(
      `--listen is "${text}"; allowed is HOST:PORT, udp:HOST:PORT, tcp:HOST:PORT, unix:/PATH or cunix:/PATH`,
    );
  if (named !== undefined && 'path' in named)
    return count === 1 ? named : new UsageError(`--listen is "${text}"; with --count it needs a port`);
  const address = named ?? readAddress(text, count);
  if (address instanceof UsageError) return address;
  if (address.port > 65_536 - count) return new UsageError(`--listen is "${text}"; --count needs more ports`);

  return { transport: 'udp', ...address };
}

type Sides = Pick<FakeRtpproxyOptions, 'addresses' | 'external' | 'advertised'>;

/** `IP`, or with --bridge `INT/EXT`; what is advertised has the same form. */
function readSides(text: string, advertise: string | undefined, isBridge: boolean): Sides | UsageError {
  const parts = text.split('/');
  const advertised = advertise?.split('/');
  const wanted = isBridge ? 'INT/EXT, both IP literals' : 'an IP literal';
  if (parts.length !== (isBridge ? 2 : 1) || parts.some((part) => familyOf(part) === undefined))
    return new UsageError(`--address is "${text}"; allowed is ${wanted}`);
  if (advertised !== undefined && (advertised.length !== parts.length || advertised.includes('')))
    return new UsageError(`--advertise is "${advertise}"; allowed is ${isBridge ? 'INT/EXT' : 'an address'}`);
  const [address = '', outside] = parts;
  const [inner, outer] = advertised ?? [];
  if (outside === undefined)
    return { addresses: [{ address }], ...(inner === undefined ? {} : { advertised: inner }) };

  return {
    addresses: [inner === undefined ? { address } : { address, advertised: inner }],
    external: outer === undefined ? { address: outside } : { address: outside, advertised: outer },
  };
}

/** `LABEL@IP` or `LABEL@IP=ADVERTISED`. */
function readLabel(text: string): FakeListen | UsageError {
  const [, label = '', address = '', advertised] = /^([\w.-]{1,64})@([^=\s]+)(?:=(\S+))?$/.exec(text) ?? [];
  if (familyOf(address) === undefined)
    return new UsageError(`--label is "${text}"; allowed is LABEL@IP or LABEL@IP=ADVERTISED`);

  return advertised === undefined ? { label, address } : { label, address, advertised };
}
