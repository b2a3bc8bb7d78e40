/** What reading a damaged table does. */

import type { OpenDatabase } from '../../../src/store/open.ts';

/** Throws an error of SQLite's own. */
export function unreadable({ database }: OpenDatabase): never {
  database.query('SELECT damage FROM sqlite_master').get();
  throw new Error('SQLite has read what there is not');
}
