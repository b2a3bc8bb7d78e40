/**
 * The keys of an ng message: those that are for the cluster, under one spelling, and those that go on to a relay. How their values
 * are read.
 */

import { Failure } from '../domain/errors.ts';
import type { NgDict, NgValue } from '../relay/driver.ts';
import { isDict, newDict } from '../relay/ng/bencode.ts';
import { MAX_FLAGS_LENGTH, parseRtppFlags } from '../relay/ng/flags.ts';

/** Keys read here. What a relay has to know of them, its driver says in its own way. */
const OWN_KEYS = [
  'command',
  'call-id',
  'from-tag',
  'to-tag',
  'via-branch',
  'sdp',
  'direction',
  'from-interface',
  'to-interface',
  'in-iface',
  'out-iface',
  'received-from',
  'cluster-from',
  'cluster-to',
  'cluster-set',
  'cluster-require',
  'cluster-prefer',
  'rtpp-flags',
  'sip-message-type',
] as const;
export type OwnKey = (typeof OWN_KEYS)[number];
const OWN: ReadonlySet<string> = new Set(OWN_KEYS);

/** Keys that go on, but are looked at on the way: they get the spelling which is looked for. */
const PASSED_KEYS: ReadonlySet<string> = new Set([
  'media-address',
  'address-family',
  'to-call-id',
  'source-call-id',
  'calls',
  'flags',
  'supports',
  'limit',
  'delete-delay',
]);

/** Words of `rtpp-flags` that say more than what the SIP message says: Kamailio sends them last, and the last one counts. */
const OVERRIDING: ReadonlySet<string> = new Set(['call-id', 'from-tag', 'to-tag']);

/** Values of `via-branch=` that only the SIP proxy can work out; those of all branches are the same, so they tell nothing. */
const BRANCH_WORDS: ReadonlySet<string> = new Set(
  ['1', '2', 'auto', 'extra', 'next'].concat('auto-next', 'next-auto', 'auto-extra', 'extra-auto'),
);

export interface Keys {
  readonly own: ReadonlyMap<OwnKey, NgValue>;
  /** For the relay, as the client wrote them. */
  readonly others: NgDict;
}

/**
 * Sorts the keys of a message, those in its `rtpp-flags` included. A key of the cluster may be written in any letter case, with
 * spaces, hyphens or underscores; of two spellings the first counts.
 */
export function readKeys(message: NgDict): Keys | Failure {
  const own = new Map<OwnKey, NgValue>();
  const others = newDict();
  for (const key of Object.keys(message)) put(own, others, key, message[key] ?? '');
  const flags = own.get('rtpp-flags');
  if (typeof flags !== 'string') return { own, others };
  if (flags.length <= MAX_FLAGS_LENGTH) addWords(own, others, parseRtppFlags(flags));
  else {
    return bad(`rtpp-flags has ${flags.length} bytes; at most ${MAX_FLAGS_LENGTH} are allowed`);
  }

  return { own, others };
}

function put(own: Map<OwnKey, NgValue>, others: { [key: string]: NgValue }, key: string, value: NgValue) {
  const name = fold(key);
  if (isOwn(name)) {
    if (!own.has(name)) own.set(name, value);
  } else if (!name.startsWith('cluster-')) {
    const spelled = PASSED_KEYS.has(name) ? name : key;
    others[spelled] ??= value;
  }
}

/** Lists are joined. Of all else an explicit key counts more than a word. */
function addWords(own: Map<OwnKey, NgValue>, others: { [key: string]: NgValue }, words: NgDict): void {
  const flags: string[] = [];
  for (const [key, value] of Object.entries(words)) {
    const name = fold(key);
    if (name === 'command' || name === 'sdp' || name === 'rtpp-flags') continue;
    if (name === 'via-branch' && typeof value === 'string' && BRANCH_WORDS.has(value)) continue;
    if (OVERRIDING.has(name)) {
      own.set(name as OwnKey, value);
      // Naming a tag there says that it is meant: as much as these flags say (rtpengine 12.4 and later).
      if (name === 'to-tag') flags.push('to-tag');
      if (name === 'from-tag') flags.push('directional');
    } else if (isOwn(name) || others[key] === undefined) put(own, others, key, value);
    else others[key] = joined(others[key], value);
  }
  if (flags.length > 0) others.flags = joined(others.flags ?? [], flags);
}

/** The client's value with what the words add, where both are lists, or dictionaries of lists as `codec`. */
function joined(value: NgValue, more: NgValue): NgValue {
  if (Array.isArray(more)) {
    if (Array.isArray(value)) return [...value, ...more];

    return typeof value === 'string' ? [...value.split(','), ...more] : value;
  }
  if (!isDict(value) || !isDict(more)) return value;
  const dict = Object.assign(newDict(), value);
  for (const [key, item] of Object.entries(more)) {
    const known = dict[key];
    dict[key] = known === undefined ? item : joined(known, item);
  }

  return dict;
}

function fold(key: string): string {
  return key.toLowerCase().replaceAll(/[ _]/g, '-');
}

function isOwn(name: string): name is OwnKey {
  return OWN.has(name);
}

/** '' for what is no text. */
export function textOf(value: NgValue | undefined): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** The words of a list; since 11.4 rtpengine takes one string with commas for a list too (ng-protocol 2). */
export function wordsOf(value: NgValue | undefined, separator: RegExp = /,/): string[] {
  const words = Array.isArray(value) ? value.map(textOf) : textOf(value).split(separator);

  return words.map((word) => word.trim()).filter((word) => word !== '');
}

/** A key with a value that cannot be. @param said what rtpengine says to it, if it says something */
export function bad(message: string, said = ''): Failure {
  return new Failure('RTPC_BAD_PARAMETER', message, said);
}

/** A client's text in a message, cut. */
export function shown(text: string): string {
  return `"${text.slice(0, 100)}"`;
}
