import { Database, SQLiteError } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseProblem, explain, type OpenDatabase, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { flush, inDirectory, makeCall, makeLeg } from '../../fakes/store.ts';

function open(path: string): OpenDatabase {
  const result = openDatabase({ path, synchronous: 'full' });
  if (result instanceof DatabaseProblem) throw new Error(result.message);

  return result;
}

/** What the operator is told; the path comes first. */
function problem(path: string): string {
  const result = openDatabase({ path, synchronous: 'full' });
  if (!(result instanceof DatabaseProblem)) {
    result.close();
    throw new Error('this database opened');
  }
  expect(result.message.startsWith(`${path}: `)).toBe(true);

  return result.message;
}

function pragma(database: Database, name: string): unknown {
  return Object.values(database.query<Record<string, unknown>, []>(`PRAGMA ${name}`).get() ?? {})[0];
}

async function fill(path: string, calls: number): Promise<void> {
  const opened = open(path);
  const store = new Store(opened, new FakeClock());
  for (let i = 0; i < calls; i++) store.noteCall(makeCall(`c${i}`), { isNew: true, leg: makeLeg('A') });
  await flush(store);
  opened.database.query('PRAGMA wal_checkpoint(TRUNCATE)').get();
  store.close();
}

test('a symbolic link is the file it leads to, with its log and its lock, also before that is there', () =>
  inDirectory((directory) => {
    const [path, link] = [join(directory, 'data', 'a.db'), join(directory, 'a.db')];
    mkdirSync(join(directory, 'data'));
    symlinkSync(path, link);
    open(link).close();
    const opened = open(path);
    const second = openDatabase({ path: link, synchronous: 'full' });
    expect(second).toBeInstanceOf(DatabaseProblem);
    expect(second).toMatchObject({
      message: expect.stringContaining('another rtp-cluster uses this database'),
    });
    opened.close();
    expect(readdirSync(directory).sort()).toEqual(['a.db', 'data']);
  }));

describe('a database', () => {
  test('is made where there is none, with what survives power loss', () =>
    inDirectory((directory) => {
      const { database, walSync, close } = open(join(directory, 'new.db'));
      expect(pragma(database, 'journal_mode')).toBe('wal');
      expect(pragma(database, 'synchronous')).toBe(1);
      expect(walSync).toBeDefined();
      expect(pragma(database, 'foreign_keys')).toBe(1);
      close();
    }));

  test('has synchronous = normal if the settings say so', () =>
    inDirectory((directory) => {
      const opened = openDatabase({ path: join(directory, 'n.db'), synchronous: 'normal' });
      if (opened instanceof DatabaseProblem) throw new Error(opened.message);
      expect(pragma(opened.database, 'synchronous')).toBe(1);
      expect(opened.walSync).toBeUndefined();
      opened.close();
    }));

  test('has its calls when it is opened again', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      await fill(path, 3);
      const again = open(path);
      expect(new Store(again, new FakeClock()).loadLiveCalls().map(({ callId }) => callId)).toEqual([
        'c0',
        'c1',
        'c2',
      ]);
      again.close();
    }));
});

describe('a database that cannot be used', () => {
  test('in a directory that does not exist is refused, naming the directory', () =>
    inDirectory((directory) => {
      const missing = join(directory, 'missing');
      expect(problem(join(missing, 'a.db'))).toContain(`the directory ${missing} does not exist`);
    }));

  test('because the file is none is refused, and the file is left as it is', () =>
    inDirectory((directory) => {
      const path = join(directory, 'notes.txt');
      const text = 'dear diary, '.repeat(1000);
      writeFileSync(path, text);
      expect(problem(path)).toContain('not an SQLite database');
      expect(readFileSync(path, 'utf8')).toBe(text);
    }));

  test('because its pages are overwritten is refused as damaged, at open or at the first read', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      await fill(path, 500);
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 4096);
      writeFileSync(path, bytes);
      const result = openDatabase({ path, synchronous: 'full' });
      if (result instanceof DatabaseProblem) {
        expect(result.message).toContain('damaged');

        return;
      }
      let said: string | undefined;
      try {
        new Store(result, new FakeClock()).loadLiveCalls();
      } catch (error) {
        said = error instanceof SQLiteError ? explain(error) : undefined;
      }
      result.close();
      expect(said).toContain('the database is damaged; restore a backup');
    }));

  test('because it is cut off is refused as damaged', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      await fill(path, 2000);
      truncateSync(path, 8192);
      const result = openDatabase({ path, synchronous: 'full' });
      if (!(result instanceof DatabaseProblem)) {
        expect(() => new Store(result, new FakeClock()).loadLiveCalls()).toThrow('malformed');
        result.close();
      } else expect(result.message).toContain('damaged');
    }));

  test('because another process has it is refused, and free again when that one ends', () =>
    inDirectory((directory) => {
      const path = join(directory, 'a.db');
      const first = open(path);
      expect(problem(path)).toContain('another rtp-cluster uses this database');
      first.close();
      open(path).close();
    }));

  test('because a newer program wrote it is refused, and the lock is let go', () =>
    inDirectory((directory) => {
      const path = join(directory, 'a.db');
      open(path).close();
      const raw = new Database(path);
      raw.run("INSERT INTO migration VALUES (999, '0999_future', 'x', 0)");
      raw.close();
      expect(problem(path)).toContain('newer version');
      expect(problem(path)).toContain('0999_future');
    }));

  test('because the directory of it lets nobody write is refused', () => {
    expect(problem('/proc/a.db')).toContain('cannot be opened');
  });

  const isRoot = process.getuid?.() === 0;
  const setpriv = Bun.which('setpriv');
  // Root may write everything, so another user has to try.
  test.skipIf(isRoot && setpriv === null)('because it is read-only is refused, with what to check', () =>
    inDirectory((directory) => {
      const path = join(directory, 'a.db');
      open(path).close();
      chmodSync(path, 0o444);
      if (existsSync(`${path}.lock`)) chmodSync(`${path}.lock`, 0o666);
      chmodSync(directory, 0o777);
      const other =
        isRoot && setpriv !== null ? [setpriv, '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
      const child = Bun.spawnSync(
        [...other, process.execPath, join(import.meta.dir, 'open-child.ts'), path],
        {
          env: { ...process.env, HOME: directory },
        },
      );
      expect(child.stderr.toString()).toBe('');
      expect(child.stdout.toString()).toContain('the database cannot be written; check owner and mode');
    }),
  );
});
