/** The relays of a rehearsal: real ones or pretended ones, as processes that can be killed, stopped and started again. */

import type { NodeKind } from '../../src/domain/node.ts';
import { commandLine } from '../lab/appliance.ts';
import { callsOnFakeRtpproxy } from '../lab/fake-relays.ts';
import { endProcess, leashed, own, poll } from '../lab/processes.ts';
import { callsOnReal, type Running, startReal } from '../lab/relays.ts';
import { Forwarder } from './forwarder.ts';

/** UDP port of the control socket; each relay has an address of its own. */
const CONTROL_PORT = 2223;
/** Where the bad network in front of a relay listens. */
const FORWARDER_PORT = 2224;
const MEDIA_PORTS = { min: 20_000, max: 23_999 } as const;

/** How a relay of a scenario differs from the others. */
export interface RelayOptions {
  /** rtpengine if nothing is said. */
  readonly kind?: NodeKind;
  /** Starts `fake-relay` in place of a real one, with these further flags. */
  readonly fake?: readonly string[];
  /** Media ports there are. */
  readonly ports?: number;
  /** Further arguments of a real one. */
  readonly extra?: readonly string[];
  /** Whether the appliance reaches it through a network that can be made bad. */
  readonly isBehindForwarder?: boolean;
}

export interface Relay {
  readonly id: number;
  readonly kind: NodeKind;
  /** What the appliance is told. */
  readonly socket: string;
  /** The network in front of it, if it was asked for. */
  readonly network: Forwarder | undefined;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it is gone. */
  end(): Promise<void>;
  /** SIGHUP: an rtpproxy refuses new calls, and ends with its last one. */
  endSlowly(): void;
  /** Waits until it has ended of itself. */
  untilEnded(timeoutMs: number): Promise<void>;
  /** SIGSTOP: it reads nothing and answers nothing. */
  hang(): void;
  /** SIGCONT. */
  wake(): void;
  /** What it has, by its own account: Call-IDs, or streams that have no name. */
  calls(): Promise<readonly string[]>;
  /** Ends the relay and the network in front of it. */
  stop(): Promise<void>;
}

/** Starts relay `id` on an address nobody else uses. @param binary of the appliance, which has the pretended relay */
export async function startRelay(
  id: number,
  address: string,
  binary: string | undefined,
  { kind = 'rtpengine', fake, ports, extra = [], isBehindForwarder = false }: RelayOptions,
): Promise<Relay> {
  const portMax = ports === undefined ? MEDIA_PORTS.max : MEDIA_PORTS.min + ports - 1;
  const place = { address, port: CONTROL_PORT };
  const run = (): Promise<Running> =>
    fake === undefined
      ? startReal(kind, { ...place, portMin: MEDIA_PORTS.min, portMax, extra })
      : startFake(kind, address, binary, ['--ports', `${MEDIA_PORTS.min}-${portMax}`, ...fake]);
  let running = await run();
  const network = isBehindForwarder
    ? await Forwarder.start(address, FORWARDER_PORT, CONTROL_PORT)
    : undefined;
  const port = network === undefined ? CONTROL_PORT : FORWARDER_PORT;
  const untilEnded = async (timeoutMs?: number): Promise<void> => {
    await poll(
      () => (isAlive(running.pid) ? undefined : true),
      () => `relay ${id} does not end`,
      timeoutMs,
    );
    await running.stop();
  };

  return {
    id,
    kind,
    socket: `udp:${address}:${port}`,
    network,
    async start() {
      running = await run();
    },
    kill: () => running.stop(),
    async end() {
      process.kill(running.pid, 'SIGTERM');
      await untilEnded();
    },
    endSlowly: () => void process.kill(running.pid, 'SIGHUP'),
    untilEnded,
    hang: () => void process.kill(running.pid, 'SIGSTOP'),
    wake: () => void process.kill(running.pid, 'SIGCONT'),
    calls: () =>
      fake !== undefined && kind === 'rtpproxy'
        ? callsOnFakeRtpproxy(address, CONTROL_PORT)
        : callsOnReal(kind, `udp:${address}:${CONTROL_PORT}`),
    async stop() {
      await running.stop();
      await network?.stop();
    },
  };
}

async function startFake(
  kind: NodeKind,
  address: string,
  binary: string | undefined,
  flags: readonly string[],
): Promise<Running> {
  const place = ['--kind', kind, '--listen', `${address}:${CONTROL_PORT}`];
  const ofKind = kind === 'rtpengine' ? ['--delete-delay', '0'] : [];
  const child = own(
    Bun.spawn(leashed([...commandLine(binary), 'fake-relay', ...place, ...flags, ...ofKind]), {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'inherit',
    }),
  );
  const reader = child.stdout.getReader();
  const first = await reader.read();
  reader.releaseLock();
  if (first.done) throw new Error(`the fake relay on ${address} does not start`);

  return {
    pid: child.pid,
    async stop() {
      await endProcess({ kill: () => child.kill('SIGKILL'), exited: child.exited });
    },
  };
}

/** Whether a process is there and has not ended: one that nobody has waited for yet is a zombie. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);

    return true;
  } catch {
    return false;
  }
}
