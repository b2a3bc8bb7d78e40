import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { NgDict, NgValue } from '../../../../src/relay/driver.ts';
import {
  DecodeError,
  decode,
  encode,
  encodeText,
  isDict,
  MAX_BYTES,
  MAX_DEPTH,
  MAX_ITEMS,
  MAX_KEYS,
  newDict,
} from '../../../../src/relay/ng/bencode.ts';
import { bodyOf, readable, readFixtures } from './harness.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
/** Decodes and shows what came out: plain JSON, or the reason of the refusal. */
function read(text: string): string {
  const value = decode(bytes(text));

  return value instanceof DecodeError ? `refused at ${value.offset}: ${value.reason}` : JSON.stringify(value);
}

const byteString = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
const ngValue: fc.Arbitrary<NgValue> = fc.letrec<{ value: NgValue; dict: NgDict }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 8 },
    byteString,
    fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.array(tie('value'), { maxLength: 6 }),
    tie('dict'),
  ),
  dict: fc
    .array(fc.tuple(byteString, tie('value')), { maxLength: 6 })
    .map((entries) => Object.assign(newDict(), Object.fromEntries(entries))),
})).value;

describe('encode', () => {
  test('writes strings, numbers, lists and dictionaries in the order of their keys', () => {
    expect(encodeText({ command: 'ping', n: -7, l: ['a', ''], d: {} })).toBe(
      'd7:command4:ping1:ni-7e1:ll1:a0:e1:ddee',
    );
  });

  test('writes one byte per character', () => {
    expect(encode('é\xff\0')).toEqual(Buffer.from([0x33, 0x3a, 0xe9, 0xff, 0]));
  });

  test.each([[1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [2 ** 53]])('throws on the number %p', (n) => {
    expect(() => encode({ n })).toThrow(TypeError);
  });

  test('throws on a character above 255, which would be another byte', () => {
    expect(() => encode({ sdp: 's=€' })).toThrow(TypeError);
  });

  test('throws on nesting that could kill a relay', () => {
    let value: NgValue = [];
    for (let i = 0; i < MAX_DEPTH; i++) value = [value];
    expect(() => encode(value)).toThrow(RangeError);
  });
});

describe('decode', () => {
  test('is the inverse of encode', () => {
    fc.assert(
      fc.property(ngValue, (value) => {
        expect(JSON.stringify(decode(encode(value)))).toBe(JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
  });

  test('never throws and re-encodes whatever it lets pass', () => {
    const piece = fc.constantFrom(
      'd',
      'l',
      'i',
      'e',
      '1:a',
      '3:',
      'i4e',
      '0:',
      '-',
      '7',
      ':',
      '\xff',
      '99999999',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const value = decode(bytes(pieces.join('')));
        if (!(value instanceof DecodeError)) expect(decode(encode(value))).toEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  test('takes bytes that are no Buffer, from the middle of a larger array', () => {
    expect(decode(new Uint8Array([0, 0x31, 0x3a, 0x78, 0]).subarray(1, 4))).toBe('x');
  });

  test('makes dictionaries without a prototype, so that every key is data', () => {
    const dict = decode(bytes('d9:__proto__1:a11:constructor1:be'));
    expect(isDict(dict as NgValue) && Object.getPrototypeOf(dict)).toBe(null);
    expect(Object.keys(dict as NgDict)).toEqual(['__proto__', 'constructor']);
  });

  // Each of these was sent to rtpengine 10.5.3.5, which answered with pong.
  test.each([
    ['a missing final e', 'd7:command4:ping', '{"command":"ping"}'],
    ['lists and dictionaries open at the end', 'd1:xd1:yl1:z', '{"x":{"y":["z"]}}'],
    ['bytes after the value', 'd1:a1:begarbage', '{"a":"b"}'],
    ['unsorted keys', 'd1:b1:x1:a1:ye', '{"b":"x","a":"y"}'],
    ['the same key twice: the first one counts', 'd1:a1:x1:a1:ye', '{"a":"x"}'],
    ['an empty key', 'd0:i1ee', '{"":1}'],
    ['an opening d alone', 'd', '{}'],
    ['minus zero', 'd1:xi-0ee', '{"x":0}'],
    ['numbers beyond 2^53, digit by digit', 'i99999999999999999999e', '"99999999999999999999"'],
  ])('lets pass %s', (_name, text, expected) => {
    expect(read(text)).toBe(expected);
  });

  // And these were answered with "Could not decode bencode dictionary".
  test.each([
    ['a string cut off', 'd7:command4:pi', 'string length beyond the end'],
    ['a leading zero in a length', 'd1:x00:e', 'string length without ":"'],
    ['a leading zero in a number', 'd1:xi05ee', 'number with leading zero'],
    ['a key that is no string', 'di1e4:pinge', 'key that is no string'],
    ['a key without value', 'd5:flags', 'ends where a value should begin'],
    ['a number cut off', 'd1:xi5', 'number without digits'],
    ['a number without digits', 'd1:xiee', 'number without digits'],
    ['a sign in a length', 'd1:x+3:abce', 'neither string, number, list nor dictionary'],
    ['a length without string', 'd3e', 'string length without ":"'],
    ['nothing', '', 'ends where a value should begin'],
  ])('refuses %s', (_name, text, reason) => {
    expect(read(text)).toContain(reason);
  });

  test('makes a list of a key given twice, if asked to, at the top level and of strings only', () => {
    const pair = (text: string): string =>
      JSON.stringify(decode(bytes(text), { bytes: 100, items: 100, paired: 'k' }));
    expect(pair('d1:k1:x1:a1:-1:k1:ye')).toBe('{"k":["x","y"],"a":"-"}');
    expect(pair('d1:k1:x1:k1:y1:k1:ze')).toBe('{"k":["x","y"]}');
    expect(pair('d1:k1:x1:ki1ee')).toBe('{"k":"x"}');
    expect(pair('d1:ki1e1:k1:xe')).toBe('{"k":1}');
    expect(pair('d1:kl1:xe1:k1:ye')).toBe('{"k":["x"]}');
    expect(pair('d1:ad1:k1:x1:k1:yee')).toBe('{"a":{"k":"x"}}');
    expect(pair('d1:a1:x1:a1:ye')).toBe('{"a":"x"}');
  });

  test('refuses more levels than MAX_DEPTH', () => {
    expect(read('l'.repeat(MAX_DEPTH))).toStartWith('[');
    expect(read('l'.repeat(MAX_DEPTH + 1))).toContain('levels');
    expect(read('d1:a'.repeat(60_000 / 4))).toContain('levels');
  });

  test('refuses more keys, values and bytes than its bounds', () => {
    const keys = Array.from({ length: MAX_KEYS + 1 }, (_, i) => `${String(i).length}:${i}0:`).join('');
    expect(read(`d${keys}e`)).toContain('keys in a dictionary');
    expect(read(`l${'0:'.repeat(MAX_ITEMS)}e`)).toContain('values');
    expect(read(`${MAX_BYTES}:${'x'.repeat(MAX_BYTES)}`)).toContain('bytes');
    expect(read(`i${'9'.repeat(60_000)}e`)).toContain('digits');
  });

  test('reads every recorded datagram as it was recorded', () => {
    let count = 0;
    for (const fixture of readFixtures()) {
      if (fixture.transport !== 'udp' && fixture.transport !== undefined) continue;
      for (const side of [fixture.request, fixture.response]) {
        const body = side === null ? undefined : bodyOf(side);
        if (side === null || body === undefined || side.format === 'json' || side.payload === null) continue;
        if (!['d', 'l'].includes(String.fromCharCode(body[0] ?? 0))) continue;
        const value = decode(body);
        if (fixture.file === 'error.10-bencode-leading-zero-length.json' && side === fixture.request) {
          expect(value).toBeInstanceOf(DecodeError);
          continue;
        }
        if (value instanceof DecodeError)
          throw new Error(`${fixture.file}: ${value.reason} at ${value.offset}`);
        // The recorder wrote the list of error.09 as an object.
        const shown = Array.isArray(side.payload) || !Array.isArray(value) ? value : { ...value };
        expect([fixture.file, JSON.stringify(readable(shown as NgValue))]).toEqual([
          fixture.file,
          JSON.stringify(side.payload),
        ]);
        count++;
      }
    }
    expect(count).toBeGreaterThan(600);
  });
});
