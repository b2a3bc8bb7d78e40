/**
 * Bencode, the encoding of ng messages (reference: ng-protocol 2).
 * As strict and as lenient as rtpengine 10.5 to 26.3, which was tried with each of the odd forms below.
 * Strings are byte strings: one character per byte, so SDP passes 8-bit clean.
 */

import type { NgDict, NgValue } from '../driver.ts';

/** Deepest nesting of lists and dictionaries; a `query` reply needs 8. Extreme nesting kills rtpengine. */
export const MAX_DEPTH = 16;
/** Bytes in one message: the payload of the largest UDP datagram over IPv4. */
export const MAX_BYTES = 65_507;
/** Keys in one dictionary; a `statistics` reply needs about 200. */
export const MAX_KEYS = 1024;
/** Values in one message, all levels together; a `list` of 2,000 calls has as many. */
export const MAX_ITEMS = 16_384;

/** Why bytes could not be decoded, and at which byte. */
export class DecodeError {
  constructor(
    readonly reason: string,
    readonly offset: number,
  ) {}
}

/** How much may be decoded. */
export interface Bounds {
  readonly bytes: number;
  /** Values, all levels together. */
  readonly items: number;
}

/** How to decode. */
export interface Decoding extends Bounds {
  /** A key of the outermost dictionary: given twice with a string each, it becomes the list of both. By default the first one counts. */
  readonly paired?: string;
}

/** What fits into a datagram. */
export const DATAGRAM: Bounds = { bytes: MAX_BYTES, items: MAX_ITEMS };

const I = 0x69;
const L = 0x6c;
const D = 0x64;
const E = 0x65;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;

/** Longest integer text looked at; real ones have at most 20 characters. */
const MAX_DIGITS = 64;

/** A dictionary with no prototype, so that a key like `__proto__` is a key like any other. */
export function newDict(): { [key: string]: NgValue } {
  return Object.create(null) as { [key: string]: NgValue };
}

/** Whether a value is a dictionary. */
export function isDict(value: NgValue | undefined): value is NgDict {
  return typeof value === 'object' && !Array.isArray(value);
}

/** Encodes a value; see `encodeText`. */
export function encode(value: NgValue): Buffer {
  return Buffer.from(encodeText(value), 'latin1');
}

/**
 * Encodes a value as a byte string. Keys keep their order, as rtpengine writes them.
 * Throws a TypeError or RangeError for what no ng message can hold (fractions, characters above 255, more than
 * `MAX_DEPTH` levels): that is a defect of the caller, since what comes from outside was decoded first.
 */
export function encodeText(value: NgValue): string {
  const text = write(value, 0);
  // Cheap: the engine knows that a string of one-byte characters cannot match.
  if (/[^\0-\xff]/.test(text))
    throw new TypeError('ng strings are byte strings; this one has a character above 255');

  return text;
}

function write(value: NgValue, depth: number): string {
  if (typeof value === 'string') return `${value.length}:${value}`;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`ng numbers are whole; got ${value}`);

    return `i${value}e`;
  }
  if (depth >= MAX_DEPTH) throw new RangeError(`ng messages have at most ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) {
    let list = 'l';
    for (const item of value) list += write(item, depth + 1);

    return `${list}e`;
  }
  if (typeof value !== 'object' || value === null) throw new TypeError(`ng has no ${typeof value}`);
  let dict = 'd';
  const source = value as NgDict;
  for (const key of Object.keys(source)) {
    const item = source[key];
    if (item === undefined) throw new TypeError(`ng key "${key}" has no value`);
    dict += `${key.length}:${key}${write(item, depth + 1)}`;
  }

  return `${dict}e`;
}

/**
 * Decodes one value. Never throws, and never looks further than the bounds above allow.
 * Let pass, as rtpengine does: bytes after the value, keys in any order, the same key twice (the first one counts), lists and
 * dictionaries still open where the bytes end. Refused, as rtpengine does: leading zeros in lengths and numbers, keys that are no
 * strings, a string or number cut off, a key without value.
 * Numbers beyond 2^53 come as strings of digits, which rtpengine takes for numbers too: nothing is rounded.
 */
export function decode(bytes: Uint8Array, decoding: Decoding = DATAGRAM): NgValue | DecodeError {
  if (bytes.length > decoding.bytes)
    return new DecodeError(`longer than ${decoding.bytes} bytes`, decoding.bytes);
  const decoder = new Decoder(
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    decoding,
  );
  const value = decoder.value(0);

  return value === undefined ? new DecodeError(decoder.problem, decoder.at) : value;
}

/** One run over the bytes. A method returns undefined after it has noted the problem. */
class Decoder {
  /** Next byte to read; after a problem, where it was met. */
  at = 0;
  problem = '';
  #items = 0;
  readonly #bytes: Buffer;
  readonly #maxItems: number;
  readonly #paired: string | undefined;

  constructor(bytes: Buffer, { items, paired }: Decoding) {
    this.#bytes = bytes;
    this.#maxItems = items;
    this.#paired = paired;
  }

  value(depth: number): NgValue | undefined {
    if (++this.#items > this.#maxItems) return this.#fail(`more than ${this.#maxItems} values`);
    const byte = this.#bytes[this.at];
    if (byte === undefined) return this.#fail('ends where a value should begin');
    if (byte >= ZERO && byte <= NINE) return this.#string(byte);
    if (byte === I) return this.#integer();
    if (byte !== L && byte !== D) return this.#fail('neither string, number, list nor dictionary');
    if (depth >= MAX_DEPTH) return this.#fail(`more than ${MAX_DEPTH} levels`);
    this.at++;

    return byte === L ? this.#list(depth + 1) : this.#dict(depth + 1);
  }

  #string(first: number): string | undefined {
    const bytes = this.#bytes;
    let length = first - ZERO;
    let at = this.at + 1;
    if (length !== 0) {
      for (let byte = bytes[at]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = bytes[++at]) {
        length = length * 10 + byte - ZERO;
        if (length > bytes.length) return this.#fail('string length beyond the end');
      }
    }
    if (bytes[at] !== COLON) return this.#fail('string length without ":"');
    const end = at + 1 + length;
    if (end > bytes.length) return this.#fail('string length beyond the end');
    this.at = end;

    return bytes.toString('latin1', at + 1, end);
  }

  #integer(): number | string | undefined {
    const bytes = this.#bytes;
    const start = this.at + 1;
    let at = bytes[start] === MINUS ? start + 1 : start;
    const first = at;
    for (let byte = bytes[at]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = bytes[++at]) {
      if (at - first >= MAX_DIGITS) return this.#fail(`number with more than ${MAX_DIGITS} digits`);
    }
    if (at === first || bytes[at] !== E) return this.#fail('number without digits or final "e"');
    if (bytes[first] === ZERO && at > first + 1) return this.#fail('number with leading zero');
    this.at = at + 1;
    const text = bytes.toString('latin1', start, at);
    const number = Number(text);
    if (!Number.isSafeInteger(number)) return text;

    return number === 0 ? 0 : number;
  }

  #list(depth: number): NgValue[] | undefined {
    const list: NgValue[] = [];
    while (this.at < this.#bytes.length) {
      if (this.#bytes[this.at] === E) {
        this.at++;
        break;
      }
      const item = this.value(depth);
      if (item === undefined) return undefined;
      list.push(item);
    }

    return list;
  }

  #dict(depth: number): NgDict | undefined {
    const dict = newDict();
    let keys = 0;
    while (this.at < this.#bytes.length) {
      const byte = this.#bytes[this.at] ?? E;
      if (byte === E) {
        this.at++;
        break;
      }
      if (byte < ZERO || byte > NINE) return this.#fail('key that is no string');
      if (++keys > MAX_KEYS) return this.#fail(`more than ${MAX_KEYS} keys in a dictionary`);
      const key = this.#string(byte);
      const item = key === undefined ? undefined : this.value(depth);
      if (key === undefined || item === undefined) return undefined;
      const first = dict[key];
      if (first === undefined) dict[key] = item;
      else if (depth === 1 && key === this.#paired && typeof first === 'string' && typeof item === 'string')
        dict[key] = [first, item];
    }

    return dict;
  }

  #fail(problem: string): undefined {
    this.problem = problem;

    return undefined;
  }
}
