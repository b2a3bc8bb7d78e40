/** The texts of the dashboard: the same in both languages, and what they speak of is there. */

import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { calls } from '../../../src/ui/page/words/calls.ts';
import { CAUSES } from '../../../src/ui/page/words/causes.ts';
import { fleet } from '../../../src/ui/page/words/fleet.ts';
import { kinds } from '../../../src/ui/page/words/kinds.ts';
import { nodes } from '../../../src/ui/page/words/nodes.ts';
import { shell } from '../../../src/ui/page/words/shell.ts';

type Table = Readonly<Record<'en' | 'zh', Readonly<Record<string, string>>>>;
const TABLES: Readonly<Record<string, Table>> = { calls, fleet, kinds, nodes, shell };
const PAGE = join(import.meta.dir, '..', '..', '..', 'src', 'ui', 'page');
const read = (...path: string[]): string =>
  readFileSync(join(import.meta.dir, '..', '..', '..', ...path), 'utf8');

/** Names that are filled in. */
function holes(text: string): string[] {
  return [...text.matchAll(/\{(\w+)/g)].map(([, name = '']) => name).sort();
}

describe.each(Object.entries(TABLES))('words/%s.ts', (name, { en, zh }) => {
  test('has the same texts in both languages, none of them empty', () => {
    expect(Object.keys(zh)).toEqual(Object.keys(en));
    const empty = [en, zh].flatMap((texts) => Object.entries(texts).filter(([, text]) => text.trim() === ''));
    expect(empty).toEqual([]);
  });

  test('fills in the same values in both', () => {
    const wrong = Object.keys(en).filter(
      (key) => holes(en[key] ?? '').join() !== holes(zh[key] ?? '').join(),
    );
    expect(wrong).toEqual([]);
  });

  test('has no text that no page shows', () => {
    if (name === 'kinds') return;
    const sources = [...new Bun.Glob('**/*.{ts,tsx}').scanSync(PAGE)]
      .filter((file) => !file.startsWith('words/'))
      .map((file) => readFileSync(join(PAGE, file), 'utf8'))
      .join('\n');
    const unused = Object.keys(en).filter(
      (key) => !sources.includes(`'${key}'`) && !templatesOf(key).some((part) => sources.includes(part)),
    );
    expect(unused).toEqual([]);
  });
});

/** How templates that make this key may look: `order_` before a value for `order_ready`, `_means` behind one for `drain_means`. */
function templatesOf(key: string): string[] {
  return [...key.matchAll(/_/g)].flatMap(({ index }) => [
    `\`${key.slice(0, index + 1)}\${`,
    `}${key.slice(index)}\``,
  ]);
}

test('every kind of event has a sentence', () => {
  const documented = [...read('docs', 'events.md').matchAll(/^\| `([a-z0-9_]+\.[a-z0-9_]+)` \|/gm)].map(
    ([, kind = '']) => kind,
  );
  expect(documented.length).toBeGreaterThan(30);
  expect(Object.keys(kinds.en).sort()).toEqual(documented.sort());
});

test('every cause of an opinion can be said in Chinese', () => {
  const source = read('src', 'domain', 'health.ts');
  const causes = [
    ...source.matchAll(/(?:change\(\w+, '\w+'|eject\(\w+), (?:'([^']+)'|`([^`]+)`)/g),
    ...source.matchAll(/\bcause: '([^']+)'/g),
  ].map(([, plain, template = '']) =>
    (plain ?? template)
      .replace(/\$\{how\}/, 'without reply')
      .replace(/\$\{[A-Z_]+\}/g, '3')
      .replace(/\$\{why\}/, 'why'),
  );
  expect(causes.length).toBeGreaterThan(12);
  expect(causes.filter((cause) => !CAUSES.some(([pattern]) => pattern.test(cause)))).toEqual([]);
});
