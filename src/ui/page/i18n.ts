/** Languages: which one is spoken, and how a text becomes a sentence of it. All texts are in `words/`. */

import { computed, signal } from '@preact/signals';
import { keep, kept } from './storage.ts';
import { CAUSES } from './words/causes.ts';

export type Language = 'en' | 'zh';
/** Texts of one part of the page, the same keys in each language. */
export type Words<K extends string> = Readonly<Record<Language, Readonly<Record<K, string>>>>;
/** What takes the place of `{name}` in a text. */
export type Values = Readonly<Record<string, string | number>>;

const KEY = 'rtp-cluster.language';

function first(): Language {
  const said = kept(KEY);
  if (said === 'en' || said === 'zh') return said;

  return String(navigator.language).toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const language = signal<Language>(first());
/** For `lang` and for `Intl`. */
export const locale = computed(() => (language.value === 'zh' ? 'zh-CN' : 'en-GB'));

export function speak(next: Language): void {
  language.value = next;
  keep(KEY, next);
}

/**
 * The reader of a table of texts; what it returns follows the language. `{name}` stands for a value, and `{n|call|calls}`
 * for a number with the word that goes with it.
 */
export function reader<K extends string>(words: Words<K>): (key: K, values?: Values) => string {
  return (key, values = {}) => fill(words[language.value][key], values);
}

/** A text with its values in place; what has none becomes empty. */
export function fill(text: string, values: Values): string {
  return text.replace(
    /\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g,
    (_, name: string, one?: string, many?: string) => {
      const value = values[name] ?? '';
      const shown = typeof value === 'number' ? value.toLocaleString(locale.peek()) : value;

      return many === undefined ? shown : `${shown} ${Number(value) === 1 ? one : many}`;
    },
  );
}

/** Why the service thinks something of a node: its own English words, or what they say in the language of the page. */
export function causeText(cause: string): string {
  if (language.value === 'en') return cause;
  const known = CAUSES.find(([pattern]) => pattern.test(cause));

  return known === undefined ? cause : cause.replace(known[0], known[1]);
}
