/** A watched relay that does what a test tells it, and notes what it was asked. */

import type { RelayFailure, RelayMonitor, RelayStatistics } from '../../src/relay/driver.ts';
import type { Family } from '../../src/util/ip.ts';
import type { FakeClock } from './clock.ts';
import { fails } from './driver.ts';

export type Check = 'ping' | 'statistics' | 'list' | 'canary' | 'limit';

/** What a node's monitor was asked, in the order in which it was asked. */
export interface Checked {
  readonly node: number;
  readonly check: Check;
}

/** What the relay does with a check: a failure, `never` (silent until the deadline), or for pings and canaries the time it takes, ms. */
export type ScriptedCheck = number | RelayFailure | 'never';

/** Time a good relay takes for a ping or canary in its figures; the fake itself answers at once unless a number is scripted. */
const GOOD_MS = 1;

export const QUIET: RelayStatistics = {
  uptimeS: 1000,
  sessions: 0,
  growing: [],
  ports: { free: 10_000, total: 10_000 },
  packetsPerS: 0,
  bytesPerS: 0,
  errorsPerS: 0,
  rejected: 0,
  version: '11.0 to 13.1',
};

export class FakeMonitor implements RelayMonitor {
  /** Calls this relay says it has; a test may hand in the calls of a `FakeDriver`. */
  calls: Set<string>;
  /** What the relay tells of itself; `sessions` is the number of its calls unless a test set it. */
  statisticsNow: Partial<RelayStatistics> = {};
  httpTrouble: string | null = null;
  /** The relay's own limit; null is none. */
  sessionLimit: number | null = null;
  readonly asked: Check[] = [];
  /** Deadlines of all checks, in order. */
  readonly deadlines: number[] = [];
  /** What `list` was asked to list at most, in order. */
  readonly listLimits: number[] = [];
  /** The media addresses canaries asked for, in order. */
  readonly canaries: { address: string; family: Family }[] = [];
  /** Limits set, in order. */
  readonly limits: (number | null)[] = [];
  isClosed = false;
  readonly #id: number;
  readonly #clock: FakeClock;
  readonly #trace: Checked[];
  readonly #script = new Map<Check, ScriptedCheck[]>();
  readonly #always = new Map<Check, ScriptedCheck>();

  /** @param trace gets what all nodes are asked, in order */
  constructor(id: number, clock: FakeClock, trace: Checked[] = [], calls: Set<string> = new Set()) {
    this.#id = id;
    this.#clock = clock;
    this.#trace = trace;
    this.calls = calls;
  }

  /** Scripts the next checks of a kind; later ones are done as a good relay does them. */
  next(check: Check, ...replies: ScriptedCheck[]): this {
    this.#script.set(check, [...(this.#script.get(check) ?? []), ...replies]);

    return this;
  }

  /** Scripts all checks of a kind which `next` says nothing of; undefined makes it a good relay again. */
  always(check: Check, reply: ScriptedCheck | undefined): this {
    if (reply === undefined) this.#always.delete(check);
    else this.#always.set(check, reply);

    return this;
  }

  /** The relay stops answering anything (`never`), refuses everything (a failure), or with undefined is well again. */
  all(reply: RelayFailure | 'never' | undefined): this {
    for (const check of ['ping', 'statistics', 'list', 'canary', 'limit'] as const) this.always(check, reply);

    return this;
  }

  /** The relay starts anew: uptime and counters at zero, no calls. Its limit is that of its configuration, which is none. */
  restart(): this {
    this.calls.clear();
    this.sessionLimit = null;
    const { growing = [], ...rest } = this.statisticsNow;
    this.statisticsNow = { ...rest, uptimeS: 0, growing: growing.map(() => 0), rejected: 0 };

    return this;
  }

  /** How often a kind of check was made. */
  count(check: Check): number {
    return this.asked.filter((asked) => asked === check).length;
  }

  ping(deadline: number): Promise<number | RelayFailure> {
    return this.#do('ping', deadline, (ms) => ms);
  }

  statistics(deadline: number): Promise<RelayStatistics | RelayFailure> {
    return this.#do('statistics', deadline, () => ({
      ...QUIET,
      sessions: this.calls.size,
      ...this.statisticsNow,
    }));
  }

  list(limit: number, deadline: number): Promise<readonly string[] | RelayFailure> {
    this.listLimits.push(limit);

    return this.#do('list', deadline, () => [...this.calls].slice(0, limit));
  }

  canary(address: string, family: Family, deadline: number): Promise<number | RelayFailure> {
    this.canaries.push({ address, family });

    return this.#do('canary', deadline, (ms) => ms);
  }

  limitSessions(limit: number | null, deadline: number): Promise<{ before: number | null } | RelayFailure> {
    this.limits.push(limit);

    return this.#do('limit', deadline, () => {
      const before = this.sessionLimit;
      this.sessionLimit = limit;

      return { before };
    });
  }

  close(): void {
    this.isClosed = true;
  }

  /** A scripted time really passes on the fake clock; beyond the deadline the relay counts as silent. */
  async #do<Reply>(
    check: Check,
    deadline: number,
    asGoodRelay: (ms: number) => Reply,
  ): Promise<Reply | RelayFailure> {
    this.asked.push(check);
    this.#trace.push({ node: this.#id, check });
    this.deadlines.push(deadline);
    const scripted = this.#script.get(check)?.shift() ?? this.#always.get(check);
    if (scripted === undefined) return asGoodRelay(GOOD_MS);
    if (typeof scripted === 'object') return scripted;
    const at = scripted === 'never' ? Number.POSITIVE_INFINITY : this.#clock.monotonic() + scripted;
    await this.#clock.until(Math.min(at, deadline));

    return at > deadline || scripted === 'never' ? fails('silent') : asGoodRelay(scripted);
  }
}
