/** The relays of a rehearsal: real ones or pretended ones, as processes that can be killed, stopped and started again. */

import { commandLine } from '../lab/appliance.ts';
import { endProcess, leashed, own, poll } from '../lab/processes.ts';
import { callsOnRelay } from '../lab/relays.ts';
import { startRtpengine } from '../lab/rtpengine.ts';
import { Forwarder } from './forwarder.ts';

/** UDP port of the ng protocol; each relay has an address of its own. */
const NG_PORT = 2223;
/** Where the bad network in front of a relay listens. */
const FORWARDER_PORT = 2224;
const MEDIA_PORTS = { min: 20_000, max: 23_999 } as const;

/** How a relay of a scenario differs from the others. */
export interface RelayOptions {
  /** Starts `fake-relay` in place of rtpengine, with these further flags. */
  readonly fake?: readonly string[];
  /** Media ports there are. */
  readonly ports?: number;
  /** Further arguments of rtpengine. */
  readonly extra?: readonly string[];
  /** Whether the appliance reaches it through a network that can be made bad. */
  readonly isBehindForwarder?: boolean;
}

export interface Relay {
  readonly id: number;
  /** What the appliance is told. */
  readonly socket: string;
  /** The network in front of it, if it was asked for. */
  readonly network: Forwarder | undefined;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it is gone. */
  end(): Promise<void>;
  /** SIGSTOP: it reads nothing and answers nothing. */
  hang(): void;
  /** SIGCONT. */
  wake(): void;
  /** Call-IDs it has, by its own account. */
  calls(): Promise<readonly string[]>;
  /** Ends the relay and the network in front of it. */
  stop(): Promise<void>;
}

/** A running process and how to end it at once. */
interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts relay `id` on an address nobody else uses. @param binary of the appliance, which has the pretended relay */
export async function startRelay(
  id: number,
  address: string,
  binary: string | undefined,
  { fake, ports, extra = [], isBehindForwarder = false }: RelayOptions,
): Promise<Relay> {
  const portMax = ports === undefined ? MEDIA_PORTS.max : MEDIA_PORTS.min + ports - 1;
  const run = (): Promise<Running> =>
    fake === undefined
      ? startRtpengine({
          ngAddress: address,
          ngPort: NG_PORT,
          address,
          portMin: MEDIA_PORTS.min,
          portMax,
          extra,
        })
      : startFake(address, binary, ['--ports', `${MEDIA_PORTS.min}-${portMax}`, ...fake]);
  let running = await run();
  const network = isBehindForwarder ? await Forwarder.start(address, FORWARDER_PORT, NG_PORT) : undefined;
  const port = network === undefined ? NG_PORT : FORWARDER_PORT;

  return {
    id,
    socket: `udp:${address}:${port}`,
    network,
    async start() {
      running = await run();
    },
    kill: () => running.stop(),
    async end() {
      process.kill(running.pid, 'SIGTERM');
      await poll(
        () => (isAlive(running.pid) ? undefined : true),
        () => 'the relay does not end',
      );
      await running.stop();
    },
    hang: () => void process.kill(running.pid, 'SIGSTOP'),
    wake: () => void process.kill(running.pid, 'SIGCONT'),
    calls: () => callsOnRelay(`udp:${address}:${NG_PORT}`),
    async stop() {
      await running.stop();
      await network?.stop();
    },
  };
}

async function startFake(
  address: string,
  binary: string | undefined,
  flags: readonly string[],
): Promise<Running> {
  const command = [...commandLine(binary), 'fake-relay', '--listen', `${address}:${NG_PORT}`, ...flags];
  const child = own(
    Bun.spawn(leashed([...command, '--delete-delay', '0']), {
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
