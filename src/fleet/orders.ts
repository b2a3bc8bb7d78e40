/**
 * Orders of people to nodes, and what follows from them with time: a draining node becomes empty, its deadline passes, a
 * maintenance lasts longer than was said. Each is told once, a restart of this program notwithstanding: what was told is
 * an event, and events are looked up before they are written again.
 */

import { SQLiteError } from 'bun:sqlite';
import { Failure } from '../domain/errors.ts';
import type { AdminState } from '../domain/state.ts';
import type { RelayMonitor } from '../relay/driver.ts';
import { explain } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import type { DrainEnd } from './drain-hook.ts';
import { DrainPace, type Progress } from './drain-pace.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';
import { RelayLimits } from './relay-limits.ts';

/** How often we look what has become of the orders, ms. */
const TICK_MS = 1000;
/** Who puts a node in maintenance when the time of its drain is over. */
const DEADLINE = 'deadline';

/** What somebody orders. In a repeated order, what is left out stays as it was. */
export interface OrderInput {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

export interface DrainInput extends OrderInput {
  /** Time until the order becomes `maint`, s; null for none. */
  readonly deadlineS?: number | null | undefined;
  /** Whether the relay itself is told to take no new calls, from other controllers too. */
  readonly tellRelay?: boolean | undefined;
}

export interface MaintInput extends OrderInput {
  /** UTC ms by which it should be over; null if nobody knows. */
  readonly until?: number | null | undefined;
}

/** An order that stands. */
export interface Ordered {
  readonly member: Member;
  /** What could not be done besides; null if all was. */
  readonly warning: string | null;
}

export interface OrdersOptions {
  /** Told when a draining node is empty or its deadline is over, once for each order. */
  readonly onDrainEnd: (end: DrainEnd) => void;
  /** How long after a drain an offer that was under way may still bring a call, ms. */
  readonly settleMs: number;
}

export class Orders {
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #options: OrdersOptions;
  readonly #limits: RelayLimits;
  readonly #pace: DrainPace;
  /** For each node, of what order or date it is known that it was told. */
  readonly #told = new Map<number, string>();
  readonly #stopTick: () => void;

  /** @param watch has the monitors by which relays are told */
  constructor(
    fleet: Fleet,
    store: Store,
    clock: Clock,
    watch: { monitorOf(member: Member): RelayMonitor },
    options: OrdersOptions,
  ) {
    this.#fleet = fleet;
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
    this.#limits = new RelayLimits(fleet, store, clock, watch);
    this.#pace = new DrainPace(clock);
    this.#stopTick = clock.every(TICK_MS, () => this.#tick());
  }

  /** No new calls; those it has go on until they end. The order stands even if the relay cannot be told. */
  async drain(id: number, { deadlineS, tellRelay, ...input }: DrainInput): Promise<Ordered | Failure> {
    const until = typeof deadlineS === 'number' ? this.#clock.utc() + deadlineS * 1000 : deadlineS;
    const member = this.#give(id, 'drain', input, until);
    if (member instanceof Failure) return member;

    const untold = tellRelay ? await this.#limits.tell(member) : null;

    return { member, warning: joined(untold, this.#lastOne(member)) };
  }

  /** Somebody works on it: no new calls, whatever else is the matter. */
  maint(id: number, { until, ...input }: MaintInput): Ordered | Failure {
    if (typeof until === 'number' && until <= this.#clock.utc()) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `until is ${until}; it must be a time to come, in UTC milliseconds`,
      );
    }
    const member = this.#give(id, 'maint', input, until);

    return member instanceof Failure ? member : { member, warning: this.#lastOne(member) };
  }

  /** Takes calls again, also as far as the relay was told otherwise. */
  async ready(id: number, input: OrderInput): Promise<Ordered | Failure> {
    const member = this.#give(id, 'ready', input, null);
    if (member instanceof Failure) return member;

    return { member, warning: member.limited === null ? null : await this.#limits.restore(member) };
  }

  /** How the drain of a node goes; null unless it is draining. */
  progressOf(member: Member): (Progress & { readonly isDrained: boolean }) | null {
    if (member.order !== 'drain') return null;

    return { ...this.#pace.of(member), isDrained: this.#told.get(member.id) === drainMark(member) };
  }

  stop(): void {
    this.#stopTick();
  }

  #give(
    id: number,
    order: AdminState['order'],
    { by, reason }: OrderInput,
    until: number | null | undefined,
  ): Member | Failure {
    const member = this.#fleet.find(id);
    if (member instanceof Failure) return member;
    const before = member.admin;
    const isSame = before.order === order && before.at > 0;
    const admin: AdminState = {
      order,
      by: by ?? (isSame ? before.by : ''),
      reason: reason ?? (isSame ? before.reason : ''),
      // The same order again is the same order, said better: it began when it was first given.
      at: isSame ? before.at : this.#clock.utc(),
      until: until === undefined ? (isSame ? before.until : null) : until,
    };
    const failure = this.#fleet.order(member, { admin });
    if (failure !== undefined) return failure;
    this.#store.event(`node.${order}`, {
      nodeId: id,
      by: admin.by,
      reason: admin.reason,
      until: admin.until,
      from: before.order,
      calls: member.calls,
    });

    return member;
  }

  /** That no node is left in its set for new calls, for people: those are refused now. */
  #lastOne({ node: { setId } }: Member): string | null {
    const isLeft = this.#fleet.membersOf(setId).some((member) => {
      const verdict = member.verdict('new');

      return member.weight > 0 && (verdict === 'yes' || verdict === 'spare');
    });

    return isLeft ? null : `no node of set ${setId} takes new calls any more`;
  }

  #tick(): void {
    const now = this.#clock.utc();
    for (const member of this.#fleet.all()) {
      if (member.removedAt !== null) continue;
      if (member.order === 'drain') this.#followDrain(member, now);
      else this.#pace.forget(member.id);
      if (member.order === 'maint') this.#followMaint(member, now);
    }
    for (const id of this.#told.keys()) if (this.#isGone(id)) this.#told.delete(id);
    this.#pace.keep((id) => !this.#isGone(id));
    this.#limits.tick();
  }

  #isGone(id: number): boolean {
    return this.#fleet.get(id)?.removedAt !== null;
  }

  #followDrain(member: Member, now: number): void {
    const { by, reason, at, until } = member.admin;
    this.#pace.note(member);
    // A clock that was set back does not hold up anything for longer than it may last.
    const isSettled = now - at >= this.#options.settleMs || now < at;
    if (member.calls === 0 && isSettled && this.#isNews(member, 'node.drained', drainMark(member), at)) {
      this.#store.event('node.drained', {
        nodeId: member.id,
        by,
        reason,
        took_s: Math.max(0, Math.round((now - at) / 1000)),
        others_sessions: member.figures === null ? null : member.sessions,
      });
      this.#options.onDrainEnd({ event: 'drained', node: member.node, calls: 0, by, reason });
    }
    if (until !== null && until <= now) this.#endDrain(member, now);
  }

  /** The time of a drain is over. Calls that are left go on: people decide about them. */
  #endDrain(member: Member, now: number): void {
    const { by, reason } = member.admin;
    const { calls } = member;
    const wasDrained = this.#told.get(member.id) === drainMark(member);
    const admin: AdminState = { order: 'maint', by: DEADLINE, reason, at: now, until: null };
    // With the disk in trouble it is tried again with the next tick.
    if (this.#fleet.order(member, { admin }) !== undefined) return;
    this.#store.event('node.drain_deadline', { nodeId: member.id, by, reason, calls });
    if (!wasDrained) this.#options.onDrainEnd({ event: 'deadline', node: member.node, calls, by, reason });
  }

  #followMaint(member: Member, now: number): void {
    const { by, reason, at, until } = member.admin;
    if (until === null || until > now) return;
    if (!this.#isNews(member, 'node.maint_overdue', `maint ${at} ${until}`, until)) return;
    this.#store.event('node.maint_overdue', { nodeId: member.id, by, reason, until });
  }

  /** Whether something that belongs to `mark` has not been told yet, now or before a restart; it counts as told then. */
  #isNews({ id }: Member, kind: string, mark: string, since: number): boolean {
    if (this.#told.get(id) === mark) return false;
    this.#told.set(id, mark);

    try {
      return this.#store.events.list(1, null, { kinds: [kind], nodeId: id, since }).length === 0;
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      // Said once too often is better than never.
      log.warning('orders.events_unreadable', { node: id, cause: explain(error) });

      return true;
    }
  }
}

function joined(...warnings: (string | null)[]): string | null {
  return warnings.filter((warning) => warning !== null).join('; ') || null;
}

function drainMark({ admin }: Member): string {
  return `drain ${admin.at}`;
}
