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

  test('the count of calls on a node is right after any sequence of events', () => {
    type Step = { what: 'add' | 'bind' | 'end'; call: number; node: number };
    const step: fc.Arbitrary<Step> = fc.record({
      what: fc.constantFrom('add', 'bind', 'end'),
      call: fc.nat(5),
      node: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new CallTable(100);
        const live = new Map<number, Call>();
        for (const { what, call: index, node } of steps) {
          const call = live.get(index);
          if (what === 'add' && call === undefined) {
            const fresh = makeCall(`c${index}`, { nodeId: node === 3 ? null : node });
            live.set(index, fresh);
            table.add(fresh);
          } else if (what === 'bind' && call !== undefined) table.bind(call, node);
          else if (what === 'end' && call !== undefined) {
            table.end(call, 'bye', 1);
            live.delete(index);
          }
        }
        expect(table.size).toBe(live.size);
        for (const node of [0, 1, 2, 3]) {
          expect(table.countOn(node)).toBe([...live.values()].filter((c) => c.nodeId === node).length);
        }
      }),
    );
  });
});
