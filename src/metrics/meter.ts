/**
 * Counts the requests of calls as they end: how many, how they went, how long they took, where new calls were placed. It stands on the
 * call path, so it only adds to arrays; who wants to know reads them.
 */

import { COMMANDS } from '../calls/commands.ts';
import type { Observer } from '../calls/journal.ts';
import type { Step, Try } from '../calls/step.ts';
import { DOORS, type Door } from '../domain/door.ts';
import { ERRORS, type ErrorCode } from '../domain/errors.ts';
import { POLICIES, type PolicyName } from '../placement/policy.ts';
import { Histogram, REQUEST_BOUNDS } from '../util/histogram.ts';

/** What is counted by itself; all else, whoever named it, is `other`. */
export const OPERATIONS: readonly string[] = [
  ...['offer', 'answer', 'announce', 'delete', 'query'],
  ...[...COMMANDS].sort(),
  'other',
];

/** `ok`, or the code of a failure. */
export type Outcome = 'ok' | ErrorCode;
const OUTCOMES: readonly Outcome[] = ['ok', ...(Object.keys(ERRORS) as ErrorCode[])];
const INDEX_OF: ReadonlyMap<string, number> = new Map(OUTCOMES.map((outcome, index) => [outcome, index]));
/** Nodes whose placements are remembered; beyond, those of the node that got its first one longest ago are forgotten. */
const MAX_NODES = 10_000;

/** What is known of one operation. */
interface Operation {
  /** By door and outcome. */
  readonly counts: Float64Array;
  readonly times: Histogram;
}

export interface Counted<Labels> {
  readonly labels: Labels;
  readonly count: number;
}

export class Meter implements Observer {
  /** Requests of calls that have ended. */
  requests = 0;
  /** Those that failed for a reason of ours or of a relay: an HTTP status of 500 or more, RTPC_NO_NODE and RTPC_BUSY included. */
  failed = 0;
  /** New calls a node has taken, and calls that moved to another node. */
  placed = 0;
  /** Offers that needed more than one try, those placed while their set was in panic, and HTTP requests ended by a defect. */
  readonly counters = { retriedOffers: 0, panicPlacements: 0, defects: 0 };
  readonly #operations = new Map<string, Operation>();
  readonly #placements = new Map<number, Float64Array>();
  readonly #answers = new Map<string, Map<string, number>>();
  readonly #tries = new Map<Try['result'], number>();
  readonly #retries = new Map<Try['result'], number>();

  /** Upper bounds of `buckets`, s. */
  readonly bounds: readonly number[] = REQUEST_BOUNDS;

  /** A request has ended. @param nodeBefore the node its call was on before; null if none */
  step({ operation, door, result, took_ms, node, decision, tries }: Step, nodeBefore: number | null): void {
    this.requests++;
    if (result !== 'ok' && ERRORS[result].status >= 500) this.failed++;
    const { counts, times } = this.#operation(operation);
    const index = DOORS.indexOf(door) * OUTCOMES.length + (INDEX_OF.get(result) ?? 0);
    counts[index] = (counts[index] ?? 0) + 1;
    times.add(took_ms / 1000);
    for (const [at, { result: outcome }] of tries.entries()) {
      add(this.#tries, outcome);
      if (at > 0) add(this.#retries, outcome);
    }
    if (tries.length > 1) this.counters.retriedOffers++;
    if (decision === null || result !== 'ok' || node === null || node === nodeBefore) return;
    if (decision.isPanic) this.counters.panicPlacements++;
    this.#place(node, decision.policy);
  }

  /** The door of SIP proxies has answered. @param outcome `ok`, `nothing` to do, or the code of a failure */
  answered(operation: string, outcome: string): void {
    let counts = this.#answers.get(operation);
    if (counts === undefined) {
      counts = new Map();
      this.#answers.set(operation, counts);
    }
    add(counts, outcome);
  }

  defect(): void {
    this.counters.defects++;
  }

  /** Its answers, by operation and outcome. */
  answers(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#answers;
  }

  /** How many requests ended within each of `bounds` and above the one before, and beyond all of them; all operations together. */
  get buckets(): Float64Array {
    const sum = new Float64Array(this.bounds.length + 1);
    for (const { times } of this.#operations.values())
      for (const [index, count] of times.counts.entries()) sum[index] = (sum[index] ?? 0) + count;

    return sum;
  }

  /** Calls placed on a node since the start. */
  placedOn(nodeId: number): number {
    return this.#placements.get(nodeId)?.reduce((sum, count) => sum + count, 0) ?? 0;
  }

  /** Calls placed on a node since the start, by each policy that placed any. */
  placementsOn(nodeId: number): Counted<PolicyName>[] {
    const counts = this.#placements.get(nodeId);

    return POLICIES.map((labels, index) => ({ labels, count: counts?.[index] ?? 0 })).filter(hasAny);
  }

  /** Ended requests by door, operation and outcome; those that never came about are left out. */
  outcomes(): Counted<{ door: Door; operation: string; outcome: Outcome }>[] {
    return [...this.#operations].flatMap(([operation, { counts }]) =>
      DOORS.flatMap((door, row) =>
        OUTCOMES.map((outcome, column) => ({
          labels: { door, operation, outcome },
          count: counts[row * OUTCOMES.length + column] ?? 0,
        })),
      ).filter(hasAny),
    );
  }

  /** How long the requests of each operation took. */
  times(): [operation: string, Histogram][] {
    return [...this.#operations].map(([operation, { times }]) => [operation, times]);
  }

  /** Tries to hand an offer to a node, by what came of them. */
  tries(): ReadonlyMap<string, number> {
    return this.#tries;
  }

  /** Those of them that were not the first of their offer. */
  retries(): ReadonlyMap<string, number> {
    return this.#retries;
  }

  #operation(name: string): Operation {
    const known = this.#operations.get(name);
    if (known !== undefined) return known;
    if (!OPERATIONS.includes(name)) return this.#operation('other');
    const created = {
      counts: new Float64Array(DOORS.length * OUTCOMES.length),
      times: new Histogram(this.bounds),
    };
    this.#operations.set(name, created);

    return created;
  }

  #place(node: number, policy: PolicyName): void {
    this.placed++;
    let counts = this.#placements.get(node);
    if (counts === undefined) {
      const [oldest] = this.#placements.keys();
      if (this.#placements.size >= MAX_NODES && oldest !== undefined) this.#placements.delete(oldest);
      counts = new Float64Array(POLICIES.length);
      this.#placements.set(node, counts);
    }
    const index = POLICIES.indexOf(policy);
    counts[index] = (counts[index] ?? 0) + 1;
  }
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function hasAny({ count }: { readonly count: number }): boolean {
  return count > 0;
}
