import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory } from '../../fakes/store.ts';

const ROUNDS = 20;

/** Runs the child until it has acknowledged `enough` calls, kills it at once, and returns all it acknowledged. */
async function killAfter(enough: number, path: string, round: number): Promise<string[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'kill-child.ts'), path, `r${round}`], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const decoder = new TextDecoder();
  let text = '';
  let lines = 0;
  for await (const chunk of child.stdout) {
    const piece = decoder.decode(chunk, { stream: true });
    text += piece;
    lines += piece.split('\n').length - 1;
    if (lines >= enough && !child.killed) child.kill('SIGKILL');
  }
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');

  // What comes after the last line end was cut off by the kill.
  return text.split('\n').slice(0, -1);
}

test(
  'kill -9 under load loses no acknowledged binding',
  () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a.db');
      const acknowledged: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        acknowledged.push(...(await killAfter(1 + ((round * 97) % 400), path, round)));
        const open = openDatabase({ path, synchronous: 'normal' });
        if (open instanceof DatabaseProblem) throw new Error(open.message);
        const store = new Store(open, new FakeClock());
        const nodes = new Map(store.loadLiveCalls().map(({ callId, nodeId }) => [callId, nodeId]));
        const lost = acknowledged.filter((callId) => nodes.get(callId) !== Number(callId.split('-')[2]) % 7);
        expect(lost).toEqual([]);
        expect(open.database.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
        store.close();
      }
      expect(acknowledged.length).toBeGreaterThan(ROUNDS);
    }),
  60_000,
);
