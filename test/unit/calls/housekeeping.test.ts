/** Tidying up: idle calls end, ended ones are forgotten, old rows go. */

import { describe, expect, test } from 'bun:test';
import { type HousekeepingOptions, startHousekeeping } from '../../../src/calls/housekeeping.ts';
import { Replays } from '../../../src/calls/replays.ts';
import { NEWEST } from '../../../src/store/ended-calls.ts';
import { CHECK_AFTER_MS, makeCluster, phoneSdp } from '../../fakes/cluster.ts';
import { flush, makeCall } from '../../fakes/store.ts';

const PERIOD_MS = 600_000;
const OPTIONS: HousekeepingOptions = {
  maxIdleMs: PERIOD_MS,
  maxUnansweredMs: PERIOD_MS / 4,
  endedCallMs: PERIOD_MS,
  maxEndedCalls: 1000,
  eventMs: PERIOD_MS,
  maxEvents: 1000,
  traceMs: PERIOD_MS,
  maxTraces: 1000,
};

function start(options: Partial<HousekeepingOptions> = {}) {
  const cluster = makeCluster();
  // Whoever asks for a call hears that it is there.
  cluster.relay(0).always('query', { result: 'ok' });
  const { calls, ledger, checkup, store, strays, clock, requests } = cluster;
  const replays = new Replays(clock);
  const stop = startHousekeeping(
    { calls, ledger, checkup, replays, store, strays, clock, isBusy: (callId) => requests.isBusy(callId) },
    () => ({ ...OPTIONS, ...options }),
  );

  return { ...cluster, stop };
}

describe('housekeeping', () => {
  test('ends a call of which nothing was heard for too long, and no other', async () => {
    const { calls, store, clock, stop } = start();
    const [idle, fresh] = ['idle', 'fresh'].map((id) =>
      makeCall(id, { state: 'confirmed', updatedAt: clock.utc() }),
    );
    if (idle === undefined || fresh === undefined) throw new Error('two calls were made');
    for (const call of [idle, fresh]) {
      calls.add(call);
      await store.saveCall(call, { isNew: true });
    }
    fresh.updatedAt = clock.utc() + PERIOD_MS;
    await clock.advance(PERIOD_MS + 500);
    expect(calls.get('idle')).toBeUndefined();
    expect(idle.endReason).toBe('idle');
    expect(calls.get('fresh')).toBe(fresh);
    stop();
  });

  test('ends a call that was never answered sooner, and tells its relay to delete it', async () => {
    const { calls, store, clock, stop, asked } = start();
    const early = makeCall('early', { createdAt: clock.utc(), updatedAt: clock.utc() });
    calls.add(early);
    await store.saveCall(early, { isNew: true });
    await clock.advance(PERIOD_MS / 4 + 500);
    expect(early.endReason).toBe('idle');
    expect(asked()).toContain('0 delete');
    stop();
  });

  test('goes by other limits as soon as there are some', async () => {
    const limits: Partial<HousekeepingOptions> = {};
    const { calls, store, clock, stop } = start(limits);
    const call = makeCall('c1', { state: 'confirmed', updatedAt: clock.utc() });
    calls.add(call);
    await store.saveCall(call, { isNew: true });
    await clock.advance(PERIOD_MS / 2);
    expect(calls.get('c1')).toBe(call);
    Object.assign(limits, { maxIdleMs: PERIOD_MS / 2 });
    await clock.advance(500);
    expect(call.endReason).toBe('idle');
    stop();
  });

  test('tells the node of an early call that was given up what its driver remembers of it', async () => {
    const { calls, clock, stop, media, relay } = start();
    relay(0).remembered = { memo: 'memo' };
    await media.offer({
      callId: 'c1',
      fromTag: 'A',
      sdp: phoneSdp('10.9.9.9'),
      direction: { from: 'inner', to: 'outer' },
      isInDialog: false,
      extra: {},
    });
    await clock.advance(PERIOD_MS / 4 + 500);
    expect(calls.getEnded('c1')?.endReason).toBe('idle');
    expect(relay(0).deletes).toEqual([{ callId: 'c1', memo: 'memo' }]);
    stop();
  });

  test('takes an early call of an earlier run for established: a crash may have forgotten its answer', async () => {
    const { calls, store, clock, stop } = start();
    const early = makeCall('early', { createdAt: clock.utc() - 1, updatedAt: clock.utc() });
    calls.add(early);
    await store.saveCall(early, { isNew: true });
    await clock.advance(PERIOD_MS / 2);
    expect(calls.get('early')).toBe(early);
    await clock.advance(PERIOD_MS / 2 + 500);
    expect(calls.get('early')).toBeUndefined();
    stop();
  });

  test('leaves a call alone while a request of it is under way', async () => {
    const { calls, store, clock, stop, requests, relay } = start();
    const call = makeCall('c1', { state: 'confirmed', updatedAt: clock.utc() });
    calls.add(call);
    await store.saveCall(call, { isNew: true });
    await clock.advance(PERIOD_MS - 100);
    relay(0).next('query', 'never');
    const query = requests.query('c1');
    await clock.advance(500);
    expect(calls.get('c1')).toBe(call);
    await clock.advance(2000);
    await query;
    expect(calls.get('c1')).toBeUndefined();
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
    const kept = store.ended.slice(NEWEST, 0, 10).map(({ callId }) => callId);
    expect(kept.filter((callId) => callId !== 'flush').sort()).toEqual(['c3', 'c4']);
    stop();
  });

  test('a call without news for the set time is asked for, and ended if its node does not know it', async () => {
    const { calls, store, clock, stop, relay, events } = start({ maxIdleMs: 10 * PERIOD_MS });
    const [gone, there] = ['gone', 'there'].map((id) =>
      makeCall(id, { state: 'confirmed', updatedAt: clock.utc() }),
    );
    if (gone === undefined || there === undefined) throw new Error('two calls were made');
    for (const call of [gone, there]) {
      calls.add(call);
      await store.saveCall(call, { isNew: true });
    }
    relay(0).always('query', undefined).calls.add('there');
    await clock.advance(CHECK_AFTER_MS - 1000);
    expect(relay(0).queries).toEqual([]);
    await clock.advance(2000);
    expect(gone.endReason).toBe('lost');
    expect(calls.get('there')).toBe(there);
    expect(await events()).toContain('call.lost');
    const asked = relay(0).queries.length;
    await clock.advance(CHECK_AFTER_MS - 5000);
    expect(relay(0).queries.length).toBe(asked);
    await clock.advance(10_000);
    expect(relay(0).queries.length).toBe(asked + 1);
    stop();
  });

  test('a step of the UTC clock ends no call: no time has passed', async () => {
    const { calls, store, clock, stop, asked } = start();
    const [early, confirmed] = (['early', 'confirmed'] as const).map((state) =>
      makeCall(state, { state, createdAt: clock.utc(), updatedAt: clock.utc() }),
    );
    if (early === undefined || confirmed === undefined) throw new Error('two calls were made');
    for (const call of [early, confirmed]) {
      calls.add(call);
      await store.saveCall(call, { isNew: true });
    }
    await clock.advance(1000);
    clock.utcStep = 86_400_000;
    await clock.advance(PERIOD_MS / 4 - 2000);
    expect([early.state, confirmed.state]).toEqual(['early', 'confirmed']);
    expect(asked()).not.toContain('0 delete');
    stop();
  });

  test('a step of the UTC clock ends no call that was heard just before it, after the last look', async () => {
    const { calls, store, clock, stop } = start();
    await clock.advance(1000);
    await clock.advance(100);
    const call = makeCall('c1', { state: 'confirmed', createdAt: clock.utc(), updatedAt: clock.utc() });
    calls.add(call);
    await store.saveCall(call, { isNew: true });
    await clock.advance(50);
    clock.utcStep = 86_400_000;
    await clock.advance(1000);
    expect([call.state, call.endReason]).toEqual(['confirmed', null]);
    stop();
  });

  test('time that really passes after a step of the UTC clock counts, for calls from before it and after it', async () => {
    const { calls, store, clock, stop } = start();
    const before = makeCall('before', { state: 'confirmed', createdAt: clock.utc(), updatedAt: clock.utc() });
    calls.add(before);
    await store.saveCall(before, { isNew: true });
    await clock.advance(1000);
    clock.utcStep = 86_400_000;
    await clock.advance(1000);
    const after = makeCall('after', { state: 'confirmed', createdAt: clock.utc(), updatedAt: clock.utc() });
    calls.add(after);
    await store.saveCall(after, { isNew: true });
    await clock.advance(PERIOD_MS - 2500);
    expect([before.endReason, after.endReason]).toEqual([null, null]);
    await clock.advance(1500);
    expect([before.endReason, after.endReason]).toEqual(['idle', null]);
    await clock.advance(2000);
    expect(after.endReason).toBe('idle');
    stop();
  });

  test('does nothing any more once stopped', async () => {
    const { calls, clock, stop } = start();
    const call = makeCall('c1', { updatedAt: clock.utc() });
    calls.add(call);
    stop();
    await clock.advance(2 * PERIOD_MS);
    expect(calls.get('c1')).toBe(call);
  });
});
