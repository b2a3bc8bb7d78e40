import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  branchOf,
  hasNone,
  nameOf,
  type Offerer,
  readMemo,
  type Session,
  sessionsOf,
  withSession,
  writeMemo,
} from '../../../../src/relay/rtpproxy/sessions.ts';

function session(change: Partial<Session> = {}): Session {
  return { branch: '', n: 1, opener: 'A', peer: 'B', openerPort: 30_000, peerPort: 30_002, ...change };
}

/** Any byte a tag may have. */
const byte = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x3b && code !== 0x7f);
const tag = fc
  .array(byte, { minLength: 1, maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes))
  .filter((text) => text !== '&&');
const port = fc.integer({ min: 0, max: 65_534 });
const anySession: fc.Arbitrary<Session> = fc.record({
  branch: fc.oneof(fc.constant(''), tag, fc.constant('z9hG4bK;x')),
  n: fc.integer({ min: 1, max: 200 }),
  opener: tag,
  peer: fc.oneof(fc.constant(''), tag),
  openerPort: port,
  peerPort: port,
});

describe('a memo', () => {
  test('has one row for each session', () => {
    expect(writeMemo([session(), session({ branch: 'z9', n: 2, peer: '', peerPort: 0 })])).toBe(
      '[["",1,"A","B",30000,30002],["z9",2,"A","",30000,0]]',
    );
    expect(writeMemo([])).toBe('[]');
  });

  test('comes back as it was, whatever the tags', () => {
    fc.assert(
      fc.property(fc.array(anySession, { maxLength: 20 }), (sessions) => {
        expect(readMemo(writeMemo(sessions))).toEqual(sessions);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    null,
    undefined,
    '',
    ' ',
    '{',
    'null',
    '7',
    '"x"',
    '{}',
    '[',
    '[]',
    '[[]]',
    '[null]',
    '[{"n":1}]',
  ])('%j holds nothing', (memo) => {
    expect(readMemo(memo)).toEqual([]);
  });

  test.each([
    ['no branch', '[[null,1,"A","B",1,2]]'],
    ['no number', '[["","1","A","B",1,2]]'],
    ['no opener', '[["",1,"","B",1,2]]'],
    ['no peer', '[["",1,"A",null,1,2]]'],
    ['too short', '[["",1,"A","B",1]]'],
    ['a stream 0', '[["",0,"A","B",1,2]]'],
    ['half a stream', '[["",1.5,"A","B",1,2]]'],
    ['a port below 0', '[["",1,"A","B",-1,2]]'],
    ['no port', '[["",1,"A","B",1,null]]'],
    ['a blank in a tag', '[["",1,"A X","B",1,2]]'],
    ['a stream of its own in a tag', '[["",1,"A","B;2",1,2]]'],
    ['a line end in a branch', '[["z\\nD",1,"A","B",1,2]]'],
  ])('a row with %s is none, and the others count', (_, memo) => {
    expect(readMemo(memo)).toEqual([]);
    expect(readMemo(memo.replace('[[', '[["",7,"A","B",1,2],['))).toHaveLength(1);
  });

  test('never throws, whatever it is', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.array(fc.jsonValue())).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (memo) => {
        for (const { opener, n } of readMemo(memo)) {
          expect(opener).not.toBe('');
          expect(n).toBeGreaterThan(0);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('says that there is nothing only if it says so itself', () => {
    expect(hasNone('[]')).toBe(true);
    for (const memo of [null, undefined, '', '[[]]', 'garbage']) expect(hasNone(memo)).toBe(false);
  });
});

describe('the sessions of a request', () => {
  const ns = (sessions: readonly Session[], offerer: Offerer) =>
    sessionsOf(sessions, offerer).map(({ branch, n }) => `${branch}/${n}`);

  test('are those of either party, whoever opened them', () => {
    const sessions = [session(), session({ n: 2, opener: 'B', peer: 'A' })];
    expect(ns(sessions, { fromTag: 'A', toTag: 'B' })).toEqual(['/1', '/2']);
    expect(ns(sessions, { fromTag: 'B', toTag: 'A' })).toEqual(['/1', '/2']);
  });

  test('are not those of others', () => {
    const sessions = [session({ opener: 'X', peer: 'Y' })];
    expect(ns(sessions, { fromTag: 'A', toTag: 'B' })).toEqual([]);
    expect(ns(sessions, { fromTag: 'A' })).toEqual([]);
    // Whom somebody else has called.
    expect(ns([session({ opener: 'X', peer: 'A' })], { fromTag: 'A', toTag: 'B' })).toEqual([]);
  });

  test('are those of the branch it names', () => {
    const sessions = [session({ branch: 'z1', peer: '' }), session({ branch: 'z2', peer: '' })];
    expect(ns(sessions, { fromTag: 'A', branch: 'z2' })).toEqual(['z2/1']);
    expect(ns(sessions, { fromTag: 'A', toTag: 'b2', branch: 'z2' })).toEqual(['z2/1']);
  });

  test('a first offer on another branch has none yet', () => {
    expect(ns([session({ branch: 'z1', peer: '' })], { fromTag: 'A', branch: 'z2' })).toEqual([]);
    expect(ns([session({ branch: 'z1', peer: '' })], { fromTag: 'A' })).toEqual([]);
  });

  test('inside a dialog the two parties decide, since such a request has a branch of its own', () => {
    const sessions = [
      session({ branch: 'z1', peer: 'b1' }),
      session({ branch: 'z2', peer: 'b2' }),
      session({ branch: 'z2', n: 2, peer: 'b2' }),
    ];
    for (const branch of [undefined, 'own'])
      for (const [fromTag, toTag] of [
        ['A', 'b2'],
        ['b2', 'A'],
      ] as const)
        expect(ns(sessions, { fromTag, toTag, ...(branch === undefined ? {} : { branch }) })).toEqual([
          'z2/1',
          'z2/2',
        ]);
  });

  test('inside a dialog the branch of another fork does not count: proxies begin anew with b0 in each transaction', () => {
    const sessions = [session({ branch: 'b0', peer: '' }), session({ branch: 'b1', peer: 'B' })];
    expect(ns(sessions, { fromTag: 'A', toTag: 'B', branch: 'b0' })).toEqual(['b1/1']);
    expect(ns(sessions, { fromTag: 'B', toTag: 'A', branch: 'b0' })).toEqual(['b1/1']);
    // One callee reached by two ways is told apart by them.
    const twice = [session({ branch: 'b0' }), session({ branch: 'b1' })];
    expect(ns(twice, { fromTag: 'A', toTag: 'B', branch: 'b1' })).toEqual(['b1/1']);
  });

  test('a callee whose answer was not the last one of a fork is still in the same session', () => {
    // b1 answered, then b2; now b1 has an UPDATE, or A for b1.
    const sessions = [session({ branch: 'z1', peer: 'b2' })];
    expect(ns(sessions, { fromTag: 'b1', toTag: 'A', branch: 'own' })).toEqual(['z1/1']);
    expect(ns(sessions, { fromTag: 'A', toTag: 'b1', branch: 'own' })).toEqual(['z1/1']);
  });

  test('an answer that names no branch is for the newest offer nobody has answered', () => {
    const sessions = [session({ branch: 'z1', peer: '' }), session({ branch: 'z2', peer: '' })];
    expect(ns(sessions, { fromTag: 'A', toTag: 'b2' })).toEqual(['z2/1']);
    expect(ns([session({ branch: 'z0', peer: 'b0' }), ...sessions], { fromTag: 'A', toTag: 'b0' })).toEqual([
      'z0/1',
    ]);
  });

  test('of several branches with other callees none is guessed', () => {
    const sessions = [session({ branch: 'z1', peer: 'b1' }), session({ branch: 'z2', peer: 'b2' })];
    expect(ns(sessions, { fromTag: 'A', toTag: 'b9', branch: 'own' })).toEqual([]);
  });
});

describe('the branch of a request', () => {
  test('is that of its sessions', () => {
    expect(branchOf([session({ branch: 'z1' })], { fromTag: 'A', toTag: 'B', branch: 'own' })).toBe('z1');
    expect(branchOf([session()], { fromTag: 'A', toTag: 'B', branch: 'own' })).toBe('');
  });

  test('without sessions is its own only where a dialog begins', () => {
    expect(branchOf([], { fromTag: 'A', branch: 'z1' })).toBe('z1');
    expect(branchOf([], { fromTag: 'A' })).toBe('');
    expect(branchOf([], { fromTag: 'B', toTag: 'A', branch: 'z1' })).toBe('');
  });

  test('is part of the name the daemon knows', () => {
    expect(nameOf('c1', '')).toBe('c1');
    expect(nameOf('c1', 'z1')).toBe('c1;z1');
  });
});

describe('a session', () => {
  test('takes the place of the one it follows, and of no other', () => {
    const others = [session({ n: 2 }), session({ opener: 'B' }), session({ branch: 'z1' })];
    const before = [session({ peer: '' }), ...others];
    expect(withSession(before, session({ peer: 'B' }))).toEqual([...others, session({ peer: 'B' })]);
    expect(before).toHaveLength(4);
  });
});
