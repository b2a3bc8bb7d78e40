import { expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { readNodeTags, readTags } from '../../../src/domain/node-limits.ts';

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

test('a kind of relay is a tag every node of it has: a request may ask for it, and no node can be given it', () => {
  expect(readTags(['rtpproxy', 'gold'])).toEqual(['gold', 'rtpproxy']);
  expect(readNodeTags(['Gold', 'rtpproxy2'])).toEqual(['gold', 'rtpproxy2']);
  for (const word of ['rtpengine', ' RTPproxy ']) {
    const failure = readNodeTags(['gold', word]);
    expect(failure).toBeInstanceOf(Failure);
    expect(String((failure as Failure).message)).toBe(
      `a tag is "${word.trim().toLowerCase()}"; every node has its kind as a tag already, and it cannot be given`,
    );
  }
  expect(readNodeTags(['-a'])).toBeInstanceOf(Failure);
});
