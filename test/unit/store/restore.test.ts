import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeBackup } from '../../../src/store/backup.ts';
import { DatabaseProblem } from '../../../src/store/open.ts';
import { asideName, type Restored, restoreDatabase } from '../../../src/store/restore.ts';
import { callsIn, makeCrashed, makeDatabase, makeOlder } from '../../fakes/backups.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory, openStore } from '../../fakes/store.ts';

interface Places {
  readonly folder: string;
  readonly path: string;
  readonly backup: string;
  readonly aside: string;
}

/** A folder with a backup that has the calls `new-0` to `new-2`. */
function withBackup(run: (places: Places) => Promise<void> | void): Promise<void> {
  return inDirectory(async (folder) => {
    const path = join(folder, 'c.db');
    const backup = join(folder, 'b.db');
    await makeDatabase(join(folder, 'source.db'), 'new');
    makeBackup({ path: join(folder, 'source.db'), target: backup, keep: undefined, now: 0 });
    for (const name of readdirSync(folder)) if (name.startsWith('source')) rmSync(join(folder, name));
    await run({ folder, path, backup, aside: asideName(path, 'T') });
  });
}

function restore({ backup, path, aside }: Places): Restored {
  const restored = restoreDatabase(backup, path, aside);
  if (restored instanceof DatabaseProblem) throw new Error(restored.message);

  return restored;
}

function refusal({ backup, path, aside }: Places): string {
  const restored = restoreDatabase(backup, path, aside);
  if (!(restored instanceof DatabaseProblem)) throw new Error('it was restored');

  return restored.message;
}

const OLD = ['old-0', 'old-1', 'old-2'];
const NEW = ['new-0', 'new-1', 'new-2'];

describe('a restore', () => {
  test('puts the backup in place and keeps the old database, mode and all', () =>
    withBackup(async (places) => {
      const { path, aside, backup } = places;
      await makeDatabase(path, 'old');
      chmodSync(path, 0o640);
      const before = readFileSync(backup);
      const restored = restore(places);
      expect(restored).toMatchObject({ calls: 3, liveCalls: 3, nodes: 0, pending: [], aside });
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(callsIn(path)).toEqual(NEW);
      expect(callsIn(aside)).toEqual(OLD);
      expect(readFileSync(backup).equals(before)).toBe(true);
    }));

  test('where there is no database makes one, mode 0600', () =>
    withBackup((places) => {
      expect(restore(places).aside).toBeNull();
      expect(statSync(places.path).mode & 0o777).toBe(0o600);
      expect(callsIn(places.path)).toEqual(NEW);
    }));

  test('keeps what stands in the log of a killed service only', () =>
    withBackup(async (places) => {
      await makeCrashed(places.path, 'old');
      restore(places);
      expect(existsSync(`${places.path}-wal`)).toBe(false);
      expect(callsIn(places.path)).toEqual(NEW);
      expect(callsIn(places.aside)).toEqual(OLD);
    }));

  test('over a damaged database keeps that, and leaves no log for the new one', () =>
    withBackup(async (places) => {
      const { path, aside } = places;
      await makeCrashed(path, 'old');
      writeFileSync(`${path}-wal`, 'neither is this a log'.repeat(300));
      writeFileSync(path, 'this is no database any more'.repeat(300));
      restore(places);
      expect(callsIn(path)).toEqual(NEW);
      expect(readFileSync(aside, 'utf8')).toStartWith('this is no database');
      expect(existsSync(`${path}-wal`)).toBe(false);
    }));

  test('puts the log of a database that was moved out of the way', () =>
    withBackup(async (places) => {
      const { path, folder, aside } = places;
      await makeCrashed(path, 'old');
      renameSync(path, join(folder, 'moved.db'));
      const log = readFileSync(`${path}-wal`);
      expect(restore(places).aside).toBeNull();
      expect(readFileSync(`${aside}-wal`).equals(log)).toBe(true);
      expect(callsIn(path)).toEqual(NEW);
    }));

  test('of an older backup says which migrations it lacks', () =>
    withBackup((places) => {
      makeOlder(places.backup);
      expect(restore(places).pending).toEqual(['0002_rtpproxy']);
      expect(callsIn(places.path)).toEqual(NEW);
    }));

  test('of a database with a log of its own takes the log too', () =>
    withBackup(async (places) => {
      await makeCrashed(places.backup, 'crashed');
      restore(places);
      expect(callsIn(places.path)).toEqual(['crashed-0', 'crashed-1', 'crashed-2']);
    }));
});

describe('a restore is refused, and changes nothing:', () => {
  test('while a service has the database', () =>
    withBackup(async (places) => {
      const { path } = places;
      await makeDatabase(path, 'old');
      const { store } = openStore(new FakeClock(), path);
      expect(refusal(places)).toBe(
        `${path}: a running rtp-cluster has this database; stop it first (systemctl stop rtp-cluster)`,
      );
      store.close();
      expect(callsIn(path)).toEqual(OLD);
      expect(existsSync(places.aside)).toBe(false);
    }));

  test('while another program has the database open', () =>
    withBackup(async (places) => {
      await makeDatabase(places.path, 'old');
      const shell = new Database(places.path);
      shell.query('SELECT count(*) FROM call').get();
      expect(refusal(places)).toContain('another program has it open; end it first');
      shell.close();
      expect(callsIn(places.path)).toEqual(OLD);
    }));

  test.each<[string, (backup: string) => void, string]>([
    ['no backup', (backup) => rmSync(backup), 'there is no such file or folder'],
    ['no database', (backup) => writeFileSync(backup, 'text '.repeat(999)), 'not an SQLite database'],
    ['an empty file', (backup) => writeFileSync(backup, ''), 'this is no database of rtp_cluster'],
    ['damaged', (backup) => writeFileSync(backup, readFileSync(backup).fill(1, 4096)), 'damaged'],
    ['cut off', (backup) => writeFileSync(backup, readFileSync(backup).subarray(0, 9000)), 'damaged'],
    [
      'newer',
      (backup) => change(backup, "INSERT INTO migration VALUES (99, '0099_x', 'x', 0)"),
      'newer version',
    ],
    [
      'modified',
      (backup) => change(backup, "UPDATE migration SET hash = 'x' WHERE idx = 1"),
      'modified version',
    ],
    [
      'torn',
      (backup) => change(backup, 'PRAGMA foreign_keys = OFF', 'DELETE FROM call'),
      'rows of leg belong to no call',
    ],
  ])('%s', (_, spoil, message) =>
    withBackup(async (places) => {
      await makeDatabase(places.path, 'old');
      spoil(places.backup);
      expect(refusal(places)).toContain(message);
      expect(readdirSync(places.folder).filter((name) => /restor/.test(name))).toEqual([]);
      expect(callsIn(places.path)).toEqual(OLD);
    }),
  );

  test('the database as its own backup, a missing folder', () =>
    withBackup((places) => {
      restore(places);
      expect(refusal({ ...places, backup: places.path })).toContain('this is the database itself');
      expect(refusal({ ...places, path: join(places.folder, 'no', 'c.db') })).toContain(
        'does not exist; create it',
      );
    }));
});

function change(path: string, ...statements: string[]): void {
  const database = new Database(path);
  for (const statement of statements) database.run(statement);
  database.close();
}

describe('a restore that is killed', () => {
  test.each([
    ['a database that was closed', makeDatabase],
    ['a database with a log', makeCrashed],
  ])(
    'at any step leaves the old or the new one, whole, over %s',
    (_, makeOld) =>
      withBackup(async (places) => {
        const { folder, path, backup, aside } = places;
        await makeOld(path, 'old');
        const saved = readdirSync(folder).filter((name) => name.startsWith('c.db'));
        for (const name of saved) copyFileSync(join(folder, name), join(folder, `saved-${name}`));
        const seen = new Set<string>();
        let step = 0;
        for (;;) {
          for (const name of readdirSync(folder)) if (name.startsWith('c.db')) rmSync(join(folder, name));
          for (const name of saved) copyFileSync(join(folder, `saved-${name}`), join(folder, name));
          const { exitCode, stderr } = Bun.spawnSync([
            process.execPath,
            join(import.meta.dir, 'restore-child.ts'),
            backup,
            path,
            aside,
            String(++step),
          ]);
          expect(stderr.toString()).toBe('');
          const found = callsIn(path);
          expect([OLD, NEW]).toContainEqual(found);
          seen.add(String(found));
          if (exitCode === 0) break;
          // And the next one finds its way.
          const again = asideName(path, 'again');
          restore({ ...places, aside: again });
          expect(callsIn(path)).toEqual(NEW);
          expect(callsIn(again)).toEqual(found);
          expect(existsSync(`${path}.restoring`)).toBe(false);
        }
        expect(step).toBeGreaterThan(10);
        expect(seen.size).toBe(2);
      }),
    60_000,
  );
});
