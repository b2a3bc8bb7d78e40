import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { CallTable } from '../../../src/calls/call-table.ts';
import type { Call } from '../../../src/domain/call.ts';
import { makeCall } from '../../fakes/store.ts';

describe('the calls in memory', () => {
  test('a call is found while it lives and, as ended, for 64 s after', () => {
    const table = new CallTable(10);
    const call = makeCall('c');
    table.add(call);
    expect(table.get('c')).toBe(call);
    expect(table.getEnded('c')).toBeUndefined();
    table.end(call, 'bye', 1000);
    expect(table.get('c')).toBeUndefined();
    expect(table.getEnded('c')).toBe(call);
    expect(call).toMatchObject({ state: 'ended', endReason: 'bye', updatedAt: 1000 });
    table.forgetEnded(64_999);
    expect(table.getEnded('c')).toBe(call);
    table.forgetEnded(65_000);
    expect(table.getEnded('c')).toBeUndefined();
  });

  test('a table is full at its limit and not before', () => {
    const table = new CallTable(2);
    table.add(makeCall('a'));
    expect(table.isFull).toBe(false);
    const last = makeCall('b');
    table.add(last);
    expect(table.isFull).toBe(true);
    table.end(last, 'bye', 1);
    expect(table.isFull).toBe(false);
  });

  test('a call with the Call-ID of an ended one takes its place', () => {
    const table = new CallTable(2);
    const old = makeCall('a');
    table.add(old);
    table.end(old, 'bye', 1);
    const young = makeCall('a');
    table.add(young);
    expect(table.get('a')).toBe(young);
    expect(table.getEnded('a')).toBeUndefined();
    expect(table.size).toBe(1);
  });

  test('at most 50,000 ended calls are kept, the oldest go first', () => {
    const table = new CallTable(100_000);
    for (let i = 0; i <= 50_000; i++) {
      const call = makeCall(`c${i}`);
      table.add(call);
      table.end(call, 'bye', 1);
    }
    expect(table.getEnded('c0')).toBeUndefined();
    expect(table.getEnded('c1')?.callId).toBe('c1');
    expect(table.getEnded('c50000')?.callId).toBe('c50000');
  });

  test('a call counts with its sessions on its node, wherever it moves and however many they become', () => {
    const table = new CallTable(10);
    const call = makeCall('c', { nodeId: null, sessions: 2 });
    table.add(call);
    expect([table.countOn(0), table.sessionsOn(0)]).toEqual([0, 0]);
    table.bind(call, 0);
    table.add(makeCall('other', { sessions: 3 }));
    expect([table.countOn(0), table.sessionsOn(0)]).toEqual([2, 5]);
    table.resize(call, 4);
    expect([call.sessions, table.countOn(0), table.sessionsOn(0)]).toEqual([4, 2, 7]);
    table.bind(call, 1);
    expect([table.sessionsOn(0), table.countOn(1), table.sessionsOn(1)]).toEqual([3, 1, 4]);
    table.end(call, 'bye', 1);
    expect([table.countOn(1), table.sessionsOn(1)]).toEqual([0, 0]);
  });

  test('a call that has ended meanwhile counts nowhere, though a late reply binds and resizes it', () => {
    const table = new CallTable(10);
    const late = makeCall('c', { sessions: 2 });
    table.add(late);
    table.end(late, 'bye', 1);
    table.add(makeCall('c', { nodeId: 1, sessions: 5 }));
    table.bind(late, 1);
    table.resize(late, 9);
    table.end(late, 'bye', 2);
    expect([table.sessionsOn(0), table.countOn(1), table.sessionsOn(1)]).toEqual([0, 1, 5]);
    expect(table.get('c')?.nodeId).toBe(1);
  });

  test('calls and sessions of a node are counted right, and never below none, after any sequence of events', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'bind', 'resize', 'end'),
      call: fc.nat(5),
      node: fc.nat(3),
      sessions: fc.nat(4),
      // Whether it happens to the last call that ended under this Call-ID instead.
      isLate: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new CallTable(100);
        const live = new Map<number, Call>();
        const over = new Map<number, Call>();
        for (const { what, call: index, node, sessions, isLate } of steps) {
          const call = (isLate ? over : live).get(index);
          if (what === 'add' && !live.has(index)) {
            const fresh = makeCall(`c${index}`, { nodeId: node === 3 ? null : node, sessions });
            live.set(index, fresh);
            table.add(fresh);
          } else if (call === undefined) continue;
          else if (what === 'bind') table.bind(call, node);
          else if (what === 'resize') table.resize(call, sessions);
          else if (what === 'end') {
            table.end(call, 'bye', 1);
            over.set(index, call);
            if (!isLate) live.delete(index);
          }
          for (const each of [0, 1, 2, 3]) {
            const here = [...live.values()].filter(({ nodeId }) => nodeId === each);
            expect(table.countOn(each)).toBe(here.length);
            expect(table.sessionsOn(each)).toBe(here.reduce((sum, one) => sum + one.sessions, 0));
          }
        }
        expect(table.size).toBe(live.size);
      }),
    );
  });
});
