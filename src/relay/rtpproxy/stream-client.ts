/**
 * One node's stream sockets: the queue before them, the window, deadlines and what happens when a stream breaks (reference:
 * rtpproxy-protocol 2). Nothing is sent twice: without a cookie the daemon would do it twice.
 */

import type { Clock } from '../../util/clock.ts';
import { RelayFailure } from '../driver.ts';
import { newCounters, type WireCounters } from '../wire/counters.ts';
import { MAX_WAITING, TICK_MS } from '../wire/datagram-client.ts';
import { isRefusal, takenAway } from '../wire/errors.ts';
import { RoundTrip } from '../wire/round-trip.ts';
import { Connection, type Order } from './connection.ts';
import { encodeCommand } from './framing.ts';
import { type OpenStream, openStream, type StreamAddress, whyNotOpened } from './streams.ts';

/** Commands in flight to one node. */
export const WINDOW = 16;
/**
 * Replies awaited, those to commands given up included: while a node is slow, or its silence is not long enough yet, new ones still
 * get their turn. With `unix` these are connections, and the daemon lets 32 wait.
 */
export const MAX_AWAITED = 24;

/**
 * How long refusals must go on before they are believed where each command has its own connection, ms. A daemon that lives but has 32
 * waiting already, other controllers' among them, refuses as one that is dead; it is through with these in less (measured).
 */
export const DOUBT_MS = 20;

/** How many connections there are, and how many replies may come over each. */
export interface StreamUse {
  readonly connections: number;
  readonly replies: number;
}

/** `cunix` and `tcp`: one connection that stays. */
export const PERSISTENT: StreamUse = { connections: 1, replies: MAX_AWAITED };
/** `unix`: one for each command; the daemon closes it after the reply. */
export const ONE_SHOT: StreamUse = { connections: MAX_AWAITED, replies: 1 };

export interface StreamOptions {
  /** Called when a reply comes to a request given up: too late for that one, but the node lives. */
  readonly onLate?: (() => void) | undefined;
  /** Opens a stream; one of the system by default. */
  readonly open?: OpenStream | undefined;
  /** Where to count, maybe together with others; by itself if missing. */
  readonly counters?: WireCounters | undefined;
}

export class StreamClient {
  readonly counters: WireCounters;

  readonly #address: StreamAddress;
  readonly #clock: Clock;
  readonly #use: StreamUse;
  readonly #onLate: (() => void) | undefined;
  readonly #open: OpenStream;
  /** Only for the round trip it measures. */
  readonly #roundTrip = new RoundTrip(TICK_MS, TICK_MS);
  /** Not yet sent, oldest first. */
  readonly #waiting = new Set<Order>();
  readonly #connections = new Set<Connection>();
  #inFlight = 0;
  /** Since when every connection has been refused, monotonic ms; undefined if the last one was not. */
  #refusedAt: number | undefined;
  /** Until the next tick, after a refusal that is not believed yet. */
  #isPausing = false;
  #isClosed = false;
  #stopTimer: (() => void) | undefined;

  /** Nothing is opened before the first request. */
  constructor(address: StreamAddress, clock: Clock, use: StreamUse, options: StreamOptions = {}) {
    this.counters = options.counters ?? newCounters();
    this.#address = address;
    this.#clock = clock;
    this.#use = use;
    this.#onLate = options.onLate;
    this.#open = options.open ?? openStream;
  }

  /** Requests sent and not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests not yet sent. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Smoothed round trip, ms; null before the first one was measured. */
  get rttMs(): number | null {
    return this.#roundTrip.smoothedMs;
  }

  /**
   * Sends a command and returns the reply of `lines` lines. `deadline` is in monotonic milliseconds. Failures: `silent`,
   * `unreachable`, `garbled`, `busy`, `too-large`, `rejected`. Never throws.
   */
  request(command: string, deadline: number, lines = 1): Promise<string | RelayFailure> {
    if (this.#isClosed) return Promise.resolve(takenAway());
    const encoded = encodeCommand(command);
    if (encoded instanceof RelayFailure) return Promise.resolve(encoded);
    if (this.#waiting.size >= MAX_WAITING) {
      this.counters.busy++;
      const reason = `${MAX_WAITING} requests to this node are waiting already`;

      return Promise.resolve(new RelayFailure('busy', reason));
    }

    return new Promise((end) => {
      this.#waiting.add({ command, lines, deadline, end, sentAt: 0, hasEnded: false });
      this.#stopTimer ??= this.#clock.every(TICK_MS, () => this.#tick());
      this.#pump();
    });
  }

  /** Ends everything under way as `unreachable` and closes the connections. */
  close(): void {
    this.#isClosed = true;
    this.#endWaiting(takenAway());
    for (const connection of [...this.#connections]) this.#drop(connection, takenAway());
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  get #isOneShot(): boolean {
    return this.#use.replies === 1;
  }

  /** Sends what there is room for, and opens connections for the rest. */
  #pump(): void {
    let opening = 0;
    for (const connection of [...this.#connections]) {
      if (connection.isStuck(this.#clock.monotonic())) this.#giveUp(connection);
      else if (connection.isOpen) this.#send(connection);
      else opening++;
    }
    if (this.#isPausing) return;
    // What is being opened will take as much as it may.
    let more = Math.min(this.#waiting.size, WINDOW - this.#inFlight) - opening * this.#use.replies;
    for (; more > 0 && this.#connections.size < this.#use.connections; more -= this.#use.replies)
      this.#connect();
  }

  #send(connection: Connection): void {
    const room = Math.min(WINDOW - this.#inFlight, this.#use.replies - connection.awaited);
    if (room <= 0 || this.#waiting.size === 0) return;
    const orders = [...this.#waiting.values().take(room)];
    for (const order of orders) {
      this.#waiting.delete(order);
      order.sentAt = this.#clock.monotonic();
    }
    this.#inFlight += orders.length;
    this.counters.sent += orders.length;
    connection.send(orders);
  }

  #connect(): void {
    const now = () => this.#clock.monotonic();
    const connection: Connection = new Connection(this.#open, this.#address, now, this.#isOneShot, {
      onOpen: () => {
        this.#refusedAt = undefined;
        this.#pump();
        // A daemon that accepted it is waiting for the command.
        if (this.#isOneShot && connection.awaited === 0) {
          this.#connections.delete(connection);
          connection.close();
        }
      },
      onReply: (order, reply) => this.#onReply(order, reply),
      onRead: () => this.#pump(),
      onUnknown: () => this.counters.unknown++,
      onEnd: (error) => this.#onEnd(connection, error),
    });
    this.#connections.add(connection);
  }

  #onReply(order: Order, reply: string | RelayFailure): void {
    if (order.hasEnded) {
      this.counters.late++;
      this.#onLate?.();

      return;
    }
    this.counters.replies++;
    if (reply instanceof RelayFailure) this.counters.garbled++;
    this.#roundTrip.measured(this.#clock.monotonic() - order.sentAt);
    this.#end(order, reply);
  }

  #onEnd(connection: Connection, error: Error | undefined): void {
    if (connection.isOpen) {
      if (error !== undefined) this.counters.socketErrors++;
      // Perhaps the node did it and ended before it could answer.
      this.#drop(connection, new RelayFailure('silent', 'the connection ended before the reply came'));
    } else {
      this.#connections.delete(connection);
      this.#onNotOpened(error);
    }
    this.#pump();
  }

  #onNotOpened(error: Error | undefined): void {
    const now = this.#clock.monotonic();
    if (this.#isOneShot && isRefusal(error)) {
      this.#refusedAt ??= now;
      this.#isPausing = now - this.#refusedAt < DOUBT_MS;
      if (this.#isPausing) return;
    }
    const failure = whyNotOpened(error, this.#address);
    if (failure.kind === 'unreachable') this.counters.refused += this.#waiting.size;
    else this.counters.socketErrors++;
    this.#endWaiting(failure);
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    this.#isPausing = false;
    for (const order of this.#waiting) {
      if (order.deadline - now >= TICK_MS) continue;
      this.#waiting.delete(order);
      order.end(this.#unsent());
    }
    for (const connection of this.#connections) {
      for (const order of connection.orders) {
        if (order.deadline - now < TICK_MS)
          this.#end(order, this.#timedOut('no reply within the time budget'));
      }
    }
    this.#pump();
    if (this.#waiting.size > 0 || [...this.#connections].some(({ awaited }) => awaited > 0)) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** What a request ends with that was never sent: it is certain not to have been done, but perhaps the node is to blame. */
  #unsent(): RelayFailure {
    const isConnecting = [...this.#connections].every(({ isOpen }) => !isOpen);
    if (isConnecting) return this.#timedOut('no connection within the time budget');
    this.counters.busy++;

    return new RelayFailure('busy', 'no place in the window for this node within the time budget');
  }

  #timedOut(reason: string): RelayFailure {
    this.counters.timeouts++;

    return new RelayFailure('silent', reason);
  }

  #giveUp(connection: Connection): void {
    this.#drop(connection, new RelayFailure('silent', 'the node did not answer what was sent before'));
  }

  /** Closes a connection; what was sent over it and has not ended ends with `failure`. */
  #drop(connection: Connection, failure: RelayFailure): void {
    this.#connections.delete(connection);
    const lost = connection.orders;
    connection.close();
    if (failure.kind === 'silent') this.counters.timeouts += lost.length;
    for (const order of lost) this.#end(order, failure);
  }

  #endWaiting(failure: RelayFailure): void {
    for (const order of this.#waiting) order.end(failure);
    this.#waiting.clear();
  }

  #end(order: Order, outcome: string | RelayFailure): void {
    this.#inFlight--;
    order.hasEnded = true;
    order.end(outcome);
  }
}
