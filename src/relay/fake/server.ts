/**
 * What the fake nodes of all kinds have in common: a socket, counters, and faults by setting, by order and by script. What they answer
 * is up to the kind.
 */

import { type Clock, systemClock } from '../../util/clock.ts';
import { type FaultOrder, type Faults, NO_FAULTS, type ScriptStep } from './faults.ts';
import { seeded } from './seeded.ts';
import type { Listener, Send } from './sockets.ts';

export interface FakeServerOptions {
  /** Media ports, both ends included; 30000 to 39999 by default. They are counted, not opened. */
  readonly portMin?: number;
  readonly portMax?: number;
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
  readonly send: Send;
  readonly at: number;
}

/** Replies waiting for their delay, and commands for the end of a hang; further ones are dropped. */
const MAX_DELAYED = 10_000;
const TICK_MS = 2;
const REBIND_MS = 100;

export abstract class FakeServer {
  readonly counters: FakeCounters = { received: 0, handled: 0, repeated: 0, replied: 0, dropped: 0 };
  protected readonly clock: Clock;
  readonly #script: ScriptStep[];
  readonly #startedAt: number;
  readonly #random: () => number;
  #faults: Faults;
  #listeners: readonly Listener[] = [];
  #delayed: Reply[] = [];
  /** What came over streams during a hang: it loses nothing there, and is done afterwards. */
  #held: (() => void)[] = [];
  #hangUntil = 0;
  /** When to open the socket again; undefined while it is open or for good. */
  #reviveAt: number | undefined;
  #isReviving = false;
  /** A death ordered over the socket itself. */
  #dieOnTickMs: number | undefined;
  /** Whether the message at hand was an order. */
  #isObeying = false;
  #isStopped = false;
  #stopTimer: (() => void) | undefined;

  protected constructor(options: FakeServerOptions) {
    this.clock = options.clock ?? systemClock;
    this.#faults = { ...NO_FAULTS, ...options.faults };
    this.#random = seeded(options.seed ?? 1);
    this.#script = [...(options.script ?? [])];
    this.#startedAt = this.clock.monotonic();
  }

  /** Opens all sockets, or rejects and leaves none open. */
  protected abstract open(): Promise<readonly Listener[]>;
  /**
   * The reply to a message, undefined if it gets none. `host` is the sender's address, '' if it has none. `isStream`: it did not
   * come as a datagram, so it has no cookie.
   */
  protected abstract answer(message: Buffer, host: string, isStream: boolean): Buffer | undefined;
  /** Whether a message orders faults: those and their replies always come through, or nobody could end a hang. */
  protected abstract isOrder(message: Buffer, isStream: boolean): boolean;
  /** A reply nobody can read, in a way that `chance` (0 to below 1) chooses. */
  protected abstract spoil(reply: Buffer, chance: number, isStream: boolean): Buffer;
  /** Faults or the limit of sessions have changed. */
  protected abstract apply(faults: Readonly<Faults>): void;
  /** Calls at most; negative = no limit, 0 = no new ones. */
  abstract setMaxSessions(count: number): void;
  /** Forgets all calls and cookies and counts from 0; the socket stays as it is. */
  abstract restart(): void;
  /** Calls it has now, as it counts them. */
  abstract get size(): number;
  /** Where it listens, as an operator writes it. */
  abstract get where(): string;

  /** Opens the sockets and begins the script; rejects if an address cannot be used. */
  protected async begin(): Promise<void> {
    await this.#open();
    if (this.#script.length > 0) this.#startTimer();
  }

  get faults(): Readonly<Faults> {
    return this.#faults;
  }

  /** Whether its sockets are open. */
  get isAlive(): boolean {
    return this.#listeners.length > 0;
  }

  setFaults(faults: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...faults };
    this.apply(this.#faults);
  }

  /** Answers nothing for so many milliseconds; without a number until `resume`. */
  hang(ms = Number.POSITIVE_INFINITY): void {
    this.#hangUntil = this.clock.monotonic() + ms;
  }

  resume(): void {
    this.#hangUntil = 0;
    for (const take of this.#held.splice(0)) take();
  }

  /** Closes the sockets, so that senders are refused; without a number until `revive`. Calls stay, as with a redis store. */
  die(ms?: number): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
    this.#delayed = [];
    this.#held = [];
    this.#reviveAt = ms === undefined ? undefined : this.clock.monotonic() + ms;
    if (ms !== undefined) this.#startTimer();
  }

  /** Opens the sockets again where they were; rejects if another program took them. */
  async revive(): Promise<void> {
    this.#reviveAt = undefined;
    if (!this.isAlive) await this.#open();
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

  /** As `obey`, for an order that came over the socket: a death would take its reply with it, so it comes on the next tick. */
  protected obeySender(order: FaultOrder): void {
    const { dieMs, ...now } = order;
    this.#isObeying = true;
    this.#dieOnTickMs = dieMs;
    if (dieMs !== undefined) this.#startTimer();
    this.obey(now);
  }

  /** A message came in. */
  protected receive(message: Buffer, host: string, send: Send, isStream = false): void {
    this.counters.received++;
    const isOrder = this.#isFaulty && this.isOrder(message, isStream);
    if (isOrder || !isStream || !this.#isHanging) this.#take(message, host, send, { isOrder, isStream });
    else if (this.#held.length >= MAX_DELAYED) this.counters.dropped++;
    else {
      this.#held.push(() => this.#take(message, host, send, { isOrder, isStream }));
      this.#startTimer();
    }
  }

  #take(
    message: Buffer,
    host: string,
    send: Send,
    { isOrder, isStream }: { readonly isOrder: boolean; readonly isStream: boolean },
  ): void {
    if (!isOrder && this.#isDropped()) {
      this.counters.dropped++;
      return;
    }
    this.#isObeying = false;
    const reply = this.answer(message, host, isStream);
    if (reply === undefined) return;
    if (isOrder || this.#isObeying) this.#send(reply, send);
    else this.#reply(reply, send, isStream);
  }

  get #isFaulty(): boolean {
    const { loss, delayMs, duplicate, garbage } = this.#faults;

    return this.#hangUntil > 0 || loss + delayMs + duplicate + garbage > 0;
  }

  get #isHanging(): boolean {
    return this.#hangUntil > 0 && this.clock.monotonic() < this.#hangUntil;
  }

  #isDropped(): boolean {
    if (this.#isHanging) return true;

    return this.#faults.loss > 0 && this.#random() < this.#faults.loss;
  }

  #reply(reply: Buffer, send: Send, isStream: boolean): void {
    const { loss, delayMs, duplicate, garbage } = this.#faults;
    if (loss > 0 && this.#random() < loss) {
      this.counters.dropped++;
      return;
    }
    const bytes =
      garbage > 0 && this.#random() < garbage ? this.spoil(reply, this.#random(), isStream) : reply;
    const copies = duplicate > 0 && this.#random() < duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (delayMs === 0) this.#send(bytes, send);
      else if (this.#delayed.length >= MAX_DELAYED) this.counters.dropped++;
      else {
        this.#delayed.push({ bytes, send, at: this.clock.monotonic() + delayMs });
        this.#startTimer();
      }
    }
  }

  #send(bytes: Buffer, send: Send): void {
    try {
      if (send(bytes)) this.counters.replied++;
      else this.counters.dropped++;
    } catch {
      this.counters.dropped++;
    }
  }

  async #open(): Promise<void> {
    const listeners = await this.open();
    if (this.#isStopped) for (const listener of listeners) listener.close();
    else this.#listeners = listeners;
  }

  #startTimer(): void {
    if (!this.#isStopped) this.#stopTimer ??= this.clock.every(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const now = this.clock.monotonic();
    if (this.#dieOnTickMs !== undefined) this.die(this.#dieOnTickMs);
    this.#dieOnTickMs = undefined;
    for (let step = this.#script[0]; step !== undefined; step = this.#script[0]) {
      if (now - this.#startedAt < step.atMs) break;
      this.#script.shift();
      this.obey(step.order);
    }
    if (this.#held.length > 0 && !this.#isHanging) this.resume();
    if (this.#delayed.length > 0) {
      const due = this.#delayed.filter((reply) => reply.at <= now);
      if (due.length > 0) this.#delayed = this.#delayed.filter((reply) => reply.at > now);
      for (const { bytes, send } of due) this.#send(bytes, send);
    }
    if (this.#reviveAt !== undefined && now >= this.#reviveAt) this.#reviveLater(now);
    const isWaited = this.#delayed.length > 0 || this.#held.length > 0;
    if (this.#script.length > 0 || isWaited || this.#reviveAt !== undefined) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** Tries again until the sockets are free. */
  #reviveLater(now: number): void {
    this.#reviveAt = now + REBIND_MS;
    if (this.#isReviving) return;
    this.#isReviving = true;
    this.#open().then(
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
