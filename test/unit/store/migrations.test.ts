import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { type Migration, migrate, migrations } from '../../../src/store/migrations.ts';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { flush, inDirectory, makeCall, makeLeg } from '../../fakes/store.ts';

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

describe('a database with rows of before rtpproxy', () => {
  /** As the program wrote it that knew the first two migrations only. */
  function written(path: string): void {
    const database = new Database(path);
    migrate(database, migrations.slice(0, 2));
    const call = database.query(
      `INSERT INTO call (id, call_id, node_id, set_id, caller_side, callee_side, caller_tag, state, initial, offers, created_at, updated_at, end_reason)
       VALUES (?, ?, ?, 0, 'inner', 'outer', 'A', ?, '1 INVITE A', '1 INVITE A', 1, 2, ?)`,
    );
    call.run(1, 'live', 7, 'confirmed', null);
    call.run(2, 'announced', null, 'announced', null);
    call.run(3, 'over', 7, 'ended', 'bye');
    database.run(
      `INSERT INTO leg VALUES (1, 'A', '', 'inner', 'outer', 'IP4', 0, 1, 1, 1), (1, 'B', '', 'outer', 'inner', 'IP4', 1, 0, 1, 1)`,
    );
    database.run(`INSERT INTO leg_sdp VALUES (1, 'B', '', 'v=0 received', 'v=0 returned')`);
    database.run(`INSERT INTO stray VALUES (7, 'left', 5), (8, 'left', 6)`);
    database.close();
  }

  test('keeps its calls, each one session without a memo, and its strays; and takes new ones', () =>
    inDirectory(async (directory) => {
      const path = `${directory}/old.db`;
      written(path);
      const open = openDatabase({ path, synchronous: 'normal' });
      if (open instanceof DatabaseProblem) throw new Error(open.message);
      const store = new Store(open, new FakeClock());
      const times = { createdAt: 1, updatedAt: 2 };
      const live = makeCall('live', {
        ...times,
        nodeId: 7,
        state: 'confirmed',
        legs: [
          makeLeg('A'),
          makeLeg('B', { side: 'outer', readerSide: 'inner', confirmed: true, offering: false }),
        ],
      });
      const announced = makeCall('announced', { ...times, nodeId: null, state: 'announced' });
      const over = makeCall('over', { ...times, nodeId: 7, state: 'ended', endReason: 'bye' });
      expect(live).toMatchObject({ memo: null, sessions: 1 });
      expect(store.loadLiveCalls()).toEqual([live, announced]);
      expect(store.findEndedCall('over')).toEqual(over);
      expect(store.sdpOf('live').get('B ')).toEqual({ received: 'v=0 received', returned: 'v=0 returned' });
      expect(store.loadStrays()).toEqual([
        { nodeId: 7, callId: 'left', since: 5, memo: null },
        { nodeId: 8, callId: 'left', since: 6, memo: null },
      ]);
      const young = makeCall('young', { memo: 'memo', sessions: 4 });
      await store.saveCall(young, { isNew: true });
      store.noteStray({ nodeId: 7, callId: 'left', since: 9, memo: 'memo' }, false);
      await flush(store);
      expect(store.loadLiveCalls()).toEqual([live, announced, young]);
      expect(store.loadStrays()).toContainEqual({ nodeId: 7, callId: 'left', since: 9, memo: 'memo' });
      store.close();
    }));
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
