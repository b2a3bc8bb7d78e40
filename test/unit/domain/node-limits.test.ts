import { expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { readTags } from '../../../src/domain/node-limits.ts';

test('tags are lower-cased, sorted and each there once', () => {
  expect(readTags([' Gold', 'eu-1', 'gold', 'a.b_c'])).toEqual(['a.b_c', 'eu-1', 'gold']);
  expect(readTags([])).toEqual([]);
});

test.each(['', ' ', '-a', '.a', 'a b', 'a,b', 'ä', 'x'.repeat(33), 'a\nb'])('%j is no tag', (word) => {
  expect(readTags(['ok', word])).toBeInstanceOf(Failure);
});

test('a node has up to 16 tags, of up to 32 letters', () => {
  const words = Array.from({ length: 16 }, (_, i) => String(i).padStart(32, 'x'));
  expect(readTags(words)).toHaveLength(16);
  expect(readTags([...words, 'one'])).toBeInstanceOf(Failure);
});
