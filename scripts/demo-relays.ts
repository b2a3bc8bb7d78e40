/** The relays of the demo: four in two sets, real ones where the machine has them, else fake ones; it says which. */

import { type NodeKind, parseSocket } from '../src/domain/node.ts';
import { RelayFailure } from '../src/relay/driver.ts';
import { FakeNode } from '../src/relay/ng/fake-node.ts';
import { createRtpproxyClient } from '../src/relay/rtpproxy/client.ts';
import { FakeRtpproxy } from '../src/relay/rtpproxy/fake-node.ts';
import { systemClock } from '../src/util/clock.ts';
import { ensurePackages } from '../test/lab/apt.ts';
import { isUdpFree } from '../test/lab/ports.ts';
import { callsOnRelay } from '../test/lab/relays.ts';
import { findRtpengine, startRtpengine } from '../test/lab/rtpengine.ts';
import { findRtpproxy, startRtpproxy } from '../test/lab/rtpproxy.ts';

/** What the nodes of sets 0 and 1 are, by the flag `--kind`. */
export const KINDS = {
  rtpengine: ['rtpengine', 'rtpengine'],
  rtpproxy: ['rtpproxy', 'rtpproxy'],
  mixed: ['rtpengine', 'rtpproxy'],
} as const satisfies Record<string, readonly [NodeKind, NodeKind]>;

export interface DemoRelay {
  readonly id: number;
  readonly set: number;
  readonly kind: NodeKind;
  readonly socket: string;
  readonly inner: string;
  readonly outer: string;
  /** Whether it only pretends: it answers, but no media goes through. */
  readonly isFake: boolean;
  /** Calls it has now, by its own word; an rtpproxy counts streams. */
  calls(): Promise<number>;
  stop(): unknown;
}

type Say = (line: string) => void;

const USUAL_PORT: Readonly<Record<NodeKind, number>> = { rtpengine: 7890, rtpproxy: 22222 };
const MEDIA_PORTS = { portMin: 20_000, portMax: 20_999 };

/** Starts two relays for each set, each with an inner and an outer media address; rejects if one does not start. */
export async function startRelays(
  kinds: readonly [NodeKind, NodeKind],
  wantsFake: boolean,
  say: Say,
): Promise<DemoRelay[]> {
  const isFake = new Map([...new Set(kinds)].map((kind) => [kind, wantsFake || !isThere(kind, say)]));
  const relays: DemoRelay[] = [];
  for (const id of [1, 2, 3, 4]) {
    const set = id <= 2 ? 0 : 1;
    relays.push(await startRelay(id, set, kinds[set], isFake.get(kinds[set]) === true, say));
  }
  for (const kind of isFake.keys()) {
    const count = relays.filter((relay) => relay.kind === kind).length;
    say(isFake.get(kind) === true ? pretence(kind, count) : reality(kind, count));
  }

  return relays;
}

async function startRelay(
  id: number,
  set: number,
  kind: NodeKind,
  isFake: boolean,
  say: Say,
): Promise<DemoRelay> {
  const inner = `127.10.0.${id}`;
  const port = await freePort(id, inner, USUAL_PORT[kind], say);
  const socket = `udp:${inner}:${port}`;
  const start = isFake ? startFake : startReal;
  const { stop } = await start[kind](inner, port, socket);
  const calls =
    kind === 'rtpengine' ? async () => (await callsOnRelay(socket)).length : () => streamsOf(socket);

  return { id, set, kind, socket, inner, outer: `127.20.0.${id}`, isFake, calls, stop };
}

type Start = Record<
  NodeKind,
  (inner: string, port: number, socket: string) => Promise<{ stop: () => unknown }>
>;

const startFake: Start = {
  async rtpengine(inner, port) {
    const node = await FakeNode.start({ listen: { host: inner, port }, address: inner, ...MEDIA_PORTS });

    return { stop: () => node.stop() };
  },
  async rtpproxy(inner, port) {
    const node = await FakeRtpproxy.start({
      listen: [{ transport: 'udp', host: inner, port }],
      addresses: [{ address: inner }],
      ...MEDIA_PORTS,
    });

    return { stop: () => node.stop() };
  },
};

const startReal: Start = {
  rtpengine: (inner, port) =>
    startRtpengine({ ngAddress: inner, ngPort: port, address: inner, ...MEDIA_PORTS }),
  rtpproxy: (inner, _port, socket) => startRtpproxy({ socket, listen: inner, ...MEDIA_PORTS }),
};

async function freePort(id: number, host: string, usual: number, say: Say): Promise<number> {
  let port = usual;
  while (!(await isUdpFree(host, port))) port++;
  if (port !== usual) say(`Port ${usual} of ${host} is taken, so relay ${id} uses ${port}.`);

  return port;
}

/** Whether real relays of a kind can be started here; says why not. */
function isThere(kind: NodeKind, say: Say): boolean {
  if (kind === 'rtpproxy') {
    if (findRtpproxy() !== null) return true;
    const named = Bun.env.RTPPROXY_BIN ?? '';
    say(
      `No rtpproxy: ${named === '' ? 'RTPPROXY_BIN names none' : `RTPPROXY_BIN is "${named}", and that is no program`}. \
Debian has no package of it; its sources are at https://github.com/sippy/rtpproxy.
For real media run this again with RTPPROXY_BIN=/path/to/rtpproxy in the environment.`,
    );

    return false;
  }
  const reason =
    findRtpengine() === null ? ensurePackages(['rtpengine-daemon'], 'the relays', say) : undefined;
  if (reason === undefined && findRtpengine() !== null) return true;
  say(`No rtpengine: ${reason ?? 'it is not in the PATH'}.`);

  return false;
}

function pretence(kind: NodeKind, count: number): string {
  return `${count} FAKE RELAYS: they answer as ${kind} does but relay no media; with them this run shows signalling only.`;
}

function reality(kind: NodeKind, count: number): string {
  return `${count} relays run: ${kind} ${versionOf(kind)}, each bound to its inner address.`;
}

function versionOf(kind: NodeKind): string {
  const [command, form] =
    kind === 'rtpengine'
      ? [['rtpengine', '--version'], /Version: (\S+)/i]
      : [[findRtpproxy() ?? '', '-V'], /^(\d\S*)/m];
  const { stdout, stderr } = Bun.spawnSync(command);

  return form.exec(`${stdout}${stderr}`)?.[1] ?? '(version unknown)';
}

/** Sessions an rtpproxy has (reference: rtpproxy-protocol 3.5). */
async function streamsOf(socket: string): Promise<number> {
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`${socket} is no control socket`);
  const client = createRtpproxyClient(address, systemClock);
  const reply = await client.request('I', systemClock.monotonic() + 2000, 5);
  client.close();
  const count = reply instanceof RelayFailure ? undefined : /^active sessions: (\d+)/m.exec(reply)?.[1];
  if (count === undefined) throw new Error(`${socket} does not say how many sessions it has`);

  return Number(count);
}
