import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Which folders of src/ a folder may import from, besides itself (design, section 3). Imports point inwards, so that what
 * is pure stays pure and each part can be tested without those around it.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  util: [],
  domain: ['util'],
  placement: ['domain', 'util'],
  sdp: ['util'],
  sip: ['domain', 'placement', 'sdp', 'util'],
  config: ['domain', 'placement', 'sdp', 'util'],
  relay: ['domain', 'placement', 'sdp', 'util'],
  store: ['domain', 'placement', 'sdp', 'util'],
  fleet: ['relay', 'store', 'domain', 'placement', 'sdp', 'util'],
  calls: ['relay', 'store', 'fleet', 'sip', 'domain', 'sdp', 'placement', 'util'],
  events: ['store', 'domain', 'util'],
  metrics: ['calls', 'events', 'front', 'relay', 'store', 'fleet', 'domain', 'placement', 'util'],
  probe: ['calls', 'relay', 'store', 'fleet', 'domain', 'sdp', 'placement', 'util'],
  front: ['calls', 'relay', 'fleet', 'domain', 'sdp', 'util'],
  ui: [],
  series: ['store', 'fleet', 'metrics', 'domain', 'util'],
  http: [
    'ui',
    'series',
    'calls',
    'events',
    'metrics',
    'probe',
    'relay',
    'store',
    'fleet',
    'sip',
    'domain',
    'sdp',
    'placement',
    'util',
  ],
};

const SRC = new URL('../../src/', import.meta.url).pathname;

interface Import {
  readonly file: string;
  readonly from: string;
  /** Folder of src/ it points to; the file itself for files directly in src/. Undefined for packages. */
  readonly to: string | undefined;
  readonly name: string;
}

const IMPORTS: Import[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(SRC, file), 'utf8');
    const names = [
      ...text.matchAll(
        /^(?:import|export)\b[^'";]*?from '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm,
      ),
    ];

    return names.map(([, first, second, third]): Import => {
      const name = first ?? second ?? third ?? '';
      const path = name.startsWith('.') ? relative(SRC, join(SRC, dirname(file), name)) : undefined;

      return { file, from: folderOf(file), to: path === undefined ? undefined : folderOf(path), name };
    });
  });

function folderOf(path: string): string {
  return path.split('/')[0] ?? '';
}

const show = ({ file, name }: Import) => `src/${file} imports ${name}`;

describe('imports', () => {
  test('are all seen by this test', () => {
    expect(IMPORTS.length).toBeGreaterThan(150);
    expect(new Set(IMPORTS.map(({ from }) => from)).has('calls')).toBe(true);
  });

  test('point inwards', () => {
    const wrong = IMPORTS.filter(({ from, to }) => {
      const allowed = ALLOWED[from];

      return (
        allowed !== undefined &&
        to !== undefined &&
        to !== from &&
        !allowed.includes(to) &&
        !to.startsWith('..')
      );
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('leave src/ only for the migrations and the package file', () => {
    const outside = IMPORTS.filter(({ to }) => to === '..');
    expect(
      outside.filter(({ name }) => !/^(\.\.\/)+(drizzle\/|package\.json$)/.test(name)).map(show),
    ).toEqual([]);
  });

  test('of the composition root happen in one place: the command that serves', () => {
    const users = IMPORTS.filter(({ to }) => to === 'appliance.ts').map(({ file }) => file);
    expect(users).toEqual(['commands/serve.ts']);
  });

  test('of sockets, files and processes happen in no pure folder', () => {
    const pure = new Set(['domain', 'placement', 'sdp', 'sip']);
    const wrong = IMPORTS.filter(
      ({ from, to, name }) => pure.has(from) && to === undefined && !['node:net'].includes(name),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('of commands go to no call and no fleet: they use the API as everybody does', () => {
    const wrong = IMPORTS.filter(
      ({ from, to }) => from === 'commands' && ['calls', 'fleet', 'http'].includes(to ?? ''),
    );
    expect(wrong.map(show)).toEqual([]);
  });
});

describe('time and chance', () => {
  test('come in through parameters in the pure folders', () => {
    const users = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((file) => /^(domain|placement|sdp|sip|calls|fleet)\/.*\.ts$/.test(file))
      .filter((file) =>
        /\bDate\.now\(|\bnew Date\(|\bMath\.random\(|\bperformance\.now\(|\bset(Timeout|Interval)\(|\bBun\.sleep/.test(
          readFileSync(join(SRC, file), 'utf8'),
        ),
      );
    expect(users).toEqual([]);
  });
});
