/** Reads the facts of a media request: from the query, from `X-` headers, from a JSON body, in this order. */

import { findFault, MAX_CALL_ID, MAX_TAG } from '../calls/identifiers.ts';
import { Failure } from '../domain/errors.ts';
import { readTags } from '../domain/node-limits.ts';
import { type Direction, findSide, parseDirection, type Sides } from '../domain/side.ts';
import type { NgDict, NgValue } from '../relay/driver.ts';
import { parseFlags } from '../relay/ng/flags.ts';
import { fromText, percentDecode } from '../util/bytes.ts';
import { familyOf } from '../util/ip.ts';

const MAX_FLAGS = 4096;
/** Longest reason for an end, bytes. */
const MAX_END = 64;
/** Nesting of a JSON body. */
const MAX_DEPTH = 12;

/** Names a proxy may use. Others in the query are ignored, others in JSON are ng keys. */
const NAMES = [
  'call-id',
  'from-tag',
  'to-tag',
  'method',
  'status',
  'cseq',
  'dir',
  'direction',
  'set',
  'src',
  'branch',
  'via-branch',
  'flags',
  'end',
  'sdp',
  'command',
  'require',
  'prefer',
] as const;
type Name = (typeof NAMES)[number];

/** A body that is a JSON object, with all strings as byte strings. */
export type JsonBody = { readonly [key: string]: NgValue };

export class Parameters {
  readonly #query: ReadonlyMap<string, string>;
  readonly #headers: Headers;
  readonly #json: JsonBody | undefined;
  readonly #sides: Sides;

  constructor(url: string, headers: Headers, json: JsonBody | undefined, sides: Sides) {
    this.#query = parseQuery(url);
    this.#headers = headers;
    this.#json = json;
    this.#sides = sides;
  }

  /** A parameter as text. The strings `<null>` and '' mean absent: proxies print missing values so. */
  text(name: Name): string | undefined {
    const fromJson = this.#json?.[name];
    const value =
      present(this.#query.get(name)) ??
      present(this.#headers.get(`x-${name}`) ?? undefined) ??
      (typeof fromJson === 'number' ? String(fromJson) : typeof fromJson === 'string' ? fromJson : undefined);

    return present(value);
  }

  callId(): string | Failure {
    return this.#identifier('call-id', MAX_CALL_ID);
  }

  /** A tag; undefined if it is absent. */
  tag(name: 'from-tag' | 'to-tag' | 'branch' | 'via-branch'): string | undefined | Failure {
    return this.text(name) === undefined ? undefined : this.#identifier(name, MAX_TAG);
  }

  branch(): string | undefined | Failure {
    return this.tag(this.text('branch') === undefined ? 'via-branch' : 'branch');
  }

  direction(): Direction | undefined | Failure {
    const list = this.#json?.direction;
    if (Array.isArray(list)) {
      const [from, to] = list.map((name) =>
        typeof name === 'string' ? findSide(name, this.#sides) : undefined,
      );
      if (from !== undefined && to !== undefined && list.length === 2) return { from, to };

      return new Failure(
        'RTPC_BAD_PARAMETER',
        `direction is ${JSON.stringify(list)}; a list names two sides, sender's and reader's, of ${this.#sides.names.join(', ')} or their aliases`,
      );
    }
    const text = this.text('dir') ?? this.text('direction');

    return text === undefined ? undefined : parseDirection(text, this.#sides);
  }

  setId(): number | undefined | Failure {
    const text = this.text('set');
    if (text === undefined) return undefined;
    if (/^\d{1,9}$/.test(text)) return Number(text);

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `set is "${text}"; it must be a whole number from 0 to 999999999`,
    );
  }

  source(): string | undefined | Failure {
    const text = this.text('src')?.replace(/^\[(.*)\]$/, '$1');
    if (text === undefined || familyOf(text) !== undefined) return text;

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `src is "${text}"; it must be the IP address the SIP message came from`,
    );
  }

  status(): number | undefined | Failure {
    const text = this.text('status');
    if (text === undefined) return undefined;
    if (/^[1-6]\d\d$/.test(text)) return Number(text);

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `status is "${text}"; it must be a SIP status from 100 to 699, or absent in requests`,
    );
  }

  method(): string | Failure {
    const text = this.text('method');
    if (text !== undefined && /^[A-Za-z]{1,32}$/.test(text)) return text.toUpperCase();

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `method is ${text === undefined ? 'missing' : `"${text}"`}; it must be the method of the SIP message, in a reply that of its CSeq`,
    );
  }

  /** Digits only: it is kept in lists of transactions, one a line. */
  cseq(): string | undefined | Failure {
    const text = this.text('cseq');
    if (text === undefined || /^\d{1,10}$/.test(text)) return text;

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `cseq is "${text}"; it must be the number of the CSeq header, 1 to 10 digits`,
    );
  }

  /** The reason why a call ends. */
  end(): string | undefined | Failure {
    const text = this.text('end');
    if (text === undefined) return undefined;
    if (text.length > MAX_END)
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `end has ${text.length} bytes; it is a word or two, at most ${MAX_END} bytes`,
      );
    const control = [...text].findIndex((char) => char < ' ' || char === '\x7f');
    if (control === -1) return text;

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `end has the byte ${text.charCodeAt(control)} at position ${control}; control characters are not allowed`,
    );
  }

  /** Tags of nodes, separated by commas or in a JSON array; undefined if there are none. */
  tags(name: 'require' | 'prefer'): readonly string[] | undefined | Failure {
    const list = this.#json?.[name];
    const words: readonly NgValue[] | undefined = Array.isArray(list) ? list : this.text(name)?.split(',');
    if (words === undefined) return undefined;
    if (!words.every((word) => typeof word === 'string'))
      return new Failure('RTPC_BAD_PARAMETER', `${name}: a list must hold tags, in quotes`);
    const tags = readTags(words.filter((word) => word.trim() !== ''));

    return tags instanceof Failure ? new Failure(tags.code, `${name}: ${tags.message}`) : tags;
  }

  /** ng keys to pass to the relay: unknown keys of a JSON body, and the words of `flags`. */
  extra(): NgDict | Failure {
    const flags = this.text('flags');
    if (flags !== undefined && flags.length > MAX_FLAGS) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `flags has ${flags.length} bytes; at most ${MAX_FLAGS} are allowed`,
      );
    }
    const isQuery = this.#query.has('flags');
    const fromFlags = flags === undefined ? {} : parseFlags(isQuery ? flags.replaceAll('+', ' ') : flags);
    if (this.#json === undefined) return fromFlags;
    const own = new Set<string>(NAMES);
    const others = Object.entries(this.#json).filter(
      ([key, value]) => !own.has(key) || (key === 'flags' && typeof value !== 'string'),
    );

    return { ...fromFlags, ...Object.fromEntries(others) };
  }

  #identifier(name: Name, max: number): string | Failure {
    const text = this.text(name);
    if (text === undefined) return new Failure('RTPC_BAD_PARAMETER', `${name} is missing`);
    const fault = findFault(text, max);

    return fault === undefined ? text : new Failure('RTPC_BAD_PARAMETER', `${name} ${fault}`);
  }
}

function present(value: string | undefined): string | undefined {
  return value === '' || value === '<null>' ? undefined : value;
}

/** Query parameters, byte for byte; the last of several wins. */
function parseQuery(url: string): Map<string, string> {
  const query = new Map<string, string>();
  const mark = url.indexOf('?');
  if (mark === -1) return query;
  for (const pair of url.slice(mark + 1).split('&')) {
    const equals = pair.indexOf('=');
    if (equals > 0) query.set(pair.slice(0, equals), percentDecode(pair.slice(equals + 1)));
  }

  return query;
}

/** Reads a JSON object, text as byte strings; null is as good as absent, true and false are 1 and 0. */
export function parseJson(body: string): JsonBody | Failure {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body, 'latin1').toString('utf8'));
  } catch {
    return new Failure('RTPC_BAD_BODY', 'the body starts like JSON but is none');
  }
  const converted =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? toNg(value, 0) : undefined;
  if (converted === undefined || typeof converted !== 'object' || Array.isArray(converted)) {
    return new Failure('RTPC_BAD_BODY', `the body must be a JSON object, nested at most ${MAX_DEPTH} deep`);
  }

  return converted as JsonBody;
}

/** A JSON value as ng has it; undefined if it is nested too deep. */
function toNg(value: unknown, depth: number): NgValue | undefined {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === 'string') return fromText(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (Array.isArray(value)) {
    const items: NgValue[] = [];
    for (const item of value) {
      if (item === null) continue;
      const converted = toNg(item, depth + 1);
      if (converted === undefined) return undefined;
      items.push(converted);
    }

    return items;
  }
  const dict: Record<string, NgValue> = Object.create(null);
  for (const [key, item] of Object.entries(value as object)) {
    if (item === null) continue;
    const converted = toNg(item, depth + 1);
    if (converted === undefined) return undefined;
    dict[fromText(key)] = converted;
  }

  return dict;
}
