/** The commit that shows that commits come to an end. */

import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { WalSync } from '../../../src/store/wal-sync.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { fillDisk, inDirectory, makeCall, openStore } from '../../fakes/store.ts';

/** A log whose disk takes nothing for as long as it is told. */
class HangingSync extends WalSync {
  readonly waiting: (() => void)[] = [];

  override afterSync(done: (error: Error | null) => void): void {
    this.waiting.push(() => done(null));
  }
}

/** Whether a promise has come to its end after some turns. */
async function hasEnded(promise: Promise<void>): Promise<boolean> {
  let isOver = false;
  void promise.then(() => {
    isOver = true;
  });
  await settle();

  return isOver;
}

describe('a proof', () => {
  test('is a commit of its own that really writes, each time', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      const { store, open } = openStore(new FakeClock(), path);
      open.database.run('PRAGMA wal_checkpoint(TRUNCATE)');
      expect(Bun.file(`${path}-wal`).size).toBe(0);
      await store.prove();
      const once = Bun.file(`${path}-wal`).size;
      expect(once).toBeGreaterThan(0);
      await store.prove();
      expect(Bun.file(`${path}-wal`).size).toBeGreaterThan(once);
      expect(store.counters).toMatchObject({ commits: 2, failedCommits: 0 });
      store.close();
    }));

  test('changes nothing in the database', async () => {
    const { store, open } = openStore();
    const rows = (): unknown => open.database.query('SELECT * FROM migration').all();
    const before = rows();
    await store.prove();
    expect(rows()).toEqual(before);
  });

  test('is over with its commit: the next one writes what was noted and no more', async () => {
    const { store, open } = openStore();
    const changes = (): number =>
      open.database.query<{ n: number }, []>('SELECT total_changes() AS n').get()?.n ?? 0;
    const changesOf = async (run: () => Promise<void>): Promise<number> => {
      const before = changes();
      await run();

      return changes() - before;
    };
    const saved = await changesOf(() => store.saveCall(makeCall('a'), { isNew: true }));
    expect(await changesOf(() => store.prove())).toBe(1);
    expect(await changesOf(() => store.saveCall(makeCall('b'), { isNew: true }))).toBe(saved);
  });

  test('rides with the commit of calls', async () => {
    const { store } = openStore();
    await Promise.all([store.saveCall(makeCall('a'), { isNew: true }), store.prove()]);
    expect(store.counters.commits).toBe(1);
  });

  test('does not end while the disk hangs, and ends when it goes on', () =>
    inDirectory(async (directory) => {
      const open = openDatabase({ path: join(directory, 'a.db'), synchronous: 'full' });
      if (open instanceof DatabaseProblem) throw new Error(open.message);
      const walSync = new HangingSync(join(directory, 'a.db'));
      const store = new Store({ database: open.database, close: open.close, walSync }, new FakeClock());
      const proof = store.prove();
      expect(await hasEnded(proof)).toBe(false);
      expect(store.trouble).toBeUndefined();
      expect(walSync.waiting.length).toBe(1);
      for (const done of walSync.waiting.splice(0)) done();
      expect(await hasEnded(proof)).toBe(true);
      walSync.close();
      store.close();
    }));

  test('ends on a full disk, which is trouble that is told, and goes on ending as long as it is full', async () => {
    const clock = new FakeClock();
    const { store, open } = openStore(clock);
    const makeRoom = fillDisk(open);
    await store.saveCall(makeCall('big', { callId: 'x'.repeat(20_000) }), { isNew: true });
    expect(store.trouble).toContain('disk is full');
    for (let i = 0; i < 3; i++) {
      expect(await hasEnded(store.prove())).toBe(true);
      await clock.advance(1000);
    }
    expect(store.trouble).toContain('disk is full');
    makeRoom();
    await clock.advance(1000);
    expect(store.trouble).toBeUndefined();
    expect(await hasEnded(store.prove())).toBe(true);
  });

  test('finds by itself that the database cannot be written, before a call does', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      const clock = new FakeClock();
      const { store } = openStore(clock, path);
      const other = new Database(path);
      other.run('BEGIN IMMEDIATE');
      await store.prove();
      expect(store.trouble).toContain('another process is writing');
      other.run('ROLLBACK');
      other.close();
      await clock.advance(1000);
      expect(store.trouble).toBeUndefined();
      store.close();
    }));
});
