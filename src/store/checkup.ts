/** Looks a database over for its operator: readable, whole, known to this program, in reach of the service. */

import { Database, SQLiteError } from 'bun:sqlite';
import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { copyDatabase, removeCopy, removeLeft } from './copy.ts';
import { type Counts, complaintsOf, countsOf, ourStanding, rowsOf } from './inspect.ts';
import { migrate } from './migrations.ts';
import { DatabaseProblem, explain } from './open.ts';
import { inWords, realPlace } from './places.ts';
import { readDatabase } from './reading.ts';

/** What was found; a database that does not exist yet has neither content nor problems. */
export interface DatabaseCheckup {
  /** Undefined if there is no database, or none that can be read. */
  readonly content?: {
    /** Of the file and of its log. */
    readonly bytes: number;
    readonly logBytes: number;
    readonly done: readonly string[];
    readonly pending: readonly string[];
    readonly rows: readonly [table: string, rows: number][];
    readonly counts: Counts;
  };
  /** For the operator, each a sentence without its full stop. */
  readonly problems: readonly string[];
}

/** Reads the whole database at `given`. Makes nothing but, if migrations are to be done, a copy that it removes again. */
export function checkDatabase(given: string): DatabaseCheckup {
  const path = realPlace(given);
  const problems = reachProblems(path);
  if (!existsSync(path)) return { problems };
  const content = readDatabase(path, (database) => {
    const complaints = complaintsOf(database, 'full');
    const standing = ourStanding(database);
    if (typeof standing === 'string') return new DatabaseProblem(`${path}: ${standing}`);
    const pending = standing.pending.map(({ tag }) => tag);
    const sizes = { bytes: sizeOf(path), logBytes: sizeOf(`${path}-wal`) };

    return {
      complaints,
      ...sizes,
      done: standing.done,
      pending,
      rows: rowsOf(database),
      counts: countsOf(database),
    };
  });
  if (content instanceof DatabaseProblem) return { problems: [content.message, ...problems] };
  const { complaints, ...rest } = content;
  const damages = complaints.map(
    (complaint) => `${path}: the database is damaged: ${complaint}; restore a backup`,
  );
  const trial = content.pending.length > 0 && damages.length === 0 ? tryMigrations(path) : undefined;

  return { content: rest, problems: [...damages, ...(trial === undefined ? [] : [trial]), ...problems] };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Migrates a copy, beside the database since it is no less secret. Says what goes wrong. */
function tryMigrations(path: string): string | undefined {
  const trial = `${path}.trial-${process.pid}`;
  let database: Database | undefined;
  try {
    removeCopy(trial);
    removeLeft(dirname(path), Date.now(), (name) => name.startsWith(`${basename(path)}.trial-`));
    const copy = copyDatabase(path, trial, statSync(path));
    if (copy instanceof DatabaseProblem)
      return `the migrations could not be tried on a copy: ${copy.message}`;
    database = new Database(trial, { strict: true });
    database.run('PRAGMA foreign_keys = ON');
    const problem = migrate(database) ?? complaintsOf(database, 'quick')[0];

    return problem === undefined ? undefined : `the migrations fail on a copy of ${path}: ${problem}`;
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;

    return `the migrations fail on a copy of ${path}: ${explain(error)}`;
  } finally {
    database?.close();
    removeCopy(trial);
  }
}

/** Whether the service could write there, as far as we can tell for a user who is not ourselves. */
function reachProblems(path: string): string[] {
  const folder = dirname(path);
  try {
    const stats = statSync(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
    const files = ['', '-wal', '-shm', '.lock'].map((suffix) => path + suffix).filter(existsSync);
    if (process.geteuid?.() !== 0)
      for (const file of files) accessSync(file, constants.R_OK | constants.W_OK);
    // Whoever owns the folder runs the service; groups we do not know are believed.
    const foreign = files.filter((file) => !mayWrite(statSync(file), stats));
    if (stats.uid === 0 || foreign.length === 0) return [];

    return [
      `${foreign.join(', ')}: a service of the user ${stats.uid}, who owns ${folder}, cannot write this; give it to that user (chown ${stats.uid}:${stats.gid})`,
    ];
  } catch (error) {
    return [
      `${folder}: it must be a folder that can be written, and so must the database in it: ${inWords(error)}`,
    ];
  }
}

function mayWrite(file: Stats, { uid, gid }: Stats): boolean {
  if (file.uid === uid) return (file.mode & 0o200) !== 0;
  if (file.gid === gid) return (file.mode & 0o020) !== 0;

  return (file.mode & 0o002) !== 0;
}
