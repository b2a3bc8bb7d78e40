import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { chownSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkDatabase } from '../../../src/store/checkup.ts';
import { addCalls, makeCrashed, makeDatabase, makeOlder } from '../../fakes/backups.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory, openStore } from '../../fakes/store.ts';

function change(path: string, ...statements: string[]): void {
  const database = new Database(path);
  for (const statement of statements) database.run(statement);
  database.close();
}

describe('a checkup', () => {
  test('tells what is in a good database, and leaves the folder as it was', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      const before = readFileSync(path);
      const { content, problems } = checkDatabase(path);
      expect(problems).toEqual([]);
      expect(content?.counts).toMatchObject({ calls: 3, liveCalls: 3, nodes: 0, strays: 0 });
      expect(content?.done).toEqual(['0000_first', '0001_fleet', '0002_rtpproxy', '0003_dashboard']);
      expect(content?.pending).toEqual([]);
      expect(Object.fromEntries(content?.rows ?? [])).toMatchObject({
        call: 3,
        leg: 3,
        leg_sdp: 3,
        migration: 4,
      });
      expect(content?.bytes).toBe(before.length);
      expect(readdirSync(folder)).toEqual(['c.db']);
      expect(readFileSync(path).equals(before)).toBe(true);
    }));

  test('works beside a service, and after a crash of it', () =>
    inDirectory(async (folder) => {
      const opened = openStore(new FakeClock(), join(folder, 'c.db'));
      await addCalls(opened, 'a', 3);
      expect(checkDatabase(join(folder, 'c.db'))).toMatchObject({
        problems: [],
        content: { counts: { calls: 3 } },
      });
      await addCalls(opened, 'b', 1);
      opened.store.close();
      const crashed = join(folder, 'd.db');
      await makeCrashed(crashed, 'a');
      const before = ['', '-wal'].map((suffix) => readFileSync(crashed + suffix));
      expect(checkDatabase(crashed)).toMatchObject({ problems: [], content: { counts: { calls: 3 } } });
      expect(['', '-wal'].map((suffix) => readFileSync(crashed + suffix))).toEqual(before);
    }));

  test('tries what is to be migrated on a copy, and removes the copy', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      makeOlder(path);
      const before = readFileSync(path);
      expect(checkDatabase(path)).toMatchObject({ problems: [], content: { pending: ['0002_rtpproxy'] } });
      expect(readdirSync(folder)).toEqual(['c.db']);
      expect(readFileSync(path).equals(before)).toBe(true);
    }));

  test('removes copies of checks that were killed, but not of one that may still be at it', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      makeOlder(path);
      const [old, fresh, own] = [`${path}.trial-1`, `${path}.trial-2`, `${path}.trial-${process.pid}`];
      for (const file of [old, fresh, own]) writeFileSync(file, 'half');
      utimesSync(old, 1, 1);
      expect(checkDatabase(path).problems).toEqual([]);
      expect(readdirSync(folder).sort()).toEqual(['c.db', 'c.db.trial-2']);
    }));

  test('says when a migration would fail', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      makeOlder(path);
      change(path, 'ALTER TABLE stray ADD memo text');
      const { problems } = checkDatabase(path);
      expect(problems).toEqual([
        `the migrations fail on a copy of ${path}: duplicate column name: memo (SQLITE_ERROR)`,
      ]);
      expect(readdirSync(folder)).toEqual(['c.db']);
    }));

  test('takes a database that is not there yet for good, if its folder is', () =>
    inDirectory((folder) => {
      expect(checkDatabase(join(folder, 'c.db'))).toEqual({ problems: [] });
      expect(readdirSync(folder)).toEqual([]);
      const [problem = ''] = checkDatabase(join(folder, 'no', 'c.db')).problems;
      expect(problem).toStartWith(`${join(folder, 'no')}: it must be a folder that can be written`);
    }));
});

describe('a checkup tells', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    [
      'a file that is no database',
      (path) => writeFileSync(path, 'text '.repeat(999)),
      /not an SQLite database/,
    ],
    ['damage', (path) => writeFileSync(path, readFileSync(path).fill(0xa5, 8192)), /damaged/],
    ['a lost index entry', loseIndexEntry, /damaged: .*index call_call_id_unique/],
    [
      'rows without their call',
      (path) => change(path, 'PRAGMA foreign_keys = OFF', 'DELETE FROM call'),
      /belong to no call/,
    ],
    [
      'a newer version',
      (path) => change(path, "INSERT INTO migration VALUES (99, '0099_x', 'x', 0)"),
      /newer version/,
    ],
    ['another program', (path) => change(path, 'DELETE FROM migration'), /no database of rtp_cluster/],
  ])('%s', (_, spoil, message) =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a', 50);
      spoil(path);
      expect(checkDatabase(path).problems.join('\n')).toMatch(message);
      expect(readdirSync(folder)).toEqual(['c.db']);
    }),
  );

  test.skipIf(process.geteuid?.() !== 0)('files the owner of the folder cannot write', () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      await makeDatabase(path, 'a');
      chownSync(folder, 65534, 65534);
      expect(checkDatabase(path).problems).toEqual([
        `${path}: a service of the user 65534, who owns ${folder}, cannot write this; give it to that user (chown 65534:65534)`,
      ]);
      chownSync(path, 65534, 65534);
      expect(checkDatabase(path).problems).toEqual([]);
    }),
  );
});

/** Makes an index that does not fit its table: only a full check finds it. */
function loseIndexEntry(path: string): void {
  const database = new Database(path);
  const root = Number(
    database.query("SELECT rootpage FROM sqlite_schema WHERE name = 'call_call_id_unique'").values()[0]?.[0],
  );
  database.close();
  const bytes = readFileSync(path);
  bytes.write('a-X', bytes.indexOf('a-7', (root - 1) * 4096));
  writeFileSync(path, bytes);
}
