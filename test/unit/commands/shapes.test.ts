/** What holds for every command: its help, its flags, its documents and `--json`. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Shape } from '../../../src/commands/args.ts';
import { type CommandModule, EXIT, EXIT_MEANINGS } from '../../../src/commands/command.ts';
import { COMMANDS } from '../../../src/commands/commands.ts';
import { settingTexts } from '../../../src/config/describe.ts';
import { makeDatabase } from '../../fakes/backups.ts';
import { freeUdpPort } from '../../lab/ports.ts';
import { testIo } from './stub.ts';

interface Found {
  readonly name: string;
  readonly command: CommandModule;
}

const ALL: Found[] = await Promise.all(
  COMMANDS.map(async ({ name, load }) => ({ name, command: await load() })),
);
/** `node list`, `apply`, ... with the shape. */
const ACTIONS = ALL.flatMap(({ name, command }) =>
  Object.entries(command.shapes).map(
    ([action, shape]) => [action === '' ? name : `${name} ${action}`, shape, command] as const,
  ),
);
const DOCS = readFileSync(join(import.meta.dir, '../../../docs/cli.md'), 'utf8');
/** Their output is a log and a script. */
const WITHOUT_JSON = ['serve', 'completion bash', 'completion zsh', 'completion fish', 'completion words'];

/** Flags a shape takes, with those that are settings where the help lists them. */
function flagsOf({ flags, takesSettings }: Shape, help: string): string[] {
  if (takesSettings !== true) return Object.keys(flags);
  const settings = settingTexts().map(({ flag }) => flag.slice(2));

  return [...Object.keys(flags), 'config', ...(help.includes('--http-listen') ? settings : [])];
}

describe('the help of', () => {
  test.each(ALL.map(({ name, command }) => [name, command] as const))(
    '%s names every flag the parser takes, and no other',
    (_name, { help, shapes }) => {
      const taken = new Set(Object.values(shapes).flatMap((shape) => flagsOf(shape, help)));
      const listed = new Set(
        [...help.matchAll(/^ {2}--([a-z][a-z0-9-]*)(?=[ \n]|$)/gm)].map(([, flag = '']) => flag),
      );
      // Settings of any side stand there once, as those of side NAME.
      const missing = [...taken].filter((flag) => !listed.has(flag) && !/^sides-/.test(flag));
      expect(missing).toEqual([]);
      expect([...listed].filter((flag) => !taken.has(flag))).toEqual([]);
      const used = [...(help.split('\n\n')[0] ?? '').matchAll(/--([a-z][a-z0-9-]*)/g)].map(
        ([, flag = '']) => flag,
      );
      expect(used.filter((flag) => !taken.has(flag))).toEqual([]);
    },
  );

  test.each(ACTIONS.map(([name, shape, { help }]) => [name, shape, help] as const))(
    '%s shows how to call it, with its words',
    (name, { words }, help) => {
      const usage = help.split('\n\n')[0] ?? '';
      const line = usage.split('\n').find((each) => `${each} `.includes(`rtp-cluster ${name} `));
      expect(line).toBeDefined();
      for (const word of words) expect(line).toContain(word);
    },
  );
});

describe('docs/cli.md', () => {
  test('has every command and action, and no other', () => {
    const titled = [...DOCS.matchAll(/^### `rtp-cluster ([^`]+)`$/gm)].map(([, name = '']) => name);
    expect(titled.sort()).toEqual(ACTIONS.map(([name]) => name).sort());
  });

  test('has the exit codes of the program', () => {
    const listed = [...DOCS.matchAll(/^\| (\d+) \| ([^|]+) \|/gm)].map(([, code, meaning = '']) => [
      Number(code),
      meaning.split(/[.;:]/)[0],
    ]);
    expect(listed).toEqual(
      Object.entries(EXIT_MEANINGS).map(([name, meaning]) => [EXIT[name as keyof typeof EXIT], meaning]),
    );
  });
});

describe('--json', () => {
  let folder = '';
  let server: ReturnType<typeof Bun.serve> | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
    await makeDatabase(join(folder, 'c.db'), 'a');
    writeFileSync(join(folder, 'fleet.toml'), '[[set]]\nid = 0\n');
    writeFileSync(
      join(folder, 'nodes.csv'),
      'socket,set_id,inner_media_ip,out_media_ip\nudp:10.0.0.1:22,0,10.0.0.1,192.0.2.1\n',
    );
    server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer });
  });
  afterAll(async () => {
    await server?.stop(true);
    rmSync(folder, { recursive: true });
  });

  /** A service that has nothing, and does what it is told. */
  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const drained = { order: { state: 'drain' }, drain: { calls_left: 0, is_drained: true } };
    const call = { call_id: 'c1', state: 'ended', node_id: 1 };
    if (pathname.endsWith('/check')) return Response.json({ result: 'ok', checks: [] });
    if (pathname.startsWith('/v1/explain')) return Response.json({ call_id: 'c1', call, steps: [{ at: 0 }] });
    if (pathname === '/v1/nodes/import') return Response.json({ rows: [{ row: 2, id: 1, result: 'add' }] });
    const lists = {
      nodes: [],
      sets: [],
      calls: [],
      events: [{ id: 1 }],
      changes: [],
      checks: [],
      streams: [],
    };

    return Response.json({ id: 1, ...lists, ...drained });
  }

  const LOCAL = () => ['--config', '/dev/null', '--database-path', join(folder, 'c.db')];
  /** How each is called; an action that is not here fails its test. */
  const CALLS: Readonly<Record<string, () => string[]>> = {
    check: () => ['--database', ...LOCAL()],
    backup: () => [join(folder, 'b.db'), ...LOCAL()],
    restore: () => [join(folder, 'b.db'), '--config', '/dev/null', '--database-path', join(folder, 'r.db')],
    healthcheck: () => [],
    'support-bundle': () => [join(folder, 's.tar.gz'), '--without-logs', ...LOCAL()],
    'node list': () => [],
    'node show': () => ['1'],
    'node add': () => ['udp:10.0.0.1:22', '--set', '0', '--inner', '10.0.0.1'],
    'node set': () => ['1', '--weight', '1'],
    'node remove': () => ['1'],
    'node drain': () => ['1', '--reason', 'x', '--wait'],
    'node maint': () => ['1', '--reason', 'x'],
    'node ready': () => ['1'],
    'node check': () => ['1'],
    'node reconcile': () => ['1'],
    top: () => [],
    'set list': () => [],
    'set change': () => ['0', '--policy', 'hash'],
    'set remove': () => ['0'],
    'call list': () => ['--state', 'all', '--search', 'abc', '--since', '1h'],
    'call show': () => ['c1'],
    'call watch': () => ['c1'],
    explain: () => ['c1'],
    events: () => [],
    apply: () => [join(folder, 'fleet.toml')],
    export: () => [],
    import: () => [join(folder, 'nodes.csv')],
    doctor: () => [],
    version: () => [],
  };

  test.each(ACTIONS.map(([name, shape]) => [name, shape] as const))(
    'is a flag of %s, unless it is a log or a script',
    (name, { flags }) => {
      expect(Object.hasOwn(flags, 'json')).toBe(!WITHOUT_JSON.includes(name));
    },
  );

  const RUN = ACTIONS.map(([name]) => name).filter(
    (name) => !WITHOUT_JSON.includes(name) && name !== 'fake-relay',
  );

  test.each(RUN)('makes all output of %s JSON', async (name) => {
    const argv = CALLS[name]?.();
    expect(argv).toBeDefined();
    const [command, ...action] = name.split(' ');
    const priority = getPriority();
    const io = testIo({
      RTP_CLUSTER_URL: `http://127.0.0.1:${server?.port}`,
      RTP_CLUSTER_CONFIG: '/dev/null',
    });
    const module = ALL.find((each) => each.name === command)?.command as
      | { run(argv: string[], io: unknown): Promise<number> }
      | undefined;
    const code = await module?.run([...action, ...(argv ?? []), '--json'], io);
    if (priority !== getPriority() && process.geteuid?.() === 0) setPriority(priority);
    expect([code, io.errLines]).toEqual([0, []]);
    expect(io.outLines.length).toBeGreaterThan(0);
    for (const line of io.outLines) expect(JSON.parse(line)).toBeObject();
  });

  test('makes all output of fake-relay JSON', async () => {
    const main = join(import.meta.dir, '../../../src/main.ts');
    const listen = `127.0.0.1:${await freeUdpPort()}`;
    const child = Bun.spawn([process.execPath, main, 'fake-relay', '--json', '--listen', listen], {
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const lines: unknown[] = [];
    let text = '';
    for await (const bytes of child.stdout) {
      const parts = (text + new TextDecoder().decode(bytes)).split('\n');
      text = parts.pop() ?? '';
      lines.push(...parts.map((part) => JSON.parse(part)));
      if (lines.length === 1) child.kill('SIGTERM');
    }
    expect(await child.exited).toBe(0);
    expect(lines).toEqual([
      {
        event: 'started',
        socket: `udp ${listen}`,
        media: '127.0.0.1',
        port_min: 30000,
        port_max: 39999,
      },
      { event: 'ended', socket: `udp ${listen}`, datagrams: 0, commands: 0, calls_left: 0 },
    ]);
  });
});
