import { expect, test } from 'bun:test';
import { endWord } from '../../../src/calls/ends.ts';

test.each([
  ['bye', 'bye'],
  ['media timeout', 'media timeout'],
  ['lost', 'lost'],
  ['486', '4xx'],
  ['603', '6xx'],
  ['200', 'other'],
  ['4869', 'other'],
  ['', 'other'],
  ['the customer hung up', 'other'],
  ['BYE', 'other'],
])('the reason %p counts as %p', (reason, word) => {
  expect(endWord(reason)).toBe(word);
});
