/** Databases as backup and restore meet them: with calls in them, in use, left by a crash. */

import { Database } from 'bun:sqlite';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseProblem, openDatabase } from '../../src/store/open.ts';
import { Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../lab/processes.ts';
import { FakeClock } from './clock.ts';
import { makeCall, makeLeg, type OpenStore, openStore } from './store.ts';

/** SDP in every call that is filled in. */
export const SDP =
  'v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LW1lZGlhLWtleQ\r\n';

/** Writes live calls `PREFIX-0`, `PREFIX-1` ...; waits until they are written. */
export async function addCalls({ store }: OpenStore, prefix: string, count: number): Promise<void> {
  const saved = Array.from({ length: count }, (_, i) => {
    const leg = makeLeg('A');

    return store.saveCall(makeCall(`${prefix}-${i}`, { legs: [leg] }), {
      isNew: true,
      leg,
      sdp: { received: SDP, returned: SDP },
    });
  });
  await Promise.all(saved);
}

/** A database of a service that has ended. */
export async function makeDatabase(path: string, prefix: string, count = 3): Promise<void> {
  const living = join(temporaryFolder(), 'living.db');
  if (existsSync(path)) copyFileSync(path, living);
  const opened = openStore(new FakeClock(), living);
  await addCalls(opened, prefix, count);
  opened.store.close();
  // The statements of this process keep its files open until they are collected; those of a service end with it.
  copyFileSync(living, path);
}

/** A database of a service that was killed: the calls stand in its log only. */
export async function makeCrashed(path: string, prefix: string, count = 3): Promise<void> {
  const living = join(temporaryFolder(), 'living.db');
  const opened = openStore(new FakeClock(), living);
  await addCalls(opened, prefix, count);
  for (const suffix of ['', '-wal', '-shm']) copyFileSync(living + suffix, path + suffix);
  opened.store.close();
}

/** The Call-IDs of a database as the next start would find them; the database itself is not touched. */
export function callsIn(path: string): string[] {
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  const copy = join(temporaryFolder(), 'copy.db');
  for (const suffix of ['', '-wal', '-journal'])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  const open = openDatabase({ path: copy, synchronous: 'normal' });
  if (open instanceof DatabaseProblem) throw new Error(open.message);
  const calls = new Store(open, new FakeClock()).loadLiveCalls().map(({ callId }) => callId);
  open.close();

  return calls.sort();
}

/** Makes a database one of an older version: without its newest migration. */
export function makeOlder(path: string): void {
  const database = new Database(path);
  database.run("DELETE FROM migration WHERE tag = '0002_rtpproxy'");
  for (const column of ['call.memo', 'call.sessions', 'stray.memo']) {
    const [table, name] = column.split('.');
    database.run(`ALTER TABLE ${table} DROP COLUMN ${name}`);
  }
  database.close();
}
