import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fromText, percentDecode, toText } from '../../../src/util/bytes.ts';

const byteString = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
});

describe('byte strings and text', () => {
  test('text becomes bytes and text again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const bytes = fromText(text);
        expect([...bytes].every((char) => char.charCodeAt(0) < 256)).toBe(true);
        expect(toText(bytes)).toBe(text);
      }),
    );
  });

  test('bytes that are no UTF-8 are shown as Latin-1, never lost', () => {
    expect(toText('caf\xe9')).toBe('caf\xe9');
    expect(toText('caf\xc3\xa9')).toBe('caf\u00e9');
    expect(toText('\xff\x00\x80')).toBe('\xff\x00\x80');
    fc.assert(fc.property(byteString, (bytes) => toText(bytes).length <= bytes.length));
  });

  test('ASCII stays as it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii' }),
        (text) => fromText(text) === text && toText(text) === text,
      ),
    );
  });
});

describe('percent-encoding', () => {
  test('is undone byte by byte', () => {
    fc.assert(
      fc.property(byteString, (bytes) => {
        const encoded = [...bytes]
          .map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
          .join('');
        expect(percentDecode(encoded)).toBe(bytes);
        expect(percentDecode(encoded.toUpperCase())).toBe(bytes);
      }),
    );
  });

  test.each([
    ['', ''],
    ['a+b', 'a+b'],
    ['%', '%'],
    ['%4', '%4'],
    ['%zz%41', '%zzA'],
    ['%2541', '%41'],
    ['100%25', '100%'],
  ])('%p is %p', (encoded, expected) => {
    expect(percentDecode(encoded)).toBe(expected);
  });
});
