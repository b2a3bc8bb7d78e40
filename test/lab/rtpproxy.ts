/** Starts a real rtpproxy for contract tests. Debian has none, so the binary comes by the environment: RTPPROXY_BIN. */

import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { type ControlSocket, parseSocket } from '../../src/domain/node.ts';
import { freeUdpPort } from './ports.ts';
import { leashed, own, poll, temporaryFolder } from './processes.ts';

export interface RtpproxyOptions {
  /** Control socket (`-s`) as a node has it; `udp:127.0.0.1:` and a free port by default. */
  readonly socket?: string;
  /** Media address, or any value rtpproxy takes for `-l`; 127.0.0.1 by default. */
  readonly listen?: string;
  /** Media ports; 30000 to 31000 by default. */
  readonly portMin?: number;
  readonly portMax?: number;
  /** Further arguments, such as `-T 2`, one word each. */
  readonly extra?: readonly string[];
}

export interface Rtpproxy {
  readonly pid: number;
  /** Its control socket. */
  readonly socket: string;
  /** The newest part of what it logged, at most 64 kB. */
  log(): string;
  /** Ends it and waits until it is gone. A TCP port of it stays taken for a while: it does not reuse addresses. */
  stop(): Promise<void>;
  /** Sends it a signal; SIGHUP lets it end with its last session. */
  signal(name: NodeJS.Signals): void;
}

const MAX_LOG = 65_536;
/** Time a question may take until it is asked again, ms. */
const REPLY_MS = 200;

/** Where the binary is, or null. */
export function findRtpproxy(): string | null {
  return Bun.which(Bun.env.RTPPROXY_BIN ?? '');
}

/** Why tests with a real rtpproxy cannot run, or undefined if they can. It is not in Debian, so no gate demands it. */
export function whyNoRtpproxy(): string | undefined {
  if (findRtpproxy() !== null) return undefined;

  return 'RTPPROXY_BIN names no rtpproxy';
}

/** Starts it and waits until it answers `V`. Rejects with the end of its log if it ends or stays silent. */
export async function startRtpproxy(options: RtpproxyOptions = {}): Promise<Rtpproxy> {
  const binary = findRtpproxy();
  if (binary === null) throw new Error('RTPPROXY_BIN names no rtpproxy');
  const { listen = '127.0.0.1', portMin = 30_000, portMax = 31_000, extra = [] } = options;
  const socket = options.socket ?? `udp:127.0.0.1:${await freeUdpPort()}`;
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`${socket} is no control socket`);
  const child = own(
    Bun.spawn(
      leashed([
        binary,
        ...['-f', '-F', '-b', '-d', 'err', '-p', join(temporaryFolder(), 'pid')],
        // It takes no brackets.
        ...['-s', socket.replace(/[[\]]/g, ''), '-l', listen, '-m', String(portMin), '-M', String(portMax)],
        ...extra,
      ]),
      { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
    ),
  );
  let log = '';
  const collect = async (): Promise<void> => {
    for await (const chunk of child.stderr)
      log = (log + Buffer.from(chunk).toString('latin1')).slice(-MAX_LOG);
  };
  collect().catch(() => undefined);
  let isEnded = false;
  child.exited.then(() => {
    isEnded = true;
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child.exited;
  };
  try {
    await poll(
      async () => {
        if (isEnded) throw new Error(`rtpproxy ended while it started:\n${log}`);

        return (await tell(address, 'V')) === '20040107' ? true : undefined;
      },
      () => `rtpproxy does not answer:\n${log}`,
    );
  } catch (error) {
    await stop();
    throw error;
  }

  return { pid: child.pid, socket, log: () => log, stop, signal: (name) => child.kill(name) };
}

/** One command past all code that is under test; the reply without cookie and line end, undefined if none comes soon. */
export async function tell(address: ControlSocket, command: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => resolve(undefined), REPLY_MS);
  const close =
    address.transport === 'udp' ? ask(address, command, resolve) : dial(address, command, resolve);
  const reply = await promise;
  clearTimeout(timer);
  close();

  return reply?.trimEnd();
}

type Told = (reply: string | undefined) => void;

function ask({ host, port }: { host: string; port: number }, command: string, told: Told): () => void {
  const cookie = crypto.randomUUID();
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => told(undefined));
  socket.on('message', (reply) => told(reply.toString('latin1').replace(`${cookie} `, '')));
  socket.send(Buffer.from(`${cookie} ${command}`, 'latin1'), port, host);

  return () => socket.close();
}

function dial(address: ControlSocket, command: string, told: Told): () => void {
  const handlers = {
    open: (socket: Bun.Socket) => void socket.write(Buffer.from(`${command}\n`, 'latin1')),
    data: (_socket: Bun.Socket, reply: Buffer) => told(reply.toString('latin1')),
    error: () => told(undefined),
    close: () => told(undefined),
  };
  const connecting =
    'path' in address
      ? Bun.connect({ unix: address.path, socket: handlers })
      : Bun.connect({ hostname: address.host, port: address.port, socket: handlers });
  connecting.catch(() => told(undefined));

  return () => void connecting.then((socket) => socket.end()).catch(() => undefined);
}
