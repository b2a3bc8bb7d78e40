/** The real store, on a database in memory or in a file of a directory that goes away. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call, Leg } from '../../src/domain/call.ts';
import { DatabaseProblem, type OpenDatabase, openDatabase } from '../../src/store/open.ts';
import { Store } from '../../src/store/store.ts';
import type { Clock } from '../../src/util/clock.ts';
import { FakeClock } from './clock.ts';

export interface OpenStore {
  readonly store: Store;
  readonly open: OpenDatabase;
}

export function openStore(clock: Clock = new FakeClock(), path = ':memory:'): OpenStore {
  const open = openDatabase({ path, synchronous: 'normal' });
  if (open instanceof DatabaseProblem) throw new Error(open.message);

  return { open, store: new Store(open, clock) };
}

/** Has everything written that waits for a write; leaves an ended call `flush`. */
export function flush(store: Store): Promise<void> {
  return store.saveCall(makeCall('flush', { state: 'ended', nodeId: null }), { isNew: true });
}

/** Runs a test with a directory of its own. */
export async function inDirectory(run: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rtp-cluster-test-'));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes the disk full for real: the database may not grow any more. Returns what makes room again. */
export function fillDisk({ database }: OpenDatabase): () => void {
  database.run('VACUUM');
  const { page_count: pages } = database.query<{ page_count: number }, []>('PRAGMA page_count').get() ?? {
    page_count: 0,
  };
  database.query(`PRAGMA max_page_count = ${pages}`).get();

  return () => {
    database.query('PRAGMA max_page_count = 1000000').get();
  };
}

export function makeCall(callId: string, changes: Partial<Call> = {}): Call {
  return {
    callId,
    nodeId: 0,
    setId: 0,
    direction: { from: 'inner', to: 'outer' },
    callerTag: 'A',
    memo: null,
    sessions: 1,
    state: 'early',
    initial: '1 INVITE A',
    offers: ['1 INVITE A'],
    legs: [],
    createdAt: 1,
    updatedAt: 1,
    endReason: null,
    ...changes,
  };
}

export function makeLeg(tag: string, changes: Partial<Leg> = {}): Leg {
  return {
    tag,
    branch: '',
    side: 'inner',
    readerSide: 'outer',
    family: 'IP4',
    confirmed: false,
    offering: true,
    createdAt: 1,
    updatedAt: 1,
    ...changes,
  };
}
