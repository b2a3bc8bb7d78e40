/**
 * Changes every row of a table in each transaction, and moves and restarts the log in every way SQLite has, as fast as it
 * can without filling the disk. Writes the number of the last transaction to standard output. Ends after a while.
 */

import { Database } from 'bun:sqlite';
import { writeSync } from 'node:fs';

const database = new Database(process.argv[2] ?? '');
database.run('PRAGMA synchronous = NORMAL');
database.run('PRAGMA wal_autocheckpoint = 50');
const update = database.query('UPDATE item SET n = ?');
for (let n = 1; n < 20_000; n++) {
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
