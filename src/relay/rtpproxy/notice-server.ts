/**
 * Takes the notices of rtpproxy (`-n`): a line for each session that ended because no media came (reference: rtpproxy-protocol 6).
 * The driver had the Call-ID put into it. A daemon connects with its first notice and stays; if its connection is closed here, it
 * loses the next one (measured), so nobody is sent away for being silent; but who writes one unreadable line after the other is.
 */

import { chmodSync } from 'node:fs';
import type { Clock } from '../../util/clock.ts';
import { log } from '../../util/log.ts';
import { freeSocketPath } from '../../util/socket-file.ts';
import { codeOf } from '../wire/errors.ts';
import { wordDefect } from './commands.ts';
import type { StreamAddress } from './streams.ts';

export interface NoticeServerOptions {
  /** Where to listen. */
  readonly place: StreamAddress;
  /**
   * The nodes a notice from an IP address may come from; null stands for the unix socket. Empty if any of them may have sent it,
   * undefined if a stranger has: he is sent away.
   */
  readonly tellersAt: (sender: string | null) => ReadonlySet<number> | undefined;
  /** A relay says that it ended a session of this call. A hint: whoever may connect can say so. */
  readonly onNotice: (callId: string, tellers: ReadonlySet<number>) => void;
  readonly clock: Clock;
}

/** It cannot listen; the message is for the operator. */
export class NoticeProblem {
  constructor(readonly message: string) {}
}

/** Connections at a time, one for each daemon; beyond, the one that has been silent for longest is closed. */
const MAX_CONNECTIONS = 1024;
/** Longest line, bytes: no Call-ID that goes to an rtpproxy is longer. What is longer is skipped to its end. */
const MAX_LINE = 2048;
/** Unreadable lines of one connection, before it is closed: reading millions of them would keep calls waiting. */
const MAX_GARBAGE = 1000;
/** Notices taken at once and per second, of all daemons; those beyond are dropped, and the usual checks find their calls. */
const BURST = 10_000;
const RATE = 2000;
/** A host that is gone without a word is noticed by then, s. */
const KEEP_ALIVE_S = 60;
/** Complaints of one kind are logged at most so often, ms. */
const QUIET_MS = 60_000;
/** Whoever may open the file may send a hint, no more; rtpproxy has a user of its own (threat-model). */
const SOCKET_MODE = 0o666;

/** Why it cannot listen, for the operator. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program does already',
  EADDRNOTAVAIL: 'this host does not have the address',
  EACCES: 'this user may not',
  ENOENT: 'its folder does not exist',
};

/** What is kept of a connection. */
interface Peer {
  /** The beginning of a line whose end is to come; at most `MAX_LINE`. */
  text: string;
  /** Whether the line that is under way is too long. */
  isSkipping: boolean;
  /** Lines that could not be read. */
  garbage: number;
}

type Connection = Bun.Socket<Peer>;

export class NoticeServer {
  /** `strangers` and `evicted` are connections, the others lines. */
  readonly counters = { taken: 0, garbage: 0, dropped: 0, strangers: 0, evicted: 0 };
  readonly #options: NoticeServerOptions;
  /** The one that has been silent for longest comes first. */
  readonly #connections = new Set<Connection>();
  /** When a complaint was last logged, monotonic ms. */
  readonly #loggedAt = new Map<string, number>();
  #tokens = BURST;
  #filledAt: number;
  #listener: { stop(closeActiveConnections?: boolean): void } | undefined;

  constructor(options: NoticeServerOptions) {
    this.#options = options;
    this.#filledAt = options.clock.monotonic();
  }

  /** Begins to listen. */
  async start(): Promise<NoticeProblem | undefined> {
    const { place } = this.#options;
    const socket: Bun.SocketHandler<Peer> = {
      open: (connection) => this.#onOpen(connection),
      data: (connection, bytes) => this.#onData(connection, bytes),
      close: (connection) => void this.#connections.delete(connection),
      error: () => undefined,
    };
    try {
      if ('path' in place) {
        const defect = await freeSocketPath(place.path);
        if (defect !== undefined) return problem(place, defect);
        this.#listener = Bun.listen<Peer>({ unix: place.path, socket });
        chmodSync(place.path, SOCKET_MODE);
      } else this.#listener = Bun.listen<Peer>({ hostname: place.host, port: place.port, socket });
    } catch (error) {
      this.stop();

      return problem(place, REASONS[String(codeOf(error))] ?? String(error));
    }

    return undefined;
  }

  /** Closes all connections; what was not read is lost. */
  stop(): void {
    this.#listener?.stop(true);
    this.#listener = undefined;
    this.#connections.clear();
  }

  #onOpen(connection: Connection): void {
    connection.data = { text: '', isSkipping: false, garbage: 0 };
    const sender = this.#senderOf(connection);
    if (this.#options.tellersAt(sender) === undefined) {
      this.#refuse(connection, sender);

      return;
    }
    const [oldest] = this.#connections;
    if (this.#connections.size >= MAX_CONNECTIONS && oldest !== undefined) {
      this.counters.evicted++;
      this.#complain('notice.evicted', { limit: MAX_CONNECTIONS, evicted: this.counters.evicted });
      this.#drop(oldest);
    }
    connection.setKeepAlive(true, KEEP_ALIVE_S * 1000);
    this.#connections.add(connection);
  }

  #onData(connection: Connection, bytes: Buffer): void {
    // Closed by us a moment ago.
    if (!this.#connections.delete(connection)) return;
    this.#connections.add(connection);
    const lines = this.#linesOf(connection.data, bytes.toString('latin1'));
    if (lines.length === 0) return;
    const sender = this.#senderOf(connection);
    // Once for all lines, since it walks the fleet. The node may have been taken away since it connected.
    const tellers = this.#options.tellersAt(sender);
    if (tellers === undefined) {
      this.#refuse(connection, sender);

      return;
    }
    for (const line of lines) {
      this.#take(line, tellers, connection.data);
      if (connection.data.garbage >= MAX_GARBAGE) {
        this.#drop(connection);

        return;
      }
    }
  }

  /** The lines that are whole now. */
  #linesOf(peer: Peer, text: string): string[] {
    const parts = text.split('\n');
    parts[0] = peer.text + parts[0];
    peer.text = parts.pop() as string;
    if (peer.isSkipping && parts.length > 0) {
      parts.shift();
      peer.isSkipping = false;
    }
    if (!peer.isSkipping && peer.text.length > MAX_LINE) {
      peer.isSkipping = true;
      this.#noteGarbage(peer);
    }
    if (peer.isSkipping) peer.text = '';

    return parts;
  }

  #take(line: string, tellers: ReadonlySet<number>, peer: Peer): void {
    if (line.length > MAX_LINE || wordDefect('call-id', line) !== undefined) this.#noteGarbage(peer);
    else if (!this.#takeToken()) {
      this.counters.dropped++;
      this.#complain('notice.dropped', { per_second: RATE, dropped: this.counters.dropped });
    } else {
      this.counters.taken++;
      this.#options.onNotice(line, tellers);
    }
  }

  #noteGarbage(peer: Peer): void {
    peer.garbage++;
    this.counters.garbage++;
    this.#complain('notice.garbage', { lines: this.counters.garbage });
  }

  #refuse(connection: Connection, sender: string | null): void {
    this.counters.strangers++;
    this.#complain('notice.stranger', { sender, strangers: this.counters.strangers });
    this.#drop(connection);
  }

  #drop(connection: Connection): void {
    this.#connections.delete(connection);
    connection.terminate();
  }

  #senderOf({ remoteAddress }: Connection): string | null {
    return 'path' in this.#options.place ? null : remoteAddress;
  }

  /** Who is not believed must not fill the log either. */
  #complain(event: string, fields: Record<string, unknown>): void {
    const now = this.#options.clock.monotonic();
    const loggedAt = this.#loggedAt.get(event);
    if (loggedAt !== undefined && now - loggedAt < QUIET_MS) return;
    this.#loggedAt.set(event, now);
    log.warning(event, fields);
  }

  #takeToken(): boolean {
    const now = this.#options.clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * RATE);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;

    return true;
  }
}

function problem(place: StreamAddress, reason: string): NoticeProblem {
  const where = 'path' in place ? place.path : `${place.host} port ${place.port}`;

  return new NoticeProblem(
    `cannot listen on ${where} for notices of rtpproxy: ${reason}. rtpproxy.notice_socket and rtpproxy.notice_listen say where`,
  );
}
