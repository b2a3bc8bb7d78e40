/** Starts a real rtpengine (userspace forwarding, nothing written anywhere) for contract tests. */

import { RelayFailure } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import type { Place } from './netns.ts';
import { inNamespace, leashed, own, temporaryFolder } from './processes.ts';

export interface RtpengineOptions {
  /** UDP port of the ng protocol. */
  readonly ngPort: number;
  /** Address of the ng protocol; 127.0.0.1 by default. */
  readonly ngAddress?: string;
  /** TCP port of HTTP (`listen-http`) at the same address; none by default. */
  readonly httpPort?: number;
  /** Media address, or any value rtpengine takes for `--interface`. */
  readonly address: string;
  /** Media ports, both ends included. */
  readonly portMin: number;
  readonly portMax: number;
  /** Where it runs; in the network of this process by default. */
  readonly place?: Place;
  /** Further arguments, such as `--interface=...` or `--max-sessions=1`. */
  readonly extra?: readonly string[];
}

export interface Rtpengine {
  readonly pid: number;
  /** The newest part of what it logged, at most 64 kB. */
  log(): string;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** Longest time until it answers a ping, in milliseconds. */
const START_MS = 10_000;
const MAX_LOG = 65_536;

/** Where the binary is, or null. */
export function findRtpengine(): string | null {
  return Bun.which('rtpengine');
}

/**
 * Why tests with a real rtpengine cannot run, or undefined if they can. With RTPC_REQUIRE_ALL=1 a missing binary is a failed test
 * instead of a skipped one, so this says undefined then.
 */
export function whyNoRtpengine(): string | undefined {
  if (findRtpengine() !== null || Bun.env.RTPC_REQUIRE_ALL === '1') return undefined;

  return 'rtpengine is not installed (Debian package rtpengine-daemon)';
}

/** Starts it and waits for its first pong. Rejects with the end of its log if it ends or stays silent. */
export async function startRtpengine(options: RtpengineOptions): Promise<Rtpengine> {
  const binary = findRtpengine();
  if (binary === null) throw new Error('rtpengine is not installed: apt-get install rtpengine-daemon');
  const { ngAddress = '127.0.0.1' } = options;
  const child = own(
    Bun.spawn(
      leashed(
        inNamespace(options.place?.namespace, [
          binary,
          '--config-file=none',
          '--foreground',
          '--log-stderr',
          '--table=-1',
          `--interface=${options.address}`,
          `--listen-ng=${ngAddress}:${options.ngPort}`,
          ...(options.httpPort === undefined ? [] : [`--listen-http=${ngAddress}:${options.httpPort}`]),
          `--port-min=${options.portMin}`,
          `--port-max=${options.portMax}`,
          '--delete-delay=0',
          ...(options.extra ?? []),
        ]),
      ),
      // A core file, if it dies, belongs to nobody's source tree.
      { cwd: temporaryFolder(), stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
    ),
  );
  // A test run that is cut short leaves no relay behind.
  const onExit = (): void => child.kill('SIGKILL');
  process.once('exit', onExit);
  let log = '';
  const started = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    for await (const chunk of child.stderr) {
      log = (log + Buffer.from(chunk).toString('latin1')).slice(-MAX_LOG);
      if (log.includes('Startup complete')) started.resolve();
    }
    started.reject(new Error(`rtpengine ended while it started:\n${log}`));
  };
  read().catch((error: unknown) => started.reject(error));
  // After the start nobody waits for it any more.
  started.promise.catch(() => undefined);
  const tooLate = AbortSignal.timeout(START_MS);
  tooLate.addEventListener('abort', () => started.reject(new Error(`rtpengine does not start:\n${log}`)));
  const stop = async (): Promise<void> => {
    process.off('exit', onExit);
    child.kill('SIGKILL');
    await child.exited;
  };
  try {
    await started.promise;
    const address = { host: ngAddress, port: options.ngPort };
    const driver = createNgDriver(address, systemClock, { open: options.place?.connect });
    const pong = await driver.ping(systemClock.monotonic() + START_MS);
    driver.close();
    if (pong !== 'pong') throw new Error(`rtpengine does not answer: ${pong.reason}\n${log}`);
  } catch (error) {
    await stop();
    throw error;
  }

  return { pid: child.pid, log: () => log, stop };
}

/** The value of a driver call that must not fail; throws with the relay's words if it did. */
export function mustBe<T>(value: T | RelayFailure): T {
  if (value instanceof RelayFailure) throw new Error(`the relay failed: ${value.kind}: ${value.reason}`);

  return value;
}
