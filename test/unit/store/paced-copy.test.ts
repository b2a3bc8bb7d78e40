import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { copyPaced } from '../../../src/store/paced-copy.ts';
import { inDirectory } from '../../fakes/store.ts';
import { own, poll } from '../../lab/processes.ts';

/** Copies made while another process writes. */
const COPIES = 12;
const ROWS = 40;

test(
  'a copy beside a process that writes and checkpoints all the time is one moment of it, and whole',
  () =>
    inDirectory(async (folder) => {
      const path = join(folder, 'c.db');
      const made = new Database(path);
      made.run('PRAGMA journal_mode = WAL');
      made.run('CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, filler TEXT NOT NULL)');
      const insert = made.query("INSERT INTO item VALUES (?, 0, printf('%.*c', 3000, 'x'))");
      made.transaction(() => {
        for (let id = 1; id <= ROWS; id++) insert.run(id);
      })();
      made.run('CREATE INDEX item_n ON item (n)');
      made.close();
      const log = join(folder, 'written');
      const child = own(
        Bun.spawn([process.execPath, join(import.meta.dir, 'paced-child.ts'), path], {
          stdout: Bun.file(log),
          stderr: 'inherit',
        }),
      );
      const written = (): number => {
        const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];

        return Number(lines.at(-1) ?? 0);
      };
      await poll(
        () => (written() > 5 ? true : undefined),
        () => 'the child does not write',
      );
      const moments = new Set<number>();
      for (let i = 0; i < COPIES; i++) {
        const to = join(folder, `copy-${i}.db`);
        const before = written();
        // Nothing here may fill a disk, whatever goes wrong.
        expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBeLessThan(200_000_000);
        const reader = new Database(path, { readonly: true });
        reader.run('PRAGMA busy_timeout = 5000');
        const file = openSync(to, 'wx');
        const heard: number[][] = [];
        copyPaced(reader, path, to, file, (...bytes) => heard.push(bytes));
        reader.close();
        closeSync(file);
        const [done, total] = heard.at(-1) ?? [];
        expect(done).toBeGreaterThan(0);
        expect(done).toBe(total);
        for (const suffix of ['-wal', '-shm', '-journal']) expect(existsSync(to + suffix)).toBe(false);
        const copy = new Database(to, { readonly: true });
        expect(copy.query('PRAGMA integrity_check').values()).toEqual([['ok']]);
        const [[least, most, count] = []] = copy.query('SELECT min(n), max(n), count(*) FROM item').values();
        copy.close();
        expect([i, least, count]).toEqual([i, most, ROWS]);
        expect(Number(least)).toBeGreaterThanOrEqual(before);
        moments.add(Number(least));
        rmSync(to);
      }
      child.kill('SIGKILL');
      await child.exited;
      expect(moments.size).toBeGreaterThan(COPIES / 2);
    }),
  60_000,
);
