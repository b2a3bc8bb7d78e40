import { expect, test } from 'bun:test';
import { formatTable } from '../../../src/commands/table.ts';

test('texts stand to the left, numbers to the right, and no line ends with blanks', () => {
  expect(
    formatTable(
      ['ID', 'NAME', 'N'],
      [
        ['1', 'a', '100'],
        ['22', 'long', ''],
      ],
    ),
  ).toEqual(['ID  NAME    N', ' 1  a     100', '22  long']);
});

test('wide characters take two places, control characters none of their powers', () => {
  expect(
    formatTable(
      ['A', 'B'],
      [
        ['中文', 'x'],
        ['a\tb\n', 'y'],
      ],
    ),
  ).toEqual(['A     B', '中文  x', 'a?b?  y']);
});

test('a table without rows is its head', () => {
  expect(formatTable(['A', 'B'], [])).toEqual(['A  B']);
});
