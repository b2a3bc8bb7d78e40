/** Colours of words, on terminals that want them. What needs somebody is red or yellow, what somebody wants so is cyan. */

import type { Io } from './command.ts';

/** SGR codes of terminals. */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof STYLES;

/** How output is to look. */
export interface Look {
  readonly isColoured: boolean;
  /** Places in a line; undefined where lines may be as long as they like, as in a pipe. */
  readonly columns: number | undefined;
}

/** Of pipes and files. */
export const PLAIN: Look = { isColoured: false, columns: undefined };

/** Text with a style. */
export interface Styled {
  readonly text: string;
  readonly style: Style | undefined;
}

/** A cell of a table. */
export type Cell = string | Styled;

/** Words by their style: health, orders, states, results, marks of checks. */
const WORDS: Readonly<Record<string, Style>> = {
  up: 'green',
  ok: 'green',
  good: 'green',
  added: 'green',
  confirmed: 'green',
  unknown: 'yellow',
  falling: 'yellow',
  rising: 'yellow',
  warning: 'yellow',
  lossy: 'yellow',
  panic: 'yellow',
  spare: 'yellow',
  early: 'yellow',
  down: 'red',
  ejected: 'red',
  failed: 'red',
  error: 'red',
  silent: 'red',
  rejected: 'red',
  drain: 'cyan',
  maint: 'cyan',
  announced: 'cyan',
  ended: 'dim',
  skipped: 'dim',
};

/** Kinds of events by how they end. */
const EVENTS: readonly (readonly [RegExp, Style])[] = [
  [/[._](down|ejected|panic|lost|failed|bad|blocked)$/, 'red'],
  [
    /[._](falling|rising|restarted|expiring|contradicted|overdue|deadline|timeout|renewed|found|removed)$/,
    'yellow',
  ],
  [/[._](up|calm|regained|back|restored|ok|loaded)$/, 'green'],
  [/[._](drain|drained|maint|ready)$/, 'cyan'],
];

/** Colours only on a terminal; `NO_COLOR`, unless it is empty, and `TERM=dumb` take them away. */
export function lookOf({ env, terminal }: Pick<Io, 'env' | 'terminal'>): Look {
  if (terminal === undefined) return PLAIN;

  return {
    isColoured: (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    // Some terminals say that they are 0 wide.
    columns: terminal.columns || undefined,
  };
}

/**
 * Replaces what would move the cursor, break the line, turn it round, or hide; the API hands out texts of strangers
 * (Call-IDs), and two that differ must look so.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}

/** The text, made printable, in its style. */
export function paint({ isColoured }: Look, text: string, style?: Style): string {
  const shown = printable(text);

  return isColoured && style !== undefined && shown !== ''
    ? `\u001b[${STYLES[style]}m${shown}\u001b[0m`
    : shown;
}

/** The style of a word that says how something is; undefined for all others. */
export function styleOf(word: string): Style | undefined {
  if (word.startsWith('RTPC_')) return 'red';

  return Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
}

/** The style of the kind of an event. */
export function eventStyle(kind: string): Style | undefined {
  return EVENTS.find(([ending]) => ending.test(kind))?.[1];
}

/** A cell in the style of its word. */
export function tinted(word: string): Styled {
  return { text: word, style: styleOf(word) };
}

/** A word in its own style. */
export function paintWord(look: Look, word: string): string {
  return paint(look, word, styleOf(word));
}
