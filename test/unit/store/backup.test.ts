import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Backup, type BackupOrder, makeBackup } from '../../../src/store/backup.ts';
import { DatabaseProblem } from '../../../src/store/open.ts';
import { addCalls, callsIn, makeCrashed, makeDatabase, makeOlder } from '../../fakes/backups.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory, openStore } from '../../fakes/store.ts';

const NOW = Date.UTC(2026, 10, 23, 2, 30, 5);
const STAMPED = 'rtp-cluster-20261123T023005Z.db';

function make(order: Partial<BackupOrder> & Pick<BackupOrder, 'path' | 'target'>): Backup {
  const backup = makeBackup({ keep: undefined, now: NOW, ...order });
  if (backup instanceof DatabaseProblem) throw new Error(backup.message);

  return backup;
}

function refusal(path: string, target: string): string {
  const backup = makeBackup({ path, target, keep: undefined, now: NOW });
  if (!(backup instanceof DatabaseProblem)) throw new Error('a backup was made');

  return backup.message;
}

describe('a backup', () => {
  test('beside a service has all that was acknowledged, and stands alone', () =>
    inDirectory(async (folder) => {
      const [path, target] = [join(folder, 'c.db'), join(folder, 'b.db')];
      const opened = openStore(new FakeClock(), path);
      await addCalls(opened, 'a', 3);
      const { file, bytes, calls, liveCalls, nodes, pending } = make({ path, target });
      await addCalls(opened, 'later', 1);
      expect({ file, calls, liveCalls, nodes, pending }).toEqual({
        file: target,
        calls: 3,
        liveCalls: 3,
        nodes: 0,
        pending: [],
      });
      expect(statSync(target).size).toBe(bytes);
      expect(statSync(target).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder).filter((name) => name.startsWith('b.db'))).toEqual(['b.db']);
      expect(callsIn(target)).toEqual(['a-0', 'a-1', 'a-2']);
      opened.store.close();
      expect(callsIn(path)).toEqual(['a-0', 'a-1', 'a-2', 'later-0']);
    }));

  test('by a symbolic link has what stands in the log beside the file it leads to', () =>
    inDirectory(async (folder) => {
      const [path, link, target] = [join(folder, 'data', 'c.db'), join(folder, 'c.db'), join(folder, 'b.db')];
      mkdirSync(join(folder, 'data'));
      symlinkSync(path, link);
      const opened = openStore(new FakeClock(), link);
      await addCalls(opened, 'a', 3);
      expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
      expect(make({ path: link, target }).calls).toBe(3);
      expect(callsIn(target)).toEqual(['a-0', 'a-1', 'a-2']);
      opened.store.close();
    }));

  test('without a service leaves nothing beside the database', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      const before = readFileSync(path);
      make({ path, target: join(folder, 'b.db') });
      expect(readdirSync(folder).sort()).toEqual(['b.db', 'c.db']);
      expect(readFileSync(path).equals(before)).toBe(true);
    }));

  test('after a crash of the service has what stands in the log only, and changes neither', () =>
    inDirectory(async (folder) => {
      const [path, target] = [join(folder, 'c.db'), join(folder, 'b.db')];
      await makeCrashed(path, 'a');
      const before = ['', '-wal'].map((suffix) => readFileSync(path + suffix));
      expect(make({ path, target }).calls).toBe(3);
      expect(['', '-wal'].map((suffix) => readFileSync(path + suffix))).toEqual(before);
      expect(callsIn(target)).toEqual(['a-0', 'a-1', 'a-2']);
    }));

  test('of an older database is made as it is', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      makeOlder(path);
      expect(make({ path, target: join(folder, 'b.db') }).pending).toEqual(['0002_rtpproxy']);
    }));

  test('works with any characters in the path', () =>
    inDirectory(async (folder) => {
      const odd = join(folder, 'what?a#b%20 \'é".db');
      await makeDatabase(odd, 'a');
      expect(make({ path: odd, target: join(folder, "it's.db") }).calls).toBe(3);
    }));

  test('is not hindered by what a killed one left that had the same process number', () =>
    inDirectory(async (folder) => {
      const [path, target] = [join(folder, 'c.db'), join(folder, 'b.db')];
      await makeDatabase(path, 'a');
      for (const suffix of ['', '-wal']) writeFileSync(`${target}.partial-${process.pid}${suffix}`, 'half');
      expect(make({ path, target }).calls).toBe(3);
      expect(readdirSync(folder).sort()).toEqual(['b.db', 'c.db']);
    }));

  test('takes the place of a file only when it is good', () =>
    inDirectory(async (folder) => {
      const [path, target] = [join(folder, 'c.db'), join(folder, 'b.db')];
      await makeDatabase(path, 'a');
      make({ path, target });
      await makeDatabase(path, 'second');
      expect(make({ path, target }).calls).toBe(6);
      const good = readFileSync(target);
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xa5, 4096));
      expect(refusal(path, target)).toBe(
        `${path}: the database is damaged; restore a backup, or move it away to start with an empty one (SQLITE_CORRUPT)`,
      );
      expect(readFileSync(target).equals(good)).toBe(true);
      expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    }));
});

describe('a backup that cannot be made says why and leaves nothing:', () => {
  test('no database', () =>
    inDirectory((folder) => {
      const path = join(folder, 'c.db');
      expect(refusal(path, join(folder, 'b.db'))).toBe(`${path}: there is no such file or folder (ENOENT)`);
      expect(readdirSync(folder)).toEqual([]);
    }));

  test.each([
    ['is text', 'dear diary, '.repeat(1000), 'this file is not an SQLite database'],
    ['is empty', '', 'this is no database of rtp_cluster: it has no migrations'],
  ])('the database %s', (_, text, message) =>
    inDirectory((folder) => {
      const path = join(folder, 'c.db');
      writeFileSync(path, text);
      expect(refusal(path, join(folder, 'b.db'))).toContain(message);
      expect(readdirSync(folder)).toEqual(['c.db']);
    }),
  );

  test('the database is of another program, or of a newer version', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      const other = new Database(path);
      other.run('CREATE TABLE a (x)');
      other.close();
      expect(refusal(path, join(folder, 'b.db'))).toContain('this is no database of rtp_cluster');
      const newer = join(folder, 'd.db');
      await makeDatabase(newer, 'a');
      const database = new Database(newer);
      database.run("INSERT INTO migration VALUES (999, '0999_future', 'x', 0)");
      database.close();
      expect(refusal(newer, join(folder, 'b.db'))).toContain('written by a newer version');
      expect(existsSync(join(folder, 'b.db'))).toBe(false);
    }));

  test('there is no room: not a byte is written, so that the service does not pay for it', () =>
    inDirectory(async (folder) => {
      const [path, target] = [join(folder, 'c.db'), join(folder, 'b.db')];
      await makeDatabase(path, 'a');
      const { bavail, bsize } = statfsSync(folder);
      truncateSync(path, Math.min(bavail * bsize, 2 ** 43));
      expect(refusal(path, target)).toMatch(/its disk has \d+ MB left, and a copy wants up to \d+ MB/);
      expect(readdirSync(folder)).toEqual(['c.db']);
    }));

  test('the place is no place', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      const missing = join(folder, 'no', 'b.db');
      expect(refusal(path, missing)).toBe(
        `${missing}: the folder ${join(folder, 'no')} does not exist; create it`,
      );
      expect(refusal(path, join(folder, 'no/'))).toContain('does not exist; create it');
      expect(refusal(path, '/proc/b.db')).toMatch(/^\/proc\/b\.db\.partial-\d+: /);
      expect(refusal(path, '/dev/null')).toContain('this is no ordinary file');
      symlinkSync(path, join(folder, 'link.db'));
      expect(refusal(path, join(folder, 'link.db'))).toContain('this is no ordinary file');
    }));

  test('the place is the database', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      linkSync(path, join(folder, 'same.db'));
      for (const target of [path, join(folder, 'same.db'), `${path}.lock`])
        expect(refusal(path, target)).toContain('this is the database itself');
      expect(callsIn(path).length).toBe(3);
    }));
});

describe('retention', () => {
  /** A folder with backups of earlier days and other files. */
  async function filled(folder: string): Promise<string> {
    const backups = join(folder, 'backup');
    mkdirSync(backups);
    for (const day of [18, 19, 20, 21, 22])
      writeFileSync(join(backups, `rtp-cluster-202611${day}T023005Z.db`), 'x');
    for (const name of ['rtp-cluster-before-0.2.0.db', 'rtp-cluster-20261101T023005Z.db.old', 'mine.db'])
      writeFileSync(join(backups, name), 'x');
    mkdirSync(join(backups, 'rtp-cluster-20261102T023005Z.db'));
    await makeDatabase(join(folder, 'c.db'), 'a');

    return backups;
  }

  test('keeps the newest, the new one included, and touches no other names', () =>
    inDirectory(async (folder) => {
      const backups = await filled(folder);
      const { file, removed, trouble } = make({ path: join(folder, 'c.db'), target: backups, keep: 3 });
      expect(file).toBe(join(backups, STAMPED));
      expect(removed).toEqual([18, 19, 20].map((day) => `rtp-cluster-202611${day}T023005Z.db`));
      expect(trouble).toBeUndefined();
      expect(readdirSync(backups).sort()).toEqual([
        'mine.db',
        'rtp-cluster-20261101T023005Z.db.old',
        'rtp-cluster-20261102T023005Z.db',
        'rtp-cluster-20261121T023005Z.db',
        'rtp-cluster-20261122T023005Z.db',
        STAMPED,
        'rtp-cluster-before-0.2.0.db',
      ]);
    }));

  test('never removes the new one, whatever the clock says', () =>
    inDirectory(async (folder) => {
      const backups = await filled(folder);
      const now = Date.UTC(2001, 0, 1);
      const { removed } = make({ path: join(folder, 'c.db'), target: backups, keep: 1, now });
      expect(removed.length).toBe(5);
      expect(callsIn(join(backups, 'rtp-cluster-20010101T000000Z.db'))).toEqual(['a-0', 'a-1', 'a-2']);
    }));

  test('removes nothing if the backup fails, and nothing if it is not asked for', () =>
    inDirectory(async (folder) => {
      const backups = await filled(folder);
      const before = readdirSync(backups).sort();
      expect(makeBackup({ path: join(folder, 'no.db'), target: backups, keep: 1, now: NOW })).toBeInstanceOf(
        DatabaseProblem,
      );
      expect(readdirSync(backups).sort()).toEqual(before);
      expect(make({ path: join(folder, 'c.db'), target: backups }).removed).toEqual([]);
      expect(readdirSync(backups).sort()).toEqual([...before, STAMPED].sort());
    }));

  test('removes what a killed backup left, when nobody has written to it for an hour', () =>
    inDirectory(async (folder) => {
      const backups = await filled(folder);
      const left = 'rtp-cluster-20261122T023005Z.db.partial-77';
      const journal = `${left}-journal`;
      const young = 'rtp-cluster-20261123T023004Z.db.partial-78';
      for (const name of [left, journal, young, 'mine.db.partial-79'])
        writeFileSync(join(backups, name), 'x');
      for (const name of [left, journal]) utimesSync(join(backups, name), NOW / 1000, NOW / 1000 - 3601);
      utimesSync(join(backups, young), NOW / 1000, NOW / 1000 - 3599);
      utimesSync(join(backups, 'mine.db.partial-79'), 0, 0);
      make({ path: join(folder, 'c.db'), target: backups });
      expect(
        readdirSync(backups)
          .filter((name) => name.includes('.partial-'))
          .sort(),
      ).toEqual(['mine.db.partial-79', young]);
    }));
});
