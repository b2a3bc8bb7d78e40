/**
 * Changes every row of a table in each transaction, and moves and restarts the log in every way SQLite has, as fast as it
 * can without filling the disk. Writes the number of the last transaction to standard output. Ends after a while.
 */

import { Database } from 'bun:sqlite';
import { statSync, writeSync } from 'node:fs';

/**
 * No longer log, bytes, some ten transactions. Copies take the longer the longer it is, and it grows while they read: on a
 * slow disk each would find a longer one than that before.
 */
const MAX_LOG = 2_000_000;

const path = process.argv[2] ?? '';
const database = new Database(path);
database.run('PRAGMA synchronous = NORMAL');
database.run('PRAGMA wal_autocheckpoint = 50');
const update = database.query('UPDATE item SET n = ?');
for (let n = 1; n < 20_000; n++) {
  while (statSync(`${path}-wal`).size > MAX_LOG) {
    // What nobody reads any more is taken away.
    database.query('PRAGMA wal_checkpoint(TRUNCATE)').get();
    Bun.sleepSync(4);
  }
  update.run(n);
  const mode = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'][n % 7];
  if (mode !== undefined) database.query(`PRAGMA wal_checkpoint(${mode})`).get();
  Bun.sleepSync(4);
  // Pauses with everything in the file: a reader that comes now needs no log.
  if (n % 5 === 0) {
    database.query('PRAGMA wal_checkpoint(PASSIVE)').get();
    Bun.sleepSync(n % 20);
  }
  writeSync(1, `${n}\n`);
}
