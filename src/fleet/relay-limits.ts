/**
 * Tells relays of draining nodes themselves to take no new calls, which holds for other controllers too, and gives them
 * back the limit they had. What was told is stored with the node, so that it is undone after a restart as well.
 */

import { RelayFailure, type RelayMonitor } from '../relay/driver.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';

/** Time a relay may take for it, ms. */
const TELL_MS = 2000;
/** How often it is tried again while a relay cannot be told, ms. */
const RETRY_MS = 10_000;

/** What we know of a node whose relay was told. */
interface Told {
  readonly member: Member;
  /** UTC ms by which the relay knew; one that restarted later has forgotten. Null if it never said so. */
  readonly at: number | null;
  /** Monotonic ms before which it is not asked again. */
  nextAt: number;
}

export class RelayLimits {
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #watch: { monitorOf(member: Member): RelayMonitor };
  readonly #told = new Map<number, Told>();
  /** What is under way for a node; one thing at a time, or the limit it had would get lost. */
  readonly #turns = new Map<number, Promise<unknown>>();

  constructor(fleet: Fleet, store: Store, clock: Clock, watch: { monitorOf(member: Member): RelayMonitor }) {
    this.#fleet = fleet;
    this.#store = store;
    this.#clock = clock;
    this.#watch = watch;
    // Told before we were started. Whether it has restarted meanwhile shows with its first figures.
    for (const member of fleet.all()) if (member.limited !== null) this.#know(member);
  }

  /** Tells the relay to take no new calls. Returns why that failed, for people; null if it did not. */
  tell(member: Member): Promise<string | null> {
    return this.#inTurn(member, async () => {
      if (member.limited !== null || member.order === 'ready') return null;
      const answer = await this.#set(member, 0);
      const isSilent = answer instanceof RelayFailure;
      if (isSilent && !answer.isUncertain)
        return this.#failed(member, `the relay was not told to take no new calls: ${answer.reason}`);
      // A lost reply leaves it open whether the relay obeyed. Noted as if it had, so that "ready" undoes it.
      const failure = this.#fleet.order(member, { limited: { before: isSilent ? null : answer.before } });
      if (failure !== undefined) {
        if (!isSilent) await this.#set(member, answer.before);

        return this.#failed(member, `the relay takes new calls from others as before: ${failure.message}`);
      }
      this.#know(member, !isSilent);

      return isSilent
        ? this.#failed(
            member,
            `the relay did not say whether it takes no new calls now: ${answer.reason}; tried again every ${RETRY_MS / 1000} s`,
          )
        : null;
    });
  }

  /** Gives the relay back the limit it had. Returns why that has to wait, for people; null if it is done. */
  restore(member: Member): Promise<string | null> {
    return this.#inTurn(member, async () => {
      const why = await this.#restore(member);

      return why === null
        ? null
        : this.#failed(
            member,
            `the relay still takes no new calls: ${why}; tried again every ${RETRY_MS / 1000} s`,
          );
    });
  }

  /** Does what is left to be done. Call it about every second. */
  tick(): void {
    const now = this.#clock.monotonic();
    for (const told of this.#told.values()) {
      const { member, at } = told;
      if (this.#fleet.get(member.id) !== member) {
        this.#forget(told);
        continue;
      }
      const hasForgotten = at === null || (member.restartedAt !== null && member.restartedAt > at);
      if (this.#turns.has(member.id) || told.nextAt > now) continue;
      if (member.order !== 'ready' && !hasForgotten) continue;
      told.nextAt = now + RETRY_MS;
      void this.#inTurn<unknown>(member, () =>
        member.order === 'ready' ? this.#restore(member) : this.#again(member),
      );
    }
  }

  async #restore(member: Member): Promise<string | null> {
    const { limited } = member;
    if (limited === null || member.order !== 'ready') return null;
    const answer = await this.#set(member, limited.before);
    if (answer instanceof RelayFailure) return answer.reason;
    // Not ours any more: it restarted with another limit, or somebody set one.
    const isOthers = answer.before !== 0 && answer.before !== limited.before;
    const back = isOthers ? await this.#set(member, answer.before) : answer;
    if (back instanceof RelayFailure) return back.reason;
    const failure = this.#fleet.order(member, { limited: null });
    if (failure !== undefined) return failure.message;
    this.#told.delete(member.id);
    this.#store.event('node.limit_restored', {
      nodeId: member.id,
      limit: isOthers ? answer.before : limited.before,
    });

    return null;
  }

  /** The relay has restarted, or never said that it knows: tells it again, and learns what its limit is. */
  async #again(member: Member): Promise<void> {
    const { limited } = member;
    if (limited === null || member.order === 'ready') return;
    const answer = await this.#set(member, 0);
    if (answer instanceof RelayFailure) return;
    // Zero is our own word of a moment ago, whose reply was lost.
    if (answer.before !== 0) this.#fleet.order(member, { limited: { before: answer.before } });
    this.#know(member);
  }

  #set(member: Member, limit: number | null): Promise<{ before: number | null } | RelayFailure> {
    return this.#watch.monitorOf(member).limitSessions(limit, this.#clock.monotonic() + TELL_MS);
  }

  #failed({ id }: Member, reason: string): string {
    this.#store.event('node.limit_failed', { nodeId: id, reason });

    return reason;
  }

  #know(member: Member, isSure = true): void {
    const nextAt = this.#clock.monotonic() + (isSure ? 0 : RETRY_MS);
    this.#told.set(member.id, { member, at: isSure ? this.#clock.utc() : null, nextAt });
  }

  /** The node was removed, or is another object since it was changed. */
  #forget({ member }: Told): void {
    this.#told.delete(member.id);
    const now = this.#fleet.get(member.id);
    if (now?.socket === member.socket) {
      if (now.limited !== null) this.#know(now);

      return;
    }
    // Another relay in its place was never told.
    if (now !== undefined) this.#fleet.order(now, { limited: null });
    this.#failed(
      member,
      `the relay ${member.socket} was told to take no new calls when its node went away; restart it, or set its limit yourself`,
    );
  }

  #inTurn<T>({ id }: Member, run: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(run);
    const done = turn.finally(() => {
      if (this.#turns.get(id) === done) this.#turns.delete(id);
    });
    this.#turns.set(id, done);

    return done;
  }
}
