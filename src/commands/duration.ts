/** Spans of time as people write and read them. */

import { UsageError } from './args.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** The same for reading, largest first. */
const PARTS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** Reads `90s`, `30m`, `2h`, `1d` as ms; `what` names it in the message. */
export function readDuration(text: string, what: string, maxMs: number): number | UsageError {
  const [, number, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (ms > 0 && ms <= maxMs) return ms;

  return new UsageError(
    `${what} is "${text}"; allowed is a time such as 5s, 30m, 2h or 1d, at most ${showDuration(maxMs)}`,
  );
}

/**
 * Reads a time as the API takes it: `30m`, `2h`, `7d` are so long ago; UTC milliseconds and ISO 8601 go as they are. `what`
 * names it in the message.
 */
export function readMoment(text: string, what: string): string | UsageError {
  const [, number, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (number !== undefined) return String(Date.now() - Number(number) * (UNITS[unit] ?? 0));
  if (/^(\d{1,15}|\d{4}-\d\d-\d\d.*)$/.test(text)) return text;

  return new UsageError(
    `${what} is "${text}"; allowed is a time ago such as 30m, 2h or 7d, a time such as 2026-11-23T12:00:00Z, or UTC milliseconds`,
  );
}

/** `45 s`, `3 min`, `2 h 5 min`, `12 d 3 h`: the two largest parts, seconds only below five minutes. */
export function showDuration(ms: number): string {
  const exact = Math.max(0, Math.round(ms / 1000));
  let rest = exact < 300 ? exact : exact - (exact % 60);
  const first = PARTS.findIndex(([, size]) => rest >= size);
  if (first === -1) return '0 s';
  const shown: string[] = [];
  for (const [unit, size] of PARTS.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count > 0) shown.push(`${count} ${unit}`);
  }

  return shown.join(' ');
}

/** `3 min ago`, `in 27 min`; clocks of two hosts may differ a little. */
export function showWhen(at: number, now: number): string {
  if (Math.abs(at - now) < 1000) return 'now';

  return at < now ? `${showDuration(now - at)} ago` : `in ${showDuration(at - now)}`;
}
