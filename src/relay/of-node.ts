/** The driver and the monitor of a node: which of the two protocols, and at which socket. */

import {
  type ControlSocket,
  type Node,
  type NodeKind,
  parseSocket,
  type SocketAddress,
} from '../domain/node.ts';
import type { Clock } from '../util/clock.ts';
import type { RelayDriver, RelayMonitor } from './driver.ts';
import { createNgDriver } from './ng/driver.ts';
import { createNgMonitor } from './ng/monitor.ts';
import { createRtpproxyDriver } from './rtpproxy/driver.ts';
import { createRtpproxyMonitor } from './rtpproxy/monitor.ts';
import { newCounters, type WireCounters } from './wire/counters.ts';

/** What all sockets of one purpose count together, those of nodes that are gone included. */
export type WireTotals = Readonly<Record<NodeKind, WireCounters>>;

export function newWireTotals(): WireTotals {
  return { rtpengine: newCounters(), rtpproxy: newCounters() };
}

export interface DriverOptions {
  /** After how long without a reply a command is sent again, ms, at most. */
  readonly retransmitMs: number;
  /** Where rtpproxies send notices, null for nowhere. */
  readonly noticeSocket: string | null;
}

export function driverOf(
  node: Node,
  clock: Clock,
  { retransmitMs, noticeSocket }: DriverOptions,
  totals?: WireTotals,
): RelayDriver {
  const socket = controlSocketOf(node);
  const counters = totals?.[node.kind];
  if (node.kind === 'rtpproxy')
    return createRtpproxyDriver(socket, clock, { retransmitMs, noticeSocket, counters });

  return createNgDriver(asNgAddress(node, socket), clock, { retransmitMs, counters });
}

export function monitorOf(node: Node, clock: Clock, totals?: WireTotals): RelayMonitor {
  const socket = controlSocketOf(node);
  const counters = totals?.[node.kind];
  if (node.kind === 'rtpproxy') return createRtpproxyMonitor(socket, clock, { counters });

  return createNgMonitor(asNgAddress(node, socket), clock, { httpPort: node.httpPort, counters });
}

// The roster lets no other sockets in, so both failures mean a database written by somebody else.
function controlSocketOf({ id, socket }: Node): ControlSocket {
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`node ${id} has the socket "${socket}", which cannot be read`);

  return address;
}

function asNgAddress({ id, socket: text }: Node, socket: ControlSocket): SocketAddress {
  if (socket.transport !== 'udp')
    throw new Error(`node ${id} has the socket "${text}"; rtpengine has UDP only`);

  return socket;
}
