import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import {
  HEALTHS,
  isHealthy,
  ORDERS,
  REQUEST_KINDS,
  type Verdict,
  verdict,
} from '../../../src/domain/state.ts';

/** Texts that show the truth table to people: below `new call` a row for each order, below `any order` one for each other kind. */
const TEXTS = ['src/domain/state.ts', 'docs/operations.md'];

/** The cells of all markdown tables about verdicts in a text, as `row/health` to what is in the cell. */
function readTables(path: string): Map<string, string> {
  const cells = new Map<string, string>();
  let healths: string[] = [];
  for (const line of readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8').split('\n')) {
    const row = /^(?: \* )?\|(.+)\|$/.exec(line)?.[1];
    const [name = '', ...words] = (row ?? '').split('|').map((cell) => cell.replaceAll('`', '').trim());
    if (row === undefined) healths = [];
    else if (name === 'new call' || name === 'any order') healths = words;
    else if (!name.startsWith('-')) {
      for (const [i, health] of healths.entries()) cells.set(`${name}/${health}`, words[i] ?? '');
    }
  }

  return cells;
}

const ALL = ORDERS.flatMap((order) =>
  HEALTHS.flatMap((health) => REQUEST_KINDS.map((kind) => ({ order, health, kind }))),
);

describe.each(TEXTS)('the truth table in %s', (path) => {
  const cells = readTables(path);

  test.each(ALL)('$kind, $order, $health: says what the program does', ({ order, health, kind }) => {
    expect(cells.get(`${kind === 'new' ? order : kind}/${health}`)).toBe(verdict(order, health, kind));
  });

  test('has no other rows and columns', () => {
    const rows = [...ORDERS, ...REQUEST_KINDS.filter((kind) => kind !== 'new')];
    const wanted = rows.flatMap((row) => HEALTHS.map((health) => `${row}/${health}`));
    expect([...cells.keys()].sort()).toEqual(wanted.sort());
  });
});

describe('a new call', () => {
  const nodesWith = (wanted: Verdict) =>
    ALL.filter(({ order, health, kind }) => kind === 'new' && verdict(order, health, kind) === wanted).map(
      ({ order, health }) => `${order} ${health}`,
    );

  test('goes to nodes that are proven good and under no order', () => {
    expect(nodesWith('yes')).toEqual(['ready up']);
  });

  test('goes to nodes nobody is sure of when those do not take it', () => {
    expect(nodesWith('spare')).toEqual(['ready unknown', 'ready falling', 'ready rising']);
  });

  test('goes to dead and to draining nodes in panic only, and never to one in maintenance', () => {
    expect(nodesWith('panic')).toEqual(['ready down', 'ready ejected', 'drain up', 'drain falling']);
    expect(nodesWith('no').filter((node) => node.startsWith('maint'))).toHaveLength(HEALTHS.length);
  });
});

describe('a call that is bound', () => {
  test('goes to its node whatever the order', () => {
    for (const { order, health, kind } of ALL) {
      if (kind !== 'new') expect(verdict(order, health, kind)).toBe(verdict('ready', health, kind));
    }
  });

  test('does not wait for a dead node, which is told of the end later', () => {
    expect(verdict('ready', 'down', 'bound')).toBe('no');
    expect(verdict('ready', 'down', 'search')).toBe('no');
    expect(verdict('ready', 'down', 'end')).toBe('later');
  });
});

describe('a set', () => {
  test('counts nodes as healthy that are good, suspected or new', () => {
    expect(HEALTHS.filter(isHealthy)).toEqual(['unknown', 'up', 'falling']);
  });
});
