/** Reading messages as rtpengine 10.5 does. */

import type { NgDict, NgValue } from '../driver.ts';
import { FAULT_NAMES, type FaultOrder, parseOrder } from '../fake/faults.ts';

export { errorReply as error } from './payload.ts';

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

/**
 * Reads the command `fake`, such as `{command: "fake", loss: "0.3", delay: 200, hang: "2s", restart: 1}`.
 * A string says what is wrong with it.
 */
export function readOrder(message: NgDict): FaultOrder | string {
  const parts: [string, string][] = [];
  for (const [key, value] of Object.entries(message)) {
    if (key === 'command') continue;
    if (typeof value === 'object') return `${key} is no plain value; allowed are ${FAULT_NAMES.rtpengine}`;
    parts.push([key, String(value)]);
  }

  return parseOrder(parts, 'rtpengine');
}
