/** Reads the flags of a command; what is wrong becomes a message and exit code 2. */

import { parseArgs } from 'node:util';
import { nearest } from '../util/suggest.ts';

/** A flag with a value, given once or several times, or without a value. */
export type FlagKind = 'value' | 'values' | 'switch';

/** The words after a command, sorted. */
export interface Args {
  readonly words: readonly string[];
  /** Value of a flag of kind `value`. */
  one(flag: string): string | undefined;
  /** Values of a flag of kind `values`. */
  all(flag: string): readonly string[];
  has(flag: string): boolean;
}

/** The command was called wrongly; the message says how to do better. */
export class UsageError {
  constructor(readonly message: string) {}
}

/** Reads `argv` by a table of flags; names without dashes. */
export function readArgs(
  argv: readonly string[],
  flags: Readonly<Record<string, FlagKind>>,
): Args | UsageError {
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

  return isRepeated && kind === 'value' ? `${name} is given twice; give it once` : undefined;
}

/** Reads a whole number in a range; `what` names it in the message. */
export function readInteger(text: string, what: string, min: number, max: number): number | UsageError {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;

  return new UsageError(`${what} is "${text}"; allowed is a whole number from ${min} to ${max}`);
}
