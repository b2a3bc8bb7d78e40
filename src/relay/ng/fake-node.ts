/**
 * A fake rtpengine: a real ng socket without media, and with faults on demand. For rehearsing failures (`rtp-cluster fake-relay`), for
 * tests and for measuring. It answers as rtpengine 10.5.3.5 does; what it cannot do is media, codecs, SRTP, and subscriptions.
 */

import type { SocketAddress } from '../../domain/node.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import type { NgDict } from '../driver.ts';
import { FakeCalls, type FakeCallsOptions } from './fake-calls.ts';
import { ReplyCache } from './fake-cookies.ts';
import { type FaultOrder, type Faults, NO_FAULTS, parseOrder, type ScriptStep } from './fake-faults.ts';
import { error } from './fake-message.ts';
import { answerDatagram, seeded, spoil } from './fake-wire.ts';

export interface FakeNodeOptions {
  /** Where it listens; port 0 = any free one. 127.0.0.1:0 by default. */
  readonly listen?: SocketAddress;
  /** Address shown in SDP where none is asked for; 127.0.0.1 by default. */
  readonly address?: string;
  /** The same for IPv6; none by default. */
  readonly address6?: string;
  /** Media ports, both ends included; 30000 to 39999 by default. They are counted, not opened. */
  readonly portMin?: number;
  readonly portMax?: number;
  /** Calls at most; negative = no limit, the default. */
  readonly maxSessions?: number;
  /** Seconds a deleted call stays; 30 by default, as with rtpengine. */
  readonly deleteDelaySec?: number;
  readonly faults?: Partial<Faults>;
  readonly script?: readonly ScriptStep[];
  /** Makes loss, duplicates and garbage repeatable; 1 by default. */
  readonly seed?: number;
  readonly clock?: Clock;
}

/** What went through the socket since the start. */
export interface FakeCounters {
  received: number;
  /** Commands run; repeated cookies are not. */
  handled: number;
  /** Datagrams answered from the memory of cookies. */
  repeated: number;
  replied: number;
  /** Datagrams dropped on purpose. */
  dropped: number;
}

interface Reply {
  readonly bytes: Buffer;
  readonly port: number;
  readonly host: string;
  readonly at: number;
}

/** Replies waiting for their delay; further ones are dropped. */
const MAX_DELAYED = 10_000;
const TICK_MS = 2;
const REBIND_MS = 100;
/** rtpengine never sends a longer reply, though it did what was asked (ng-protocol 1.3). */
const MAX_REPLY = 65_507;

type Socket = Bun.udp.Socket<'buffer'>;

export class FakeNode {
  readonly counters: FakeCounters = { received: 0, handled: 0, repeated: 0, replied: 0, dropped: 0 };
  readonly calls: FakeCalls;
  readonly #clock: Clock;
  readonly #cookies: ReplyCache;
  readonly #settings: FakeCallsOptions;
  readonly #script: ScriptStep[];
  readonly #startedAt: number;
  #faults: Faults;
  #random: () => number;
  #listen: SocketAddress;
  #socket: Socket | undefined;
  #delayed: Reply[] = [];
  #hangUntil = 0;
  /** When to open the socket again; undefined while it is open or for good. */
  #reviveAt: number | undefined;
  #isReviving = false;
  /** A death ordered over the socket itself. */
  #dieOnTickMs: number | undefined;
  #isStopped = false;
  #stopTimer: (() => void) | undefined;

  private constructor(options: FakeNodeOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#faults = { ...NO_FAULTS, ...options.faults };
    this.#settings = {
      address: options.address ?? '127.0.0.1',
      address6: options.address6,
      portMin: options.portMin ?? 30_000,
      portMax: options.portMax ?? 39_999,
      maxSessions: options.maxSessions ?? -1,
      deleteDelaySec: options.deleteDelaySec ?? 30,
      refuse: this.#faults.refuse,
      wrongAddress: this.#faults.wrongAddress,
    };
    this.calls = new FakeCalls(this.#settings, this.#clock);
    this.#cookies = new ReplyCache(this.#clock);
    this.#random = seeded(options.seed ?? 1);
    this.#script = [...(options.script ?? [])];
    this.#startedAt = this.#clock.monotonic();
    this.#listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  }

  /** Opens the socket; rejects if the address cannot be used. */
  static async start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = new FakeNode(options);
    await node.#bind();
    if (node.#script.length > 0) node.#startTimer();

    return node;
  }

  /** Where it listens. */
  get address(): SocketAddress {
    return this.#listen;
  }

  get faults(): Readonly<Faults> {
    return this.#faults;
  }

  /** Whether its socket is open. */
  get isAlive(): boolean {
    return this.#socket !== undefined;
  }

  setFaults(faults: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...faults };
    this.#settings.refuse = this.#faults.refuse;
    this.#settings.wrongAddress = this.#faults.wrongAddress;
  }

  /** Answers nothing for so many milliseconds; without a number until `resume`. */
  hang(ms = Number.POSITIVE_INFINITY): void {
    this.#hangUntil = this.#clock.monotonic() + ms;
  }

  resume(): void {
    this.#hangUntil = 0;
  }

  /** Closes the socket, so that senders hear ECONNREFUSED; without a number until `revive`. Calls stay, as with a redis store. */
  die(ms?: number): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#delayed = [];
    this.#reviveAt = ms === undefined ? undefined : this.#clock.monotonic() + ms;
    if (ms !== undefined) this.#startTimer();
  }

  /** Opens the socket again on the same port; rejects if another program took it. */
  async revive(): Promise<void> {
    this.#reviveAt = undefined;
    if (this.#socket === undefined) await this.#bind();
  }

  /** Forgets all calls and cookies and counts the uptime from 0; the socket stays as it is. */
  restart(): void {
    this.calls.clear();
    this.#cookies.clear();
  }

  /** Calls at most; negative = no limit, 0 = no new ones. */
  setMaxSessions(count: number): void {
    this.#settings.maxSessions = count;
  }

  obey(order: FaultOrder): void {
    this.setFaults(order.faults);
    if (order.maxSessions !== undefined) this.setMaxSessions(order.maxSessions);
    if (order.hangMs !== undefined) this.hang(order.hangMs);
    if (order.restart === true) this.restart();
    if (order.dieMs !== undefined) this.die(order.dieMs);
  }

  /** Ends for good. */
  stop(): void {
    this.#isStopped = true;
    this.die();
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  async #bind(): Promise<void> {
    const socket = await Bun.udpSocket({
      hostname: this.#listen.host,
      port: this.#listen.port,
      binaryType: 'buffer',
      socket: {
        data: (_socket, bytes, port, host) => this.#onData(bytes, port, host),
        // A client that went away; nothing to do.
        error: () => {},
      },
    });
    if (this.#isStopped) socket.close();
    else this.#socket = socket;
    this.#listen = { host: this.#listen.host, port: socket.port };
  }

  #onData(bytes: Buffer, port: number, host: string): void {
    this.counters.received++;
    const space = bytes.indexOf(0x20);
    if (space <= 0) return;
    const payload = bytes.subarray(space + 1);
    // Orders and their replies always come through, or nobody could end a hang.
    const isOrder = this.#isFaulty && payload.includes('7:command4:fake');
    if (!isOrder && this.#isDropped()) {
      this.counters.dropped++;
      return;
    }
    const cookie = bytes.toString('latin1', 0, space);
    let reply = this.#cookies.get(cookie);
    if (reply === undefined) {
      this.counters.handled++;
      reply = answerDatagram(cookie, payload, (message) => this.#handle(message, host));
      this.#cookies.set(cookie, reply);
    } else {
      this.counters.repeated++;
    }
    if (reply.length > MAX_REPLY) return;
    if (isOrder) this.#send(reply, port, host);
    else this.#reply(reply, port, host);
  }

  get #isFaulty(): boolean {
    const { loss, delayMs, duplicate, garbage } = this.#faults;

    return this.#hangUntil > 0 || loss + delayMs + duplicate + garbage > 0;
  }

  #isDropped(): boolean {
    if (this.#hangUntil > 0 && this.#clock.monotonic() < this.#hangUntil) return true;

    return this.#faults.loss > 0 && this.#random() < this.#faults.loss;
  }

  #handle(message: NgDict, host: string): NgDict {
    if (message.command !== 'fake') return this.calls.handle(message, host);
    const order = parseOrder(message);
    if (typeof order === 'string') return error(order);
    // A death would take this reply with it, so the socket closes on the next tick.
    const { dieMs, ...now } = order;
    this.#dieOnTickMs = dieMs;
    if (dieMs !== undefined) this.#startTimer();
    this.obey(now);
    const { loss, delayMs, duplicate, garbage, refuse, wrongAddress } = this.#faults;
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

  #reply(reply: Buffer, port: number, host: string): void {
    const { loss, delayMs, duplicate, garbage } = this.#faults;
    if (loss > 0 && this.#random() < loss) {
      this.counters.dropped++;
      return;
    }
    const bytes = garbage > 0 && this.#random() < garbage ? spoil(reply, this.#random()) : reply;
    const copies = duplicate > 0 && this.#random() < duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (delayMs === 0) this.#send(bytes, port, host);
      else if (this.#delayed.length >= MAX_DELAYED) this.counters.dropped++;
      else {
        this.#delayed.push({ bytes, port, host, at: this.#clock.monotonic() + delayMs });
        this.#startTimer();
      }
    }
  }

  #send(bytes: Buffer, port: number, host: string): void {
    try {
      if (this.#socket?.send(bytes, port, host) === true) this.counters.replied++;
      else this.counters.dropped++;
    } catch {
      this.counters.dropped++;
    }
  }

  #startTimer(): void {
    if (!this.#isStopped) this.#stopTimer ??= this.#clock.every(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    if (this.#dieOnTickMs !== undefined) this.die(this.#dieOnTickMs);
    this.#dieOnTickMs = undefined;
    for (let step = this.#script[0]; step !== undefined; step = this.#script[0]) {
      if (now - this.#startedAt < step.atMs) break;
      this.#script.shift();
      this.obey(step.order);
    }
    if (this.#delayed.length > 0) {
      const due = this.#delayed.filter((reply) => reply.at <= now);
      if (due.length > 0) this.#delayed = this.#delayed.filter((reply) => reply.at > now);
      for (const { bytes, port, host } of due) this.#send(bytes, port, host);
    }
    if (this.#reviveAt !== undefined && now >= this.#reviveAt) this.#reviveLater(now);
    if (this.#script.length > 0 || this.#delayed.length > 0 || this.#reviveAt !== undefined) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** Tries again until the port is free. */
  #reviveLater(now: number): void {
    this.#reviveAt = now + REBIND_MS;
    if (this.#isReviving) return;
    this.#isReviving = true;
    this.#bind().then(
      () => {
        this.#isReviving = false;
        this.#reviveAt = undefined;
      },
      () => {
        this.#isReviving = false;
      },
    );
  }
}
