/**
 * The media probe: where a set wants it, each node gets a test call with RTP both ways once a minute. A node that answers but carries no
 * audio is found so, and by nothing else.
 */

import type { Fleet } from '../fleet/fleet.ts';
import type { Member, ProbeResult } from '../fleet/member.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { MediaOutcome, Probe } from './probe.ts';

/** How often we look whose turn it is, ms. */
const TICK_MS = 250;
/** From one test call to the next, ms; 5 % more or less. */
const EVERY_MS = 60_000;
/** The same after one without audio: the next one decides. */
const AGAIN_MS = 15_000;
const JITTER = 0.05;
const EVENTS = { ok: 'node.media_ok', lossy: 'node.media_lossy', failed: 'node.media_failed' } as const;
/** Test calls at a time; each takes some 0.6 s, so that 1500 nodes have their turn in a minute. With more, the turns come later. */
const MAX_RUNNING = 16;

export interface MediaProbeParts {
  readonly fleet: Pick<Fleet, 'all' | 'get' | 'set' | 'onEvidence'>;
  readonly store: Pick<Store, 'event'>;
  readonly probe: Pick<Probe, 'media'>;
  readonly clock: Clock;
  /** Random numbers from 0 to 1. */
  readonly random?: () => number;
}

interface Entry {
  readonly member: Member;
  /** Monotonic ms. */
  dueAt: number;
  running: { readonly abort: AbortController; readonly over: Promise<void> } | undefined;
}

export class MediaProbes {
  /** `unsaid`: that told nothing of the node, as this host could not send, or the node was full. */
  readonly counters = { probes: 0, failed: 0, lossy: 0, unsaid: 0 };
  readonly #parts: MediaProbeParts;
  readonly #random: () => number;
  /** Who waits longest comes first. */
  readonly #entries = new Map<Member, Entry>();
  #running = 0;
  #stopTick: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: MediaProbeParts) {
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
  }

  /** From now on each node has its turn, the first one at a random time of the next minute: after a start all are new. */
  start(): void {
    this.#stopTick = this.#parts.clock.every(TICK_MS, () => this.#tick());
  }

  /** Cuts short what is under way; resolves when those calls are deleted. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopTick?.();
    const running = [...this.#entries.values()].flatMap((entry) => entry.running ?? []);
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ over }) => over));
  }

  #tick(): void {
    const { fleet, clock } = this.#parts;
    const now = clock.monotonic();
    for (const member of fleet.all()) {
      if (!this.#entries.has(member) && this.#isWanted(member))
        this.#entries.set(member, {
          member,
          dueAt: now + this.#random() * pauseBefore(member),
          running: undefined,
        });
    }
    for (const entry of [...this.#entries.values()]) {
      const { member, running, dueAt } = entry;
      if (!this.#isWanted(member)) {
        running?.abort.abort();
        this.#entries.delete(member);
        // Nobody is to take it for news later.
        member.probe = null;
        fleet.onEvidence(member, { kind: 'media-unwatched' });
      } else if (dueAt <= now && running === undefined && this.#running < MAX_RUNNING && mayProbe(member)) {
        this.#begin(entry);
      }
    }
  }

  #isWanted(member: Member): boolean {
    const { fleet } = this.#parts;

    return (
      fleet.get(member.id) === member && member.removedAt === null && fleet.set(member.node.setId).mediaProbe
    );
  }

  #begin(entry: Entry): void {
    const abort = new AbortController();
    this.#running++;
    this.#entries.delete(entry.member);
    this.#entries.set(entry.member, entry);
    const over = this.#runOnce(entry, abort.signal).finally(() => {
      this.#running--;
      entry.running = undefined;
    });
    entry.running = { abort, over };
  }

  async #runOnce(entry: Entry, signal: AbortSignal): Promise<void> {
    const { probe, clock } = this.#parts;
    const { member } = entry;
    const { node } = member;
    const started = clock.monotonic();
    this.counters.probes++;
    const outcome = await probe.media(node, signal);
    const isBad = outcome.result === 'failed' || outcome.result === 'silent';
    const pause = isBad ? AGAIN_MS : EVERY_MS;
    entry.dueAt = started + pause * (1 - JITTER + 2 * JITTER * this.#random());
    // What was changed or taken away meanwhile was not what was tested.
    if (this.#isStopped || this.#entries.get(member) !== entry || member.node !== node) return;
    this.#take(member, outcome);
  }

  #take(member: Member, outcome: MediaOutcome): void {
    const { fleet, clock } = this.#parts;
    if (outcome.result === 'unsaid') {
      this.counters.unsaid++;

      return;
    }
    const at = clock.utc();
    if (outcome.result === 'silent') {
      this.counters.failed++;
      const { callId, reason } = outcome;
      this.#tell(member, { at, result: 'failed', lossPercent: null, delayMs: null, reordered: 0, reason });
      // Whether it lives is a question for checks, which this makes look at once.
      fleet.onEvidence(member, { kind: 'call-silent', callId });

      return;
    }
    if (outcome.result !== 'ok') this.counters[outcome.result]++;
    this.#tell(member, { ...outcome, at });
    fleet.onEvidence(
      member,
      outcome.result === 'failed' ? { kind: 'media-failed', why: outcome.reason } : { kind: 'media-ok' },
    );
  }

  /** Notes a result, and tells if it is another one than before. */
  #tell(member: Member, probe: ProbeResult): void {
    const before = member.probe?.result ?? 'ok';
    member.probe = probe;
    if (probe.result === before) return;
    const { result, lossPercent, delayMs, reason } = probe;
    this.#parts.store.event(EVENTS[result], {
      nodeId: member.id,
      from: before,
      ...(reason === '' ? {} : { reason }),
      ...(lossPercent === null ? {} : { loss_percent: Math.round(lossPercent * 10) / 10 }),
      ...(delayMs === null ? {} : { delay_ms: Math.round(delayMs * 100) / 100 }),
    });
  }
}

/** An ejection that audio may end, or prolong, does not wait for a minute: after a start it may be about to run out. */
function pauseBefore({ health }: Member): number {
  return health === 'ejected' ? AGAIN_MS : EVERY_MS;
}

/** Somebody works on a node in maintenance; of one that is down, or not heard of yet, its checks say all. */
function mayProbe({ order, health }: Member): boolean {
  return order !== 'maint' && health !== 'down' && health !== 'unknown';
}
