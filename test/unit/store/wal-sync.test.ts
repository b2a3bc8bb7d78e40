/** Syncing the write-ahead log beside the event loop, and what the store makes of a disk that fails at it. */

import { describe, expect, test } from 'bun:test';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { WalSync } from '../../../src/store/wal-sync.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory, makeCall } from '../../fakes/store.ts';

/** A log on a device that cannot be synced: fdatasync fails with EINVAL. */
function failingSync(directory: string): WalSync {
  symlinkSync('/dev/null', join(directory, 'failing-wal'));

  return new WalSync(join(directory, 'failing'));
}

function synced(sync: WalSync): Promise<Error | null> {
  return new Promise((resolve) => sync.afterSync(resolve));
}

describe('a WalSync', () => {
  test('calls back without an error when the log is on disk', () =>
    inDirectory(async (directory) => {
      writeFileSync(join(directory, 'a-wal'), 'x');
      const sync = new WalSync(join(directory, 'a'));
      expect(await synced(sync)).toBeNull();
      sync.close();
    }));

  test('serves those who come while it runs with one more run', () =>
    inDirectory(async (directory) => {
      writeFileSync(join(directory, 'a-wal'), 'x');
      const sync = new WalSync(join(directory, 'a'));
      const order: number[] = [];
      await Promise.all([1, 2, 3].map((each) => synced(sync).then(() => order.push(each))));
      expect(order).toEqual([1, 2, 3]);
      sync.close();
    }));

  test('hands the error of the disk on', () =>
    inDirectory(async (directory) => {
      const sync = failingSync(directory);
      expect(await synced(sync)).toBeInstanceOf(Error);
      sync.close();
    }));

  test('leaves nobody waiting when it is closed', () =>
    inDirectory(async (directory) => {
      writeFileSync(join(directory, 'a-wal'), 'x');
      const sync = new WalSync(join(directory, 'a'));
      const both = Promise.all([synced(sync), synced(sync)]);
      sync.close();
      expect(await both).toEqual([null, null]);
    }));
});

describe('a store whose log cannot be synced', () => {
  test('lets answers go, says that durability is lost, and regains it only after a checkpoint', () =>
    inDirectory(async (directory) => {
      const open = openDatabase({ path: join(directory, 'a.db'), synchronous: 'full' });
      if (open instanceof DatabaseProblem) throw new Error(open.message);
      let walSync: WalSync | undefined = failingSync(directory);
      const clock = new FakeClock();
      const store = new Store(
        {
          database: open.database,
          close: open.close,
          get walSync() {
            return walSync;
          },
        },
        clock,
      );
      await store.saveCall(makeCall('c1'), { isNew: true });
      expect(store.trouble).toContain('the disk did not take the data');

      // Still failing: an empty commit that works is no proof.
      await clock.advance(1000);
      // Ends after the sync of the retry.
      await synced(walSync);
      expect(store.trouble).toContain('the disk did not take the data');

      walSync = undefined;
      await clock.advance(1000);
      expect(store.trouble).toBeUndefined();
      expect(store.loadLiveCalls().map(({ callId }) => callId)).toEqual(['c1']);
      store.close();
    }));
});
