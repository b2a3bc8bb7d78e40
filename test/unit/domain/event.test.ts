import { describe, expect, test } from 'bun:test';
import { matchesKind, readKindPattern } from '../../../src/domain/event.ts';

describe('patterns of kinds', () => {
  test.each(['node.removed', 'node.*', '*', 'store', 'a.b_c.d2', 'a.b.*'])('"%s" is one', (text) => {
    expect(readKindPattern(` ${text} `)).toBe(text);
  });

  test.each([
    '',
    '.',
    'node.',
    '.removed',
    'node*',
    'no*de',
    '**',
    '*.removed',
    'Node.removed',
    'a b',
    'x'.repeat(65),
  ])('"%s" is none', (text) => {
    expect(readKindPattern(text)).toBeUndefined();
  });

  test.each([
    [['node.removed'], 'node.removed', true],
    [['node.removed'], 'node.removed_again', false],
    [['node.*'], 'node.removed', true],
    [['node.*'], 'node', false],
    [['node.*'], 'nodes.removed', false],
    [['store.*', 'node.*'], 'node.removed', true],
    [['*'], 'anything', true],
    [[], 'node.removed', false],
  ])('%p names %s: %p', (patterns, kind, isNamed) => {
    expect(matchesKind(patterns, kind)).toBe(isNamed);
  });
});
