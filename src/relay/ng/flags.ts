/**
 * The `flags` parameter: what a SIP proxy's script writes for the rtpengine modules of OpenSIPS and Kamailio, turned into ng keys.
 * Those modules read the same words; rtpengine itself does so only from 12.4 on (`rtpp_flags`, reference: ng-protocol 2).
 */

import type { NgDict, NgValue } from '../driver.ts';
import { newDict } from './bencode.ts';

/** Characters in the parameter, which is also the bound of what can come of it. */
export const MAX_FLAGS_LENGTH = 4096;

const TRANSPORTS: ReadonlySet<string> = new Set([
  'RTP/AVP',
  'RTP/AVPF',
  'RTP/SAVP',
  'RTP/SAVPF',
  'UDP/TLS/RTP/SAVP',
  'UDP/TLS/RTP/SAVPF',
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
  /^(?:codec-(strip|offer|mask|transcode|set|accept|except|consume|ignore)|(transcode))-(.+)$/;

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

/**
 * Reads words and `key=value` pairs, separated by white space or commas. Words nobody knows become flags, which relays ignore.
 * Values stay strings, numbers too. The same key twice makes a list where the key is one, else the last value counts.
 * Throws a RangeError on text longer than `MAX_FLAGS_LENGTH`: the door which took the text checks that and tells the client.
 */
export function parseFlags(text: string): NgDict {
  if (text.length > MAX_FLAGS_LENGTH) {
    throw new RangeError(`flags has ${text.length} characters; at most ${MAX_FLAGS_LENGTH} are read`);
  }
  const dict = newDict();
  for (const word of text.split(/[\s,]+/)) {
    if (word !== '') addWord(dict, word);
  }

  return dict;
}

function addWord(dict: { [key: string]: NgValue }, word: string): void {
  const equals = word.indexOf('=');
  const codec = CODEC_WORD.exec(word);
  // A codec may have parameters with "=" in them, so this comes first.
  if (codec !== null) {
    dict.codec ??= newDict();
    append(dict.codec as { [key: string]: NgValue }, codec[1] ?? codec[2] ?? '', codec[3] ?? '');
    return;
  }
  if (equals > 0) {
    const key = word.slice(0, equals);
    const value = word.slice(equals + 1);
    if (LISTS.has(key)) append(dict, key, value);
    // `codec` is a dictionary built from its words; a plain value would push them out.
    else if (key !== 'codec') dict[key] = value;
    return;
  }
  if (TRANSPORTS.has(word)) {
    dict['transport-protocol'] = word;
    return;
  }
  for (const [prefix, key] of PREFIXES) {
    if (!word.startsWith(prefix) || word.length === prefix.length) continue;
    append(dict, key, word.slice(prefix.length));
    return;
  }
  append(dict, 'flags', word);
}

function append(dict: { [key: string]: NgValue }, key: string, value: string): void {
  const list = dict[key];
  if (Array.isArray(list)) list.push(value);
  else dict[key] = [value];
}
