import { describe, expect, test } from 'bun:test';
import { type Session, writeMemo } from '../../../../src/relay/rtpproxy/sessions.ts';
import { askedFor, deleteCommands } from '../../../../src/relay/rtpproxy/whole-call.ts';

function memoOf(...changes: Partial<Session>[]): string {
  return writeMemo(
    changes.map((change) => ({
      branch: '',
      n: 1,
      opener: 'A',
      peer: 'B',
      openerPort: 30_000,
      peerPort: 30_002,
      ...change,
    })),
  );
}

describe('the end of a call', () => {
  test.each<[string, Partial<Session>[], string[]]>([
    ['nobody has answered', [{ peer: '' }], ['D c1 A']],
    ['one stream', [{}], ['D c1 A B']],
    ['all streams at once', [{}, { n: 2 }, { n: 3 }], ['D c1 A B']],
    ['streams opened by both parties', [{}, { n: 2, opener: 'B', peer: 'A' }], ['D c1 A B']],
    ['the last callee of a fork', [{ peer: 'b1' }, { n: 2, peer: 'b2' }], ['D c1 A b2']],
    [
      'every branch',
      [
        { branch: 'z1', peer: '' },
        { branch: 'z2', peer: 'b2' },
      ],
      ['D c1;z1 A', 'D c1;z2 A b2'],
    ],
    [
      'more openers than go into one command',
      [
        { opener: 'b1', peer: 'A' },
        { opener: 'b2', peer: 'A' },
        { opener: 'b3', peer: 'A' },
      ],
      ['D c1 b1 b2', 'D c1 b3'],
    ],
  ])('%s', (_, sessions, commands) => {
    expect(deleteCommands({ callId: 'c1', memo: memoOf(...sessions) })).toEqual(commands);
  });

  test('or of one of its branches', () => {
    const memo = memoOf({ branch: 'z1' }, { branch: 'z2', peer: 'b2' }, { branch: 'z2', n: 2, peer: 'b2' });
    expect(deleteCommands({ callId: 'c1', memo, branch: 'z2', fromTag: 'A' })).toEqual(['D c1;z2 A b2']);
  });

  test('without memo goes by the tags of the parties, two at a time', () => {
    expect(deleteCommands({ callId: 'c1', tags: ['A'] })).toEqual(['D c1 A']);
    expect(deleteCommands({ callId: 'c1', memo: null, tags: ['A', 'B'] })).toEqual(['D c1 A B']);
    expect(deleteCommands({ callId: 'c1', memo: 'garbage', tags: ['A', 'b1', 'b2'] })).toEqual([
      'D c1 A b1',
      'D c1 b2',
    ]);
    expect(deleteCommands({ callId: 'c1', tags: ['A'], branch: 'z1' })).toEqual(['D c1;z1 A']);
  });

  test('prefers the memo to tags', () => {
    expect(deleteCommands({ callId: 'c1', memo: memoOf({}), tags: ['X', 'Y'] })).toEqual(['D c1 A B']);
  });

  test('nobody can name without either', () => {
    expect(deleteCommands({ callId: 'c1' })).toEqual([]);
    expect(deleteCommands({ callId: 'c1', memo: null, tags: [] })).toEqual([]);
  });

  test.each(['', 'A X', 'A;1', 'A\nX', '&&'])(
    'is not told by a tag that would say something else: %j',
    (tag) => {
      expect(deleteCommands({ callId: 'c1', tags: [tag] })).toEqual([]);
      expect(deleteCommands({ callId: 'c1', tags: ['A', tag, 'B'] })).toEqual(['D c1 A B']);
    },
  );

  test.each(['', 'c1 victim', 'c1\nX', '&&'])('is not told by such a Call-ID or branch: %j', (word) => {
    expect(deleteCommands({ callId: word, tags: ['A'] })).toEqual([]);
    expect(deleteCommands({ callId: word, memo: memoOf({}) })).toEqual([]);
    expect(deleteCommands({ callId: 'c1', tags: ['A'], branch: word })).toEqual([]);
  });
});

describe('a question about a call', () => {
  const asked = (memo: string | null, fromTag?: string, tags?: string[]) =>
    askedFor({ callId: 'c1', memo, ...(tags === undefined ? {} : { tags }) }, fromTag).map(
      ({ branch, n, opener, peer }) => `${branch}/${n}/${opener}/${peer}`,
    );

  test('is about all its sessions', () => {
    expect(asked(memoOf({}, { n: 2 }))).toEqual(['/1/A/B', '/2/A/B']);
  });

  test('or about those of one party', () => {
    const memo = memoOf({ branch: 'z1', peer: 'b1' }, { branch: 'z2', peer: 'b2' });
    expect(asked(memo, 'b2')).toEqual(['z2/1/A/b2']);
    expect(asked(memo, 'A')).toEqual(['z1/1/A/b1', 'z2/1/A/b2']);
    expect(asked(memo, 'nobody')).toHaveLength(2);
  });

  test('without memo is about the first stream of each party', () => {
    expect(asked(null, undefined, ['A', 'B'])).toEqual(['/1/A/', '/1/B/']);
    expect(asked(null, undefined, ['A X', 'A;1', '', 'B'])).toEqual(['/1/B/']);
    expect(asked(null)).toEqual([]);
  });

  test('is not asked by a Call-ID that would say something else', () => {
    expect(askedFor({ callId: 'c1 x', tags: ['A'] }, undefined)).toEqual([]);
  });
});
