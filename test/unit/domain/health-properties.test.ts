import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Evidence } from '../../../src/domain/evidence.ts';
import { FALL, type HealthState, initialHealth, step } from '../../../src/domain/health.ts';
import type { Health } from '../../../src/domain/state.ts';

/** UTC ms at which the histories begin. */
const T0 = 1_800_000_000_000;

const ok: Evidence = { kind: 'check-ok' };
const silent: Evidence = { kind: 'check-silent' };
const refused: Evidence = { kind: 'check-refused' };
const callOk: Evidence = { kind: 'call-ok' };
const callRefused: Evidence = { kind: 'call-refused' };
const time: Evidence = { kind: 'time' };
const mediaOk: Evidence = { kind: 'media-ok' };
const mediaFailed: Evidence = { kind: 'media-failed', why: 'no packet' };
const callSilent = (callId: string): Evidence => ({ kind: 'call-silent', callId });

const yes = () => true;
const no = () => false;

/** The state after all of `evidence`, all of it at once. */
function after(state: HealthState, evidence: readonly Evidence[], mayEject = yes): HealthState {
  return evidence.reduce((before, one) => step(before, one, state.since, mayEject).state, state);
}

const slow: Evidence = { kind: 'check-slow' };
const callSlow: Evidence = { kind: 'call-slow' };
const unknown = initialHealth(T0);
const up = after(unknown, [ok]);

describe('whatever happens to a node', () => {
  const evidence: fc.Arbitrary<Evidence> = fc.oneof(
    {
      arbitrary: fc.constantFrom(ok, silent, callOk, time, slow, callSlow),
      weight: 6,
    },
    { arbitrary: fc.constantFrom(mediaOk, mediaFailed, mediaFailed), weight: 4 },
    {
      arbitrary: fc.constantFrom(refused, callRefused, { kind: 'check-failed', why: 'x' } as const),
      weight: 1,
    },
    { arbitrary: fc.integer({ min: 0, max: 9 }).map((i) => callSilent(`call-${i}`)), weight: 12 },
  );
  const gap = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 400_000 }));
  const happening = fc.record({ evidence, gap, mayEject: fc.boolean() });
  const history = fc.array(happening, { maxLength: 60 });
  type Happening = { evidence: Evidence; gap: number; mayEject: boolean };

  /** Everything that holds for one step, seen along a history that begins with an unknown node. */
  function along(
    happenings: readonly Happening[],
    check: (before: HealthState, next: HealthState, now: number, happening: Happening) => void,
  ): HealthState {
    let state = unknown;
    let now = T0;
    for (const happening of happenings) {
      now += happening.gap;
      const next = step(state, happening.evidence, now, () => happening.mayEject).state;
      check(state, next, now, happening);
      state = next;
    }

    return state;
  }

  const always = (check: Parameters<typeof along>[1]) =>
    fc.assert(
      fc.property(history, (happenings) => {
        along(happenings, check);
      }),
      { numRuns: 500 },
    );

  test('a node the set cannot do without is never ejected', () => {
    always((before, next, _, { mayEject }) => {
      if (!mayEject && next.health === 'ejected') expect(before.health).toBe('ejected');
    });
  });

  test('a node is ejected only at a check it answers, after five calls it did not, or at a test call without audio, after another', () => {
    always((before, next, _, { evidence: { kind } }) => {
      if (next.health !== 'ejected' || before.health === 'ejected') return;
      if (kind === 'media-failed') expect([before.health, before.mediaFailures > 0]).toEqual(['up', true]);
      else expect([before.errors, kind]).toEqual([5, 'check-ok']);
    });
  });

  test('test calls without audio are forgotten only after one with audio, or where the node was down', () => {
    always((before, next, _, { evidence: { kind } }) => {
      expect(next.mediaFailures).toBeWithin(0, 3);
      if (next.mediaFailures >= before.mediaFailures) return;
      expect(kind === 'media-ok' || next.health === 'down').toBe(true);
    });
  });

  test('a test call without audio makes no node go that does not take calls anyway', () => {
    always((before, next, _, { evidence: { kind } }) => {
      if (kind === 'media-failed' && before.health !== 'up' && before.health !== 'ejected')
        expect(next.health).toBe(before.health);
    });
  });

  test('a node where nobody listens is down', () => {
    always((_, next, __, { evidence: { kind } }) => {
      if (kind === 'check-refused' || kind === 'call-refused') expect(next.health).toBe('down');
    });
  });

  test('a node is marked down only where nobody listens or after three failed checks in a row', () => {
    always((before, next, _, { evidence: { kind } }) => {
      if (next.health !== 'down' || before.health === 'down') return;
      if (kind === 'check-silent' || kind === 'check-failed') expect(before.failures).toBe(FALL - 1);
      else expect(kind).toEndWith('refused');
    });
  });

  test('counts are within their limits, and begin anew where they mean nothing', () => {
    always((_, next) => {
      expect(next.failures).toBeWithin(0, FALL + 1);
      expect(next.successes).toBeWithin(0, next.health === 'rising' ? 2 : 1);
      expect(next.errors).toBeWithin(0, next.health === 'up' || next.health === 'falling' ? 6 : 1);
      expect(next.lastErrorCall === null).toBe(next.errors === 0);
    });
  });

  test('an ejection has an end, 300 s ahead at most, and nothing else has', () => {
    always((_, { health, ejectedUntil }, now) => {
      expect(ejectedUntil !== null).toBe(health === 'ejected');
      if (ejectedUntil !== null) expect(ejectedUntil - now).toBeWithin(1, 300_001);
    });
  });

  test('a slow start begins where a node becomes up other than from falling, and at no other time', () => {
    always((before, next, now) => {
      const isIn = next.health === 'up' || next.health === 'falling';
      expect(next.rampFrom !== null).toBe(isIn);
      if (isIn && before.rampFrom === null) expect(next).toMatchObject({ health: 'up', rampFrom: now });
      if (isIn && before.rampFrom !== null) expect(next.rampFrom).toBe(before.rampFrom);
    });
  });

  test('time and cause of the last change move with the health and only then', () => {
    always((before, next, now) => {
      if (next.health === before.health) {
        expect([next.since, next.cause]).toEqual([before.since, before.cause]);
      } else {
        expect(next.since).toBe(now);
        expect(next.cause).not.toBe('');
      }
    });
  });

  test('an equal state is the same object', () => {
    always((before, next) => {
      if (next !== before) expect(next).not.toEqual(before);
    });
  });

  test('a call that was answered makes nothing worse', () => {
    const better: Health[] = ['down', 'ejected', 'rising', 'unknown', 'falling', 'up'];
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 5 }), (happenings, count) => {
        const before = along(happenings, () => {});
        const next = after(before, Array(count).fill(callOk));
        expect(better.indexOf(next.health)).toBeGreaterThanOrEqual(better.indexOf(before.health));
      }),
    );
  });

  test('after three silent checks with nothing good in between a node is down', () => {
    const notGood = evidence.filter(({ kind }) => !/-(ok|slow)$/.test(kind) && !kind.startsWith('media'));
    fc.assert(
      fc.property(history, fc.array(notGood, { maxLength: 3 }), (happenings, others) => {
        const before = along(happenings, () => {});
        const [a, b, c] = others;
        const bad = [silent, a, silent, b, silent, c].filter((one) => one !== undefined);
        expect(after(before, bad, no).health).toBe('down');
      }),
    );
  });

  test('two answered checks in a row bring any node up that is not ejected', () => {
    fc.assert(
      fc.property(history, (happenings) => {
        const before = along(happenings, () => {});
        expect(after(before, [ok, ok], no).health).toBe(before.health === 'ejected' ? 'ejected' : 'up');
      }),
    );
  });

  test('one bad call, however often it is repeated, ejects nothing and marks nothing down', () => {
    const repeated = fc.array(fc.constantFrom(callSilent('bad'), ok, time, callOk), { maxLength: 40 });
    fc.assert(
      fc.property(repeated, (happenings) => {
        expect(['up', 'falling']).toContain(after(up, happenings).health);
      }),
    );
  });

  test('a state that was stored and read goes on in the same way', () => {
    fc.assert(
      fc.property(history, happening, (happenings, { evidence: next, gap: later }) => {
        const state = along(happenings, () => {});
        const read: HealthState = JSON.parse(JSON.stringify(state));
        expect(read).toEqual(state);
        expect(step(read, next, state.since + later, yes)).toEqual(
          step(state, next, state.since + later, yes),
        );
      }),
    );
  });

  test('with a clock that steps back, nothing is in the future and no ejection lasts longer than 300 s', () => {
    const restless = fc.record({
      evidence,
      gap: fc.integer({ min: -9_000_000, max: 400_000 }),
      mayEject: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(restless, { maxLength: 60 }), (happenings) => {
        along(happenings, (_, { since, rampFrom, ejectedUntil }, now) => {
          expect(since).toBeLessThanOrEqual(now);
          expect(rampFrom ?? now).toBeLessThanOrEqual(now);
          expect(ejectedUntil ?? now).toBeLessThanOrEqual(now + 300_000);
        });
      }),
    );
  });
});
