import { describe, expect, test } from 'bun:test';
import { isNarrow, readSearch, searchPath } from '../../../src/ui/page/calls/search.ts';

const NOW = Date.UTC(2026, 0, 5, 10, 0, 0);
const search = (query: string) => readSearch(new URLSearchParams(query));
const asked = (query: string, after: string | null = null) =>
  Object.fromEntries(new URL(searchPath(search(query), after, NOW), 'http://x').searchParams);
const PAGE = { order: 'newest', limit: '50' };

describe('a search for calls', () => {
  test('is for the live ones, newest first, if nothing is said', () => {
    expect(asked('')).toEqual({ state: 'live', ...PAGE });
    expect(isNarrow(search(''))).toBe(false);
  });

  test('asks for what the address of the page says', () => {
    expect(asked('search=ab%2Fc&state=all&node=7&set=2', 'next one')).toEqual({
      state: 'all',
      ...PAGE,
      search: 'ab/c',
      node: '7',
      set: '2',
      after: 'next one',
    });
    expect(isNarrow(search('node=7'))).toBe(true);
  });

  test('knows spans that end now', () => {
    expect(asked('began=15m').since).toBe(String(NOW - 15 * 60_000));
    expect(asked('began=15m').until).toBeUndefined();
  });

  test('knows a range of local times, and takes one end alone', () => {
    const { since, until } = asked('from=2026-01-05T08:00&until=2026-01-05T09:00');
    expect([Number(since), Number(until)]).toEqual([
      new Date('2026-01-05T08:00').getTime(),
      new Date('2026-01-05T09:00').getTime(),
    ]);
    expect(asked('until=2026-01-05T09:00').since).toBeUndefined();
  });

  test('leaves out what nobody can have meant', () => {
    expect(asked('state=gone&node=x&set=-1&began=soon&from=yesterday')).toEqual({ state: 'live', ...PAGE });
  });
});
