/** Reads the words and flags of a command by its shape; what is wrong becomes a message and exit code 2. */

import { parseArgs } from 'node:util';
import { MAX_ID, MAX_SET_ID } from '../domain/node-limits.ts';
import { nearest } from '../util/suggest.ts';

/**
 * What a flag wants: nothing; any text, once or several times; the path of a file; the id of a node or of a set; or one of
 * some words.
 */
export type FlagKind = 'switch' | 'value' | 'values' | 'file' | 'node' | 'set' | readonly string[];

/** Flags by their names without dashes. */
export type Flags = Readonly<Record<string, FlagKind>>;

/** What a command, or one of its actions, takes. Its parser, its completion and the tests of its help go by it. */
export interface Shape {
  /** Words it wants, in order: `FILE` must be given, `[FILE]` may be, `[ID...]` may be any number, last. */
  readonly words: readonly string[];
  readonly flags: Flags;
  /** Whether other flags are settings of the service. */
  readonly takesSettings?: true;
}

/** The words after a command, sorted. */
export interface Args {
  readonly words: readonly string[];
  /** Value of a flag that is given once. */
  one(flag: string): string | undefined;
  /** Values of a flag of kind `values`. */
  all(flag: string): readonly string[];
  has(flag: string): boolean;
}

/** The command was called wrongly; the message says how to do better. */
export class UsageError {
  constructor(readonly message: string) {}
}

/** Reads `argv` by a shape; settings must have been taken out before. */
export function readArgs(argv: readonly string[], { words, flags }: Shape): Args | UsageError {
  const args = readFlags(argv, flags);
  if (args instanceof UsageError) return args;

  return wordsFault(words, args.words) ?? args;
}

/** Flags by a table, and all words there are. */
function readFlags(argv: readonly string[], flags: Flags): Args | UsageError {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, kind]) => [
      name,
      { type: kind === 'switch' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const words: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const kind = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    const fault = flagFault(token.rawName, token.value, kind, values.has(token.name), Object.keys(flags));
    if (fault !== undefined) return new UsageError(fault);
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? '']);
  }

  return {
    words,
    one: (flag) => values.get(flag)?.[0],
    all: (flag) => values.get(flag) ?? [],
    has: (flag) => values.has(flag),
  };
}

function flagFault(
  name: string,
  value: string | undefined,
  kind: FlagKind | undefined,
  isRepeated: boolean,
  known: readonly string[],
): string | undefined {
  if (kind === undefined) {
    const hint = nearest(name.replace(/^-+/, ''), known);

    return `there is no flag ${name}${hint === undefined ? '' : `; did you mean --${hint}?`}`;
  }
  if (kind === 'switch') return value === undefined ? undefined : `${name} takes no value`;
  if (value === undefined || value.startsWith('--')) return `${name} needs a value`;
  if (isRepeated && kind !== 'values') return `${name} is given twice; give it once`;
  if (typeof kind !== 'string')
    return kind.includes(value) ? undefined : `${name} is "${value}"; allowed is ${orList(kind)}`;
  if (kind !== 'node' && kind !== 'set') return undefined;
  const id = readInteger(value, name, 0, kind === 'node' ? MAX_ID : MAX_SET_ID);

  return id instanceof UsageError ? id.message : undefined;
}

/** Why the words that were given are not those of a shape; undefined if they are. */
function wordsFault(wanted: readonly string[], given: readonly string[]): UsageError | undefined {
  const least = wanted.filter((word) => !word.startsWith('[')).length;
  const most = wanted.some((word) => word.endsWith('...]')) ? Number.POSITIVE_INFINITY : wanted.length;
  if (given.length >= least && given.length <= most && !given.includes('')) return undefined;
  const names = wanted.length === 0 ? 'no words' : wanted.join(' ');
  const words = given.map((word) => word || '""').join(' ');

  return new UsageError(`wanted is ${names}, given is ${words === '' ? 'nothing' : words}`);
}

/** `a, b or c` */
export function orList(words: readonly string[]): string {
  const last = words.at(-1) ?? '';

  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`;
}

/** Reads a whole number in a range; `what` names it in the message. */
export function readInteger(text: string, what: string, min: number, max: number): number | UsageError {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;

  return new UsageError(`${what} is "${text}"; allowed is a whole number from ${min} to ${max}`);
}
