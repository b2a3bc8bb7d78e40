/** Times, durations and numbers as people read them, in the language of the page. */

import { locale } from './i18n.ts';

/** What stands where nothing is known. */
export const NOTHING = '–';

export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return NOTHING;

  return value.toLocaleString(locale.value, { maximumFractionDigits: digits, minimumFractionDigits: 0 });
}

/** With so many digits behind the point always, so that columns align. */
export function fixed(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined) return NOTHING;

  return value.toLocaleString(locale.value, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A rate per second: one digit behind the point below 100. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;

  return value >= 100 ? number(value) : fixed(value, 1);
}

/** Milliseconds with three figures, as in `0.42`, `1.30`, `15.2`, `340`. */
export function millis(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  if (value >= 100) return number(value);

  return fixed(value, value >= 10 ? 1 : 2);
}

/** Bytes per second or bytes, in decimal units. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }

  return `${number(scaled, scaled < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

export function percent(value: number | null | undefined, digits = 0): string {
  return value === null || value === undefined ? NOTHING : `${number(value, digits)} %`;
}

/** `3 d 4 h`, `12 min`, `8 s`: the two largest units. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  const units = UNITS[locale.value === 'zh-CN' ? 'zh' : 'en'];
  const parts = [
    [Math.floor(whole / 86_400), units[0]],
    [Math.floor(whole / 3600) % 24, units[1]],
    [Math.floor(whole / 60) % 60, units[2]],
    [whole % 60, units[3]],
  ] as const;
  const from = parts.findIndex(([count]) => count > 0);
  if (from === -1) return `0 ${units[3]}`;

  return parts
    .slice(from, from + (from >= 2 && whole >= 600 ? 1 : 2))
    .filter(([count], index) => index === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

const UNITS = { en: ['d', 'h', 'min', 's'], zh: ['天', '小时', '分', '秒'] } as const;

/** Time of day, with the date unless it is today's. */
export function time(at: number | null | undefined, withMillis = false): string {
  if (at === null || at === undefined || at === 0) return NOTHING;
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const options: Intl.DateTimeFormatOptions = {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(withMillis ? { fractionalSecondDigits: 3 } : {}),
    ...(isToday ? {} : { day: '2-digit', month: '2-digit', year: 'numeric' }),
  };

  return new Intl.DateTimeFormat(locale.value, options).format(date);
}

/** The same in UTC to the millisecond, for titles: what logs and the API have. */
export function utc(at: number): string {
  return new Date(at).toISOString();
}

/** A text of a stranger with what cannot be seen, or turns the writing around, as escapes: so that it is what it looks like. */
export function visible(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\t' ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
