/** `rtp-cluster import` with the databases of the proxies. */

import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/commands/import.ts';
import { type Stub, startStub, testIo } from './stub.ts';

let folder = '';
let stub: Stub | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
});

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);

  return join(folder, name);
}

async function runImport(...argv: string[]): Promise<{ code: number; out: string[]; err: string }> {
  const io = testIo({ RTP_CLUSTER_URL: stub?.url ?? 'http://127.0.0.1:1' });
  const code = await run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n').replaceAll(`${folder}/`, '') };
}

const OPENSIPS = `CREATE TABLE \`rtpengine\` (\`id\` int,\`socket\` text,\`set_id\` int);
INSERT INTO \`rtpengine\` VALUES (1,'udp:192.168.2.3:7890',0),(2,'udp:192.168.2.4:7890',0);
`;
const ADDED = {
  'POST /v1/nodes/import': {
    rows: [
      { row: 1, id: 1, result: 'added', message: '' },
      { row: 2, id: 2, result: 'added', message: '' },
    ],
  },
};

describe('media addresses', () => {
  test('come from the socket and from a file', async () => {
    stub = startStub(ADDED);
    const addresses = file(
      'map.csv',
      '# ours\r\n192.168.2.3,203.0.113.3\r\n192.168.2.4 ; 10.0.0.4 ; 203.0.113.4 # two\r\n',
    );
    const dump = file('dump.sql', OPENSIPS);
    expect((await runImport(dump, '--inner-from-socket', '--addresses', addresses)).code).toBe(0);
    expect(stub.seen[0]?.body).toMatchObject({
      rows: [
        { row: 1, inner_media_ip: '192.168.2.3', out_media_ip: '203.0.113.3' },
        { row: 2, inner_media_ip: '10.0.0.4', out_media_ip: '203.0.113.4' },
      ],
    });
  });

  test('are found however the address is spelled', async () => {
    stub = startStub(ADDED);
    const dump = file('dump.sql', "INSERT INTO `rtpengine` VALUES (1,'udp6:2001:db8::3:7890',0);");
    await runImport(dump, '--addresses', file('map.csv', '2001:DB8:0::3,203.0.113.3'));
    expect(stub.seen[0]?.body).toMatchObject({ rows: [{ out_media_ip: '203.0.113.3' }] });
  });

  test('that the table has are kept', async () => {
    stub = startStub(ADDED);
    const dump = file(
      'dump.sql',
      "INSERT INTO rtpengine (id,socket,set_id,inner_media_ip,out_media_ip) VALUES (1,'udp:10.0.0.1:1',0,'10.9.9.9','1.2.3.4'),(2,'udp:10.0.0.2:1',0,NULL,'1.2.3.5');",
    );
    await runImport(dump, '--inner-from-socket', '--addresses', file('map.csv', '10.0.0.1,9.9.9.9'));
    expect(stub.seen[0]?.body).toMatchObject({
      rows: [
        { inner_media_ip: '10.9.9.9', out_media_ip: '1.2.3.4' },
        { inner_media_ip: '10.0.0.2', out_media_ip: '1.2.3.5' },
      ],
    });
  });

  test('of a relay behind a path are found by it; its socket tells no address, and one it advertises is kept', async () => {
    stub = startStub(ADDED);
    const dump = file(
      'dump.sql',
      "INSERT INTO rtpproxy_sockets (id,rtpproxy_sock,set_id) VALUES (1,'/run/a.sock udp:10.0.0.2',0),(2,'udp:10.0.0.3:1|1.2.3.6',0);",
    );
    const map = file('map.csv', '/run/a.sock,10.0.0.1,1.2.3.4\n10.0.0.2,1.2.3.5\n');
    const { code, out } = await runImport(dump, '--inner-from-socket', '--addresses', map);
    expect(code).toBe(0);
    expect(stub.seen[0]?.body).toEqual({
      rows: [
        {
          ...{ row: 1, socket: 'unix:/run/a.sock', set_id: 0, kind: 'rtpproxy' },
          ...{ inner_media_ip: '10.0.0.1', out_media_ip: '1.2.3.4' },
        },
        {
          ...{ row: 2, socket: 'udp:10.0.0.2:22222', set_id: 0, kind: 'rtpproxy' },
          ...{ inner_media_ip: '10.0.0.2', out_media_ip: '1.2.3.5' },
        },
        {
          ...{ row: 3, socket: 'udp:10.0.0.3:1', set_id: 0, kind: 'rtpproxy' },
          ...{ inner_media_ip: '10.0.0.3', out_media_ip: '1.2.3.6' },
        },
      ],
    });
    expect(out[3]).toEndWith('its advertised address 1.2.3.6 is the outer media address');
  });

  test('of a path are never taken from it', async () => {
    stub = startStub(ADDED);
    const dump = file('dump.sql', "INSERT INTO rtpproxy_sockets VALUES (1,'unix:/run/a.sock',0);");
    await runImport(dump, '--inner-from-socket');
    expect(stub.seen[0]?.body).toEqual({
      rows: [{ row: 1, socket: 'unix:/run/a.sock', set_id: 0, kind: 'rtpproxy' }],
    });
  });

  test('are not needed for nodes that exist: nothing is sent of them', async () => {
    stub = startStub(ADDED);
    expect((await runImport(file('dump.sql', OPENSIPS))).code).toBe(0);
    expect(stub.seen[0]?.body).toEqual({
      rows: [
        { row: 1, id: 1, socket: 'udp:192.168.2.3:7890', set_id: 0, kind: 'rtpengine' },
        { row: 2, id: 2, socket: 'udp:192.168.2.4:7890', set_id: 0, kind: 'rtpengine' },
      ],
    });
  });

  test('that are missing are told, with what to do', async () => {
    const rows = [
      { row: 1, id: 1, result: 'error', message: 'the node has no media address; give inner_media_ip' },
      { row: 2, id: 2, result: 'ok', message: '' },
    ];
    const body = { code: 'RTPC_BAD_PARAMETER', message: '1 of 2 rows are bad', rows };
    stub = startStub({ 'POST /v1/nodes/import': Response.json(body, { status: 400 }) });
    const { code, err } = await runImport(file('dump.sql', OPENSIPS));
    expect(code).toBe(1);
    expect(err).toContain('Media addresses are given with --inner-from-socket and --addresses FILE');
  });

  test('of a socket that the file does not have make the row bad', async () => {
    stub = startStub({});
    const { code, out } = await runImport(
      file('dump.sql', OPENSIPS),
      '--addresses',
      file('map.csv', '192.168.2.3,203.0.113.3'),
    );
    expect(code).toBe(1);
    expect(out[2]).toEndWith('error: the file of --addresses has no line for 192.168.2.4');
    expect(stub.seen).toEqual([]);
  });

  test.each([
    [
      '10.0.0.1\n',
      'map.csv:1: the line is "10.0.0.1"; allowed is SOCKET,OUTER_IP or SOCKET,INNER_IP,OUTER_IP',
    ],
    ['10.0.0.1,/run/a\n', 'map.csv:1: the line is "10.0.0.1,/run/a"'],
    ['\n10.0.0.1,relay\n', 'map.csv:2: the line is "10.0.0.1,relay"'],
    ['10.0.0.1,1.1.1.1,2.2.2.2,3.3.3.3\n', 'map.csv:1: the line is'],
    ['10.0.0.1,1.1.1.1\n10.0.0.1,1.1.1.2\n', 'map.csv:2: 10.0.0.1 stands on an earlier line too'],
  ])('in a file like %j are refused', async (text, message) => {
    const { code, err } = await runImport(file('dump.sql', OPENSIPS), '--addresses', file('map.csv', text));
    expect(code).toBe(1);
    expect(err).toStartWith(message);
  });
});

describe('rows that cannot be used', () => {
  const KAMAILIO = `INSERT INTO \`rtpengine\` (id,setid,url,weight,disabled) VALUES
(1,0,'udp:192.168.2.3:7890',1,0),(2,0,'udp:relay:7890',1,0),(3,0,'udp:192.168.2.5:7890',1,1);
`;

  test('change nothing, and each is reported', async () => {
    stub = startStub({});
    const { code, out, err } = await runImport(file('dump.sql', KAMAILIO));
    expect(code).toBe(1);
    expect(out).toEqual([
      'ROW  ID  SOCKET                RESULT',
      '  1   1  udp:192.168.2.3:7890  ok',
      '  2   2  udp:relay:7890        error: socket is "udp:relay:7890"; write the IP address instead of the host name: a call must find its relay when DNS has changed',
      '  3   3  udp:192.168.2.5:7890  ok',
    ]);
    expect(err).toBe('rtp-cluster import: dump.sql: 1 of 3 rows is bad; nothing was changed.');
    expect(stub.seen).toEqual([]);
  });

  test('are left out with --skip-unusable, those the service finds bad too', async () => {
    let asked = 0;
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        const { rows } = (await request.json()) as { rows: { row: number; id: number }[] };
        const report = rows.map(({ row, id }) => ({
          row,
          id,
          result: row === 1 ? 'error' : rows.length > 1 ? 'ok' : 'added',
          message: row === 1 ? 'taken' : '',
        }));
        asked++;

        return rows.length > 1
          ? Response.json({ code: 'RTPC_BAD_PARAMETER', message: 'bad', rows: report }, { status: 400 })
          : Response.json({ rows: report });
      },
    });
    const { code, out, err } = await runImport(
      file('dump.sql', KAMAILIO),
      '--skip-unusable',
      '--url',
      `http://127.0.0.1:${server.port}`,
    );
    await server.stop(true);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(asked).toBe(2);
    expect(out[1]).toEndWith('skipped: taken');
    expect(out[2]).toContain('skipped: socket is "udp:relay:7890"');
    expect(out[3]).toEndWith('added: disabled in Kamailio: imported with weight 0');
    expect(out[4]).toBe('1 rows imported. 2 of 3 rows skipped.');
  });

  test('are an error in spite of --skip-unusable if there are no others', async () => {
    stub = startStub({});
    const dump = file('dump.sql', "INSERT INTO rtpengine (id,setid,url) VALUES (2,0,'udp:relay:7890');");
    expect((await runImport(dump, '--skip-unusable')).code).toBe(1);
    expect(stub.seen).toEqual([]);
  });
});

describe('a SQLite database', () => {
  const create = (path: string): Database => {
    const database = new Database(path);
    database.run('PRAGMA journal_mode = WAL');
    database.run('CREATE TABLE rtpengine (id INTEGER PRIMARY KEY, socket TEXT, set_id INT)');
    database.run(
      "INSERT INTO rtpengine VALUES (1, 'udp:192.168.2.3:7890', 0), (2, 'udp:192.168.2.4:7890', 0)",
    );

    return database;
  };

  test('is read, and nothing is left beside it', async () => {
    stub = startStub(ADDED);
    const path = join(folder, 'opensips.db');
    create(path).close();
    const before = readdirSync(folder);
    expect((await runImport(path)).code).toBe(0);
    expect(stub.seen[0]?.body).toMatchObject({
      rows: [{ id: 1 }, { id: 2, socket: 'udp:192.168.2.4:7890' }],
    });
    expect(readdirSync(folder)).toEqual(before);
  });

  test('that a program has open is read with what stands in its write-ahead log', async () => {
    stub = startStub(ADDED);
    const path = join(folder, 'opensips.db');
    const database = create(path);
    expect((await runImport(path)).code).toBe(0);
    database.close();
    expect(stub.seen[0]?.body).toMatchObject({ rows: [{ id: 1 }, { id: 2 }] });
  });

  test('that is broken is refused', async () => {
    const path = file('broken.db', `SQLite format 3\0${'x'.repeat(5000)}`);
    const { code, err } = await runImport(path);
    expect(code).toBe(1);
    expect(err).toStartWith('broken.db:1: cannot be read as a SQLite database: ');
  });

  test('with a table whose name has quotes is no way in', async () => {
    const path = join(folder, 'odd.db');
    const database = create(path);
    database.run('CREATE TABLE "a""; DROP TABLE rtpengine; --" (id, socket, set_id)');
    database.close();
    stub = startStub(ADDED);
    expect((await runImport(path)).code).toBe(0);
    expect(stub.seen[0]?.body).toMatchObject({ rows: [{ id: 1 }, { id: 2 }] });
  });
});

describe('files that are refused', () => {
  test.each([
    [Buffer.from('1f8b0800', 'hex'), 'the file is compressed; unpack it with gunzip'],
    [Buffer.from('PGDMP\x01'), 'is a dump in the custom format of pg_dump'],
    [Buffer.from('\uFEFFid,socket', 'utf16le'), 'is text in UTF-16; save it as UTF-8'],
    [Buffer.from('id,socket\0'), 'the file has NUL bytes'],
    [Buffer.from([0x80, 0xff, 0x41]), 'there is no column'],
    [Buffer.from(''), 'the file has no table'],
    [Buffer.from('x'.repeat(5_000_000)), 'the file has 5000000 bytes; allowed are 4194304'],
  ])('%#', async (bytes, message) => {
    const { code, err } = await runImport(file('f', bytes));
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err.length).toBeLessThan(500);
  });

  test('one of more than 64 MiB', async () => {
    const { err } = await runImport(file('f', Buffer.alloc(64 * 1024 * 1024 + 1, 'x')));
    expect(err).toBe('rtp-cluster import: f has more than 67108864 bytes; that is the limit');
  });

  test('--table with a text that has none', async () => {
    expect((await runImport(file('f', 'id,socket\n1,2\n'), '--table', 'x')).err).toContain(
      '--table is given, but the file is no dump of a database',
    );
  });

  test('more rows than fit into a request are told before anything is sent', async () => {
    stub = startStub({});
    const many = Array.from({ length: 10_000 }, (_, i) => `(${i},'udp:10.0.${i % 250}.200:${i + 1}',${i})`);
    const { code, err } = await runImport(
      file('f', `INSERT INTO \`rtpengine\` VALUES ${many.join(',')};`),
      '--inner-from-socket',
    );
    expect(code).toBe(1);
    expect(err).toMatch(
      /10000 rows make a request of \d{7} bytes; the service takes 1048576\. Import the file in parts/,
    );
    expect(stub.seen).toEqual([]);
  });
});
