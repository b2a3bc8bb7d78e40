import { expect, test } from 'bun:test';
import { UsageError } from '../../../src/commands/args.ts';
import { readDuration, showDuration, showWhen } from '../../../src/commands/duration.ts';

const DAY_MS = 86_400_000;

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['2h', 7_200_000],
  ['1d', DAY_MS],
])('%s is %d ms', (text, ms) => {
  expect(readDuration(text, '--x', DAY_MS)).toBe(ms);
});

test.each(['', '90', 's', '-1s', '1.5h', '1w', '0m', '2d', '99999999999s'])('"%s" is refused', (text) => {
  expect(readDuration(text, '--x', DAY_MS)).toBeInstanceOf(UsageError);
});

test.each([
  [-5, '0 s'],
  [400, '0 s'],
  [45_000, '45 s'],
  [82_000, '1 min 22 s'],
  [240_000, '4 min'],
  [301_000, '5 min'],
  [3_599_000, '59 min'],
  [7_500_000, '2 h 5 min'],
  [DAY_MS * 12 + 3 * 3_600_000 + 59_000, '12 d 3 h'],
  [DAY_MS + 59 * 60_000, '1 d'],
])('%d ms is shown as %s', (ms, text) => {
  expect(showDuration(ms)).toBe(text);
});

test('a time is shown as seen from now', () => {
  expect(showWhen(1000, 181_000)).toBe('3 min ago');
  expect(showWhen(181_000, 1000)).toBe('in 3 min');
  expect(showWhen(1500, 1000)).toBe('now');
});
