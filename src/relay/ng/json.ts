/** The JSON form of ng messages, which clients may speak to us; our own driver speaks bencode only (reference: ng-protocol 2). */

import { fromText } from '../../util/bytes.ts';
import type { NgDict, NgValue } from '../driver.ts';
import { type Bounds, DATAGRAM, DecodeError, MAX_DEPTH, newDict } from './bencode.ts';

/** The reason of a `DecodeError` where the bytes are no JSON at all; with any other they are, but no ng message. */
export const NOT_JSON = 'not JSON';

// Other bytes than UTF-8 are no JSON; replaced silently, they would make another SDP.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes a JSON object as 10.5 does: true and false become 1 and 0, null and fractions are refused. Never throws.
 * Strings become byte strings in UTF-8. The offset of an error is 0: the engine does not tell it.
 */
export function decodeJson(bytes: Uint8Array, bounds: Bounds = DATAGRAM): NgDict | DecodeError {
  if (bytes.length > bounds.bytes) return new DecodeError(`longer than ${bounds.bytes} bytes`, bounds.bytes);
  let parsed: unknown;
  try {
    // The engine's parser is safe at any depth; only what walks through its result must count the levels.
    parsed = JSON.parse(utf8.decode(bytes));
  } catch {
    return new DecodeError(NOT_JSON, 0);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return new DecodeError('no object', 0);
  const value = convert(parsed, 0, { left: bounds.items });

  return value === undefined
    ? new DecodeError('a null, a fraction, too many values or too many levels', 0)
    : (value as NgDict);
}

/** Encodes a dictionary as JSON, a byte string with its byte strings as they are. Throws a TypeError for a character above 255. */
export function encodeJsonText(value: NgDict): string {
  const text = JSON.stringify(value);
  if (/[^\0-\xff]/.test(text))
    throw new TypeError('ng strings are byte strings; this one has a character above 255');

  return text;
}

function convert(value: unknown, depth: number, items: { left: number }): NgValue | undefined {
  if (--items.left < 0) return undefined;
  if (typeof value === 'string') return fromText(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) {
    const list: NgValue[] = [];
    for (const item of value) {
      const converted = convert(item, depth + 1, items);
      if (converted === undefined) return undefined;
      list.push(converted);
    }

    return list;
  }
  const dict = newDict();
  for (const [key, item] of Object.entries(value)) {
    const converted = convert(item, depth + 1, items);
    if (converted === undefined) return undefined;
    dict[fromText(key)] = converted;
  }

  return dict;
}
