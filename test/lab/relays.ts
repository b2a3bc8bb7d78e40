/** Relays of either kind: how real ones are started, and what relays themselves say of the calls they have, never the appliance. */

import { type NodeKind, parseSocket } from '../../src/domain/node.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import type { Place } from './netns.ts';
import { poll } from './processes.ts';
import { mustBe, startRtpengine, whyNoRtpengine } from './rtpengine.ts';
import { startRtpproxy, tell, whyNoRtpproxy } from './rtpproxy.ts';

/** Time relays have to say what calls they have, ms. */
const SAY_MS = 2000;

export interface RealRelayOptions {
  /** Of the control socket, which is on UDP, and of the media. */
  readonly address: string;
  /** Of the control socket. */
  readonly port: number;
  /** Media ports. */
  readonly portMin: number;
  readonly portMax: number;
  /** Further arguments of the program. */
  readonly extra?: readonly string[];
}

/** A relay that is a process, and how to end it at once. */
export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Whoever can tell which calls he has. */
export interface CallKeeper {
  calls(): Promise<readonly string[]>;
}

/** Why there are no real relays of a kind, or undefined if there are. */
export function whyNoRelay(kind: NodeKind): string | undefined {
  return kind === 'rtpengine' ? whyNoRtpengine() : whyNoRtpproxy();
}

/** Starts a real relay, and waits until it answers. */
export function startReal(kind: NodeKind, options: RealRelayOptions): Promise<Running> {
  const { address, port, ...rest } = options;

  return kind === 'rtpengine'
    ? startRtpengine({ ngAddress: address, ngPort: port, address, ...rest })
    : startRtpproxy({ socket: `udp:${address}:${port}`, listen: address, ...rest });
}

/** What a real relay has: Call-IDs of an rtpengine. An rtpproxy only counts its streams, so each has a name made up here. */
export function callsOnReal(kind: NodeKind, socket: string): Promise<readonly string[]> {
  return kind === 'rtpengine' ? callsOnRelay(socket) : streamsOnRelay(socket);
}

/** Call-IDs an rtpengine has, asked by the ng command `list`, from another place if need be. */
export async function callsOnRelay(socket: string, place?: Place): Promise<readonly string[]> {
  const address = parseSocket(socket);
  if (address?.transport !== 'udp') throw new Error(`${socket} is no socket of an rtpengine`);
  const driver = createNgDriver(address, systemClock, { open: place?.connect });
  try {
    const reply = mustBe(
      await driver.ask({ command: 'list', limit: '1000' }, systemClock.monotonic() + 2000),
    );

    return Array.isArray(reply.calls) ? reply.calls.map(String) : [];
  } finally {
    driver.close();
  }
}

/** For each stream of an rtpproxy a word (reference: rtpproxy-protocol 3.5). */
async function streamsOnRelay(socket: string): Promise<readonly string[]> {
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`${socket} is no control socket`);
  const count = await poll(
    async () => /^active sessions: (\d+)/m.exec((await tell(address, 'I')) ?? '')?.[1],
    () => `${socket} does not say how many streams it has`,
    SAY_MS,
  );

  return Array.from({ length: Number(count) }, (_, index) => `stream ${index + 1} of ${count}`);
}

/** Waits until rtpengines have no call any more; throws with what is left. */
export function expectEmpty(sockets: readonly string[], timeoutMs?: number): Promise<void> {
  return expectNoCalls(
    sockets.map((socket) => ({ calls: () => callsOnRelay(socket) })),
    timeoutMs,
  );
}

/** Waits until relays have no call any more; throws with what is left. */
export async function expectNoCalls(relays: readonly CallKeeper[], timeoutMs = 3000): Promise<void> {
  let left: string[] = [];
  await poll(
    async () => {
      left = (await Promise.all(relays.map((relay) => relay.calls()))).flat();

      return left.length === 0 ? true : undefined;
    },
    () => `calls are left on the relays: ${left.join(', ')}`,
    timeoutMs,
  );
}
