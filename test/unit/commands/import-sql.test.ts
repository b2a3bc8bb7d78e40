import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { TableFault } from '../../../src/commands/import/cells.ts';
import { isSql, readSql, type Table } from '../../../src/commands/import/sql.ts';

function tables(text: string): Table[] {
  expect(isSql(text)).toBe(true);
  const read = readSql(text, () => true);
  if (read instanceof TableFault) throw new Error(`${read.row}: ${read.message}`);

  return read;
}

function table(text: string, name = 'rtpengine'): Table {
  const found = tables(text).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no table ${name}`);

  return found;
}

function fault(text: string): string {
  const read = readSql(text, () => true);

  return read instanceof TableFault ? `${read.row}: ${read.message}` : 'no fault';
}

const MYSQL = `-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: opensips
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;

--
-- Table structure for table \`rtpengine\`; it's
--

DROP TABLE IF EXISTS \`rtpengine\`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE \`rtpengine\` (
  \`id\` int unsigned NOT NULL AUTO_INCREMENT,
  \`socket\` text NOT NULL,
  \`set_id\` int unsigned NOT NULL DEFAULT '0',
  PRIMARY KEY (\`id\`),
  UNIQUE KEY \`sets\` (\`set_id\`,\`socket\`(64))
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4;

LOCK TABLES \`rtpengine\` WRITE;
/*!40000 ALTER TABLE \`rtpengine\` DISABLE KEYS */;
INSERT INTO \`rtpengine\` VALUES (1,'udp:192.168.2.3:7890',0),
(2,'udp:192.168.2.4:7890=2',1);
/*!40000 ALTER TABLE \`rtpengine\` ENABLE KEYS */;
UNLOCK TABLES;
-- Dump completed on 2026-11-23 12:00:00
`;

const ROWS = [
  ['1', 'udp:192.168.2.3:7890', '0'],
  ['2', 'udp:192.168.2.4:7890=2', '1'],
];

describe('dumps as the programs write them', () => {
  test('mysqldump', () => {
    expect(tables(MYSQL)).toEqual([{ name: 'rtpengine', columns: ['id', 'socket', 'set_id'], rows: ROWS }]);
  });

  test('dumps with CRLF', () => {
    expect(table(MYSQL.replaceAll('\n', '\r\n')).rows).toEqual(ROWS);
    expect(table('COPY t (a) FROM stdin;\r\n1\r\n\\.\r\n', 't').rows).toEqual([['1']]);
  });

  test('mariadb-dump, with its first line, and several databases', () => {
    const text = `/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB
CREATE DATABASE /*!32312 IF NOT EXISTS*/ \`a\` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE \`a\`;
CREATE TABLE \`rtpengine\` (\`id\` int(10) NOT NULL,\`socket\` text DEFAULT 'x;)');
INSERT INTO \`rtpengine\` VALUES
(1,'one');
USE \`b\`;
INSERT INTO \`rtpengine\` VALUES (2,'two');
-- Dump completed
`;
    expect(tables(text)).toEqual([
      { name: 'a.rtpengine', columns: ['id', 'socket'], rows: [['1', 'one']] },
      { name: 'b.rtpengine', columns: undefined, rows: [['2', 'two']] },
    ]);
  });

  test('pg_dump', () => {
    const text = `--
-- PostgreSQL database dump
--
\\restrict abcdef'g

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN x := 'a;b; END; $_$;
CREATE TABLE public.rtpengine (
    id integer NOT NULL,
    socket text DEFAULT ''::text NOT NULL,
    set_id integer DEFAULT 0
);
ALTER TABLE public.rtpengine OWNER TO "o'ps";
COPY public.rtpengine (id, socket, set_id) FROM stdin;
1\tudp:192.168.2.3:7890\t0
2\ta\\tb\\\\c\\nd;'"\t\\N
\\.

COPY public.empty (a) FROM stdin;
\\.
--
-- PostgreSQL database dump complete
--

\\unrestrict abcdef
`;
    expect(tables(text)).toEqual([
      {
        name: 'public.rtpengine',
        columns: ['id', 'socket', 'set_id'],
        rows: [
          ['1', 'udp:192.168.2.3:7890', '0'],
          ['2', 'a\tb\\c\nd;\'"', null],
        ],
      },
      { name: 'public.empty', columns: ['a'], rows: [] },
    ]);
  });

  test('pg_dump --inserts, where a backslash is a backslash', () => {
    const text = `CREATE TABLE public.rtpengine (id integer, socket text);
INSERT INTO public.rtpengine VALUES (1, 'a\\');
INSERT INTO public.rtpengine (socket, id) OVERRIDING SYSTEM VALUE VALUES ('it''s'::text, 2);
INSERT INTO public.rtpengine VALUES (3, E'x\\'\\ny') ON CONFLICT DO NOTHING;
`;
    expect(table(text, 'public.rtpengine').rows).toEqual([
      ['1', 'a\\'],
      ['2', "it's"],
      ['3', "x'\ny"],
    ]);
  });

  test("sqlite3's .dump", () => {
    const text = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "rtpengine" (id INTEGER PRIMARY KEY, "socket" TEXT, [set_id] INT, UNIQUE(socket));
INSERT INTO rtpengine VALUES(1,'udp:192.168.2.3:7890',0);
INSERT INTO rtpengine VALUES(2,'udp:192.168.2.4:7890=2',1);
COMMIT;
`;
    expect(tables(text)).toEqual([{ name: 'rtpengine', columns: ['id', 'socket', 'set_id'], rows: ROWS }]);
  });
});

describe('statements', () => {
  test('a statement that names its columns is put into the order of the table', () => {
    const text = `CREATE TABLE t (a INT, b INT, c INT);INSERT INTO t (c, a) VALUES (3,1);`;
    expect(table(text, 't').rows).toEqual([['1', null, '3']]);
  });

  test.each([
    ['INSERT IGNORE INTO `t` VALUES (1)', '1'],
    ['REPLACE INTO `t` (`a`) VALUES (1)', '1'],
    ['insert into t values ( 1 )', '1'],
    ['INSERT OR REPLACE INTO t VALUES (1)', '1'],
    ['INSERT INTO t VALUES (-1.5e3)', '-1.5e3'],
    ['INSERT INTO t VALUES (null)', null],
    ["INSERT INTO `t` VALUES (_utf8mb4'x')", 'x'],
    ["INSERT INTO `t` VALUES (_binary 'x')", 'x'],
    ['INSERT INTO `t` VALUES (0x7564703A)', 'udp:'],
    ["INSERT INTO t VALUES (X'7564703a')", 'udp:'],
    ['INSERT INTO `t` VALUES ("a\\"b""c\'")', 'a"b"c\''],
    ["INSERT INTO `t` VALUES ('a\\\\''\\'\\0\\Z')", "a\\''\0\u001a"],
    ["INSERT INTO t VALUES (replace('a,(\\n','\\n',char(10)))", 'a,(\n'],
    ["INSERT INTO t VALUES (replace(replace('a\\r\\n''','\\r',char(13)),'\\n',char(10)))", "a\r\n'"],
    ['INSERT INTO t VALUES (coalesce(1,(2)))', 'coalesce(1,(2))'],
    ["INSERT INTO t VALUES ('a -- b /* c' /* d, */)", "'a -- b /* c' /* d, */"],
  ])('%s', (text, cell) => {
    expect(table(`${text};`, 't').rows).toEqual([[cell]]);
  });

  test('what is in comments and strings is no statement', () => {
    const text = `-- INSERT INTO t VALUES (1);
/* INSERT INTO t VALUES (2); */
SELECT 'INSERT INTO t VALUES (3);';
INSERT INTO t SELECT 4;
INSERT INTO t VALUES (5);`;
    expect(table(text, 't').rows).toEqual([['5']]);
  });

  test('rows nobody wants are stepped over', () => {
    const text = `INSERT INTO a VALUES (1,'x;)');COPY b (c) FROM stdin;\n1\n\\.\nINSERT INTO t VALUES (2);`;
    const read = readSql(text, (name) => name === 't');
    expect(read).toMatchObject([
      { name: 'a', rows: [] },
      { name: 'b', rows: [] },
      { name: 't', rows: [['2']] },
    ]);
  });
});

describe('dumps that are cut off', () => {
  test('at any place within the rows, and not taken for whole ones', () => {
    const start = MYSQL.indexOf('INSERT') + 1;
    for (let end = start; end < MYSQL.length - '-- Dump completed on 2026-11-23 12:00:00\n'.length; end++)
      expect(fault(MYSQL.slice(0, end))).toContain('is not complete');
  });

  test.each([
    ["INSERT INTO t VALUES (1,'a", '1: the file ends within this statement'],
    ['SELECT 1;\nINSERT INTO t VALUES (1,2', '2: the file ends within this statement'],
    ['SELECT 1;\n\nCOPY t (a) FROM stdin;\n1\n', '3: the file ends within this statement'],
    ['SELECT 1; /* never closed', '1: the file ends within a comment'],
    ['BEGIN TRANSACTION;\nSELECT 1;\n', '3: the last line of the dump is missing'],
  ])('%j', (text, message) => {
    expect(fault(text)).toStartWith(message);
  });
});

describe('whatever the cells', () => {
  const cell = fc.option(
    fc.oneof(
      fc.string({
        unit: fc.constantFrom(
          "'",
          '"',
          '\\',
          '`',
          ';',
          '--',
          '/*',
          '*/',
          '\n',
          '\t',
          '(',
          ')',
          ',',
          '#',
          '$$',
          'a',
          'N',
          '\\.',
          '\r',
          'é',
        ),
      }),
      fc.string({ unit: 'grapheme' }),
    ),
  );
  // A file with NUL is refused before, and the texts of PostgreSQL hold none.
  const clean = (text: string): string => text.replaceAll('\0', '');
  const rows = fc.array(
    fc
      .tuple(cell, cell, fc.nat())
      .map(([a, b, c]) => [a, b, c].map((x) => (x === null ? null : clean(String(x))))),
    { minLength: 1, maxLength: 5 },
  );
  const list = (all: readonly (readonly (string | null)[])[], quote: (text: string) => string): string =>
    all.map((row) => `(${row.map((x) => (x === null ? 'NULL' : quote(x))).join(',')})`).join(',');

  test('a MySQL dump is read as it was written', () => {
    const escapes: Record<string, string> = {
      '\\': '\\\\',
      "'": "\\'",
      '"': '\\"',
      '\n': '\\n',
      '\r': '\\r',
      '\u001a': '\\Z',
    };
    const quote = (text: string): string => `'${Array.from(text, (c) => escapes[c] ?? c).join('')}'`;
    fc.assert(
      fc.property(rows, (all) => {
        const text = `CREATE TABLE \`t\` (\`a\` text,\`b\` text,\`c\` int);\nINSERT INTO \`t\` VALUES ${list(all, quote)};\nSELECT 1;\n`;
        expect(table(text, 't').rows).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  test('a dump of SQLite, or of PostgreSQL with INSERT, is read as it was written', () => {
    const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
    fc.assert(
      fc.property(rows, (all) => {
        expect(
          table(`CREATE TABLE t (a text, b text, c int);\nINSERT INTO t VALUES${list(all, quote)};\n`, 't')
            .rows,
        ).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  test('a dump of PostgreSQL with COPY is read as it was written', () => {
    const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
    const copied = (x: string | null): string =>
      x === null ? '\\N' : x.replace(/[\\\n\r\t]/g, (c) => escapes[c] ?? c);
    fc.assert(
      fc.property(rows, (all) => {
        const lines = all.map((row) => row.map(copied).join('\t'));
        expect(
          table(`COPY public.t (a, b, c) FROM stdin;\n${lines.join('\n')}\n\\.\n`, 'public.t').rows,
        ).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  test('garbage is read or refused, and never hangs or throws', () => {
    const pieces = fc.constantFrom(
      'INSERT INTO ',
      'COPY ',
      'CREATE TABLE ',
      't',
      ' VALUES ',
      '(',
      ')',
      ',',
      "'",
      '"',
      '`',
      '\\',
      '--',
      '/*',
      '*/',
      '$$',
      ';',
      '\n',
      ' FROM stdin;\n',
      '\\.',
      '1',
      '.',
      '[',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const read = readSql(parts.join(''), () => true);
        expect(read instanceof TableFault || Array.isArray(read)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
