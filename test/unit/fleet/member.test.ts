import { describe, expect, test } from 'bun:test';
import { initialHealth, SLOW_START_MS } from '../../../src/domain/health.ts';
import { HEALTHS, ORDERS, REQUEST_KINDS, verdict } from '../../../src/domain/state.ts';
import { type Figures, Member, READY } from '../../../src/fleet/member.ts';
import { PORTS_PER_CALL } from '../../../src/placement/choose.ts';
import type { StoredNode } from '../../../src/store/fleet-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { FakeDriver } from '../../fakes/driver.ts';
import { QUIET } from '../../fakes/monitor.ts';

function make(changes: Partial<StoredNode> = {}) {
  const clock = new FakeClock();
  /** Our calls on it, and its sessions for them; as many unless a test says otherwise. */
  const calls: { ours: number; sessions?: number } = { ours: 0 };
  const stored: StoredNode = { ...makeNode(4), admin: READY, limited: null, removedAt: null, ...changes };
  const member = new Member(stored, {
    driver: new FakeDriver(4, clock, []),
    clock,
    countCalls: (id) => (id === 4 ? calls.ours : Number.NaN),
    countSessions: (id) => (id === 4 ? (calls.sessions ?? calls.ours) : Number.NaN),
  });

  return { clock, calls, member, stored };
}

function figures(changes: Partial<Figures> = {}): Figures {
  return { ...QUIET, at: new FakeClock().now, ourCalls: 0, ourSessions: 0, ...changes };
}

describe('a new member', () => {
  test('is under order ready, of unknown health, and past any slow start', () => {
    const { clock, member } = make();
    expect([member.order, member.health, member.ramp, member.isHeld]).toEqual(['ready', 'unknown', 1, false]);
    expect(member.opinion).toEqual(initialHealth(clock.utc()));
    expect([member.sessions, member.portsInUse, member.portsTotal, member.rttMs]).toEqual([
      0,
      null,
      null,
      null,
    ]);
  });

  test('shows the fields of its node as they are now', () => {
    const { member } = make();
    member.node = makeNode(4, {
      weight: 7,
      priority: 3,
      capacity: 9,
      tags: ['gpu'],
      socket: 'udp:10.0.0.9:1',
    });
    expect([member.weight, member.priority, member.capacity, member.tags, member.socket]).toEqual([
      7,
      3,
      9,
      ['gpu', 'rtpengine'],
      'udp:10.0.0.9:1',
    ]);
  });

  test.each(['rtpengine', 'rtpproxy'] as const)(
    'of kind %s has its kind among its tags, and not in its row',
    (kind) => {
      const { member } = make({ kind, tags: ['gpu', 'dc1'] });
      expect(member.tags).toEqual(['gpu', 'dc1', kind]);
      expect(member.stored.tags).toEqual(['gpu', 'dc1']);
    },
  );

  test('gives the row it came from, with what changed since', () => {
    const admin = { order: 'drain', by: 'root@edge1', reason: 'disk', at: 5, until: 9 } as const;
    const { member, stored } = make({ admin, limited: { before: 20 }, removedAt: 77 });
    expect(member.stored).toEqual(stored);
    member.admin = READY;
    member.limited = null;
    member.removedAt = null;
    expect(member.stored).toEqual({ ...stored, admin: READY, limited: null, removedAt: null });
  });

  test('is asked for by order and health together', () => {
    for (const order of ORDERS) {
      for (const health of HEALTHS) {
        const { member } = make({ admin: { ...READY, order } });
        member.opinion = { ...member.opinion, health };
        for (const kind of REQUEST_KINDS) expect(member.verdict(kind)).toBe(verdict(order, health, kind));
      }
    }
  });
});

describe('its sessions', () => {
  test('are our calls while it has told nothing', () => {
    const { member, calls } = make();
    calls.ours = 12;
    expect(member.sessions).toBe(12);
  });

  test('are ours of now, and those of others as of its figures', () => {
    const { member, calls } = make();
    calls.ours = 10;
    member.figures = figures({ sessions: 25, ourCalls: 10, ourSessions: 10 });
    expect(member.sessions).toBe(25);
    calls.ours = 13;
    expect(member.sessions).toBe(28);
    calls.ours = 0;
    expect(member.sessions).toBe(15);
  });

  test('are never fewer than ours: it may have told before our last calls came', () => {
    const { member, calls } = make();
    calls.ours = 10;
    member.figures = figures({ sessions: 4, ourCalls: 10, ourSessions: 10 });
    expect(member.sessions).toBe(10);
  });
});

describe('the sessions of a node that counts streams', () => {
  test('are our calls, and one for each that is not ours as of its figures', () => {
    const { member, calls } = make();
    calls.ours = 4;
    calls.sessions = 10;
    member.figures = figures({ sessions: 16, ourCalls: 4, ourSessions: 10 });
    expect([member.ourSessions, member.sessions]).toEqual([10, 4 + 6]);
    calls.ours = 5;
    calls.sessions = 13;
    expect([member.ourSessions, member.sessions]).toEqual([13, 5 + 6]);
    calls.ours = 0;
    calls.sessions = 0;
    expect(member.sessions).toBe(6);
  });

  test('are our calls alone while it has no more than we have there', () => {
    const { member, calls } = make();
    calls.ours = 4;
    calls.sessions = 10;
    member.figures = figures({ sessions: 9, ourCalls: 4, ourSessions: 10 });
    expect(member.sessions).toBe(4);
  });
});

describe('its ports in use', () => {
  test('are not known if it does not tell', () => {
    const { member } = make();
    member.figures = figures({ ports: null });
    expect([member.portsInUse, member.portsTotal]).toEqual([null, null]);
  });

  test('are not known any more 35 s after its last figures, nor are the calls of others', async () => {
    const { clock, member, calls } = make();
    calls.ours = 10;
    member.figures = figures({
      sessions: 50,
      ports: { free: 900, total: 1000 },
      ourCalls: 10,
      ourSessions: 10,
    });
    await clock.advance(34_999);
    expect([member.sessions, member.portsInUse, member.hasFigures]).toEqual([50, 100, true]);
    await clock.advance(1);
    expect([member.sessions, member.portsInUse, member.portsTotal]).toEqual([10, null, null]);
    expect(member.hasFigures).toBe(false);
  });

  test('grow and shrink with our calls since its figures', () => {
    const { member, calls } = make();
    calls.ours = 10;
    member.figures = figures({ ports: { free: 900, total: 1000 }, ourCalls: 10, ourSessions: 10 });
    expect([member.portsInUse, member.portsTotal]).toEqual([100, 1000]);
    calls.ours = 15;
    expect(member.portsInUse).toBe(100 + 5 * PORTS_PER_CALL);
    calls.ours = 4;
    expect(member.portsInUse).toBe(100 - 6 * PORTS_PER_CALL);
  });

  test('are never fewer than none nor more than there are', () => {
    const { member, calls } = make();
    calls.ours = 100;
    member.figures = figures({ ports: { free: 900, total: 1000 }, ourCalls: 100, ourSessions: 100 });
    calls.ours = 0;
    expect(member.portsInUse).toBe(0);
    calls.ours = 10_000;
    expect(member.portsInUse).toBe(1000);
  });
});

describe('its share', () => {
  test('grows from a tenth to the whole while it starts slowly, and is the whole without a slow start', async () => {
    const { clock, member } = make();
    member.opinion = { ...member.opinion, health: 'up', rampFrom: clock.utc() };
    expect(member.ramp).toBeCloseTo(0.1, 9);
    await clock.advance(SLOW_START_MS / 2);
    expect(member.ramp).toBeCloseTo(0.55, 9);
    await clock.advance(SLOW_START_MS / 2);
    expect(member.ramp).toBe(1);
    member.opinion = { ...member.opinion, rampFrom: null };
    expect(member.ramp).toBe(1);
  });

  test('comes after others for 1 s after it refused a call; a second refusal begins it anew', async () => {
    const { clock, member } = make();
    member.hold();
    await clock.advance(999);
    expect(member.isHeld).toBe(true);
    member.hold();
    await clock.advance(999);
    expect(member.isHeld).toBe(true);
    await clock.advance(1);
    expect(member.isHeld).toBe(false);
  });
});
