/** Recorded exchanges with real daemons, fake rtpproxies started as those were, and clients of all transports. */

import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { SocketAddress } from '../../../../src/domain/node.ts';
import type { FakeListen } from '../../../../src/relay/rtpproxy/fake-addresses.ts';
import { FakeRtpproxy, type FakeRtpproxyOptions } from '../../../../src/relay/rtpproxy/fake-node.ts';
import type { FakeVersion } from '../../../../src/relay/rtpproxy/fake-version.ts';

export interface Exchange {
  readonly request: string | null;
  readonly response: string | null;
  readonly daemon_version?: string;
}

export interface Fixture {
  readonly name: string;
  readonly daemon?: { readonly software: string; readonly version: string; readonly argv: readonly string[] };
  readonly exchanges?: readonly Exchange[];
  readonly offer_exchanges?: readonly Exchange[];
  readonly answer_exchanges?: readonly Exchange[];
  readonly bye_exchanges?: readonly Exchange[];
  readonly notifications?: readonly { readonly data: string }[];
  readonly tests?: readonly {
    readonly steps: readonly { readonly control?: string; readonly response?: string }[];
  }[];
}

const FOLDER = new URL('../../../fixtures/rtpproxy/', import.meta.url).pathname;

export const FIXTURES: ReadonlyMap<string, Fixture> = new Map(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(FOLDER + file, 'utf8')) as Fixture]),
);

/** Options for a fake started as a daemon with this command line; sockets are not among them. */
export function optionsFor(argv: readonly string[], version: string): FakeRtpproxyOptions {
  const values = (flag: string): string[] => argv.filter((_, i) => argv[i - 1] === flag);
  const [first = '0.0.0.0', ...others] = values('-l');
  const [internal = '', external] = first.split('/');
  const [advertised, advertisedOutside] = values('-A')[0]?.split('/') ?? [];
  const [life] = values('-T');
  const [setup] = values('-W');
  const inside = external === undefined ? listenOf(internal) : sided(internal, advertised);

  return {
    version: versionOf(version),
    addresses: [inside, ...[...others, ...values('-6')].map(listenOf)],
    ...(external === undefined ? {} : { external: sided(external, advertisedOutside) }),
    ...(external === undefined && advertised !== undefined ? { advertised } : {}),
    portMin: Number(values('-m')[0]),
    portMax: Number(values('-M')[0]),
    notify: values('-n'),
    canRecord: argv.includes('-r'),
    ...(life === undefined ? {} : { mediaTimeoutSec: Number(life) }),
    ...(setup === undefined ? {} : { setupTimeoutSec: Number(setup) }),
  };
}

function sided(address: string, advertised: string | undefined): FakeListen {
  return advertised === undefined ? { address } : { address, advertised };
}

/** `label@address=advertised`. */
function listenOf(text: string): FakeListen {
  const [label, rest] = text.includes('@') ? text.split('@', 2) : [undefined, text];
  const [address = '', advertised] = (rest ?? '').split('=', 2);

  return { ...sided(address, advertised), ...(label === undefined ? {} : { label }) };
}

/** The release of the fake that stands for a daemon's version; 2.2.1 answers as 3.1.1 does where it was recorded. */
function versionOf(version: string): FakeVersion {
  if (version.startsWith('2.1')) return '2.1';

  return version.startsWith('3.2') ? '3.2' : '3.1';
}

/** A UDP client that sends one command after another. */
export class UdpClient {
  waiting: ((reply: string) => void) | undefined;

  private constructor(readonly socket: Bun.udp.ConnectedSocket<'buffer'>) {}

  static async open(address: SocketAddress): Promise<UdpClient> {
    const holder: { client?: UdpClient } = {};
    const socket = await Bun.udpSocket({
      hostname: address.host.includes(':') ? '::' : '0.0.0.0',
      connect: { hostname: address.host, port: address.port },
      binaryType: 'buffer',
      socket: { data: (_socket, bytes) => holder.client?.waiting?.(bytes.toString('latin1')) },
    });
    holder.client = new UdpClient(socket);

    return holder.client;
  }

  /** The next datagram after this one was sent. */
  exchange(datagram: string): Promise<string> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.socket.send(Buffer.from(datagram, 'latin1'));
    });
  }

  close(): void {
    this.socket.close();
  }
}

/** A client of a stream socket. */
export class StreamClient {
  received = '';
  isClosed = false;
  #wake: () => void = () => undefined;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      this.#wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  static open(place: { readonly path: string } | SocketAddress): StreamClient {
    return new StreamClient(connect(place));
  }

  /** Resolves as soon as so many bytes are there, or the other side has closed. */
  async read(length: number): Promise<string> {
    while (this.received.length < length && !this.isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const text = this.received.slice(0, length);
    this.received = this.received.slice(length);

    return text;
  }

  /** Resolves when the other side has closed. */
  async closed(): Promise<void> {
    while (!this.isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

const running: { stop?(): void; close?(): void }[] = [];

/** Ends what the functions below have started. */
export function endAll(): void {
  for (const one of running.splice(0)) {
    one.stop?.();
    one.close?.();
  }
}

export async function startFake(options: FakeRtpproxyOptions = {}): Promise<FakeRtpproxy> {
  const node = await FakeRtpproxy.start(options);
  running.push(node);

  return node;
}

/** A client of the first socket of a fake, which is on UDP. */
export async function clientOf(node: FakeRtpproxy): Promise<UdpClient> {
  const [place] = node.listen;
  if (place === undefined || 'path' in place) throw new Error('the fake has no UDP socket');
  const client = await UdpClient.open(place);
  running.push(client);

  return client;
}

let talks = 0;

/** Sends commands with cookies of its own; returns the replies without cookie and line end. */
export async function talk(node: FakeRtpproxy): Promise<(command: string) => Promise<string>> {
  const client = await clientOf(node);
  const name = `t${++talks}`;
  let count = 0;

  return async (command) => {
    const cookie = `${name}_${++count}`;
    const reply = await client.exchange(`${cookie} ${command}`);

    return reply.slice(cookie.length + 1).trimEnd();
  };
}
