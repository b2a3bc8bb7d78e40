import { describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { run as backup } from '../../../src/commands/backup.ts';
import { run as check } from '../../../src/commands/check.ts';
import { run as restore } from '../../../src/commands/restore.ts';
import { callsIn, makeDatabase, makeOlder } from '../../fakes/backups.ts';
import { inDirectory } from '../../fakes/store.ts';
import { testIo } from './stub.ts';

type Command = (argv: string[], io: ReturnType<typeof testIo>) => Promise<number>;

async function call(command: Command, argv: string[], env: Record<string, string> = {}) {
  const io = testIo({ RTP_CLUSTER_CONFIG: '/dev/null', ...env });
  const priority = getPriority();
  const code = await command(argv, io);
  // Backup makes its process nicer; this one goes on with the next test.
  if (priority !== getPriority() && process.geteuid?.() === 0) setPriority(priority);

  return { code, out: io.outLines, err: io.errLines };
}

/** A folder with a database of three calls. */
function withDatabase(run: (folder: string, path: string, flag: string) => Promise<void>): Promise<void> {
  return inDirectory(async (folder) => {
    const path = join(folder, 'c.db');
    await makeDatabase(path, 'a');
    await run(folder, path, `--database-path=${path}`);
  });
}

describe('rtp-cluster backup', () => {
  test('prints where, how much and how long', () =>
    withDatabase(async (folder, _, flag) => {
      const { code, out, err } = await call(backup, [join(folder, 'b.db'), flag]);
      expect([code, err]).toEqual([0, []]);
      expect(out.join('\n')).toMatch(/^\/.*\/b\.db: \d+ kB, 3 calls \(3 live\), 0 nodes, \d+ ms$/);
    }));

  test('on a terminal says that it is at work, and takes that away', () =>
    withDatabase(async (folder, _, flag) => {
      const written: string[] = [];
      const errTerminal = { write: (text: string) => void written.push(text), columns: 80, rows: 24 };
      const io = { ...testIo({ RTP_CLUSTER_CONFIG: '/dev/null' }), errTerminal };
      const priority = getPriority();
      expect(await backup([join(folder, 'b.db'), flag], io)).toBe(0);
      if (priority !== getPriority() && process.geteuid?.() === 0) setPriority(priority);
      expect(written[0]).toBe('\r\u001b[Kbackup: copying the database');
      expect(written.at(-1)).toBe('\r\u001b[K');
      expect(io.outLines.join('')).not.toContain('\u001b');
    }));

  // Only root can take it back.
  test.skipIf(process.geteuid?.() !== 0)('stays as far behind the service as it was put', () =>
    withDatabase(async (folder, _, flag) => {
      const before = getPriority();
      try {
        for (const [given, then] of [
          [0, 10],
          [19, 19],
        ] as const) {
          setPriority(given);
          await backup([join(folder, 'b.db'), flag], testIo({ RTP_CLUSTER_CONFIG: '/dev/null' }));
          expect(getPriority()).toBe(then);
        }
      } finally {
        setPriority(before);
      }
    }),
  );

  test('--json prints the same for programs', () =>
    withDatabase(async (folder, path) => {
      const target = join(folder, 'b.db');
      const { out } = await call(backup, ['--json', '--database-path', path, target]);
      expect(JSON.parse(out.join(''))).toEqual({
        file: target,
        bytes: expect.any(Number),
        calls: 3,
        live_calls: 3,
        nodes: 0,
        ms: expect.any(Number),
        removed: [],
        trouble: null,
      });
    }));

  test('--keep N in a folder removes older ones and says which', () =>
    withDatabase(async (folder, _, flag) => {
      const backups = join(folder, 'b');
      mkdirSync(backups);
      for (const year of [2001, 2002]) writeFileSync(join(backups, `rtp-cluster-${year}0101T000000Z.db`), '');
      const { code, out } = await call(backup, [`${backups}/`, '--keep', '2', flag]);
      expect(code).toBe(0);
      expect(out[1]).toBe('removed: rtp-cluster-20010101T000000Z.db');
      expect(readdirSync(backups).length).toBe(2);
    }));

  test.each([
    [[], 'wanted is FILE, given is nothing'],
    [['a', 'b'], 'wanted is FILE, given is a b'],
    [['/tmp/', '--keep', '0'], '--keep is "0"; allowed is a whole number from 1 to 10000'],
    [['/tmp/', '--keep'], '--keep needs a value'],
    [['/tmp/no.db', '--keep', '3'], '--keep is for a folder of backups, and /tmp/no.db is none'],
  ])('%j is a wrong call', async (argv, message) => {
    const { code, err } = await call(backup, argv);
    expect([code, err.length]).toEqual([2, 1]);
    expect(err[0]).toStartWith(`rtp-cluster backup: ${message}`);
  });

  test('a failure is one line, exit code 1', () =>
    withDatabase(async (folder, _, flag) => {
      const { code, out, err } = await call(backup, [join(folder, 'no', 'b.db'), flag]);
      expect([code, out]).toEqual([1, []]);
      expect(err).toEqual([
        `rtp-cluster backup: ${join(folder, 'no', 'b.db')}: the folder ${join(folder, 'no')} does not exist; create it`,
      ]);
    }));

  test('needs no token, but the path it reads must be good', () =>
    withDatabase(async (folder, path) => {
      const config = join(folder, 'config.toml');
      const target = join(folder, 'b.db');
      writeFileSync(
        config,
        `[http]\nlisten = "0.0.0.0:7888"\ntoken_file = "/no/such"\n[database]\npath = "${path}"\n`,
      );
      expect((await call(backup, [target, '--config', config])).code).toBe(0);
      writeFileSync(config, '[database]\npath = 7\n');
      expect((await call(backup, [target, '--config', config])).err[0]).toContain(
        `${config}:2: database.path: is 7`,
      );
      const missing = await call(backup, [target, '--config', join(folder, 'no')]);
      expect([missing.code, missing.err[0]]).toEqual([1, expect.stringContaining('there is no such file')]);
      const misspelt = await call(backup, [target, '--databse-path', path]);
      expect([misspelt.code, misspelt.err[0]]).toEqual([2, expect.stringContaining('no such flag')]);
    }));
});

describe('rtp-cluster restore', () => {
  test('says what it did, what of the old is kept and what follows', () =>
    withDatabase(async (folder, path, flag) => {
      const file = join(folder, 'b.db');
      await makeDatabase(file, 'b', 2);
      makeOlder(file);
      const { code, out, err } = await call(restore, [file, flag]);
      expect([code, err]).toEqual([0, []]);
      expect(out[0]).toMatch(
        /^\/.*\/c\.db: \d+ kB, 2 calls \(2 live\), 0 nodes, as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\.$/,
      );
      expect(out[1]).toMatch(/^The database of before is .*c\.db\.before-restore-\d{8}T\d{6}Z;/);
      expect(out[2]).toBe('It comes from an older version; the next start adds 1 migration (0002_rtpproxy).');
      expect(out.join(' ')).toContain('compares its calls with the nodes');
      expect(callsIn(path)).toEqual(['b-0', 'b-1']);
    }));

  test('--json prints the same for programs', () =>
    withDatabase(async (folder, path, flag) => {
      const { out } = await call(backup, [join(folder, 'b.db'), flag, '--json']);
      expect(out.length).toBe(1);
      const restored = await call(restore, ['--json', join(folder, 'b.db'), flag]);
      expect(JSON.parse(restored.out.join(''))).toMatchObject({
        database: path,
        calls: 3,
        live_calls: 3,
        pending: [],
      });
    }));

  test('a wrong call and a failure are told', () =>
    withDatabase(async (folder, path, flag) => {
      expect((await call(restore, [flag])).code).toBe(2);
      const { code, err } = await call(restore, [join(folder, 'no.db'), flag]);
      expect([code, err]).toEqual([
        1,
        [`rtp-cluster restore: ${join(folder, 'no.db')}: there is no such file or folder (ENOENT)`],
      ]);
      expect(callsIn(path).length).toBe(3);
      expect(existsSync(`${path}.restoring`)).toBe(false);
    }));
});

describe('rtp-cluster check --database', () => {
  test('tells the settings, then the database', () =>
    withDatabase(async (_, path, flag) => {
      const { code, out, err } = await call(check, ['--database', flag]);
      expect([code, err]).toEqual([0, []]);
      expect(out[0]).toStartWith('The settings are good.');
      const text = out.join('\n');
      expect(text).toContain(`Database: ${path}, `);
      expect(text).toContain('\nMigrations: 4 done, 0 to do.\n');
      expect(text).toMatch(/\ncall +3\n/);
      expect(text).toContain('3 live calls');
    }));

  test('tells migrations that are to be done, with their number', () =>
    withDatabase(async (_, path, flag) => {
      makeOlder(path);
      const { code, out } = await call(check, ['--database', flag]);
      expect(code).toBe(0);
      expect(out).toContain(
        'Migrations: 3 done, 1 to do at the next start (0002_rtpproxy), tried on a copy: good.',
      );
    }));

  test('a database that is not there yet is good', () =>
    withDatabase(async (folder) => {
      const path = join(folder, 'new.db');
      const { code, out } = await call(check, [`--database-path=${path}`, '--database']);
      expect(code).toBe(0);
      expect(out.at(-1)).toBe(`Database: ${path} does not exist; the service makes it.`);
      expect(existsSync(path)).toBe(false);
    }));

  test('trouble is on standard error, exit code 1; without the flag nobody looks', () =>
    withDatabase(async (_, path, flag) => {
      writeFileSync(path, 'dear diary');
      const { code, err } = await call(check, ['--database', flag]);
      expect(code).toBe(1);
      expect(err[0]).toStartWith(`rtp-cluster check: ${path}: this file is not an SQLite database`);
      expect((await call(check, [flag])).code).toBe(0);
    }));
});
