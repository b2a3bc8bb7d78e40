import { describe, expect, test } from 'bun:test';
import { ApiFailure } from '../../../src/ui/page/api.ts';
import { isOfRelay, wasAnswered } from '../../../src/ui/page/calls/meaning.ts';
import { visible } from '../../../src/ui/page/format.ts';
import { callOf } from './explained.ts';

describe('what strangers wrote', () => {
  test('has escapes for what cannot be seen or turns the writing around', () => {
    expect(visible('a\u202Eb\u200Bc\u0000d\u2028e')).toBe('a\\u{202e}b\\u{200b}c\\u{0}d\\u{2028}e');
  });

  test('is left as it is otherwise, tabs and all languages', () => {
    const text = 'a=x:<b>\t"呼叫" ∅ é 🙂';
    expect(visible(text)).toBe(text);
  });
});

describe('a failure', () => {
  test('is one of the relay if it was silent, refused, or lost the call', () => {
    const of = (code: string) => isOfRelay(new ApiFailure(504, code, ''));
    expect(['RTPC_RELAY_SILENT', 'RTPC_RELAY_REFUSED', 'RTPC_CALL_LOST'].map(of)).toEqual([true, true, true]);
    expect(['RTPC_CALL_UNKNOWN', 'RTPC_BUSY', ''].map(of)).toEqual([false, false, false]);
    expect(isOfRelay(undefined)).toBe(false);
  });
});

describe('a call', () => {
  const leg = { tag: 'b', branch: '', side: 'outer', reader_side: 'inner', family: 'IP4', confirmed: true };

  test('was answered if it is confirmed, or was before it ended', () => {
    expect(wasAnswered(callOf({ state: 'confirmed' }))).toBe(true);
    expect(wasAnswered(callOf({ state: 'early', legs: [leg] }))).toBe(false);
    expect(wasAnswered(callOf({ state: 'ended', legs: [leg] }))).toBe(true);
    expect(wasAnswered(callOf({ state: 'ended', legs: [{ ...leg, confirmed: false }] }))).toBe(false);
  });
});
