/** What becomes of calls and checks when the relay ends, begins anew, hangs or is full. */

import { expect } from 'bun:test';
import type { RelayFailure } from '../../src/relay/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { mustBe } from '../lab/rtpengine.ts';
import {
  ALICE,
  BOB,
  bodyOf,
  Call,
  expectSessions,
  portAt,
  type Stage,
  scenesOn,
  soon,
  two,
} from './stage.ts';

/** Time a request with a deadline may take beyond it on a busy machine, ms. */
const SLACK_MS = 250;

export function describeTroubles(stage: Stage): void {
  const scene = scenesOn(stage);

  if (stage.canRevive) {
    scene('has forgotten its calls after a restart', async (relay, call) => {
      await call.connect(ALICE, BOB);
      await relay.kill();
      await relay.revive();
      expect(await call.query()).toMatchObject({ kind: 'unknown-call' });
      expect(await call.answer(ALICE, BOB)).toMatchObject({ kind: 'unknown-call' });
      expect(mustBe(await call.delete()).found).toBe(false);
    });

    scene('renews a forgotten call with an offer and says so, if that is its way', async (relay, call) => {
      const other = new Call(relay.driver);
      // The first port of all must not be the new one as well.
      await other.connect(ALICE, BOB);
      await call.connect(ALICE, BOB);
      await relay.kill();
      await relay.revive();
      const offered = mustBe(await call.offer(BOB, ALICE));
      expect(relay.driver.renewsCalls).toBe(stage.renewsCalls);
      expect(offered.isRenewed ?? false).toBe(stage.renewsCalls);
      const answered = mustBe(await call.answer(BOB, ALICE));
      expect(answered.isRenewed ?? false).toBe(false);
      const after = mustBe(await call.offer(ALICE, BOB));
      expect(after.isRenewed ?? false).toBe(false);
      portAt(BOB.relay, after);
    });
  }

  scene('hears at once that nobody listens', async (relay, call) => {
    await call.connect(ALICE, BOB);
    await relay.kill();
    const far = soon(60_000);
    const from = systemClock.monotonic();
    const { callId, memo, tags } = call;
    expect(await relay.driver.query({ callId, memo, tags }, far)).toMatchObject({ kind: 'unreachable' });
    expect(await call.offer(ALICE, BOB)).toMatchObject({ kind: 'unreachable' });
    expect(await relay.monitor.ping(far)).toMatchObject({ kind: 'unreachable' });
    expect(await relay.monitor.statistics(far)).toMatchObject({ kind: 'unreachable' });
    expect(systemClock.monotonic() - from).toBeLessThan(5000);
  });

  scene(
    'ends every request by its deadline while the relay is silent, and works when it is back',
    async (relay, call) => {
      const { driver, monitor } = relay;
      await call.connect(ALICE, BOB);
      const { callId, memo, tags } = call;
      const known = { callId, memo, tags };
      await relay.freeze();
      const deadline = soon(300);
      const request = { callId, memo, fromTag: ALICE.tag, toTag: BOB.tag, isNew: false, extra: {} } as const;
      const there = { ...request, sdp: bodyOf(ALICE), address: BOB.relay, family: 'IP4' } as const;
      const outcomes = await Promise.all([
        driver.offer(there, deadline),
        driver.answer({ ...there, sdp: bodyOf(BOB), address: ALICE.relay }, deadline),
        driver.query(known, deadline),
        driver.command({ command: 'stop media', 'call-id': callId, 'from-tag': ALICE.tag }, known, deadline),
        monitor.ping(deadline),
        monitor.statistics(deadline),
        monitor.canary('127.0.0.1', 'IP4', deadline),
      ]);
      expect(systemClock.monotonic() - deadline).toBeLessThan(SLACK_MS);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ kind: 'silent' });
      relay.thaw();
      // A stopped process does what has waited for it.
      mustBe(await monitor.ping(soon()));
      await call.reconnect(ALICE, BOB);
    },
  );

  scene('can end a call whose first offer was never answered for', async (relay, call) => {
    await relay.freeze();
    const request = { callId: call.callId, fromTag: ALICE.tag, isNew: true, extra: {} } as const;
    const failure = await relay.driver.offer(
      { ...request, sdp: bodyOf(ALICE), address: BOB.relay, family: 'IP4' },
      soon(200),
    );
    expect(failure).toMatchObject({ kind: 'silent' });
    relay.thaw();
    mustBe(await relay.monitor.ping(soon()));
    const { left: memo = null } = failure as RelayFailure;
    mustBe(await relay.driver.delete({ callId: call.callId, memo, tags: [ALICE.tag] }, soon()));
    await expectSessions(relay, 0);
  });

  scene(
    'refuses a new call for want of ports, and tells that from a stream which a call has no room for',
    async (relay, call) => {
      await call.connect(ALICE, BOB);
      const other = new Call(relay.driver);
      expect(await other.begin(ALICE, BOB)).toMatchObject({ kind: 'refused' });
      expect(await call.offer(two(ALICE), two(BOB))).toMatchObject({ kind: stage.overfull });
      if (stage.overfull === 'refused') return;
      mustBe(await call.query());
      const [answered, offered] = await call.reconnect(ALICE, BOB);
      portAt(ALICE.relay, answered);
      portAt(BOB.relay, offered);
      mustBe(await other.delete());
    },
    { isScarce: true },
  );

  scene('ends what is under way when it is closed, and takes nothing any more', async (relay, call) => {
    await call.connect(ALICE, BOB);
    await relay.freeze();
    const { callId, memo, tags } = call;
    const asked = [
      relay.driver.query({ callId, memo, tags }, soon(60_000)),
      relay.monitor.ping(soon(60_000)),
      relay.monitor.statistics(soon(60_000)),
    ];
    relay.driver.close();
    relay.monitor.close();
    for (const outcome of await Promise.all(asked)) expect(outcome).toMatchObject({ kind: 'unreachable' });
    expect(await relay.driver.query({ callId, memo, tags }, soon())).toMatchObject({ kind: 'unreachable' });
    expect(await relay.monitor.ping(soon())).toMatchObject({ kind: 'unreachable' });
    await relay.kill();
  });
}
