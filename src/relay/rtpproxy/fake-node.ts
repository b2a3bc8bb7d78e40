/**
 * A fake Sippy rtpproxy: real control sockets without media, and with faults on demand. For rehearsing failures
 * (`rtp-cluster fake-relay --kind rtpproxy`), for tests and for measuring. It answers as rtpproxy does that was started with `-b`,
 * ports in order; what it cannot do is media, modules, and a route lookup.
 */

import type { ControlSocket } from '../../domain/node.ts';
import { type Faults, parseOrderText } from '../fake/faults.ts';
import { FakeServer, type FakeServerOptions } from '../fake/server.ts';
import { type Listener, listenUdp, showAddress } from '../fake/sockets.ts';
import { FakeAddresses, type FakeListen } from './fake-addresses.ts';
import { MAX_COMMAND, wordAt } from './fake-command.ts';
import { FakeCommands } from './fake-commands.ts';
import { ReplyMemory } from './fake-cookies.ts';
import { type FakeLimits, FakeMedia } from './fake-media.ts';
import { FakeNotifier } from './fake-notify.ts';
import { FakePortTable } from './fake-ports.ts';
import { FakeSessions } from './fake-sessions.ts';
import { FakeStatistics } from './fake-statistics.ts';
import { listenStream } from './fake-streams.ts';
import { type FakeVersion, Release } from './fake-version.ts';

export interface FakeRtpproxyOptions extends FakeServerOptions {
  /** Control sockets; port 0 = any free one. One on udp 127.0.0.1:0 by default. */
  readonly listen?: readonly ControlSocket[];
  readonly version?: FakeVersion;
  /** Listen addresses, the options `-l` and `-6`; 127.0.0.1 by default. */
  readonly addresses?: readonly FakeListen[];
  /** External address of bridging mode, `-l INT/EXT`; the internal one is the first of `addresses`. */
  readonly external?: FakeListen;
  /** The option `-A` for one address; rtpproxy 3.2 ignores it. */
  readonly advertised?: string;
  /** Sockets U may name, the option `-n`: `tcp:HOST:PORT`, `tcp:%%CC_SELF%%:PORT` or `unix:/path`. */
  readonly notify?: readonly string[];
  /** Seconds after which a session ends (no media flows here) unless U or L come, the option `-T`; never by default. */
  readonly mediaTimeoutSec?: number;
  /** The same before the answer, the option `-W`; as `mediaTimeoutSec` by default. */
  readonly setupTimeoutSec?: number;
  /** Whether it has a folder for recordings, the option `-r`; nothing is written. */
  readonly canRecord?: boolean;
  /** Sessions (streams) at most; negative = no limit, the default. */
  readonly maxSessions?: number;
}

const ORDER = 'fake';
/** Longest list of Call-IDs, so that it fits into a datagram; the rest is cut off. */
const MAX_CALLS_REPLY = 60_000;

export class FakeRtpproxy extends FakeServer {
  readonly sessions: FakeSessions;
  readonly #commands: FakeCommands;
  readonly #cookies: ReplyMemory;
  readonly #limits: FakeLimits;
  readonly #notifier: FakeNotifier;
  readonly #statistics = new FakeStatistics();
  #listen: readonly ControlSocket[];

  private constructor(options: FakeRtpproxyOptions) {
    super(options);
    const { refuse, wrongAddress, wrongPort } = this.faults;
    this.#limits = { maxSessions: options.maxSessions ?? -1, refuse, wrongAddress, wrongPort };
    this.#cookies = new ReplyMemory(this.clock);
    this.#notifier = new FakeNotifier(options.notify ?? []);
    this.sessions = new FakeSessions(
      new FakePortTable(options.portMin ?? 30_000, options.portMax ?? 39_999),
      { mediaTimeoutSec: options.mediaTimeoutSec, setupTimeoutSec: options.setupTimeoutSec },
      this.#statistics,
      this.clock,
      (notice) => this.#notifier.tell(notice),
    );
    const release = new Release(options.version ?? '3.2');
    const [first = { address: '127.0.0.1' }, ...others] = options.addresses ?? [];
    const isAdvertised = options.advertised !== undefined && release.advertisesAlways;
    const addresses = new FakeAddresses(
      [isAdvertised ? { ...first, advertised: options.advertised } : first, ...others],
      options.external,
      release.advertisesAlways,
    );
    const media = new FakeMedia(
      this.sessions,
      addresses,
      release,
      this.#limits,
      this.#notifier,
      this.#statistics,
    );
    this.#commands = new FakeCommands(
      { release, canRecord: options.canRecord ?? false },
      this.sessions,
      addresses,
      media,
      this.#statistics,
    );
    this.#listen = options.listen ?? [{ transport: 'udp', host: '127.0.0.1', port: 0 }];
  }

  /** Opens the sockets; rejects if an address cannot be used. */
  static async start(options: FakeRtpproxyOptions = {}): Promise<FakeRtpproxy> {
    const node = new FakeRtpproxy(options);
    try {
      await node.begin();
    } catch (error) {
      node.stop();
      throw error;
    }

    return node;
  }

  /** Where it listens. */
  get listen(): readonly ControlSocket[] {
    return this.#listen;
  }

  get where(): string {
    return this.#listen
      .map((one) => `${one.transport} ${'path' in one ? one.path : showAddress(one)}`)
      .join(', ');
  }

  get size(): number {
    return this.sessions.size;
  }

  restart(): void {
    this.sessions.clear();
    this.#statistics.clear();
    this.#cookies.clear();
  }

  setMaxSessions(count: number): void {
    this.#limits.maxSessions = count;
  }

  override stop(): void {
    super.stop();
    this.sessions.stop();
    this.#notifier.close();
  }

  protected apply({ refuse, wrongAddress, wrongPort }: Readonly<Faults>): void {
    Object.assign(this.#limits, { refuse, wrongAddress, wrongPort });
  }

  protected async open(): Promise<readonly Listener[]> {
    const listeners: Listener[] = [];
    const places: ControlSocket[] = [];
    try {
      for (const place of this.#listen) {
        const isUdp = place.transport === 'udp';
        const listener = isUdp
          ? await listenUdp(place, (message, host, send) => this.receive(message, host, send))
          : await listenStream(place, (message, host, send) => this.receive(message, host, send, true));
        listeners.push(listener);
        places.push('path' in place ? place : { ...place, port: listener.port });
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    this.#listen = places;

    return listeners;
  }

  protected isOrder(message: Buffer, isStream: boolean): boolean {
    const text = message.toString('latin1', 0, 64);

    return isOrderAt(text, isStream ? 0 : wordAt(text, 0)[1]);
  }

  /** A cookie is kept; for `chance` below one half the rest is empty. */
  protected spoil(reply: Buffer, chance: number, isStream: boolean): Buffer {
    const start = isStream ? Buffer.alloc(0) : reply.subarray(0, reply.indexOf(0x20) + 1);

    return Buffer.concat([start, Buffer.from(chance < 0.5 ? '\n' : '4300 \xff?\n', 'latin1')]);
  }

  protected answer(message: Buffer, host: string, isStream: boolean): Buffer | undefined {
    const text = message.toString('latin1', 0, MAX_COMMAND);
    if (isStream) {
      this.counters.handled++;

      return Buffer.from(`${this.#handle(text, 0, host)}\n`, 'latin1');
    }
    const [start, end] = wordAt(text, 0);
    const cookie = text.slice(start, end);
    let reply = this.#cookies.get(cookie);
    if (reply === undefined) {
      this.counters.handled++;
      const body = this.#handle(text, end, host);
      reply = cookie === '' ? `${body}\n` : `${cookie} ${body}\n`;
      if (cookie !== '') this.#cookies.set(cookie, reply);
    } else {
      this.counters.repeated++;
      this.#statistics.add('ncmds_rcvd_ndups');
    }

    return Buffer.from(reply, 'latin1');
  }

  #handle(text: string, from: number, host: string): string {
    return isOrderAt(text, from) ? this.#order(text, from) : this.#commands.handle(text, from, host);
  }

  /** `FAKE hang 2s; loss 0.3`: the reply tells what holds now, or begins with E. `FAKE calls`: it is the Call-IDs. */
  #order(text: string, from: number): string {
    const [, end] = wordAt(text, from);
    const wanted = text.slice(end).trim();
    if (wanted === 'calls') return this.sessions.callIds().join(' ').slice(0, MAX_CALLS_REPLY);
    const order = parseOrderText(wanted, 'rtpproxy');
    if (typeof order === 'string') return `E5 ${order}`;
    this.obeySender(order);
    const { loss, delayMs, duplicate, garbage, refuse, wrongAddress, wrongPort } = this.faults;

    return `loss=${loss} delay=${delayMs} duplicate=${duplicate} garbage=${garbage} refuse=${refuse} wrong-address=${wrongAddress} wrong-port=${wrongPort} max-sessions=${this.#limits.maxSessions} sessions=${this.size} used-ports=${this.sessions.ports.used}`;
  }
}

/** Whether the command that begins at `from` is the one that orders faults. */
function isOrderAt(text: string, from: number): boolean {
  const [start, end] = wordAt(text, from);

  return end - start === ORDER.length && text.slice(start, end).toLowerCase() === ORDER;
}
