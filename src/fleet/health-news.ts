/** What is told of our opinion of one node: each change with its cause, and what a change came to nothing by, but never a flood. */

import type { Evidence } from '../domain/evidence.ts';
import type { Health } from '../domain/state.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Member } from './member.ts';

/** How often a node may be told to be falling within `FALLS_MS`. */
const MAX_FALLS = 6;
const FALLS_MS = 60_000;
/** A change that lasts so long, ms, is told in any case. */
const LASTING_MS = 5000;
/** How often it is told that a node would be ejected if its set could do without it, ms. */
const KEPT_EVERY_MS = 600_000;

export interface HealthNewsParts {
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

export class HealthNews {
  readonly #member: Member;
  readonly #parts: HealthNewsParts;
  #told: Health;
  /** UTC ms of that change. */
  #toldSince: number;
  #falls = 0;
  /** Monotonic ms. */
  #fallsSince: number;
  /** Monotonic ms; null if it never was. */
  #keptAt: number | null = null;

  /** @param told the health that everybody knows of */
  constructor(member: Member, told: Health, parts: HealthNewsParts) {
    this.#member = member;
    this.#told = told;
    this.#toldSince = member.opinion.since;
    this.#parts = parts;
    this.#fallsSince = parts.clock.monotonic();
  }

  /** The opinion has changed. */
  changed(evidence: Evidence['kind']): void {
    if (this.#member.health !== 'falling' || this.#mayTellFall()) this.#tell(evidence);
  }

  /** Time has passed: a fall that was not told, for there were too many of them, may be one that lasts. */
  tick(): void {
    const { health, opinion } = this.#member;
    if (this.#told !== health && this.#parts.clock.utc() - opinion.since >= LASTING_MS) this.#tell('time');
  }

  /** The node should be ejected and is not, for this reason: it goes on getting calls that it does not serve. */
  kept(evidence: Evidence, reason: string): void {
    const { store, clock } = this.#parts;
    const now = clock.monotonic();
    if (this.#keptAt !== null && now - this.#keptAt < KEPT_EVERY_MS) return;
    this.#keptAt = now;
    store.event('node.not_ejected', {
      nodeId: this.#member.id,
      set_id: this.#member.node.setId,
      cause:
        evidence.kind === 'media-failed'
          ? `test calls have no audio: ${evidence.why}`
          : 'calls are without reply, though checks are answered',
      reason,
    });
  }

  /** Tells of a change, unless it came back from where nobody was told that it was. */
  #tell(evidence: Evidence['kind']): void {
    const from = this.#told;
    const member = this.#member;
    const { health, cause, since } = member.opinion;
    if (health === from) return;
    this.#told = health;
    this.#parts.store.event(`node.${health}`, {
      nodeId: member.id,
      socket: member.socket,
      set_id: member.node.setId,
      from,
      cause,
      evidence,
      after_ms: Math.max(0, since - this.#toldSince),
      order: member.order,
      calls: member.calls,
    });
    this.#toldSince = since;
  }

  /** A node that loses one reply in ten falls at each of them: that is told some times a minute, not at the rate of calls. */
  #mayTellFall(): boolean {
    const now = this.#parts.clock.monotonic();
    if (now - this.#fallsSince >= FALLS_MS) {
      this.#falls = 0;
      this.#fallsSince = now;
    }

    return this.#falls++ < MAX_FALLS;
  }
}
