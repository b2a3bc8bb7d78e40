/**
 * A fake rtpengine: a real ng socket without media, and with faults on demand. For rehearsing failures (`rtp-cluster fake-relay`), for
 * tests and for measuring. It answers as rtpengine 10.5.3.5 does; what it cannot do is media, codecs, SRTP, and subscriptions.
 */

import type { SocketAddress } from '../../domain/node.ts';
import type { NgDict } from '../driver.ts';
import type { Faults } from '../fake/faults.ts';
import { FakeServer, type FakeServerOptions } from '../fake/server.ts';
import { type Listener, listenUdp, showAddress } from '../fake/sockets.ts';
import { FakeCalls, type FakeCallsOptions } from './fake-calls.ts';
import { ReplyCache } from './fake-cookies.ts';
import { error, readOrder } from './fake-message.ts';
import { answerDatagram, spoil } from './fake-wire.ts';

export interface FakeNodeOptions extends FakeServerOptions {
  /** Where it listens; port 0 = any free one. 127.0.0.1:0 by default. */
  readonly listen?: SocketAddress;
  /** Address shown in SDP where none is asked for; 127.0.0.1 by default. */
  readonly address?: string;
  /** The same for IPv6; none by default. */
  readonly address6?: string;
  /** Calls at most; negative = no limit, the default. */
  readonly maxSessions?: number;
  /** Seconds a deleted call stays; 30 by default, as with rtpengine. */
  readonly deleteDelaySec?: number;
}

/** rtpengine never sends a longer reply, though it did what was asked (ng-protocol 1.3). */
const MAX_REPLY = 65_507;

export class FakeNode extends FakeServer {
  readonly calls: FakeCalls;
  readonly #cookies: ReplyCache;
  readonly #settings: FakeCallsOptions;
  #listen: SocketAddress;

  private constructor(options: FakeNodeOptions) {
    super(options);
    this.#settings = {
      address: options.address ?? '127.0.0.1',
      address6: options.address6,
      portMin: options.portMin ?? 30_000,
      portMax: options.portMax ?? 39_999,
      maxSessions: options.maxSessions ?? -1,
      deleteDelaySec: options.deleteDelaySec ?? 30,
      refuse: this.faults.refuse,
      wrongAddress: this.faults.wrongAddress,
    };
    this.calls = new FakeCalls(this.#settings, this.clock);
    this.#cookies = new ReplyCache(this.clock);
    this.#listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  }

  /** Opens the socket; rejects if the address cannot be used. */
  static async start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = new FakeNode(options);
    await node.begin();

    return node;
  }

  /** Where it listens. */
  get address(): SocketAddress {
    return this.#listen;
  }

  get where(): string {
    return `udp ${showAddress(this.#listen)}`;
  }

  get size(): number {
    return this.calls.size;
  }

  /** Forgets all calls and cookies and counts the uptime from 0; the socket stays as it is. */
  restart(): void {
    this.calls.clear();
    this.#cookies.clear();
  }

  setMaxSessions(count: number): void {
    this.#settings.maxSessions = count;
  }

  protected apply({ refuse, wrongAddress }: Readonly<Faults>): void {
    this.#settings.refuse = refuse;
    this.#settings.wrongAddress = wrongAddress;
  }

  protected async open(): Promise<readonly Listener[]> {
    const socket = await listenUdp(this.#listen, (message, host, send) => this.receive(message, host, send));
    this.#listen = { host: this.#listen.host, port: socket.port };

    return [socket];
  }

  protected isOrder(message: Buffer): boolean {
    return message.includes('7:command4:fake', message.indexOf(0x20));
  }

  protected spoil(reply: Buffer, chance: number): Buffer {
    return spoil(reply, chance);
  }

  protected answer(message: Buffer, host: string): Buffer | undefined {
    const space = message.indexOf(0x20);
    if (space <= 0) return undefined;
    const cookie = message.toString('latin1', 0, space);
    let reply = this.#cookies.get(cookie);
    if (reply === undefined) {
      this.counters.handled++;
      reply = answerDatagram(cookie, message.subarray(space + 1), (dict) => this.#handle(dict, host));
      this.#cookies.set(cookie, reply);
    } else {
      this.counters.repeated++;
    }

    return reply.length > MAX_REPLY ? undefined : reply;
  }

  #handle(message: NgDict, host: string): NgDict {
    if (message.command !== 'fake') return this.calls.handle(message, host);
    const order = readOrder(message);
    if (typeof order === 'string') return error(order);
    this.obeySender(order);
    const { loss, delayMs, duplicate, garbage, refuse, wrongAddress } = this.faults;
    const faults = {
      loss: String(loss),
      delay: delayMs,
      duplicate: String(duplicate),
      garbage: String(garbage),
      refuse,
      'wrong-address': wrongAddress,
      'max-sessions': this.#settings.maxSessions,
    };

    return { faults, calls: this.calls.size, 'used ports': this.calls.usedPorts, result: 'ok' };
  }
}
