/** Which sets lost half of their weight: told loudly once, and once when it is over. */

import { isHealthy } from '../domain/state.ts';
import { PANIC_BELOW } from '../placement/choose.ts';
import type { Store } from '../store/store.ts';
import { log } from '../util/log.ts';
import type { Fleet } from './fleet.ts';

/** How often sets are weighed though no opinion changed, ms: orders and weights change too. */
const EVERY_MS = 1000;

export class Panic {
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #sets = new Set<number>();
  /** Monotonic ms. */
  #weighedAt = Number.NEGATIVE_INFINITY;

  constructor(fleet: Fleet, store: Store) {
    this.#fleet = fleet;
    this.#store = store;
  }

  has(setId: number): boolean {
    return this.#sets.has(setId);
  }

  /** An opinion changed: the sets are weighed by the next tick, once for all that changed until then. */
  mayHaveChanged(): void {
    this.#weighedAt = Number.NEGATIVE_INFINITY;
  }

  /** @param now monotonic ms */
  tick(now: number): void {
    if (now - this.#weighedAt < EVERY_MS) return;
    this.#weighedAt = now;
    const sets = Map.groupBy(
      [...this.#fleet.all()].filter(({ order, removedAt }) => order === 'ready' && removedAt === null),
      ({ node }) => node.setId,
    );
    for (const [setId, members] of sets) {
      const all = members.reduce((sum, { weight }) => sum + weight, 0);
      const healthy = members.reduce((sum, { weight, health }) => sum + (isHealthy(health) ? weight : 0), 0);
      this.#set(setId, healthy < all * PANIC_BELOW, healthy, all);
    }
    for (const setId of this.#sets) if (!sets.has(setId)) this.#set(setId, false, 0, 0);
  }

  #set(setId: number, isPanic: boolean, healthy: number, all: number): void {
    if (isPanic === this.#sets.has(setId)) return;
    if (isPanic) this.#sets.add(setId);
    else this.#sets.delete(setId);
    const kind = isPanic ? 'set.panic' : 'set.calm';
    this.#store.event(kind, { set_id: setId, healthy_weight: healthy, weight: all });
    if (isPanic) log.error(kind, { set: setId, healthy_weight: healthy, weight: all });
  }
}
