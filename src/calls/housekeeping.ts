/** What must be tidied now and then, in slices that hold up no call. */

import type { Call } from '../domain/call.ts';
import type { RetentionLimits } from '../store/retention.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { CallTable } from './call-table.ts';
import type { Checkup } from './checkup.ts';
import type { Ledger } from './ledger.ts';
import type { Replays } from './replays.ts';
import type { Strays } from './strays.ts';

const TICK_MS = 200;
/** A forward step of the clock larger than this between two ticks, ms, is somebody setting it. */
const STEP_MS = 10_000;
/** Live calls looked at in a tick: some tenths of a millisecond. */
const CALLS_PER_TICK = 2000;

export interface HousekeepingOptions extends RetentionLimits {
  /** An established call of which nothing was heard for so long is over, ms. */
  readonly maxIdleMs: number;
  /** The same for a call that was never answered, ms: its end was not handed over. */
  readonly maxUnansweredMs: number;
}

/**
 * @param limits asked for each time: a reload may change them
 * @returns what stops it
 */
export function startHousekeeping(
  parts: {
    calls: CallTable;
    ledger: Ledger;
    checkup: Checkup;
    replays: Replays;
    store: Store;
    strays: Strays;
    clock: Clock;
    isBusy: (callId: string) => boolean;
  },
  limits: () => HousekeepingOptions,
): () => void {
  const { calls, ledger, checkup, replays, store, strays, clock, isBusy } = parts;
  let sweep = calls.values();
  const startedAt = clock.utc();
  let last = { utc: startedAt, monotonic: clock.monotonic() };
  /** How far somebody has set the clock forward, ms, and the last time by the old clock: it is no time that passed. */
  let forward = 0;
  let forwardAt = 0;

  return clock.every(TICK_MS, () => {
    const now = clock.utc();
    const monotonic = clock.monotonic();
    const step = now - last.utc - (monotonic - last.monotonic);
    if (step > STEP_MS) {
      forward += step;
      // What the old clock would show now: a call may have been heard since the last tick.
      forwardAt = now - step;
    }
    last = { utc: now, monotonic };
    const options = limits();
    for (let i = 0; i < CALLS_PER_TICK; i++) {
      const { value, done } = sweep.next();
      if (done) {
        sweep = calls.values();
        break;
      }
      if (isBusy(value.callId)) continue;
      const passed = now - value.updatedAt - (value.updatedAt <= forwardAt ? forward : 0);
      if (passed <= maxIdleOf(value, startedAt, options)) {
        checkup.consider(value);
        continue;
      }
      // Nobody can be heard on a call that was never answered; an established one may still carry media.
      if (value.state === 'early' && value.nodeId !== null)
        strays.add(value.nodeId, value.callId, value.memo);
      ledger.end(value, 'idle');
    }
    calls.forgetEnded(now);
    replays.expire();
    store.prune(options);
  });
}

/**
 * How long a call may be without news, ms. One of an earlier run counts as established whatever its row says: its answer may have
 * come in the last moments before a crash, when it was not written yet.
 */
function maxIdleOf(
  { state, createdAt }: Call,
  startedAt: number,
  { maxIdleMs, maxUnansweredMs }: HousekeepingOptions,
): number {
  return state === 'confirmed' || createdAt < startedAt ? maxIdleMs : maxUnansweredMs;
}
