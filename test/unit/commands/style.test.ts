/** Colours and widths: only where a terminal wants them, and nobody counts their codes. */

import { describe, expect, test } from 'bun:test';
import type { Terminal } from '../../../src/commands/command.ts';
import { Progress } from '../../../src/commands/progress.ts';
import { eventStyle, lookOf, PLAIN, paint, printable, styleOf, tinted } from '../../../src/commands/style.ts';
import { formatRows, formatTable } from '../../../src/commands/table.ts';
import { HEALTHS } from '../../../src/domain/state.ts';

const ESC = '\u001b';

function terminal(columns = 80): Terminal & { readonly written: string[] } {
  const written: string[] = [];

  return { written, columns, rows: 24, write: (text) => void written.push(text) };
}

describe('colours', () => {
  test('are for terminals that want them', () => {
    const { columns } = terminal();
    expect(lookOf({ env: {} })).toEqual(PLAIN);
    expect(lookOf({ env: {}, terminal: terminal() })).toEqual({ isColoured: true, columns });
    expect(lookOf({ env: { NO_COLOR: '1' }, terminal: terminal() }).isColoured).toBe(false);
    expect(lookOf({ env: { NO_COLOR: '' }, terminal: terminal() }).isColoured).toBe(true);
    expect(lookOf({ env: { TERM: 'dumb' }, terminal: terminal() }).isColoured).toBe(false);
    expect(lookOf({ env: {}, terminal: terminal(0) }).columns).toBeUndefined();
  });

  test('stand around the text, which is printable, and around nothing there is none', () => {
    const look = { isColoured: true, columns: 80 };
    expect(paint(look, `a${ESC}b`, 'red')).toBe(`${ESC}[31ma?b${ESC}[0m`);
    expect(paint(look, '', 'red')).toBe('');
    expect(paint(look, 'a')).toBe('a');
    expect(paint(PLAIN, `a${ESC}b`, 'red')).toBe('a?b');
  });

  test('texts of strangers show what is hidden in them', () => {
    expect(printable('a\u200bb\ufeffc\u00add\u202ee\u001bf\u2028g')).toBe('a?b?c?d?e?f?g');
    expect(printable('a\u0308 \u5168 \u00a0')).toBe('a\u0308 \u5168 \u00a0');
  });

  test('every opinion of a node has one, and what needs somebody is red or yellow', () => {
    for (const health of HEALTHS)
      expect(styleOf(health)).toMatch(health === 'up' ? /^green$/ : /^(red|yellow)$/);
    expect(styleOf('RTPC_NO_NODE')).toBe('red');
    expect(['toString', 'constructor', 'hello', ''].map(styleOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.each([
    ['node.down', 'red'],
    ['set.panic', 'red'],
    ['store.durability_lost', 'red'],
    ['call.lost', 'red'],
    ['node.canary_failed', 'red'],
    ['node.falling', 'yellow'],
    ['https.certificate_expiring', 'yellow'],
    ['node.up', 'green'],
    ['store.durability_regained', 'green'],
    ['node.drained', 'cyan'],
    ['node.ready', 'cyan'],
    ['admin.request', undefined],
    ['node.added', undefined],
  ] as const)('%s is %s', (kind, style) => {
    expect(eventStyle(kind)).toBe(style);
  });
});

describe('tables', () => {
  const HEAD = ['ID', 'HEALTH', 'NAME'];
  const ROWS = [
    ['1', tinted('up'), 'a'],
    ['22', tinted('falling'), 'b'],
  ];

  test('have the same widths with colours and without', () => {
    const plain = formatTable(HEAD, ROWS);
    const coloured = formatTable(HEAD, ROWS, { isColoured: true, columns: 80 });
    expect(plain).toEqual(['ID  HEALTH   NAME', ' 1  up       a', '22  falling  b']);
    expect(coloured.map((line) => Bun.stripANSI(line))).toEqual(plain);
    expect(coloured[1]).toBe(` 1  ${ESC}[32mup${ESC}[0m       a`);
  });

  test('leave out what may be left out where the terminal is narrow, in that order, and say so', () => {
    const narrow = (columns: number) =>
      formatTable(HEAD, ROWS, { isColoured: false, columns }, ['NAME', 'HEALTH']);
    expect(narrow(17)).toEqual(formatTable(HEAD, ROWS));
    expect(narrow(16)).toEqual(['ID  HEALTH', ' 1  up', '22  falling', '(no room for NAME)']);
    expect(narrow(5)).toEqual(['ID', ' 1', '22', '(no room for HEALTH, NAME)']);
    expect(formatTable(HEAD, ROWS, PLAIN, ['NAME'])).toEqual(formatTable(HEAD, ROWS));
  });

  test('break the last column rather than cut it, if it has some room', () => {
    const text = 'what an operator has to know about it';
    expect(formatTable(['ID', 'TEXT'], [['1', text]], { isColoured: false, columns: 30 })).toEqual([
      'ID  TEXT',
      ' 1  what an operator has to',
      '    know about it',
    ]);
    expect(formatTable(['ID', 'TEXT'], [['1', text]], { isColoured: false, columns: 20 })[1]).toBe(
      ` 1  ${text}`,
    );
    expect(formatTable(['ID', 'TEXT'], [['1', 'x'.repeat(40)]], { isColoured: false, columns: 30 })).toEqual([
      'ID  TEXT',
      ` 1  ${'x'.repeat(26)}`,
      `    ${'x'.repeat(14)}`,
    ]);
  });

  test('leave out nothing else to give a very long last column more room', () => {
    const head = ['ID', 'STATE', 'CALL-ID'];
    const lines = formatTable(head, [['1', 'early', 'x'.repeat(150)]], { isColoured: false, columns: 64 }, [
      'STATE',
    ]);
    expect(lines[0]).toBe('ID  STATE  CALL-ID');
    expect(lines.slice(1).map((line) => line.length)).toEqual([64, 64, 55]);
  });

  test('without a head are set in', () => {
    expect(
      formatRows(
        [
          ['a', '1'],
          ['bb', '22'],
        ],
        PLAIN,
        '  ',
      ),
    ).toEqual(['  a    1', '  bb  22']);
    expect(formatRows([], PLAIN, '  ')).toEqual([]);
  });
});

describe('progress', () => {
  test('is one line that changes in place and is gone at the end', () => {
    const errTerminal = terminal();
    const progress = new Progress({ errTerminal }, 'backup');
    progress.show('one');
    progress.show('one');
    progress.show('two');
    progress.end();
    progress.end();
    expect(errTerminal.written).toEqual([`\r${ESC}[Kbackup: one`, `\r${ESC}[Kbackup: two`, `\r${ESC}[K`]);
  });

  test('never breaks the line, and cannot steer the terminal', () => {
    const errTerminal = terminal(10);
    new Progress({ errTerminal }).show(`1234${ESC}6789\n1234`);
    expect(errTerminal.written).toEqual([`\r${ESC}[K1234?6789`]);
  });

  test('is nothing where standard error is no terminal', () => {
    const progress = new Progress({});
    progress.show('one');
    progress.showSometimes(() => {
      throw new Error('nobody sees it');
    });
    progress.end();
    expect(progress.isSeen).toBe(false);
  });

  test('of what changes often shows some', () => {
    const errTerminal = terminal();
    const progress = new Progress({ errTerminal });
    for (let i = 0; i < 1000; i++) progress.showSometimes(() => String(i));
    expect(errTerminal.written[0]).toBe(`\r${ESC}[K0`);
    expect(errTerminal.written.length).toBeLessThan(50);
  });
});
