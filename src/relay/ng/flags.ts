/**
 * What a SIP proxy's script writes for the rtpengine modules of OpenSIPS and Kamailio, turned into ng keys: the `flags` parameter of
 * our HTTP door, and the key `rtpp-flags`, the same words as one string, which rtpengine reads from 12.4 on (reference: ng-protocol 2).
 */

import type { NgDict, NgValue } from '../driver.ts';
import { isDict, newDict } from './bencode.ts';

/** Characters in the text, which is also the bound of what can come of it. */
export const MAX_FLAGS_LENGTH = 4096;

/** Brackets within brackets; `SDP-attr` has three. Deeper ones are plain characters. */
const MAX_NESTING = 6;

/** Values of `transport-protocol`, by the bits SRTP (1), AVPF (2) and DTLS (4). SRTP together with DTLS is none. */
const TRANSPORTS = [
  'RTP/AVP',
  'RTP/SAVP',
  'RTP/AVPF',
  'RTP/SAVPF',
  'UDP/TLS/RTP/SAVP',
  undefined,
  'UDP/TLS/RTP/SAVPF',
  undefined,
];

/** What a word does to the bits of the transport. */
const TRANSPORT_WORDS: ReadonlyMap<string, (bits: number) => number> = new Map([
  ['RTP', (bits: number) => bits & ~1],
  ['AVP', (bits: number) => bits & ~2],
  ['SRTP', (bits: number) => bits | 1],
  ['AVPF', (bits: number) => bits | 2],
  ['DTLS', (bits: number) => bits | 4],
  ...TRANSPORTS.flatMap((name, bits) => (name === undefined ? [] : [[name, () => bits] as const])),
]);

/** Words such as `rtcp-mux-demux`: the start names a list, the rest is what goes into it. */
const PREFIXES: readonly (readonly [string, string])[] = [
  ['replace-', 'replace'],
  ['rtcp-mux-', 'rtcp-mux'],
  ['SDES-', 'SDES'],
  ['OSRTP-', 'OSRTP'],
  ['T.38-', 'T.38'],
  ['T38-', 'T.38'],
];

const CODEC_WORD =
  /^(?:codec-(strip|offer|mask|transcode|set|accept|except|consume|ignore)|(transcode))[-=](.+)$/;

/** Keys which hold a list even when they are written `key=value`. */
const LISTS: ReadonlySet<string> = new Set([
  'flags',
  'replace',
  'rtcp-mux',
  'SDES',
  'OSRTP',
  'T.38',
  'supports',
  'from-tags',
  'direction',
  'received-from',
]);

/** A word, with the brackets of its value read. */
interface Word {
  /** As it was written; `key=` where brackets follow. */
  readonly text: string;
  /** Missing if the word is no `key=value`. */
  readonly key?: string;
  readonly value: NgValue;
}

type Dict = { [key: string]: NgValue };

/**
 * Reads words and `key=value` pairs, separated by white space or commas. Words nobody knows become flags, which relays ignore.
 * Values stay strings, numbers too; `[ ]` makes a list or a dictionary. The same key twice makes a list where the key is one, else
 * the last value counts.
 * Throws a RangeError on text longer than `MAX_FLAGS_LENGTH`: the door which took the text checks that and tells the client.
 */
export function parseFlags(text: string): NgDict {
  return read(text, /[\s,]/);
}

/** As `parseFlags`, but as rtpengine reads `rtpp-flags`: a comma is part of a word. */
export function parseRtppFlags(text: string): NgDict {
  return read(text, /\s/);
}

function read(text: string, separator: RegExp): NgDict {
  if (text.length > MAX_FLAGS_LENGTH) {
    throw new RangeError(`flags has ${text.length} characters; at most ${MAX_FLAGS_LENGTH} are read`);
  }
  const dict = newDict();
  const reader = new WordReader(text, separator);
  let transport: number | undefined;
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    const change = TRANSPORT_WORDS.get(word.text);
    if (change === undefined) addWord(dict, word);
    else transport = change(transport ?? 0);
  }
  const protocol = transport === undefined ? undefined : TRANSPORTS[transport];
  if (protocol !== undefined) dict['transport-protocol'] = protocol;

  return dict;
}

function addWord(dict: Dict, { text, key, value }: Word): void {
  const codec = CODEC_WORD.exec(typeof value === 'string' ? text : `${text}?`);
  // A codec may have parameters with "=" in them, so this comes first.
  if (codec !== null) {
    addCodecs(dict, codec[1] ?? codec[2] ?? '', typeof value === 'string' ? (codec[3] ?? '') : value);
    return;
  }
  if (key !== undefined) {
    const name = key === 'T38' ? 'T.38' : key;
    // `codec` is a dictionary built from its words; a plain value would push them out.
    if (name === 'codec') {
      if (isDict(value)) for (const [use, names] of Object.entries(value)) addCodecs(dict, use, names);
    } else if (LISTS.has(name)) append(dict, name, value);
    else dict[name] = value;
    return;
  }
  if (text === 'internal' || text === 'external') {
    append(dict, 'direction', text);
    return;
  }
  for (const [prefix, name] of PREFIXES) {
    if (!text.startsWith(prefix) || text.length === prefix.length) continue;
    append(dict, name, text.slice(prefix.length));
    return;
  }
  append(dict, 'flags', text);
}

function addCodecs(dict: Dict, use: string, names: NgValue): void {
  dict.codec ??= newDict();
  append(dict.codec as Dict, use, names);
}

/** Puts a value, or each item of a list, at the end of the list `key`. */
function append(dict: Dict, key: string, value: NgValue): void {
  const list = dict[key];
  const items = Array.isArray(value) ? value : [value];
  if (Array.isArray(list)) list.push(...items);
  else dict[key] = [...items];
}

/** Takes a text apart. Brackets that are never closed end with the text. */
class WordReader {
  #at = 0;
  readonly #text: string;
  readonly #separator: RegExp;

  constructor(text: string, separator: RegExp) {
    this.#text = text;
    this.#separator = separator;
  }

  /** The next word of the text; undefined at its end. */
  next(): Word | undefined {
    this.#skip();

    return this.#at < this.#text.length ? this.#word('', 0) : undefined;
  }

  /** One word, up to a separator or a character of `ends`. */
  #word(ends: string, depth: number): Word {
    const start = this.#at;
    let equals = -1;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (this.#separator.test(char) || ends.includes(char)) break;
      if (char !== '=' || equals !== -1) continue;
      equals = this.#at;
      if (equals === start || this.#text[equals + 1] !== '[' || depth === MAX_NESTING) continue;
      this.#at += 2;

      return {
        text: this.#text.slice(start, equals + 1),
        key: this.#text.slice(start, equals),
        value: this.#brackets(depth + 1),
      };
    }
    const text = this.#text.slice(start, this.#at);
    const key = this.#text.slice(start, Math.max(start, equals));

    // The parameters of a codec in a list, as `opus/48000/2//a=b`, make it no key.
    return key === '' || (depth > 0 && key.includes('/'))
      ? { text, value: text }
      : { text, key, value: this.#text.slice(equals + 1, this.#at) };
  }

  /** What is between brackets, the first of which was read: a dictionary if it begins with `key=`, else a list. */
  #brackets(depth: number): NgValue {
    const words: Word[] = [];
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      const char = this.#text[this.#at];
      if (char === ']') {
        this.#at++;
        break;
      }
      if (char === '[' && depth < MAX_NESTING) {
        this.#at++;
        words.push({ text: '', value: this.#brackets(depth + 1) });
      } else words.push(this.#word(']', depth));
    }
    if (words[0]?.key === undefined) {
      return words.map(({ text, value }) => (typeof value === 'string' ? text : value));
    }
    const dict = newDict();
    for (const { key, value } of words) if (key !== undefined) dict[key] = value;

    return dict;
  }

  #skip(): void {
    while (this.#at < this.#text.length && this.#separator.test(this.#text.charAt(this.#at))) this.#at++;
  }
}
