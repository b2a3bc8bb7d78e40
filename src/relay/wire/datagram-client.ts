/**
 * One node's datagram socket: cookies, retransmission, time-outs and the window of requests in flight. Requests and replies are
 * `COOKIE SP BODY`; what a body is, a codec knows (reference: ng-protocol 1 and 14, rtpproxy-protocol 2). One outstanding request
 * per call is the caller's duty.
 */

import type { SocketAddress } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import { RelayFailure } from '../driver.ts';
import { Cookies, type Unawaited } from './cookies.ts';
import { newCounters, type WireCounters } from './counters.ts';
import { type Datagrams, type OpenDatagrams, openUdp } from './datagrams.ts';
import { isRefusal, isWayless, takenAway } from './errors.ts';
import { RoundTrip } from './round-trip.ts';

/** Requests waiting for a place in the window; beyond it they end as `busy`. */
export const MAX_WAITING = 1024;
/** Distance of timer ticks; no request outlives its deadline, some end up to one tick earlier. */
export const TICK_MS = 10;
/** A tick that comes so long after the one before shows that the event loop stood still, ms. */
const STALL_MS = 5 * TICK_MS;

/** What travels in the datagrams of one protocol. Neither function throws. */
export interface Codec<Q, R> {
  /** The body of a request, as a byte string. */
  encode(message: Q): string | RelayFailure;
  /** What a body says; `garbled` if it cannot be read. It may be empty. */
  decode(body: Buffer): R | RelayFailure;
}

/** What a node can take. */
export interface DatagramLimits {
  /** Requests in flight. */
  readonly window: number;
  /** Largest request in bytes, cookie included. */
  readonly requestBytes: number;
}

export interface DatagramOptions {
  /**
   * Longest time until the first retransmission, ms; 150 by default. It is taken until the first round trip was measured, then as
   * much less as `RoundTrip` says. Each further retransmission waits as long again.
   */
  readonly retransmitMs?: number;
  /** Called when a reply comes to a request given up: too late for that one, but the node lives. */
  readonly onLate?: (() => void) | undefined;
  /** Opens the socket; UDP by default. */
  readonly open?: OpenDatagrams | undefined;
  /** Start of every cookie, without spaces; 96 random bits by default, since the relay's memory outlives us. */
  readonly cookiePrefix?: string;
  /** Where to count, maybe together with others; by itself if missing. */
  readonly counters?: WireCounters | undefined;
}

interface Pending<R> {
  readonly cookie: string;
  readonly datagram: Buffer;
  readonly deadline: number;
  readonly end: (outcome: R | RelayFailure) => void;
  /** Datagrams of it the system took, and when it took the first one (monotonic ms). */
  sends: number;
  sentAt: number;
  /** When to send again, and how long to wait after that. */
  resendAt: number;
  /** False while the system's send buffer is full. */
  isTaken: boolean;
}

export class DatagramClient<Q, R> {
  readonly counters: WireCounters;

  readonly #address: SocketAddress;
  readonly #clock: Clock;
  readonly #codec: Codec<Q, R>;
  readonly #limits: DatagramLimits;
  readonly #roundTrip: RoundTrip;
  readonly #onLate: (() => void) | undefined;
  readonly #open: OpenDatagrams;
  readonly #cookies: Cookies;
  /** Requests sent and not yet ended, by cookie. */
  readonly #inFlight = new Map<string, Pending<R>>();
  /** Requests not yet sent, oldest first. */
  readonly #waiting = new Set<Pending<R>>();
  #socket: Datagrams | undefined;
  #isOpening = false;
  #isClosed = false;
  #stopTimer: (() => void) | undefined;
  /** When the last tick was, monotonic ms, and whether it left everything to the next one. */
  #tickedAt = 0;
  #hasWaited = false;

  /** The socket is opened by the first request. */
  constructor(
    address: SocketAddress,
    clock: Clock,
    codec: Codec<Q, R>,
    limits: DatagramLimits,
    options: DatagramOptions = {},
  ) {
    this.counters = options.counters ?? newCounters();
    this.#address = address;
    this.#clock = clock;
    this.#codec = codec;
    this.#limits = limits;
    this.#roundTrip = new RoundTrip(options.retransmitMs ?? 150, TICK_MS);
    this.#onLate = options.onLate;
    this.#open = options.open ?? openUdp;
    this.#cookies = new Cookies(options.cookiePrefix);
  }

  /** Requests sent and not yet answered. */
  get inFlight(): number {
    return this.#inFlight.size;
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
   * Sends a message and returns the reply. `deadline` is in monotonic milliseconds. Failures: `silent`, `unreachable`, `garbled`,
   * `busy`, `too-large`, and those of the codec. Never throws.
   */
  request(message: Q, deadline: number): Promise<R | RelayFailure> {
    if (this.#isClosed) return Promise.resolve(takenAway());
    const body = this.#codec.encode(message);
    if (body instanceof RelayFailure) return Promise.resolve(body);
    const cookie = this.#cookies.next();
    const datagram = Buffer.from(`${cookie} ${body}`, 'latin1');
    const most = this.#limits.requestBytes;
    if (datagram.length > most) {
      const reason = `the request has ${datagram.length} bytes; at most ${most} are sent`;
      return Promise.resolve(new RelayFailure('too-large', reason));
    }
    if (this.#waiting.size >= MAX_WAITING) {
      this.counters.busy++;
      return Promise.resolve(
        new RelayFailure('busy', `${MAX_WAITING} requests to this node are waiting already`),
      );
    }

    return new Promise((end) => {
      this.#waiting.add({
        cookie,
        datagram,
        deadline,
        end,
        sends: 0,
        sentAt: 0,
        resendAt: 0,
        isTaken: false,
      });
      if (this.#stopTimer === undefined) {
        this.#tickedAt = this.#clock.monotonic();
        this.#stopTimer = this.#clock.every(TICK_MS, () => this.#tick());
      }
      this.#pump();
    });
  }

  /** Ends everything under way as `unreachable` and closes the socket. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(takenAway());
    this.#dropSocket();
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** Moves waiting requests into the window. */
  #pump(): void {
    for (const pending of this.#waiting) {
      if (this.#inFlight.size >= this.#limits.window) return;
      if (this.#socket === undefined) {
        this.#openSocket();
        return;
      }
      this.#waiting.delete(pending);
      this.#inFlight.set(pending.cookie, pending);
      this.counters.sent++;
      this.#send(pending);
    }
  }

  #openSocket(): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    // A socket given up may still have something to say, about requests that have ended.
    let isCurrent = true;
    const events = {
      onMessage: (bytes: Uint8Array) => this.#onMessage(bytes),
      onError: (error: Error) => {
        if (isCurrent) this.#onError(error);
      },
    };
    this.#open(this.#address, events).then(
      (socket) => {
        this.#isOpening = false;
        this.#socket = {
          send: (bytes) => socket.send(bytes),
          close: () => {
            isCurrent = false;
            socket.close();
          },
        };
        if (this.#isClosed) this.#dropSocket();
        else this.#pump();
      },
      (error: unknown) => {
        this.#isOpening = false;
        this.counters.socketErrors++;
        this.#failUnsent(`no socket to this node: ${error instanceof Error ? error.message : String(error)}`);
      },
    );
  }

  #send(pending: Pending<R>): void {
    const now = this.#clock.monotonic();
    pending.resendAt = now + this.#roundTrip.waitMs;
    try {
      pending.isTaken = this.#socket?.send(pending.datagram) ?? false;
      if (pending.isTaken && ++pending.sends === 1) pending.sentAt = now;
    } catch (error) {
      if (isRefusal(error)) {
        // The refusal of something sent earlier, told in place of sending: a new request gets its chance on a new socket.
        if (pending.sends === 0) {
          this.#inFlight.delete(pending.cookie);
          this.#waiting.add(pending);
          this.counters.sent--;
        }
        this.#refused();
        return;
      }
      this.counters.socketErrors++;
      this.#end(pending, unsent(pending, `cannot send to this node: ${String(error)}`, error));
      // The host's addresses or routes may have changed: the next request gets a new socket.
      this.#dropSocket();
    }
  }

  /** The system gives us no socket: that says nothing of the node. */
  #failUnsent(reason: string): void {
    for (const pending of [...this.#inFlight.values(), ...this.#waiting])
      this.#end(pending, unsent(pending, reason));
  }

  /**
   * Nobody listens: ends everything in flight. The socket goes too: Bun 1.4 may report one refusal twice, the second time only when
   * the next request is under way, which would then end for nothing although the node is back.
   */
  #refused(): void {
    const failure = new RelayFailure('unreachable', 'nobody listens at its port');
    this.counters.refused += this.#inFlight.size;
    for (const pending of this.#inFlight.values()) this.#end(pending, failure);
    this.#dropSocket();
  }

  #onMessage(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const space = buffer.indexOf(0x20);
    const cookie = buffer.toString('latin1', 0, space < 0 ? buffer.length : space);
    const pending = this.#inFlight.get(cookie);
    const now = this.#clock.monotonic();
    if (pending === undefined) {
      this.#onUnawaited(this.#cookies.classify(cookie, now));
      return;
    }
    this.counters.replies++;
    // Which of several datagrams a reply is for, nobody can tell (Karn's algorithm).
    if (pending.sends === 1) this.#roundTrip.measured(now - pending.sentAt);
    this.#cookies.answered(cookie);
    const reply = this.#codec.decode(buffer.subarray(cookie.length + 1));
    if (reply instanceof RelayFailure) this.counters.garbled++;
    this.#end(pending, reply);
    this.#pump();
  }

  #onUnawaited(kind: Unawaited): void {
    this.counters[kind]++;
    if (kind !== 'unknown') this.#roundTrip.tooShort();
    if (kind === 'late') this.#onLate?.();
  }

  #onError(error: Error): void {
    if (!isRefusal(error)) {
      this.counters.socketErrors++;
      return;
    }
    this.#refused();
    this.#pump();
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const isLate = now - this.#tickedAt > STALL_MS;
    this.#tickedAt = now;
    // We stood still, and timers come before sockets: what lies in the socket is read first. But not for ever.
    this.#hasWaited = isLate && !this.#hasWaited;
    if (this.#hasWaited) return;
    for (const pending of this.#waiting) {
      // What was never sent is certain not to have been done, so this is no `silent`.
      if (!isDue(pending, now)) continue;
      this.counters.busy++;
      this.#end(
        pending,
        new RelayFailure('busy', 'no place in the window for this node within the time budget'),
      );
    }
    for (const pending of this.#inFlight.values()) {
      if (isDue(pending, now)) this.#giveUp(pending, now);
      else if (!pending.isTaken) this.#send(pending);
      else if (now >= pending.resendAt) {
        this.counters.retransmitted++;
        this.#send(pending);
      }
    }
    this.#cookies.forget(now);
    this.#pump();
    // The socket was given up while others were in flight: they go on over a new one.
    if (this.#socket === undefined && this.#inFlight.size > 0) this.#openSocket();
    if (this.#inFlight.size + this.#waiting.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #giveUp(pending: Pending<R>, now: number): void {
    this.counters.timeouts++;
    this.#cookies.givenUp(pending.cookie, now);
    this.#end(pending, new RelayFailure('silent', 'no reply within the time budget'));
  }

  #failAll(failure: RelayFailure): void {
    for (const pending of [...this.#inFlight.values(), ...this.#waiting]) this.#end(pending, failure);
  }

  #end(pending: Pending<R>, outcome: R | RelayFailure): void {
    this.#inFlight.delete(pending.cookie);
    this.#waiting.delete(pending);
    pending.end(outcome);
  }

  #dropSocket(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** Whether the deadline comes before the next tick. */
function isDue(pending: { readonly deadline: number }, now: number): boolean {
  return pending.deadline - now < TICK_MS;
}

/** What becomes of a request that could not be sent (again): `busy` if the node has nothing to do with it. */
function unsent({ sends }: { readonly sends: number }, reason: string, error?: unknown): RelayFailure {
  return new RelayFailure(sends > 0 || isWayless(error) ? 'silent' : 'busy', reason);
}
