/**
 * Copies a database that is in use, bit by bit, so that the disk stays with whoever uses it. `VACUUM INTO` would be
 * simpler, but writes as fast as it can: on a slow disk every commit of the service then waits for it.
 *
 * The file alone is no snapshot, since checkpoints write to it; file and log together are. While we read, SQLite begins no
 * new log over frames that we may need. A checkpoint may change a page under our hands, but only one that stands in the
 * log, which we copy after the file, and which wins. If all of the log was in the file when we began, a new log may begin,
 * once, but no checkpoint; that shows by the log's header, and the log is read anew.
 */

import { Database } from 'bun:sqlite';
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

/** How much is written before the disk has a rest, in bytes. */
const CHUNK = 256 * 1024;
/** The rest, in times of what the chunk took, and its limits, ms. */
const REST = { factor: 2, min: 1, max: 100 } as const;
/** Magic number, salts and checksum of a log; another one has others. */
const LOG_HEADER = 32;

/** Hears how far a copy is, in bytes. */
export type OnCopied = (done: number, total: number) => void;

/**
 * Fills the open `file` at `to` with the database of `reader`, which reads `from` and must not be in a transaction. The
 * copy needs no log. Throws errors of SQLite and of the file system.
 * @param onCopied hears how many bytes of how many are in the copy
 */
export function copyPaced(
  reader: Database,
  from: string,
  to: string,
  file: number,
  onCopied?: OnCopied,
): void {
  reader.run('BEGIN');
  const source = openSync(from, 'r');
  try {
    // Only with the first read the transaction begins.
    reader.query('SELECT count(*) FROM sqlite_schema').get();
    copyAll(source, file, onCopied);
    copyLog(`${from}-wal`, `${to}-wal`);
  } finally {
    reader.run('COMMIT');
    // Not before: with any descriptor of a file that is closed, the process loses its locks on that file.
    closeSync(source);
  }
  foldLog(to);
}

function copyLog(from: string, to: string): void {
  const source = openSync(from, 'r');
  const file = openSync(to, 'wx', 0o600);
  try {
    let before: Buffer;
    do {
      before = headerOf(source);
      copyAll(source, file);
    } while (!headerOf(source).equals(before));
  } finally {
    closeSync(source);
    closeSync(file);
  }
}

function headerOf(log: number): Buffer {
  const header = Buffer.alloc(LOG_HEADER);
  readSync(log, header, 0, LOG_HEADER, 0);

  return header;
}

/** Copies all there is when it begins: what a log gets later is not wanted, and might come faster than we copy. */
function copyAll(source: number, file: number, onCopied?: OnCopied): void {
  ftruncateSync(file, 0);
  const chunk = Buffer.allocUnsafe(CHUNK);
  const end = fstatSync(source).size;
  for (let position = 0; position < end; ) {
    const begin = performance.now();
    const size = readSync(source, chunk, 0, Math.min(CHUNK, end - position), position);
    if (size === 0) return;
    for (let done = 0; done < size; ) done += writeSync(file, chunk, done, size - done, position + done);
    fdatasyncSync(file);
    position += size;
    onCopied?.(position, end);
    const took = performance.now() - begin;
    Bun.sleepSync(Math.min(Math.max(took * REST.factor, REST.min), REST.max));
  }
}

/** Moves the log of a copy into its file. */
function foldLog(path: string): void {
  const copy = new Database(path, { readwrite: true });
  try {
    // Our caller syncs the file.
    copy.run('PRAGMA synchronous = OFF');
    copy.query('PRAGMA journal_mode = DELETE').get();
  } finally {
    copy.close();
  }
}
