import { describe, expect, test } from 'bun:test';
import type { Evidence } from '../../../src/domain/evidence.ts';
import { type HealthState, initialHealth, SLOW_START_MS, step } from '../../../src/domain/health.ts';
import { HEALTHS, type Health } from '../../../src/domain/state.ts';

/** UTC ms at which the examples begin. */
const T0 = 1_800_000_000_000;

const ok: Evidence = { kind: 'check-ok' };
const silent: Evidence = { kind: 'check-silent' };
const refused: Evidence = { kind: 'check-refused' };
const callOk: Evidence = { kind: 'call-ok' };
const callRefused: Evidence = { kind: 'call-refused' };
const time: Evidence = { kind: 'time' };
const callSilent = (callId: string): Evidence => ({ kind: 'call-silent', callId });

const yes = () => true;

/** The state after all of `evidence`, all of it at once. */
function after(
  state: HealthState,
  evidence: readonly Evidence[],
  now = state.since,
  mayEject = yes,
): HealthState {
  return evidence.reduce((before, one) => step(before, one, now, mayEject).state, state);
}

const unknown = initialHealth(T0);
const up = after(unknown, [ok]);
const falling = after(up, [silent]);
const down = after(unknown, [refused]);
const rising = after(down, [ok]);
const silentCalls = (count: number) => Array.from({ length: count }, (_, i) => callSilent(`call-${i}`));
const ejected = after(up, [...silentCalls(5), ok]);
const EXAMPLES: Readonly<Record<Health, HealthState>> = { unknown, up, falling, down, rising, ejected };

describe('a node nobody has heard of', () => {
  test('is unknown', () => {
    expect(unknown).toMatchObject({ health: 'unknown', since: T0, cause: 'not checked yet', rampFrom: null });
  });

  test('is up after one answer, to a check or to a call, and takes its share slowly', () => {
    const later = T0 + 7;
    expect(after(unknown, [ok], later)).toMatchObject({ health: 'up', since: later, rampFrom: later });
    expect(after(unknown, [callOk])).toMatchObject({ health: 'up', rampFrom: T0, cause: 'answered a call' });
  });

  test('is down after three silent checks', () => {
    expect(after(unknown, [silent, silent]).health).toBe('unknown');
    expect(after(unknown, [silent, silent, silent])).toMatchObject({
      health: 'down',
      failures: 3,
      cause: '3 checks without reply',
    });
  });

  test('is judged by its checks, not by a silent call', () => {
    expect(step(unknown, callSilent('c'), T0, yes)).toEqual({ state: unknown, recheck: false });
  });
});

describe('a node that is up', () => {
  test('is falling after a silent check', () => {
    expect(after(up, [silent], T0 + 9)).toMatchObject({
      health: 'falling',
      since: T0 + 9,
      failures: 1,
      cause: 'a check without reply',
    });
  });

  test('is falling after a silent call, and is checked at once', () => {
    const { state, recheck } = step(up, callSilent('c'), T0, yes);
    expect(state).toMatchObject({ health: 'falling', failures: 0, cause: 'a call without reply' });
    expect(state).toMatchObject({ errors: 1, lastErrorCall: 'c' });
    expect(recheck).toBe(true);
  });

  test('is the same object after good news', () => {
    for (const evidence of [ok, callOk, time]) expect(step(up, evidence, T0 + 1, yes).state).toBe(up);
  });

  test('costs nothing to be told of a good call: not even the step is made again', () => {
    const first = step(up, callOk, T0 + 1, yes);
    expect(first).toEqual({ state: up, recheck: false });
    expect(step(up, callOk, T0 + 2, yes)).toBe(first);
  });
});

describe('a node that is falling', () => {
  test('is up again after an answer, with the share it had', () => {
    const later = T0 + 600_000;
    for (const good of [ok, callOk]) {
      expect(after(falling, [good], later)).toMatchObject({ health: 'up', since: later, rampFrom: T0 });
    }
  });

  test('is down after three silent checks in a row', () => {
    expect(after(falling, [silent])).toMatchObject({ health: 'falling', failures: 2, since: T0 });
    expect(after(falling, [silent, silent])).toMatchObject({
      health: 'down',
      cause: '3 checks without reply',
    });
    expect(after(falling, [silent, ok, silent, silent]).health).toBe('falling');
    expect(after(falling, [silent, callOk, silent, silent]).health).toBe('falling');
  });

  test('needs three silent checks after a silent call too', () => {
    const suspected = after(up, [callSilent('c')]);
    expect(after(suspected, [silent, silent])).toMatchObject({ health: 'falling', failures: 2 });
    expect(after(suspected, [silent, silent, silent]).health).toBe('down');
  });

  test('stays so after a further silent call, which asks for no further check', () => {
    const expected = { state: { health: 'falling', failures: 1, errors: 1 }, recheck: false };
    expect(step(falling, callSilent('c'), T0, yes)).toMatchObject(expected);
  });
});

describe('a node where nobody listens', () => {
  test.each(HEALTHS.filter((health) => health !== 'down'))('is down at once if it was %s', (health) => {
    for (const evidence of [refused, callRefused]) {
      expect(after(EXAMPLES[health], [evidence])).toMatchObject({
        health: 'down',
        cause: 'nobody listens at its port',
        rampFrom: null,
      });
    }
  });
});

test('a reply to a check that nobody can read counts as silence and says why', () => {
  const garbled: Evidence = { kind: 'check-failed', why: 'not bencode' };
  const cause = 'without a good reply: not bencode';
  expect(after(up, [garbled])).toMatchObject({ health: 'falling', failures: 1, cause: `a check ${cause}` });
  expect(after(up, [silent, silent, garbled])).toMatchObject({ health: 'down', cause: `3 checks ${cause}` });
});

describe('a node that is down', () => {
  test('is rising after an answered check and up after two, and takes its share slowly', () => {
    expect(rising).toMatchObject({ health: 'rising', successes: 1, failures: 0, cause: 'answered a check' });
    expect(after(rising, [ok], T0 + 500)).toMatchObject({
      health: 'up',
      since: T0 + 500,
      rampFrom: T0 + 500,
      cause: 'answered 2 checks',
    });
  });

  test('begins anew if a check is silent before that, and is down again after three', () => {
    expect(after(rising, [silent, ok])).toMatchObject({ health: 'rising', successes: 1, failures: 0 });
    expect(after(rising, [silent, silent])).toMatchObject({ health: 'rising', successes: 0, failures: 2 });
    expect(after(rising, [silent, silent, silent])).toMatchObject({ health: 'down', failures: 3 });
  });

  test('that answers a call is checked at once, and no more than that', () => {
    expect(step(down, callOk, T0, yes)).toEqual({ state: down, recheck: true });
    expect(step(rising, callOk, T0, yes).state).toBe(rising);
    expect(after(rising, [silent, callOk])).toMatchObject({ health: 'rising', failures: 0, successes: 0 });
  });

  test('is the same object after more bad news', () => {
    for (const evidence of [silent, refused, callRefused, callSilent('c'), time]) {
      expect(step(down, evidence, T0 + 1, yes).state).toBe(down);
    }
  });
});

describe('a node that answers checks but not calls', () => {
  const five = silentCalls(5);

  test('is ejected for 30 s when it answers a check after five calls in a row without reply', () => {
    expect(after(up, [...silentCalls(4), ok])).toMatchObject({ health: 'up', errors: 4 });
    expect(after(up, [...five, ok], T0 + 3)).toMatchObject({
      health: 'ejected',
      ejections: 1,
      ejectedUntil: T0 + 30_003,
      cause: '5 calls in a row without reply, but checks are answered',
      rampFrom: null,
    });
  });

  test('is ejected although it answers a check after each of them', () => {
    expect(
      after(
        up,
        five.flatMap((evidence) => [evidence, ok]),
      ).health,
    ).toBe('ejected');
  });

  test('is not ejected while its checks are silent too: then it is dead', () => {
    expect(after(up, silentCalls(9))).toMatchObject({ health: 'falling', errors: 5 });
    expect(after(up, [...silentCalls(9), silent, silent, silent])).toMatchObject({
      health: 'down',
      ejections: 0,
    });
  });

  test('is not ejected if one call in between is answered', () => {
    const calls = [...silentCalls(4), callOk, ...silentCalls(4), ok];
    expect(after(up, calls)).toMatchObject({ health: 'up', errors: 4 });
  });

  test('is not ejected because of one bad call that is repeated', () => {
    const repeated = Array(50)
      .fill([callSilent('bad'), ok])
      .flat();
    expect(after(up, repeated)).toMatchObject({ health: 'up', errors: 1, lastErrorCall: 'bad' });
  });

  test('is ejected for ever longer, but for no more than 300 s', () => {
    let state = up;
    const lengths = Array.from({ length: 12 }, () => {
      state = after(state, [...five, ok]);
      const { since, ejectedUntil } = state;
      state = after(state, [time, ok, ok], ejectedUntil ?? 0);

      return ((ejectedUntil ?? 0) - since) / 1000;
    });
    expect(lengths).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
  });

  test('begins with 30 s again after it was good for 300 s', () => {
    const back = after(ejected, [time, ok, ok], T0 + 30_000);
    expect(after(back, [time], back.since + 299_999)).toMatchObject({ ejections: 1 });
    expect(after(back, [silent, ok], back.since + 299_999)).toMatchObject({ ejections: 1 });
    expect(after(back, [silent, ok, time], back.since + 300_000)).toMatchObject({ ejections: 0 });
  });

  test('stays if the set cannot do without it, and the question is asked again after each further call', () => {
    const asked: number[] = [];
    let state = up;
    for (const [i, call] of silentCalls(8).entries()) {
      for (const evidence of [call, ok]) state = step(state, evidence, T0, () => asked.push(i) < 0).state;
    }
    expect(asked).toEqual([4, 5, 6, 7]);
    expect(state).toMatchObject({ health: 'up', errors: 5, ejections: 0 });
    expect(after(state, [callSilent('last'), ok]).health).toBe('ejected');
  });
});

describe('an ejected node', () => {
  const over = T0 + 30_000;

  test('stays so however well it answers, until its time is over', () => {
    for (const evidence of [ok, callOk, callSilent('c'), time]) {
      expect(step(ejected, evidence, over - 1, yes)).toEqual({ state: ejected, recheck: false });
    }
  });

  test('is rising then and checked at once, and up after two answers, with nothing held against it', () => {
    const { state, recheck } = step(ejected, time, over, yes);
    expect(state).toMatchObject({
      health: 'rising',
      successes: 0,
      cause: 'its ejection is over',
      ejectedUntil: null,
    });
    expect(recheck).toBe(true);
    expect(after(state, [ok])).toMatchObject({ health: 'rising', successes: 1 });
    expect(after(state, [ok, ok], over + 500)).toMatchObject({
      health: 'up',
      rampFrom: over + 500,
      errors: 0,
    });
  });

  test('is not down then because one check got lost', () => {
    expect(after(ejected, [silent, ok, ok], over).health).toBe('up');
  });

  test('needs no word that time passed: any evidence brings it', () => {
    expect(step(ejected, ok, over, yes)).toMatchObject({
      state: { health: 'rising', successes: 1 },
      recheck: false,
    });
  });

  test('is down after three silent checks in a row', () => {
    expect(after(ejected, [silent, silent, ok, silent, silent])).toMatchObject({
      health: 'ejected',
      failures: 2,
    });
    expect(after(ejected, [silent, silent, silent])).toMatchObject({
      health: 'down',
      ejectedUntil: null,
      ejections: 1,
    });
  });
});

describe('after a restart of the program', () => {
  test('a stored state is read as the same', () => {
    for (const state of Object.values(EXAMPLES)) expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  test('an ejection goes on for its rest and a good node takes its whole share', () => {
    const [good, bad]: HealthState[] = JSON.parse(JSON.stringify([up, ejected]));
    expect(good && after(good, [ok], T0 + 29_999)).toEqual(up);
    expect(bad && after(bad, [time], T0 + 29_999).health).toBe('ejected');
    expect(bad && after(bad, [time], T0 + 30_000).health).toBe('rising');
  });
});

describe('a clock that steps back', () => {
  const hourAgo = T0 - 3_600_000;
  test('makes an ejection no longer than it was at first', () => {
    expect(after(ejected, [time], hourAgo)).toMatchObject({ since: hourAgo, ejectedUntil: hourAgo + 30_000 });
  });

  test('begins no slow start anew', () => {
    expect(after(up, [time], hourAgo)).toEqual({ ...up, since: hourAgo, rampFrom: hourAgo - SLOW_START_MS });
    const shaken = after(up, [silent, ok], T0 + 9);
    expect(after(shaken, [time], T0 + 5)).toMatchObject({ since: T0 + 5, rampFrom: T0 });
  });
});

describe('an answer that came too late for a new call', () => {
  const after = (...kinds: Evidence['kind'][]): HealthState => {
    let state = initialHealth(0);
    for (const kind of kinds) state = step(state, { kind } as Evidence, 1000, () => true).state;

    return state;
  };

  test('keeps new calls away, and never makes a node dead', () => {
    expect(after('check-ok', 'check-slow').health).toBe('falling');
    expect(after('check-slow').health).toBe('rising');
    expect(after('check-ok', ...Array<'check-slow'>(10).fill('check-slow')).health).toBe('falling');
    expect(after('check-ok', 'check-silent', 'check-silent', 'check-slow', 'check-silent').health).toBe(
      'falling',
    );
  });

  test('does not bring a falling node up, as an answer in time does', () => {
    expect(after('check-ok', 'check-slow', 'call-slow').health).toBe('falling');
    expect(after('check-ok', 'check-slow', 'check-ok').health).toBe('up');
    expect(after('check-ok', 'check-slow', 'call-ok').health).toBe('up');
  });

  test('shows that a dead node lives, and that is all', () => {
    expect(after('check-refused', 'check-slow')).toMatchObject({ health: 'rising', successes: 0 });
    expect(after('check-refused', 'check-ok', 'check-slow', 'check-ok').health).toBe('rising');
    expect(after('check-refused', 'check-slow', 'check-ok', 'check-ok').health).toBe('up');
  });

  test('of a call shows that calls are answered: a slow node is not ejected when it is quick again', () => {
    let state = after('check-ok');
    for (const callId of ['a', 'b', 'c', 'd', 'e']) state = step(state, callSilent(callId), 1000, yes).state;
    state = step(state, { kind: 'call-slow' }, 1000, yes).state;
    expect(step(state, ok, 1000, yes).state.health).toBe('up');
  });

  test('of a call changes nothing while the node is up', () => {
    const up = after('check-ok');
    expect(step(up, { kind: 'call-slow' }, 2000, () => true).state).toBe(up);
  });
});

describe('a node whose test calls have no audio', () => {
  const failed: Evidence = { kind: 'media-failed', why: 'inner to outer no packet came through' };
  const good: Evidence = { kind: 'media-ok' };
  const suspect = after(up, [failed]);
  const mute = after(suspect, [failed], T0 + 5);

  test('stays up after one of them', () => {
    expect(suspect).toEqual({ ...up, mediaFailures: 1 });
  });

  test('is ejected for 30 s at the second in a row, with what was seen', () => {
    expect(mute).toMatchObject({
      health: 'ejected',
      since: T0 + 5,
      ejections: 1,
      ejectedUntil: T0 + 30_005,
      cause: '2 test calls in a row without audio: inner to outer no packet came through',
    });
  });

  test('is not ejected if one had audio in between', () => {
    expect(after(up, [failed, good, failed]).health).toBe('up');
  });

  test('is not cleared by checks and calls that are answered: those say nothing of audio', () => {
    expect(after(up, [failed, ok, callOk, silent, ok, failed]).health).toBe('ejected');
  });

  test('stays up where the set cannot do without it, and goes as soon as it can', () => {
    const needed = after(up, [failed, failed, failed], T0, () => false);
    expect(needed).toEqual({ ...up, mediaFailures: 2 });
    expect(after(needed, [failed]).health).toBe('ejected');
  });

  test('stays ejected as long as test calls fail, and the ejection is told once', () => {
    const later = after(mute, [failed], T0 + 20_000);
    expect(later).toEqual({ ...mute, ejectedUntil: T0 + 50_000 });
    expect(after(later, [time], T0 + 49_999).health).toBe('ejected');
    expect(after(later, [time], T0 + 50_000)).toMatchObject({ health: 'rising', mediaFailures: 2 });
  });

  test('stays ejected after a restart of the program, which has forgotten those before, with the first that fails', () => {
    const forgotten = { ...mute, mediaFailures: 0 };
    const later = after(forgotten, [failed], T0 + 20_000);
    expect(later).toEqual({ ...mute, mediaFailures: 1, ejectedUntil: T0 + 50_000 });
  });

  test('is rising, and suspected no more, when nobody makes test calls any more', () => {
    const unwatched: Evidence = { kind: 'media-unwatched' };
    expect(step(mute, unwatched, T0 + 9, yes)).toMatchObject({
      state: { health: 'rising', cause: 'there are no test calls any more', mediaFailures: 0 },
      recheck: true,
    });
    expect(after(suspect, [unwatched, failed]).health).toBe('up');
    expect(step(ejected, unwatched, T0 + 1, yes).state).toBe(ejected);
  });

  test('is rising, and checked at once, with the first that has audio', () => {
    const { state, recheck } = step(mute, good, T0 + 9, yes);
    expect(state).toMatchObject({ health: 'rising', cause: 'a test call had audio', mediaFailures: 0 });
    expect(recheck).toBe(true);
    expect(after(state, [ok, ok]).health).toBe('up');
  });

  test('is ejected again at once if its ejection has ended for want of test calls, and the next fails', () => {
    const back = after(after(mute, [time], T0 + 31_000), [ok, ok], T0 + 31_000);
    expect(back).toMatchObject({ health: 'up', mediaFailures: 2 });
    expect(after(back, [failed])).toMatchObject({ health: 'ejected', ejections: 2 });
  });

  test('keeps an ejection for silent calls if no test call failed: a good one says nothing of those', () => {
    expect(step(ejected, good, T0 + 1, yes).state).toBe(ejected);
    expect(after(ejected, [failed, good])).toEqual(ejected);
  });

  test('is judged by its checks alone while it is unknown or down, and begins anew after it was down', () => {
    for (const state of [unknown, down]) expect(step(state, failed, T0, yes).state).toBe(state);
    expect(after(suspect, [refused]).mediaFailures).toBe(0);
  });

  test.each(['falling', 'rising'] as const)('is left to its checks while it is %s, and counted', (health) => {
    expect(after(EXAMPLES[health], [failed, failed])).toEqual({ ...EXAMPLES[health], mediaFailures: 2 });
  });

  test('is the same object after good news and nothing to forget', () => {
    expect(step(up, good, T0 + 1, yes).state).toBe(up);
  });

  test('is never ejected for longer than 300 s from now when the clock is set back', () => {
    const long = after(mute, [failed], T0 + 29_000_000 - 1);
    const prolonged = { ...mute, ejectedUntil: T0 + 900_000 };
    expect(long.health).toBe('rising');
    expect(after(prolonged, [time], T0 - 1000).ejectedUntil).toBe(T0 - 1000 + 300_000);
  });
});
