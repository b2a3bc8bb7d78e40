/** What the monitor of a relay says of it. */

import { expect } from 'bun:test';
import { mustBe } from '../lab/rtpengine.ts';
import { ALICE, BOB, Call, expectSessions, type Stage, scenesOn, soon, two } from './stage.ts';

export function describeMonitor(stage: Stage): void {
  const scene = scenesOn(stage);

  scene('pings in less time than a check may take', async ({ monitor }) => {
    expect(mustBe(await monitor.ping(soon()))).toBeWithin(0, 500);
  });

  scene('counts sessions as the replies do', async (relay, call) => {
    await expectSessions(relay, 0);
    const offered = mustBe(await call.begin(two(ALICE), two(BOB)));
    await expectSessions(relay, offered.sessions);
    expect(offered.sessions).toBe(stage.sessions === 'calls' ? 1 : 2);
    mustBe(await call.delete());
    await expectSessions(relay, 0);
  });

  if (stage.canRevive) {
    scene('shows a restart: the uptime or a figure that only grows has fallen', async (relay, call) => {
      await call.connect(ALICE, BOB);
      mustBe(await call.delete());
      await Bun.sleep(1100);
      const before = mustBe(await relay.monitor.statistics(soon()));
      await relay.kill();
      await relay.revive();
      const after = mustBe(await relay.monitor.statistics(soon()));
      const hasFallen = after.growing.some((figure, index) => figure < (before.growing[index] ?? 0));
      expect(after.growing).toHaveLength(before.growing.length);
      expect(hasFallen || (after.uptimeS ?? 0) < (before.uptimeS ?? 0)).toBe(true);
      expect(after.version).toBe(before.version);
    });
  }

  scene('lets no figure fall while the relay lives', async (relay, call) => {
    const before = mustBe(await relay.monitor.statistics(soon()));
    await call.connect(ALICE, BOB);
    mustBe(await call.delete());
    await expectSessions(relay, 0);
    const after = mustBe(await relay.monitor.statistics(soon()));
    expect(after.growing).toHaveLength(before.growing.length);
    for (const [index, figure] of after.growing.entries())
      expect(figure).toBeGreaterThanOrEqual(before.growing[index] as number);
    expect(after.uptimeS ?? 0).toBeGreaterThanOrEqual(before.uptimeS ?? 0);
  });

  scene('sees with a canary that ports can be had, and leaves nothing of it', async (relay) => {
    expect(mustBe(await relay.monitor.canary('203.0.113.9', 'IP4', soon()))).toBeWithin(0, 1000);
    await expectSessions(relay, 0);
    if (stage.listsCalls) expect(mustBe(await relay.monitor.list(10, soon()))).toEqual([]);
  });

  scene(
    'sees with a canary that there are none left',
    async (relay, call) => {
      await call.connect(ALICE, BOB);
      expect(await relay.monitor.canary('203.0.113.9', 'IP4', soon())).toMatchObject({ kind: 'refused' });
      mustBe(await relay.monitor.ping(soon()));
      await expectSessions(relay, 1);
    },
    { isScarce: true },
  );

  scene('lists its calls, or says that it does not tell them', async ({ driver, monitor }, call) => {
    await call.connect(ALICE, BOB);
    const other = new Call(driver);
    await other.connect(ALICE, BOB);
    const listed = await monitor.list(10, soon());
    if (stage.listsCalls) {
      expect([...mustBe(listed)].sort()).toEqual([call.callId, other.callId].sort());
      expect(mustBe(await monitor.list(1, soon()))).toHaveLength(1);
    } else expect(listed).toMatchObject({ kind: 'rejected' });
    mustBe(await other.delete());
  });
}
