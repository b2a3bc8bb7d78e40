import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ReadRow, RowFault, TableFault } from '../../../src/commands/import/cells.ts';
import { readTable } from '../../../src/commands/import/rows.ts';
import { run } from '../../../src/commands/import.ts';
import { type Stub, startStub, type TestIo, testIo } from './stub.ts';

const HEAD = 'id,socket,set_id,inner_media_ip,out_media_ip';
const ROW_1 = {
  id: 1,
  socket: 'udp:192.168.2.3:7890',
  set_id: 0,
  inner_media_ip: '192.168.2.3',
  out_media_ip: '203.0.113.3',
};
const ROW_2 = {
  id: 2,
  socket: 'udp6:[2001:db8::3]:7890',
  set_id: 1,
  inner_media_ip: '192.168.2.4',
  out_media_ip: '2001:db8::3',
};

function rows(text: string): ReadRow[] {
  const table = readTable(text);
  if (table instanceof TableFault) throw new Error(`${table.row}: ${table.message}`);

  return table;
}

function fault(text: string): string {
  const table = readTable(text);
  if (table instanceof TableFault) return `${table.row}: ${table.message}`;
  const bad = table.find(({ result }) => result instanceof RowFault);

  return bad?.result instanceof RowFault ? `${bad.row}: ${bad.result.message}` : '';
}

describe('forms of a table', () => {
  const lines = [ROW_1, ROW_2].map((row) => Object.values(row));
  const expected = [ROW_1, ROW_2];

  test.each([',', ';', '\t', '|'])('columns parted by %j', (delimiter) => {
    const text = [HEAD.split(','), ...lines].map((cells) => cells.join(delimiter)).join('\n');
    expect(rows(text).map(({ result }) => result)).toEqual(
      expected.map((row, i) => ({ row: i + 2, ...row })),
    );
  });

  test('a Markdown table as it stands in a README', () => {
    const text = [
      '| id | socket | set_id | inner_media_ip | out_media_ip |',
      '| --- |:---:| --- | ---: | - |',
      ...lines.map((cells) => `| ${cells.map((cell) => `\`${cell}\``).join(' | ')} |`),
    ].join('\n');
    expect(rows(text).map(({ result }) => result)).toEqual(
      expected.map((row, i) => ({ row: i + 3, ...row })),
    );
  });

  test('a table of the MySQL client', () => {
    const text = [
      '+----+--------+--------+',
      `| ${HEAD.split(',').join(' | ')} |`,
      '+----+--------+--------+',
      ...lines.map((cells) => `| ${cells.join(' | ')} |`),
      '+----+--------+--------+',
    ].join('\n');
    expect(rows(text)).toHaveLength(2);
  });

  test('byte order mark, CRLF, quotes, comments, blank lines and upper-case names', () => {
    const text = `\uFEFF# nodes\r\n\r\n"ID","Socket",SET_ID,Inner_Media_IP,out_media_ip\r\n\r\n# first\r\n"1", "udp:192.168.2.3:7890" ,0,192.168.2.3,203.0.113.3\r\n`;
    expect(rows(text).map(({ result }) => result)).toEqual([{ row: 6, ...ROW_1 }]);
  });

  test('optional columns, no id, empty cells and NULL', () => {
    const text =
      'socket,set_id,inner_media_ip,out_media_ip,weight,kind,impose_mode\nudp:10.0.0.1:1,0,10.0.0.1,NULL,5,RTPproxy,\n';
    expect(rows(text)[0]?.result).toEqual({
      row: 2,
      socket: 'udp:10.0.0.1:1',
      set_id: 0,
      inner_media_ip: '10.0.0.1',
      weight: 5,
      kind: 'rtpproxy',
    });
  });
});

test('media addresses may be missing: a node that exists keeps its own', () => {
  expect(rows('socket;set_id;weight\nudp:10.0.0.1:1;0;7\n')[0]?.result).toEqual({
    row: 2,
    socket: 'udp:10.0.0.1:1',
    set_id: 0,
    weight: 7,
  });
});

test('sockets of rtpproxies are taken; the service knows the kind of a node that is there already', () => {
  const text = 'socket,set_id,kind\nudp:10.0.0.1,0,rtpproxy\nunix:/run/rtpproxy.sock,0,\n';
  expect(rows(text).map(({ result }) => result)).toEqual([
    { row: 2, socket: 'udp:10.0.0.1', set_id: 0, kind: 'rtpproxy' },
    { row: 3, socket: 'unix:/run/rtpproxy.sock', set_id: 0 },
  ]);
});

test('a tag that every node of a kind has already is refused', () => {
  expect(rows('socket,set_id,tags\nudp:10.0.0.1:1,0,rtpproxy\n')[0]?.result).toEqual(
    new RowFault(
      'tags: a tag is "rtpproxy"; every node has its kind as a tag already, and it cannot be given',
    ),
  );
});

test('priority, capacity, tags and HTTP port are optional columns', () => {
  const head = 'socket;set_id;priority;capacity;tags;http_port';
  const cells = (line: string) => rows(`${head}\nudp:10.0.0.1:1;0;${line}\n`)[0]?.result;
  expect(cells('2;500;Gold eu,gold;9900')).toMatchObject({
    priority: 2,
    capacity: 500,
    tags: ['eu', 'gold'],
    http_port: 9900,
  });
  expect(cells(';none;none;none')).toEqual({
    row: 2,
    socket: 'udp:10.0.0.1:1',
    set_id: 0,
    capacity: null,
    tags: [],
    http_port: null,
  });
  expect(cells('x;;;')).toEqual(new RowFault('priority is "x"; allowed is a whole number from 0 to 65535'));
  expect(cells(';0;;')).toEqual(new RowFault('capacity is "0"; allowed is a whole number from 1 to 1000000'));
  expect(cells(';;a/b;')).toBeInstanceOf(RowFault);
  expect(cells(';;;70000')).toBeInstanceOf(RowFault);
});

describe('what is refused', () => {
  const ALLOWED =
    'allowed is udp:IP:PORT or udp6:[IP]:PORT, for rtpproxy udp:IP[:PORT], udp6:[IP][:PORT], tcp:IP:PORT, tcp6:[IP]:PORT, unix:/PATH or cunix:/PATH';
  const row = (cells: string): string => fault(`${HEAD}\n${cells}\n`);

  test.each([
    ['', '1: the file has no table'],
    ['# only a comment', '1: the file has no table'],
    [HEAD, '1: the table has column names but no rows'],
    [`${HEAD},wieght\n`, '1: there is no column "wieght"; did you mean weight?'],
    [`${HEAD},id\n`, '1: the column id is there twice'],
    ['id,inner_media_ip\n1,2\n', '1: the column socket, set_id is missing; needed are socket, set_id'],
    ['1,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2\n', '1: there is no column "1"'],
  ])('table %j', (text, message) => {
    expect(fault(text)).toStartWith(message);
  });

  test.each([
    ['x,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2', '2: id is "x"; allowed is a whole number from 0 to 2147483647'],
    ['1,10.0.0.1:1,0,10.0.0.1,10.0.0.2', `2: socket is "10.0.0.1:1"; ${ALLOWED}`],
    [
      '1,udp:10.0.0.1:1=3,0,10.0.0.1,10.0.0.2',
      `2: socket is "udp:10.0.0.1:1=3"; ${ALLOWED}; "=3" is a weight of OpenSIPS: put it into a column weight`,
    ],
    [
      '1,udp:10.0.0.1:1,0,host,10.0.0.2',
      '2: inner_media_ip is "host"; allowed is an IP address, as in 192.168.2.3 or 2001:db8::3',
    ],
    ['1,udp:10.0.0.1:1,,10.0.0.1,10.0.0.2', '2: set_id must not be empty'],
    ['1,udp:10.0.0.1:1,0,10.0.0.1', '2: the row has 4 cells; the head names 5 columns'],
  ])('row %j', (cells, message) => {
    expect(row(cells)).toBe(message);
  });

  test('a quote that is not closed', () => {
    expect(row('1,"udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2')).toStartWith(
      '2: cannot read the row: Quote Not Closed',
    );
  });

  test('an id, or a socket in a set, that an earlier row has', () => {
    expect(row('1,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2\n1,udp:10.0.0.1:2,0,10.0.0.1,10.0.0.2')).toBe(
      '3: id 1 is on line 2 already',
    );
    expect(row('1,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2\n2,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2')).toBe(
      '3: socket udp:10.0.0.1:1 in set 0 is on line 2 already',
    );
    expect(row('1,udp:10.0.0.1:1,0,10.0.0.1,10.0.0.2\n2,udp:10.0.0.1:1,1,10.0.0.1,10.0.0.2')).toBe('');
  });
});

describe('rtp-cluster import', () => {
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

  async function runImport(text: string, ...flags: string[]): Promise<{ code: number; io: TestIo }> {
    const file = join(folder, 'nodes.csv');
    writeFileSync(file, text);
    const io = testIo({ RTP_CLUSTER_URL: stub?.url ?? 'http://127.0.0.1:1' });

    return { code: await run([file, ...flags], io), io };
  }

  const TEXT = `${HEAD}\n${Object.values(ROW_1)}\n${Object.values(ROW_2)}\n`;

  test('sends all rows with their line numbers and reports each', async () => {
    stub = startStub({
      'POST /v1/nodes/import': {
        rows: [
          { row: 2, id: 1, result: 'added', message: '' },
          { row: 3, id: 2, result: 'updated', message: 'weight 1 to 2' },
        ],
      },
    });
    const { code, io } = await runImport(TEXT);
    expect(code).toBe(0);
    expect(stub.seen[0]?.body).toEqual({
      rows: [
        { row: 2, ...ROW_1 },
        { row: 3, ...ROW_2 },
      ],
    });
    expect(io.outLines).toEqual([
      'LINE  ID  SOCKET                   RESULT',
      '   2   1  udp:192.168.2.3:7890     added',
      '   3   2  udp6:[2001:db8::3]:7890  updated: weight 1 to 2',
      '2 rows imported.',
    ]);
  });

  test('a dry run asks for one and says that nothing was changed', async () => {
    stub = startStub({
      'POST /v1/nodes/import?dry_run=true': { rows: [{ row: 2, id: 1, result: 'added' }] },
    });
    const { code, io } = await runImport(TEXT, '--dry-run');
    expect(code).toBe(0);
    expect(io.outLines.at(-1)).toBe('Dry run: nothing was changed.');
  });

  test('a row that is bad here is reported and nothing is sent', async () => {
    stub = startStub({});
    const { code, io } = await runImport(`${TEXT}3,nonsense,0,10.0.0.1,10.0.0.2\n`);
    expect(code).toBe(1);
    expect(stub.seen).toEqual([]);
    expect(io.outLines[1]).toEndWith('ok');
    expect(io.outLines[3]).toContain('error: socket is "nonsense"');
    expect(io.errLines[0]).toEndWith('1 of 3 rows is bad; nothing was changed.');
  });

  test('a row that is bad for the service is reported, and nothing was changed', async () => {
    stub = startStub({
      'POST /v1/nodes/import': Response.json(
        {
          code: 'RTPC_BAD_PARAMETER',
          message: 'The table has bad rows.',
          rows: [
            { row: 2, result: 'ok', message: '' },
            { row: 3, result: 'error', message: 'another node has this socket' },
          ],
        },
        { status: 400 },
      ),
    });
    const { code, io } = await runImport(TEXT);
    expect(code).toBe(1);
    expect(io.outLines[2]).toEndWith('error: another node has this socket');
    expect(io.errLines[0]).toContain('1 of 2 rows is bad; nothing was changed.');
  });

  test('--json prints every row and what became of it, whoever found it bad', async () => {
    const json = ({ outLines }: TestIo): unknown => JSON.parse(outLines.join(''));
    stub = startStub({
      'POST /v1/nodes/import': { rows: [{ row: 2, id: 7, result: 'added', message: '' }] },
    });
    const bad = `3,nonsense,0,10.0.0.1,10.0.0.2\n`;
    const one = `${HEAD}\n${Object.values(ROW_1)}\n`;
    const { io } = await runImport(`${one}${bad}`, '--skip-unusable', '--json');
    expect(json(io)).toEqual({
      place: 'line',
      rows: [
        { row: 2, id: 7, socket: ROW_1.socket, result: 'added', message: null },
        {
          row: 3,
          id: 3,
          socket: 'nonsense',
          result: 'skipped',
          message: expect.stringContaining('socket is "nonsense"'),
        },
      ],
    });
    const here = await runImport(`${one}${bad}`, '--json');
    expect([here.code, json(here.io)]).toEqual([
      1,
      {
        place: 'line',
        rows: [expect.objectContaining({ result: 'ok' }), expect.objectContaining({ result: 'error' })],
      },
    ]);
    await stub.stop();
    const rows = [{ row: 2, id: 7, result: 'error', message: 'another node has this socket' }];
    stub = startStub({
      'POST /v1/nodes/import': Response.json(
        { code: 'RTPC_BAD_PARAMETER', message: 'Bad.', rows },
        { status: 400 },
      ),
    });
    const there = await runImport(one, '--json');
    expect([there.code, json(there.io)]).toEqual([
      1,
      {
        code: 'RTPC_BAD_PARAMETER',
        message: 'Bad.',
        place: 'line',
        rows: [
          { row: 2, id: 7, socket: ROW_1.socket, result: 'error', message: 'another node has this socket' },
        ],
      },
    ]);
  });

  test('an error that is not about rows, no service and no file are told', async () => {
    stub = startStub({
      'POST /v1/nodes/import': Response.json(
        { code: 'RTPC_NOT_DURABLE', message: 'The disk is full.' },
        { status: 503 },
      ),
    });
    expect((await runImport(TEXT)).io.errLines[0]).toBe(
      'rtp-cluster import: The disk is full (RTPC_NOT_DURABLE)',
    );
    const io = testIo();
    expect(await run([join(folder, 'none.csv')], io)).toBe(1);
    expect(io.errLines[0]).toContain('cannot read');
    expect(await run([], io)).toBe(2);
  });

  test('a table that cannot be read names file and line', async () => {
    const { code, io } = await runImport('id;sokket;set_id\n1;2;3\n');
    expect(code).toBe(1);
    expect(io.errLines[0]).toMatch(/nodes\.csv:1: there is no column "sokket"; did you mean socket\?/);
  });
});
