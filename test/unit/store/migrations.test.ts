import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { type Migration, migrate, migrations } from '../../../src/store/migrations.ts';

const FOLDER = new URL('../../../drizzle/', import.meta.url).pathname;
const JOURNAL: { entries: { idx: number; tag: string }[] } = JSON.parse(
  readFileSync(`${FOLDER}meta/_journal.json`, 'utf8'),
);

function step(index: number, tag: string, sql: string): Migration {
  return { index, tag, sql, hash: new Bun.CryptoHasher('sha256').update(sql).digest('hex') };
}

const FIRST = step(
  0,
  '0000_first',
  'CREATE TABLE a (x integer);\n--> statement-breakpoint\nCREATE TABLE b (x integer);',
);
const SECOND = step(1, '0001_second', 'CREATE TABLE c (x integer);');

function tables(database: Database): string[] {
  return database
    .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .all()
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('sqlite_'));
}

describe('the migrations in the program', () => {
  test('are those of the journal and the files of drizzle/, in order, byte for byte', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
    expect(files.sort()).toEqual(JOURNAL.entries.map(({ tag }) => `${tag}.sql`));
    expect(migrations.map(({ index, tag, sql }) => ({ index, tag, sql }))).toEqual(
      JOURNAL.entries.map(({ idx, tag }) => ({
        index: idx,
        tag,
        sql: readFileSync(`${FOLDER}${tag}.sql`, 'utf8'),
      })),
    );
  });

  test('are numbered without gaps', () => {
    expect(migrations.map(({ index }) => index)).toEqual(migrations.map((_, position) => position));
  });

  test('make the schema which the last snapshot describes', () => {
    const database = new Database(':memory:');
    expect(migrate(database)).toBeUndefined();
    const last = JOURNAL.entries.at(-1)?.idx ?? 0;
    const snapshot: { tables: Record<string, { columns: object }> } = JSON.parse(
      readFileSync(`${FOLDER}meta/${String(last).padStart(4, '0')}_snapshot.json`, 'utf8'),
    );
    expect(tables(database).filter((name) => name !== 'migration')).toEqual(
      Object.keys(snapshot.tables).sort(),
    );
    for (const [table, { columns }] of Object.entries(snapshot.tables)) {
      const made = database.query<{ name: string }, []>(`PRAGMA table_info("${table}")`).all();
      expect(made.map(({ name }) => name).sort()).toEqual(Object.keys(columns).sort());
    }
  });
});

describe('bringing a database up to date', () => {
  test('applies what is missing, once, and notes it with its hash', () => {
    const database = new Database(':memory:');
    expect(migrate(database, [FIRST])).toBeUndefined();
    expect(tables(database)).toEqual(['a', 'b', 'migration']);
    expect(migrate(database, [FIRST, SECOND])).toBeUndefined();
    expect(migrate(database, [FIRST, SECOND])).toBeUndefined();
    expect(tables(database)).toEqual(['a', 'b', 'c', 'migration']);
    expect(database.query('SELECT idx, tag, hash FROM migration ORDER BY idx').all()).toEqual([
      { idx: 0, tag: '0000_first', hash: FIRST.hash },
      { idx: 1, tag: '0001_second', hash: SECOND.hash },
    ]);
  });

  test('applies one that was merged late, before one already applied', () => {
    const database = new Database(':memory:');
    expect(migrate(database, [SECOND])).toBeUndefined();
    expect(migrate(database, [FIRST, SECOND])).toBeUndefined();
    expect(tables(database)).toEqual(['a', 'b', 'c', 'migration']);
  });

  test('refuses a database of a newer program, and says what to do', () => {
    const database = new Database(':memory:');
    migrate(database, [FIRST, SECOND]);
    const problem = migrate(database, [FIRST]);
    expect(problem).toContain('0001_second');
    expect(problem).toContain('newer version');
  });

  test('refuses a database whose migration was another one, and changes nothing', () => {
    const database = new Database(':memory:');
    migrate(database, [FIRST]);
    const changed = step(0, '0000_first', `${FIRST.sql} `);
    expect(migrate(database, [changed, SECOND])).toContain('modified version');
    expect(migrate(database, [step(0, '0000_other', FIRST.sql)])).toContain('0000_other');
    expect(tables(database)).toEqual(['a', 'b', 'migration']);
  });

  test('makes all steps or none: a failing one leaves the database as it was', () => {
    const database = new Database(':memory:');
    migrate(database, [FIRST]);
    const bad = step(
      2,
      '0002_bad',
      'CREATE TABLE d (x integer);\n--> statement-breakpoint\nCREATE TABLE a (x integer);',
    );
    expect(() => migrate(database, [FIRST, SECOND, bad])).toThrow('already exists');
    expect(tables(database)).toEqual(['a', 'b', 'migration']);
    expect(database.query('SELECT idx FROM migration').all()).toEqual([{ idx: 0 }]);
    expect(migrate(database, [FIRST, SECOND])).toBeUndefined();
  });
});
