/** Words of the calls pages for what the API says in codes. */

import { locale, reader } from '../i18n.ts';
import type { Tone } from '../parts/badge.tsx';
import type { IconName } from '../parts/icon.tsx';
import { calls } from '../words/calls.ts';
import type { FlowState } from './flow.ts';
import type { CallResource, CallState } from './resources.ts';

type Key = keyof typeof calls.en;

export const t = reader(calls);

/** The text of a key that the API had a part in; `otherwise` if there is none. */
export function said(key: string, otherwise: string): string {
  return isKey(key) ? t(key) : otherwise;
}

export function isKey(key: string): key is Key {
  return Object.hasOwn(calls.en, key);
}

/** What came of asking a relay, or of a request. */
export function resultText(result: string): string {
  return result === 'ok' ? t('ok') : said(`result_${result}`, result);
}

/** Why a call ended, in words. */
export function endText({ end_reason: reason }: CallResource): string | null {
  if (reason === null) return null;

  return reason === 'media timeout' ? t('end_timeout') : said(`end_${reason}`, reason);
}

/** The direction of a call by its two sides; by one if both parties are there. */
export function wayText(direction: string): string {
  if (direction === 'out') return 'inner → outer';
  if (direction === 'in') return 'outer → inner';

  return direction.replace('>', ' → ');
}

/** A kind of media, as in an m= line. */
export function mediaText(media: string | null): string {
  return media === null ? '' : said(`media_${media}`, media);
}

/** Two sides of an SDP, as the API writes them. */
export function sidesOf(sides: string | null): readonly [string, string] | null {
  const [from, to] = sides?.split('>') ?? [];

  return from === undefined || to === undefined ? null : [from, to];
}

export const STATE_LOOKS: Readonly<Record<CallState, readonly [Tone, IconName]>> = {
  announced: ['idle', 'info'],
  early: ['info', 'rising'],
  confirmed: ['good', 'up'],
  ended: ['idle', 'close'],
};

const FLOW_LOOKS: Readonly<Record<FlowState, readonly [Tone, IconName]>> = {
  flowing: ['good', 'play'],
  counted: ['good', 'up'],
  stopped: ['bad', 'pause'],
  none: ['bad', 'close'],
  unknown: ['idle', 'unknown'],
};

/** How a flow looks; nothing is wrong with silence before media is due. */
export function flowLooks(state: FlowState, isDue: boolean): readonly [Tone, IconName] {
  const [tone, icon] = FLOW_LOOKS[state];

  return [tone === 'bad' && !isDue ? 'idle' : tone, icon];
}

/** Time of day to the millisecond: a call is looked at together with SIP traces. */
export function clock(at: number): string {
  return new Intl.DateTimeFormat(locale.value, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
  }).format(at);
}

/** A time since the beginning, as `+0.512 s` or `+61:05.2`. */
export function sinceStart(ms: number): string {
  if (ms < 60_000) return `+${(ms / 1000).toFixed(3)} s`;
  const seconds = ((ms % 60_000) / 1000).toFixed(1).padStart(4, '0');

  return `+${Math.floor(ms / 60_000)}:${seconds}`;
}

/** Whom a tag belongs to. Relays know a callee who has not answered yet without one. */
export function partyText(tag: string, callerTag: string): string {
  return t(tag === callerTag ? 'caller' : 'callee');
}

/** `'text'` for a shell. */
export function quoted(text: string): string {
  return /^[\w@.:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
