/** The JSON form of ng messages, which the fake relay takes as rtpengine does; our own driver speaks bencode only (reference: ng-protocol 2). */

import type { NgDict, NgValue } from '../driver.ts';
import { DecodeError, MAX_BYTES, MAX_DEPTH, MAX_ITEMS, newDict } from './bencode.ts';

/**
 * Decodes a JSON object as 10.5 does: true and false become 1 and 0, null and fractions are refused.
 * Strings become byte strings in UTF-8. The offset of an error is 0: the engine does not tell it.
 */
export function decodeJson(bytes: Uint8Array): NgDict | DecodeError {
  if (bytes.length > MAX_BYTES) return new DecodeError(`longer than ${MAX_BYTES} bytes`, MAX_BYTES);
  if (nesting(bytes) > MAX_DEPTH) return new DecodeError(`more than ${MAX_DEPTH} levels`, 0);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return new DecodeError('not JSON', 0);
  }
  const value = convert(parsed, { items: 0 });
  if (value === undefined) return new DecodeError('a null, a fraction, or too many values', 0);

  return typeof value === 'object' && !Array.isArray(value)
    ? (value as NgDict)
    : new DecodeError('no object', 0);
}

/** Encodes a dictionary as JSON, its byte strings as they are. */
export function encodeJson(value: NgDict): Buffer {
  return Buffer.from(JSON.stringify(value), 'latin1');
}

/** Levels of brackets, those in strings counted too: an upper limit, found before the parser sees the bytes. */
function nesting(bytes: Uint8Array): number {
  let open = 0;
  let deepest = 0;
  for (const byte of bytes) {
    if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++open);
    else if ((byte === 0x7d || byte === 0x5d) && open > 0) open--;
  }

  return deepest;
}

function convert(value: unknown, count: { items: number }): NgValue | undefined {
  if (++count.items > MAX_ITEMS) return undefined;
  if (typeof value === 'string') return toBytes(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (Array.isArray(value)) {
    const list: NgValue[] = [];
    for (const item of value) {
      const converted = convert(item, count);
      if (converted === undefined) return undefined;
      list.push(converted);
    }

    return list;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const dict = newDict();
  for (const [key, item] of Object.entries(value)) {
    const converted = convert(item, count);
    if (converted === undefined) return undefined;
    dict[toBytes(key)] = converted;
  }

  return dict;
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
