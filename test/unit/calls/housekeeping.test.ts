/** Tidying up: idle calls end, ended ones are forgotten, old rows go. */

import { describe, expect, test } from 'bun:test';
import { type HousekeepingOptions, startHousekeeping } from '../../../src/calls/housekeeping.ts';
import { Replays } from '../../../src/calls/replays.ts';
import { makeCluster } from '../../fakes/cluster.ts';
import { flush, makeCall } from '../../fakes/store.ts';

const HOUR_MS = 3_600_000;
const OPTIONS: HousekeepingOptions = {
  maxIdleMs: HOUR_MS,
  endedCallMs: HOUR_MS,
  maxEndedCalls: 1000,
  eventMs: HOUR_MS,
  maxEvents: 1000,
};

function start(options: Partial<HousekeepingOptions> = {}) {
  const cluster = makeCluster();
  const { calls, ledger, store, clock } = cluster;
  const replays = new Replays(clock);
  const stop = startHousekeeping({ calls, ledger, replays, store, clock }, { ...OPTIONS, ...options });

  return { ...cluster, stop };
}

describe('housekeeping', () => {
  test('ends a call of which nothing was heard for too long, and no other', async () => {
    const { calls, store, clock, stop } = start();
    const [idle, fresh] = [makeCall('idle', { updatedAt: clock.utc() }), makeCall('fresh')];
    for (const call of [idle, fresh]) {
      calls.add(call);
      await store.saveCall(call, { isNew: true });
    }
    fresh.updatedAt = clock.utc() + HOUR_MS;
    await clock.advance(HOUR_MS + 500);
    expect(calls.get('idle')).toBeUndefined();
    expect(idle.endReason).toBe('idle');
    expect(calls.get('fresh')).toBe(fresh);
    stop();
  });

  test('forgets an ended call from memory after 64 s, and its row after its time', async () => {
    const { calls, ledger, store, clock, stop } = start({ endedCallMs: 100_000 });
    const call = makeCall('c1', { updatedAt: clock.utc() });
    calls.add(call);
    await store.saveCall(call, { isNew: true });
    await ledger.end(call, 'bye');
    await clock.advance(60_000);
    expect(calls.getEnded('c1')).toBe(call);
    await clock.advance(5000);
    expect(calls.getEnded('c1')).toBeUndefined();
    expect(store.findEndedCall('c1')?.endReason).toBe('bye');
    await clock.advance(40_000);
    expect(store.findEndedCall('c1')).toBeUndefined();
    stop();
  });

  test('keeps no more ended calls than allowed, the newest', async () => {
    const { store, clock, stop } = start({ maxEndedCalls: 2 });
    for (let i = 0; i < 5; i++) {
      const call = makeCall(`c${i}`, { state: 'ended', endReason: 'bye', updatedAt: clock.utc() + i });
      await store.saveCall(call, { isNew: true });
    }
    await clock.advance(20_000);
    await flush(store);
    const kept = store.listEndedCalls({ limit: 10, after: null }).calls.map(({ callId }) => callId);
    expect(kept.filter((callId) => callId !== 'flush').sort()).toEqual(['c3', 'c4']);
    stop();
  });

  test('does nothing any more once stopped', async () => {
    const { calls, clock, stop } = start();
    const call = makeCall('c1', { updatedAt: clock.utc() });
    calls.add(call);
    stop();
    await clock.advance(2 * HOUR_MS);
    expect(calls.get('c1')).toBe(call);
  });
});
