/** A node of the fleet: what people said of it, what we think of it, what it says of itself, and the way to ask it. */

import { type HealthState, initialHealth } from '../domain/health.ts';
import type { Node } from '../domain/node.ts';
import type { AdminState, Health, Order, RequestKind, Verdict } from '../domain/state.ts';
import { verdict } from '../domain/state.ts';
import { type PlaceableNode, PORTS_PER_CALL } from '../placement/choose.ts';
import { rampOf } from '../placement/slow-start.ts';
import type { RelayDriver, RelayStatistics } from '../relay/driver.ts';
import type { StoredNode } from '../store/fleet-rows.ts';
import type { Clock } from '../util/clock.ts';

/** A relay's own figures, and when we got them. */
export interface Figures extends RelayStatistics {
  /** Monotonic ms. */
  readonly at: number;
  /** Calls we had on the node at that time, and its sessions for them: what came and went since is known better here. */
  readonly ourCalls: number;
  readonly ourSessions: number;
}

/** What the last test call with RTP showed of a node. */
export interface ProbeResult {
  /** UTC ms. */
  readonly at: number;
  /** `lossy`: audio passes with gaps. */
  readonly result: 'ok' | 'lossy' | 'failed';
  /** Of the worse direction, 0 to 100; null if the call did not come so far. */
  readonly lossPercent: number | null;
  /** From us through the relay to us, of the worse direction, ms; null if no packet came. */
  readonly delayMs: number | null;
  /** Packets that came after a later one. */
  readonly reordered: number;
  /** Why it is not ok; '' if it is. */
  readonly reason: string;
}

/** Figures older than this, ms, say nothing any more: they are asked for every 10 s. */
const STALE_MS = 35_000;
/** How long a node that refused a call for lack of room comes after the others, ms. */
const HOLD_MS = 1000;

/** What a node has besides its row. */
export interface MemberParts {
  readonly driver: RelayDriver;
  readonly clock: Clock;
  /** Live calls we have on the node, and the sessions it has for them. */
  readonly countCalls: (nodeId: number) => number;
  readonly countSessions: (nodeId: number) => number;
}

/** The order of a node nobody gave one. */
export const READY: AdminState = { order: 'ready', by: '', reason: '', at: 0, until: null };

export class Member implements PlaceableNode {
  readonly id: number;
  readonly driver: RelayDriver;
  node: Node;
  admin: AdminState;
  limited: StoredNode['limited'];
  /** UTC ms of its removal; such a node serves the calls it has and gets no new ones. Null while it is in its set. */
  removedAt: number | null;
  opinion: HealthState;
  /** UTC ms at which the relay process began, by its own uptime; null if it never said. */
  startedAt: number | null = null;
  /** UTC ms at which we noticed that it had restarted; null if it never did under our eyes. */
  restartedAt: number | null = null;
  /** Smoothed time of a check, ms; null before the first. */
  rttMs: number | null = null;
  /** New calls that are being offered to it: they count before it has answered. */
  offers = 0;
  /** Its last figures; null before the first. */
  figures: Figures | null = null;
  /** Null before the first test call, and where its set wants none. */
  probe: ProbeResult | null = null;
  readonly #parts: MemberParts;
  /** Monotonic ms until which it comes after others. */
  #heldUntil = 0;

  constructor({ admin, limited, removedAt, ...node }: StoredNode, parts: MemberParts) {
    this.id = node.id;
    this.node = node;
    this.admin = admin;
    this.limited = limited;
    this.removedAt = removedAt;
    this.driver = parts.driver;
    this.opinion = initialHealth(parts.clock.utc());
    this.#parts = parts;
  }

  get socket(): string {
    return this.node.socket;
  }

  get weight(): number {
    return this.node.weight;
  }

  get priority(): number {
    return this.node.priority;
  }

  get capacity(): number | null {
    return this.node.capacity;
  }

  /** Its own, and its kind: so a request may require an rtpengine. */
  get tags(): readonly string[] {
    return [...this.node.tags, this.node.kind];
  }

  get order(): Order {
    return this.admin.order;
  }

  get health(): Health {
    return this.opinion.health;
  }

  /** The share of its weight that counts now: less than 1 for a while after it came up. */
  get ramp(): number {
    const { rampFrom } = this.opinion;

    return rampFrom === null ? 1 : rampOf(rampFrom, this.#parts.clock.utc());
  }

  /** Our live calls on it. */
  get calls(): number {
    return this.#parts.countCalls(this.id);
  }

  /** Sessions it has for our calls, as it counts them. */
  get ourSessions(): number {
    return this.#parts.countSessions(this.id);
  }

  /** Whether it told its figures lately. */
  get hasFigures(): boolean {
    return this.#current !== null;
  }

  /** Its figures, if they still say something. */
  get #current(): Figures | null {
    const { figures } = this;

    return figures !== null && this.#parts.clock.monotonic() - figures.at < STALE_MS ? figures : null;
  }

  /** Calls it has now: ours, those being offered, and as many as the sessions of others as of its last figures. */
  get sessions(): number {
    const { calls } = this;
    const figures = this.#current;

    const others = figures === null ? 0 : Math.max(0, figures.sessions - figures.ourSessions);

    return calls + this.offers + others;
  }

  /** Media ports in use now: its last figure, and what our calls took or gave back since. */
  get portsInUse(): number | null {
    const figures = this.#current;
    if (figures?.ports == null) return null;
    const { free, total } = figures.ports;
    const now = total - free + PORTS_PER_CALL * (this.calls + this.offers - figures.ourCalls);

    return Math.min(total, Math.max(0, now));
  }

  get portsTotal(): number | null {
    return this.#current?.ports?.total ?? null;
  }

  /** Whether it refused a call a moment ago for lack of room. */
  get isHeld(): boolean {
    return this.#heldUntil > 0 && this.#heldUntil > this.#parts.clock.monotonic();
  }

  /** It refused a call for lack of room: others come first for a moment. */
  hold(): void {
    this.#heldUntil = this.#parts.clock.monotonic() + HOLD_MS;
  }

  /** Whether the last check had no reply at all: what is sent now has little hope. */
  get isSilent(): boolean {
    return this.opinion.failures > 0;
  }

  verdict(kind: RequestKind): Verdict {
    return verdict(this.order, this.health, kind);
  }

  /** The row of the node as it is now. */
  get stored(): StoredNode {
    const { node, admin, limited, removedAt } = this;

    return { ...node, admin, limited, removedAt };
  }
}
