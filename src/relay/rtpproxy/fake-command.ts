/** Splits a control command into its words and refuses what is wrong with their number (reference: rtpproxy-protocol 2, 3). */

import type { Release } from './fake-version.ts';

export interface FakeCommand {
  /** The command's letter in upper case; `VF` for a feature check. */
  readonly name: string;
  /** What follows the letter in the first word. */
  readonly modifiers: string;
  /** The words after the first one. */
  readonly words: readonly string[];
  /** Words of each sub-command. */
  readonly subs: readonly (readonly string[])[];
}

/** The daemon reads so many bytes of a command and drops the rest. */
export const MAX_COMMAND = 8191;
const MAX_WORDS = 23;
const MAX_SUBS = 15;
const NUL = '\0';

interface Shape {
  /** Words, the first one included. */
  readonly min: number;
  readonly max: number;
  readonly hasModifiers: boolean;
  readonly hasSubs: boolean;
}

const shape = (min: number, max: number, hasModifiers = true, hasSubs = false): Shape => ({
  min,
  max,
  hasModifiers,
  hasSubs,
});

const SHAPES: ReadonlyMap<string, Shape> = new Map([
  ['U', shape(5, 8, true, true)],
  ['L', shape(5, 6, true, true)],
  ['D', shape(3, 4)],
  ['P', shape(5, 6)],
  ['R', shape(3, 4)],
  ['C', shape(4, 5)],
  ['S', shape(3, 4, false)],
  ['N', shape(3, 4)],
  ['VF', shape(2, 2, false)],
  ['V', shape(1, 1, false)],
  ['I', shape(1, 1)],
  // Its most words depend on the release.
  ['Q', shape(3, 0, true, true)],
  ['X', shape(1, 1, false)],
  ['G', shape(1, 30)],
]);

const isBlank = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13 && code !== 11 && code !== 12);

/** Where the next word begins and ends; the text's length twice if there is none. */
export function wordAt(text: string, from: number): readonly [start: number, end: number] {
  let start = from;
  while (start < text.length && isBlank(text.charCodeAt(start))) start++;
  let end = start;
  while (end < text.length && !isBlank(text.charCodeAt(end))) end++;

  return [start, end];
}

/** The command that begins at `from`, or an error code. */
export function readCommand(text: string, from: number, release: Release): FakeCommand | string {
  const all: string[][] = [[]];
  let words = all[0] ?? [];
  for (let [start, end] = wordAt(text, from); start < text.length; [start, end] = wordAt(text, end)) {
    const word = text.slice(start, end);
    if (word === '&&' && release.hasSubcommands) {
      if (all.length > MAX_SUBS) return 'E5';
      words = [];
      all.push(words);
    } else {
      if (words.length >= MAX_WORDS || word.includes(NUL)) return 'E5';
      words.push(word);
    }
  }
  if (all.some((one) => one.length === 0)) return 'E5';
  const [first = [], ...subs] = all;

  return checked(first, subs, release);
}

function checked(
  [first = '', ...words]: readonly string[],
  subs: readonly (readonly string[])[],
  release: Release,
): FakeCommand | string {
  const letter = first.charAt(0).toUpperCase();
  const isFeature = letter === 'V' && (first.charAt(1) === 'F' || first.charAt(1) === 'f');
  const name = isFeature ? 'VF' : letter;
  const found = letter === 'N' && !release.hasSubcommands ? undefined : SHAPES.get(name);
  if (found === undefined) return 'E0';
  const count = words.length + 1;
  if (count < found.min || count > (name === 'Q' ? 4 + release.queryNames : found.max)) return 'E1';
  const modifiers = first.slice(name.length);
  if (!found.hasModifiers && modifiers !== '') return 'E2';
  if (!found.hasSubs && subs.length > 0) return 'E3';

  return { name, modifiers, words, subs };
}
