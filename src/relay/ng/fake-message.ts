/** Reading messages as rtpengine 10.5 does, and its error reply. */

import type { NgDict, NgValue } from '../driver.ts';

/** An error reply. */
export function error(reason: string): NgDict {
  return { result: 'error', 'error-reason': reason };
}

/** A string, its key with hyphens or spaces; numbers count as their text. */
export function text(message: NgDict, key: string): string | undefined {
  const value: NgValue | undefined = message[key] ?? message[key.replaceAll('-', ' ')];

  return typeof value === 'number' ? String(value) : typeof value === 'string' ? value : undefined;
}

/** The words of a list; a plain string is ignored, as 10.5 does. */
export function words(message: NgDict, key: string): string[] {
  const value = message[key];

  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : [];
}

/** Flags are written with spaces or hyphens. */
export function fold(word: string): string {
  return word.replaceAll(' ', '-');
}
