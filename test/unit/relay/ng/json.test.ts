import { describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../../src/relay/driver.ts';
import { DATAGRAM, DecodeError, MAX_BYTES, MAX_DEPTH } from '../../../../src/relay/ng/bencode.ts';
import { decodeJson, encodeJsonText, NOT_JSON } from '../../../../src/relay/ng/json.ts';

/** Decodes and shows what came out: plain JSON, or the reason of the refusal. */
function read(text: string, encoding: BufferEncoding = 'utf8'): string {
  const value = decodeJson(Buffer.from(text, encoding));

  return value instanceof DecodeError ? value.reason : JSON.stringify(value);
}

describe('decodeJson', () => {
  test('makes byte strings of strings and keys, and numbers of booleans', () => {
    expect(read('{"é":"€","yes":true,"no":false,"n":-7,"l":[1,["x"]],"d":{}}')).toBe(
      '{"Ã©":"â\x82¬","yes":1,"no":0,"n":-7,"l":[1,["x"]],"d":{}}',
    );
  });

  test('makes dictionaries without a prototype', () => {
    const value = decodeJson(Buffer.from('{"__proto__":"a","constructor":"b"}')) as NgDict;
    expect(Object.getPrototypeOf(value)).toBe(null);
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
  });

  test.each([
    ['a null', '{"a":null}'],
    ['a fraction', '{"a":1.5}'],
    ['a number beyond 2^53', '{"a":1e300}'],
    ['a null deep down', '{"a":[{"b":[null]}]}'],
    ['too many values', `{"a":[${'1,'.repeat(DATAGRAM.items)}1]}`],
    ['too many levels', `{"a":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`],
    ['levels hidden between strings', `{"a":${'["]",'.repeat(10_000)}1${']'.repeat(10_000)}}`],
  ])('refuses %s as JSON that is no message', (_name, text) => {
    expect(read(text)).toBe('a null, a fraction, too many values or too many levels');
  });

  test('takes as many levels as the codec of the relay', () => {
    const text = `{"a":${'['.repeat(MAX_DEPTH - 1)}${']'.repeat(MAX_DEPTH - 1)}}`;
    expect(read(text)).toBe(text);
  });

  test.each([
    ['text cut off', '{"a":'],
    ['bytes after the object', '{"a":1}x'],
    ['an endless row of brackets', `{"a":${'['.repeat(65_000)}`],
    ['nothing', ''],
  ])('refuses %s as no JSON', (_name, text) => {
    expect(read(text)).toBe(NOT_JSON);
  });

  test('refuses bytes that are no UTF-8, since other bytes would be another SDP', () => {
    expect(read('{"sdp":"caf\xe9"}', 'latin1')).toBe(NOT_JSON);
  });

  test.each([['[]'], ['1'], ['"a"'], ['null']])('refuses %s, which is no object', (text) => {
    expect(read(text)).toBe('no object');
  });

  test('refuses more bytes than a datagram has', () => {
    expect(read(`{"a":"${'x'.repeat(MAX_BYTES)}"}`)).toBe(`longer than ${MAX_BYTES} bytes`);
  });
});

describe('encodeJsonText', () => {
  test('is the inverse for byte strings', () => {
    const message = { result: 'ok', sdp: 's=caf\xc3\xa9\r\n', calls: ['a', 'b'], created: 5 };
    expect({ ...(decodeJson(Buffer.from(encodeJsonText(message), 'latin1')) as NgDict) }).toEqual(message);
  });

  test('throws on a character that is no byte', () => {
    expect(() => encodeJsonText({ sdp: '€' })).toThrow(TypeError);
  });
});
