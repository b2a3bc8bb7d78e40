import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  deleteCommand,
  encodeNotice,
  MAX_WORD,
  pair,
  queryCommand,
  type StreamOrder,
  streamCommand,
  tagDefect,
  wordDefect,
} from '../../../../src/relay/rtpproxy/commands.ts';

const ORDER: StreamOrder = {
  letter: 'U',
  name: 'c1',
  n: 1,
  tags: { offerer: 'A' },
  address: '10.0.0.5',
  family: 'IP4',
  port: 4000,
  formats: [],
  socket: undefined,
};
const command = (change: Partial<StreamOrder> = {}) => streamCommand({ ...ORDER, ...change });

describe('a U or L', () => {
  test('names the stream by Call-ID and tag with the number of the m= line', () => {
    expect(command()).toBe('U c1 10.0.0.5 4000 A;1');
    expect(command({ letter: 'L', n: 3, tags: { offerer: 'A', answerer: 'B' } })).toBe(
      'L c1 10.0.0.5 4000 A;3 B;3',
    );
  });

  test('lists payload types, each once', () => {
    expect(command({ formats: [0, 8, 101] })).toBe('Uc0,8,101 c1 10.0.0.5 4000 A;1');
    expect(command({ formats: [8, 0, 8, 0] })).toBe('Uc8,0 c1 10.0.0.5 4000 A;1');
  });

  test('says that the address is an IPv6 one', () => {
    expect(command({ address: '2001:db8::5', family: 'IP6' })).toBe('U6 c1 2001:db8::5 4000 A;1');
  });

  test.each(['a', 's'] as const)('says how it is to learn where media comes from: %s', (symmetry) => {
    expect(command({ symmetry })).toBe(`U${symmetry} c1 10.0.0.5 4000 A;1`);
  });

  test.each([
    [{ address: '192.0.2.1' }, 'l192.0.2.1'],
    [{ address: '2001:db8::1' }, 'l[2001:db8::1]'],
    [{ label: 'pub' }, 'l{pub}'],
  ])('opens the port at %j', (socket, modifier) => {
    for (const letter of ['U', 'L'] as const)
      expect(command({ letter, socket })).toBe(`${letter}${modifier} c1 10.0.0.5 4000 A;1`);
  });

  test('names the sides of a bridging daemon with U only: an L changes nothing', () => {
    expect(command({ socket: { sides: ['e', 'i'] } })).toBe('Uei c1 10.0.0.5 4000 A;1');
    expect(command({ letter: 'L', socket: { sides: ['e', 'i'] } })).toBe('L c1 10.0.0.5 4000 A;1');
  });

  test('ends with who is to be told of the end', () => {
    const tags = { offerer: 'A', answerer: 'B' };
    expect(command({ tags, notify: { socket: 'tcp:192.0.2.50:9000', tag: 'c1%40h' } })).toBe(
      'U c1 10.0.0.5 4000 A;1 B;1 tcp:192.0.2.50:9000 c1%40h',
    );
  });

  test('keeps digits of one modifier from running into the next one', () => {
    // As all releases from 2.1 to 3.2 were seen to take it: 6, symmetry, payload types, local address.
    expect(
      command({
        family: 'IP6',
        address: '::9',
        symmetry: 's',
        formats: [0, 8],
        socket: { address: '192.0.2.1' },
      }),
    ).toBe('U6sc0,8l192.0.2.1 c1 ::9 4000 A;1');
    expect(command({ symmetry: 's', formats: [0], socket: { sides: ['i', 'e'] } })).toBe(
      'Usc0ie c1 10.0.0.5 4000 A;1',
    );
  });
});

describe('other commands', () => {
  test('delete a whole call by the tags, one stream by its number', () => {
    expect(deleteCommand('c1', { offerer: 'A' })).toBe('D c1 A');
    expect(deleteCommand('c1', { offerer: 'A', answerer: 'B' })).toBe('D c1 A B');
    expect(deleteCommand('c1', { offerer: 'A', answerer: 'B' }, 2)).toBe('D c1 A;2 B;2');
  });

  test('ask for one stream always', () => {
    expect(queryCommand('c1;z9', { offerer: 'A', answerer: 'B' }, 1)).toBe('Q c1;z9 A;1 B;1');
  });

  test('leave an unknown answerer out', () => {
    expect(pair({ offerer: 'A', answerer: '' }, 1)).toBe('A;1');
    expect(pair({ offerer: 'A', answerer: undefined })).toBe('A');
  });
});

describe('words', () => {
  test.each([
    ['', 'is empty'],
    ['a b', 'blank or a control'],
    ['a\tb', 'blank or a control'],
    ['a\r\nD x y', 'blank or a control'],
    ['a\0', 'blank or a control'],
    ['a\x7f', 'blank or a control'],
    ['&&', '"&&"'],
    ['x'.repeat(MAX_WORD + 1), `${MAX_WORD + 1} bytes`],
  ])('%j cannot be said', (text, defect) => {
    expect(wordDefect('call-id', text)).toContain(defect);
    expect(wordDefect('call-id', text)).toContain('the call-id');
    expect(tagDefect('to-tag', text)).toContain(defect);
  });

  test.each(['a', 'x'.repeat(MAX_WORD), '&&&', 'a&&b', '!#$%"\\~', 'caf\xc3\xa9', '\x80\xa0\xff', '0'])(
    '%j can be said',
    (text) => {
      expect(wordDefect('call-id', text)).toBeUndefined();
      expect(tagDefect('tag', text)).toBeUndefined();
    },
  );

  test('a semicolon is fine in a Call-ID and makes another stream of a tag', () => {
    expect(wordDefect('call-id', 'a;1@host')).toBeUndefined();
    expect(tagDefect('from-tag', 'A;1')).toContain('the from-tag has a semicolon');
    expect(tagDefect('from-tag', ';')).toContain('semicolon');
  });
});

describe('the words of a notification', () => {
  test('are encoded byte by byte', () => {
    expect(encodeNotice('c1@192.0.2.10')).toBe('c1%40192.0.2.10');
    expect(encodeNotice('a b%\n\xe9\xff~')).toBe('a%20b%25%0A%E9%FF~');
  });

  test('come back as they were', () => {
    const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array).toString('latin1'));
    fc.assert(
      fc.property(bytes, (text) => {
        const word = encodeNotice(text);
        expect(word).toMatch(/^[!-~]*$/);
        expect(
          word.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        ).toBe(text);
      }),
    );
  });
});
