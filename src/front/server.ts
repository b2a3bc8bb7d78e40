/** The UDP sockets of the ng front-end: one port for each set of nodes, replies from the address and port that was asked. */

import type { SocketAddress } from '../domain/node.ts';
import { codeOf } from '../relay/wire/errors.ts';
import type { Clock } from '../util/clock.ts';
import type { Network } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { Clients } from './clients.ts';
import type { Exchange } from './exchange.ts';
import { Outbox } from './outbox.ts';

export interface NgServerOptions {
  /** Where to listen, and for which set; port 0 lets the system choose. */
  readonly listen: readonly (SocketAddress & { readonly setId: number })[];
  /** Whose datagrams are read. */
  readonly clients: readonly Network[];
  readonly clock: Clock;
}

/** It cannot listen; the message is for the operator. */
export class FrontProblem {
  constructor(readonly message: string) {}
}

/** What came and went since the start; datagrams each. */
export interface NgServerCounters {
  readonly received: number;
  /** Came before `begin`. */
  readonly early: number;
  /** Not read: early ones that were too many or became too old, those beyond `MAX_PENDING`, and those that came after `finish`. */
  readonly dropped: number;
  /** Not read: of addresses not allowed. */
  readonly strangers: number;
  /** Not read: beyond the rate of a client. */
  readonly overRate: number;
  readonly sent: number;
  /** Replies the system did not take. */
  readonly lost: number;
  /** What the sockets complained of, nearly always a client that is gone; too many to be logged. */
  readonly socketErrors: number;
}

/** Datagrams kept before `begin`: as many as the system's own buffer holds. */
export const MAX_EARLY = 256;
/** An early datagram older than this is dropped, ms: a client that still waits has repeated it since, after 1 s. */
export const MAX_EARLY_MS = 2000;
/** Datagrams that wait for their reply. More than there can be requests under way, as retransmissions wait with them. */
const MAX_PENDING = 16_384;

/** How often it is told what went wrong, ms. */
const REPORT_MS = 60_000;

/** Why it cannot listen, for the operator. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program does already, maybe another rtp-cluster, or an rtpengine of this host (that of Debian listens on 127.0.0.1:2223)',
  EADDRNOTAVAIL: 'this host does not have the address',
  EACCES: 'this user may not',
};

interface Port {
  readonly setId: number;
  readonly address: SocketAddress;
  readonly outbox: Outbox;
  close(): void;
}

interface Early {
  readonly port: Port;
  readonly bytes: Buffer;
  readonly from: SocketAddress;
  /** When it came, monotonic ms. */
  readonly at: number;
}

export class NgServer {
  readonly #options: NgServerOptions;
  readonly #clients: Clients;
  readonly #counters = { received: 0, early: 0, dropped: 0, sent: 0, lost: 0, socketErrors: 0 };
  #ports: readonly Port[] = [];
  #exchange: Exchange | undefined;
  #early: Early[] = [];
  /** Datagrams that wait for their reply. */
  #pending = 0;
  #isStopped = false;
  #stopReports: (() => void) | undefined;
  /** Counters as they were at the last report. */
  #reported: Readonly<Record<string, number>> = {};
  /** Called when nobody waits any more; only set while it stops. */
  #onIdle: (() => void) | undefined;

  constructor(options: NgServerOptions) {
    this.#options = options;
    this.#clients = new Clients(options.clients, options.clock);
  }

  get counters(): NgServerCounters {
    return { ...this.#counters, ...this.#clients.counters };
  }

  /** From now on datagrams of these networks are read, and no others; who waits for a reply still gets it. */
  replaceClients(networks: readonly Network[]): void {
    this.#clients.replace(networks);
  }

  /** The ports in use, in the order of `listen`. */
  get ports(): readonly number[] {
    return this.#ports.map(({ address }) => address.port);
  }

  /** Opens all sockets, or none if one of them cannot be opened. Answers nobody before `begin`. */
  async start(): Promise<FrontProblem | undefined> {
    const opened: Port[] = [];
    for (const place of this.#options.listen) {
      try {
        opened.push(await this.#open(place));
      } catch (error) {
        for (const port of opened) port.close();
        const reason = REASONS[String(codeOf(error))] ?? String(error);

        return new FrontProblem(
          `cannot listen on ${show(place)}: ${reason}; ng.listen says where to listen for SIP proxies`,
        );
      }
    }
    this.#ports = opened;

    return undefined;
  }

  /** What went wrong since the last time, once a minute if anything did: what a proxy does not hear of its own datagrams. */
  #report({ counters }: Exchange): void {
    const { dropped, overRate, lost } = this.counters;
    const { refused, unframed, unreadable, oversized, forgotten } = counters;
    const now = { dropped, overRate, lost, refused, unframed, unreadable, oversized, forgotten };
    const grown = Object.entries(now)
      .map(([name, count]) => [name, count - (this.#reported[name] ?? 0)] as const)
      .filter(([, count]) => count > 0);
    this.#reported = now;
    if (grown.length > 0) log.warning('ng.trouble', Object.fromEntries(grown));
  }

  /** From now on datagrams are answered, those that came before included. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#stopReports = this.#options.clock.every(REPORT_MS, () => this.#report(exchange));
    for (const { setId, address } of this.#ports)
      log.info('ng.listening', { set: setId, address: show(address) });
    const now = this.#options.clock.monotonic();
    for (const { port, bytes, from, at } of this.#early.splice(0)) {
      if (now - at > MAX_EARLY_MS) this.#counters.dropped++;
      else this.#answer(exchange, port, bytes, from.port, from.host);
    }
  }

  /**
   * Takes nothing new and ends when requests under way have their replies, after `graceMs` at the latest. The sockets stay open: a
   * proxy that finds nobody leaves us alone for a while, one that has to wait asks again, perhaps our successor.
   */
  async finish(graceMs: number): Promise<void> {
    this.#isStopped = true;
    this.#stopReports?.();
    this.#counters.dropped += this.#early.length;
    this.#early = [];
    if (this.#pending === 0 || graceMs <= 0) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#options.clock.every(graceMs, end);
      this.#onIdle = end;
    });
  }

  /** Closes the sockets. Replies that come later are counted as lost. */
  close(): void {
    this.#stopReports?.();
    for (const port of this.#ports) port.close();
    this.#ports = [];
  }

  async #open({ setId, host, port: wanted }: SocketAddress & { readonly setId: number }): Promise<Port> {
    // Bun does not share the port with a second program, as long as nobody asks for it.
    const socket = await Bun.udpSocket({
      hostname: host,
      port: wanted,
      binaryType: 'buffer',
      socket: {
        data: (_socket, bytes, from, address) => this.#take(port, bytes, from, address),
        drain: () => outbox.resume(),
        error: () => void this.#counters.socketErrors++,
      },
    });
    const outbox = new Outbox((bytes, to, address) => socket.send(bytes, to, address), this.#counters);
    const port: Port = {
      setId,
      address: { host, port: socket.port },
      outbox,
      close: () => socket.close(),
    };

    return port;
  }

  #take(port: Port, bytes: Buffer, from: number, address: string): void {
    this.#counters.received++;
    if (!this.#clients.admits(address)) return;
    // A sender without a port cannot be answered.
    if (this.#isStopped || this.#pending >= MAX_PENDING || from === 0) this.#counters.dropped++;
    else if (this.#exchange !== undefined) this.#answer(this.#exchange, port, bytes, from, address);
    else this.#keep(port, bytes, from, address);
  }

  #keep(port: Port, bytes: Buffer, from: number, host: string): void {
    this.#counters.early++;
    if (this.#early.length >= MAX_EARLY) {
      this.#counters.dropped++;

      return;
    }
    const at = this.#options.clock.monotonic();
    this.#early.push({ port, bytes: Buffer.from(bytes), from: { host, port: from }, at });
  }

  #answer(exchange: Exchange, port: Port, bytes: Buffer, from: number, address: string): void {
    this.#pending++;
    void exchange.take(bytes, address, port.setId).then((reply) => {
      this.#pending--;
      if (reply !== undefined) port.outbox.put(reply, from, address);
      if (this.#pending === 0) this.#onIdle?.();
    });
  }
}

function show({ host, port }: SocketAddress): string {
  return host.includes(':') ? `udp:[${host}]:${port}` : `udp:${host}:${port}`;
}
