/** Whether a relay answers at its control socket, what it tells of itself, and what to do if it does not. */

import { type Node, type NodeKind, parseSocket } from '../domain/node.ts';
import { PORTS_PER_CALL } from '../placement/choose.ts';
import type { RelayMonitor, RelayStatistics } from '../relay/driver.ts';
import { RelayFailure } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import { isLoopback } from '../util/ip.ts';
import { type Check, finding, rounded } from './report.ts';

/** Time for a ping and for the figures, ms. */
const PING_MS = 600;
const FIGURES_MS = 1500;
/** Fewer free ports than this share are told, percent. */
const FEW_PORTS = 10;
/** Room for fewer calls than this is told, whatever share it is. */
const FEW_CALLS = 10;

/** How the control socket is called in each relay's own settings. */
const SETTING: Readonly<Record<NodeKind, string>> = { rtpengine: 'listen-ng', rtpproxy: '-s' };
const OTHER: Readonly<Record<NodeKind, NodeKind>> = { rtpengine: 'rtpproxy', rtpproxy: 'rtpengine' };

export interface ControlParts {
  readonly clock: Clock;
  readonly monitorOf: (node: Node) => RelayMonitor;
}

/** Asks for a sign of life. */
export async function checkControl(node: Node, monitor: RelayMonitor, parts: ControlParts): Promise<Check> {
  const { clock } = parts;
  const started = clock.monotonic();
  const answer = await monitor.ping(started + PING_MS);
  const tookMs = clock.monotonic() - started;
  if (!(answer instanceof RelayFailure))
    return finding('control', 'ok', `answers at ${node.socket} after ${rounded(answer)} ms`, { tookMs });
  const isOther = await answersAs(OTHER[node.kind], node, parts);
  const advice = isOther ? otherKindAdvice(node) : silenceAdvice(node, answer);
  const detail = isOther
    ? `an ${OTHER[node.kind]} answers at ${node.socket}, the node is said to be an ${node.kind}`
    : `${node.socket}: ${answer.reason}`;

  return finding('control', 'failed', detail, { advice, tookMs: clock.monotonic() - started });
}

/** Whether a relay of another kind answers there. */
async function answersAs(kind: NodeKind, node: Node, { clock, monitorOf }: ControlParts): Promise<boolean> {
  if (parseSocket(node.socket)?.transport !== 'udp') return false;
  const monitor = monitorOf({ ...node, kind, httpPort: null });
  const answer = await monitor.ping(clock.monotonic() + PING_MS / 2);
  monitor.close();

  return !(answer instanceof RelayFailure);
}

function otherKindAdvice({ kind }: Node): string {
  return `Correct the kind of the node to ${OTHER[kind]}, or its socket to the one that ${SETTING[kind]} of the ${kind} names`;
}

function silenceAdvice({ kind, socket }: Node, { kind: why }: RelayFailure): string {
  const place = parseSocket(socket);
  if (place !== undefined && 'path' in place)
    return `See that the ${kind} runs on this host with ${SETTING[kind]} ${socket}, and that this user may use the socket`;
  const host = place?.host ?? '';
  const port = place?.port ?? 0;
  const name = isLoopback(host) ? 'this host' : host;
  switch (why) {
    case 'unreachable':
      return `Nothing takes packets for port ${port} there. Start the ${kind} on ${name}, and see that its ${SETTING[kind]} names this address and port: one that listens at 127.0.0.1 only serves its own host`;
    case 'busy':
      return 'This host could not send: see whether it has a route to the node (ip route get), and its own limits (open files, packet filter)';
    case 'garbled':
    case 'rejected':
      return `Something answers there that is no ${kind}. Compare the socket with ${SETTING[kind]} of the relay`;
    default:
      return `Let UDP port ${port} through from this host to ${name} and back, and compare the address with ${SETTING[kind]} of the ${kind}; "ss -ulnp" on ${name} shows where it listens. If it does listen there, it hangs: see its log`;
  }
}

/** Version, figures and ports. */
export async function checkFigures(node: Node, monitor: RelayMonitor, clock: Clock): Promise<Check[]> {
  const started = clock.monotonic();
  const figures = await monitor.statistics(started + FIGURES_MS);
  const tookMs = clock.monotonic() - started;
  if (figures instanceof RelayFailure) {
    const advice =
      node.kind === 'rtpengine'
        ? 'The reply is large, and a network that drops fragments loses it: set listen-http in rtpengine and http_port of the node'
        : 'The node gets calls all the same; it is placed by what we know ourselves';

    return [finding('statistics', 'warning', figures.reason, { advice, tookMs })];
  }

  return [versionOf(node, figures), statisticsOf(node, monitor, figures, tookMs), portsOf(figures)];
}

function versionOf({ kind }: Node, { version }: RelayStatistics): Check {
  return version === null
    ? finding('version', 'skipped', `this ${kind} does not tell its version`)
    : finding('version', 'ok', `${kind} ${version}`);
}

function statisticsOf(
  { capacity, httpPort }: Node,
  { httpTrouble }: RelayMonitor,
  { sessions, uptimeS, rejected }: RelayStatistics,
  tookMs: number,
): Check {
  const parts = [
    `${sessions} sessions${capacity === null ? '' : ` of ${capacity} calls it may have`}`,
    ...(uptimeS === null ? [] : [`up ${uptimeS} s`]),
    ...(rejected === null || rejected === 0 ? [] : [`${rejected} calls refused since its start`]),
  ];
  if (httpTrouble == null) return finding('statistics', 'ok', parts.join(', '), { tookMs });

  return finding(
    'statistics',
    'warning',
    `${parts.join(', ')}; over HTTP it does not answer: ${httpTrouble}`,
    {
      advice: `See that listen-http of rtpengine is at port ${httpPort} of the same address, and let TCP port ${httpPort} through`,
      tookMs,
    },
  );
}

function portsOf({ ports }: RelayStatistics): Check {
  if (ports === null) return finding('ports', 'skipped', 'this relay does not tell its media ports');
  const { free, total } = ports;
  const room = Math.floor(free / PORTS_PER_CALL);
  const detail = `${free} of ${total} media ports free${room < FEW_CALLS ? `, room for ${room} ${room === 1 ? 'call' : 'calls'}` : ''}`;
  const advice = 'Widen the port range of the relay (port-min, port-max), or give the set another node';
  if (free < PORTS_PER_CALL) return finding('ports', 'failed', detail, { advice });

  return free * 100 < total * FEW_PORTS || room < FEW_CALLS
    ? finding('ports', 'warning', detail, { advice })
    : finding('ports', 'ok', detail);
}
