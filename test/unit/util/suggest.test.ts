import { expect, test } from 'bun:test';
import { editDistance, nearest } from '../../../src/util/suggest.ts';

test('distance counts added, removed, changed and swapped letters', () => {
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('listen', 'lsiten')).toBe(1);
  expect(editDistance('kitten', 'sitting')).toBe(3);
});

test('a slip of the keyboard finds its word, anything else finds none', () => {
  const words = ['serve', 'check', 'node', 'set', 'call'];
  expect(nearest('sevre', words)).toBe('serve');
  expect(nearest('NODES', words)).toBe('node');
  expect(nearest('zzzzzz', words)).toBeUndefined();
  expect(nearest('x'.repeat(10_000), words)).toBeUndefined();
});
