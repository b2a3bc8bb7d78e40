/**
 * Makes commits safe from power loss without stopping the event loop. SQLite itself would wait for the disk inside
 * `COMMIT` (`synchronous=FULL`); with `NORMAL` it leaves the commit in the system's cache, and the same fdatasync of the
 * write-ahead log is made here by a thread of the runtime. One run covers all commits that were made before it began.
 */

import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';

type Done = (error: Error | null) => void;

export class WalSync {
  readonly #file: number;
  #waiting: Done[] = [];
  #isRunning = false;
  #isClosed = false;

  /** @param path the database; its `-wal` file exists while the database is open. Throws if it cannot be opened. */
  constructor(path: string) {
    this.#file = openSync(`${path}-wal`, 'r+');
  }

  /** Calls `done` when everything committed up to now is on disk, or with the error. */
  afterSync(done: Done): void {
    this.#waiting.push(done);
    if (!this.#isRunning) this.#run();
  }

  /** Syncs once more, at once, for those who still wait. */
  close(): void {
    this.#isClosed = true;
    const batch = this.#waiting;
    this.#waiting = [];
    const error = this.#syncNow();
    for (const done of batch) done(error);
    if (!this.#isRunning) closeSync(this.#file);
  }

  #syncNow(): Error | null {
    try {
      fdatasyncSync(this.#file);

      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #run(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#isRunning = true;
    fdatasync(this.#file, (error) => {
      this.#isRunning = false;
      if (this.#isClosed) closeSync(this.#file);
      for (const done of batch) done(error ?? null);
      if (this.#waiting.length > 0 && !this.#isRunning) this.#run();
    });
  }
}
