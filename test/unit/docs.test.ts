/** What the documents show is what there is. */

import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { settingsMarkdown } from '../../src/config/describe.ts';
import { HEALTHS, ORDERS } from '../../src/domain/state.ts';
import { metricsMarkdown } from '../../src/metrics/table.ts';

const root = join(import.meta.dir, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The fenced blocks of a page in one language. */
function blocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.+?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
}

const PAGES = ['*.md', 'docs/**/*.md'].flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(root)]).sort();

describe('scripts in the documents', () => {
  const SHOWN = [
    ['README.md', 'opensips'],
    ['README.md', 'kamailio'],
    ['README.zh-CN.md', 'opensips'],
    ['README.zh-CN.md', 'kamailio'],
    ['docs/opensips.md', 'opensips'],
    ['docs/kamailio.md', 'kamailio'],
    ['docs/ng.md', 'opensips'],
    ['docs/ng.md', 'kamailio'],
  ] as const;

  test.each(SHOWN)('%s shows parts of the %s scripts that the tests run', (page, proxy) => {
    const scripts = [...new Bun.Glob(`docs/${proxy}/*.cfg`).scanSync(root)].map(read).join('\n');
    const shown = blocks(read(page), proxy);
    expect(shown.length).toBeGreaterThan(0);
    for (const text of shown) expect(scripts).toContain(text);
  });

  test('docs/ng.md has the parameters of the scripts', () => {
    const said = new Map(
      [
        ...read('docs/ng.md').matchAll(
          /^\| `(rtpengine_\w+)`(?:, `(rtpengine_\w+)`)? \| ([^|]+) \| ([^|]+) \|/gm,
        ),
      ].flatMap(([, first = '', second = first, kamailio = '', opensips = '']) => [
        [`kamailio ${first}`, Number.parseInt(kamailio, 10)] as const,
        [`opensips ${second}`, Number.parseInt(opensips, 10)] as const,
      ]),
    );
    for (const proxy of ['kamailio', 'opensips'] as const) {
      for (const script of [...new Bun.Glob(`docs/${proxy}/*-{ng,relay}.cfg`).scanSync(root)].map(read)) {
        const set = [...script.matchAll(/^modparam\("rtpengine", "(\w+)", (\d+)\)/gm)];
        expect(set.length).toBeGreaterThan(3);
        for (const [, name = '', value = ''] of set) expect(said.get(`${proxy} ${name}`)).toBe(Number(value));
      }
    }
  });
});

test('README.zh-CN.md has the same headings, code and links as README.md', () => {
  const [english, chinese] = [read('README.md'), read('README.zh-CN.md')];
  const links = (page: string): string[] =>
    [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, to = '']) => to).sort();
  const commands = (page: string): string[] =>
    blocks(page, 'sh').map((block) => block.replace(/ *#.*$/gm, ''));
  expect(chinese.match(/^## /gm)?.length).toBe(english.match(/^## /gm)?.length);
  expect(commands(chinese)).toEqual(commands(english));
  expect(links(chinese).filter((to) => to !== 'README.md')).toEqual(
    links(english).filter((to) => to !== 'README.zh-CN.md'),
  );
});

test.each(PAGES)('links of %s lead to files that exist', (page) => {
  for (const [, to = ''] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
    expect(`${to}: ${existsSync(join(root, dirname(page), to))}`).toBe(`${to}: true`);
  }
});

test('every npm script that README or CONTRIBUTING names exists', () => {
  const scripts = JSON.parse(read('package.json')).scripts;
  const named = [...`${read('README.md')}${read('CONTRIBUTING.md')}`.matchAll(/npm run ([a-z0-9-]+)/g)];
  expect(named.length).toBeGreaterThan(3);
  for (const [, name = ''] of named) expect(scripts).toHaveProperty(name);
});

test('docs/settings.md has the table of settings the program has', () => {
  expect(read('docs/settings.md')).toEndWith(settingsMarkdown());
});

test('docs/metrics.md has the table of metrics the program has', () => {
  expect(read('docs/metrics.md')).toEndWith(metricsMarkdown());
});

test('docs/events.md has the kinds of events the program has', () => {
  const literal =
    /(?<!\blog\.\w+\(\s*)['`]((?:admin|call|https|node|set|settings|store)\.(?:[a-z_]+|\$\{health\}|\$\{order\}))['`]/g;
  const emitted = [...new Bun.Glob('src/**/*.ts').scanSync(root)]
    .map(read)
    .filter((source) => source.includes('.event('))
    .flatMap((source) => [...source.matchAll(literal)].map(([, kind = '']) => kind))
    // A node is unknown until it is heard of for the first time, and never again.
    .flatMap((kind) => {
      if (kind.includes('order}')) return ORDERS.map((order) => `node.${order}`);

      return kind.includes('$')
        ? HEALTHS.filter((health) => health !== 'unknown').map((health) => `node.${health}`)
        : [kind];
    });
  const listed = [...read('docs/events.md').matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)].map(
    ([, kind = '']) => kind,
  );
  expect(emitted.length).toBeGreaterThan(10);
  expect(listed).toEqual([...new Set(emitted)].sort());
});
