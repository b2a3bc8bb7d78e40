import { describe, expect, test } from 'bun:test';
import { type ReadRow, RowFault, TableFault } from '../../../src/commands/import/cells.ts';
import type { Table } from '../../../src/commands/import/sql.ts';
import { mayFit, readTables } from '../../../src/commands/import/tables.ts';

const OPENSIPS = ['id', 'socket', 'set_id'];
const KAMAILIO = ['id', 'setid', 'url', 'weight', 'disabled', 'stamp'];

function make(columns: readonly string[] | undefined, rows: Table['rows'], name = 'rtpengine'): Table {
  return { name, columns, rows };
}

function rows(...tables: Table[]): ReadRow[] {
  const read = readTables(tables, undefined);
  if (read instanceof TableFault) throw new Error(read.message);

  return read;
}

function results(...tables: Table[]): unknown[] {
  return rows(...tables).map(({ result, note }) =>
    result instanceof RowFault ? result.message : note === undefined ? result : [result, note],
  );
}

function fault(tables: readonly Table[], wanted?: string): string {
  const read = readTables(tables, wanted);

  return read instanceof TableFault ? read.message : 'no fault';
}

describe('forms of the proxies', () => {
  test("OpenSIPS's rtpengine", () => {
    expect(results(make(OPENSIPS, [['4', 'udp:192.168.2.3:7890', '2']]))).toEqual([
      { row: 1, id: 4, socket: 'udp:192.168.2.3:7890', set_id: 2, kind: 'rtpengine' },
    ]);
  });

  test("the author's table, with the media addresses of both sides", () => {
    const columns = [...OPENSIPS, 'inner_media_ip', 'out_media_ip'];
    expect(results(make(columns, [['0', 'udp:192.168.2.3:7890', '0', '192.168.2.3', '1.2.3.4']]))).toEqual([
      {
        row: 1,
        id: 0,
        socket: 'udp:192.168.2.3:7890',
        set_id: 0,
        kind: 'rtpengine',
        inner_media_ip: '192.168.2.3',
        out_media_ip: '1.2.3.4',
      },
    ]);
  });

  test("Kamailio's rtpengine is told from OpenSIPS's by its columns; a disabled relay gets weight 0", () => {
    const stamp = '1900-01-01 00:00:01';
    expect(
      results(
        make(KAMAILIO, [
          ['1', '3', 'udp:192.168.2.3:7890', '5', '0', stamp],
          ['2', '3', 'udp6:2001:db8::3:7890', '5', '1', stamp],
        ]),
      ),
    ).toEqual([
      { row: 1, id: 1, socket: 'udp:192.168.2.3:7890', set_id: 3, kind: 'rtpengine', weight: 5 },
      [
        { row: 2, id: 2, socket: 'udp6:2001:db8::3:7890', set_id: 3, kind: 'rtpengine', weight: 0 },
        'disabled in Kamailio: imported with weight 0',
      ],
    ]);
  });

  test('a dump without column names has those of the table of that name and width', () => {
    expect(results(make(undefined, [['1', 'udp:10.0.0.1:1', '0']]))).toMatchObject([
      { socket: 'udp:10.0.0.1:1' },
    ]);
    expect(results(make(undefined, [['1', '0', 'udp:10.0.0.1:1', '9', '0', 'x']]))).toMatchObject([
      { weight: 9 },
    ]);
    expect(results(make(undefined, [['1', 'udp:10.0.0.1:1', '0', '10.0.0.1', '1.2.3.4']]))).toMatchObject([
      { out_media_ip: '1.2.3.4' },
    ]);
    expect(fault([make(undefined, [['1', '2']])])).toStartWith('no table holds relays');
    expect(fault([make(undefined, [['1', 'udp:10.0.0.1:1', '0']], 'constructor')])).toStartWith(
      'no table holds',
    );
  });

  test('our own optional columns are taken from any table; others are left out', () => {
    const columns = [...OPENSIPS, 'priority', 'capacity', 'tags', 'http_port', 'remark'];
    const row = ['1', 'udp:10.0.0.1:1', '0', '2', '500', 'Gold,eu', '9900', 'x'];
    expect(results(make(columns, [row]))).toEqual([
      {
        ...{ row: 1, id: 1, socket: 'udp:10.0.0.1:1', set_id: 0, kind: 'rtpengine' },
        ...{ priority: 2, capacity: 500, tags: ['eu', 'gold'], http_port: 9900 },
      },
    ]);
  });
});

describe('tables of rtpproxies', () => {
  const SOCKETS = ['id', 'rtpproxy_sock', 'set_id'];
  const PROXIES = ['id', 'setid', 'url', 'flags', 'weight', 'description'];
  const of = (socket: string): unknown[] => results(make(SOCKETS, [['7', socket, '2']]));

  test("OpenSIPS's, without the id: there is another table with the same ones", () => {
    expect(rows(make(SOCKETS, [['7', 'udp:10.0.0.1:7890', '2']]))).toEqual([
      {
        row: 1,
        id: '',
        socket: 'udp:10.0.0.1:7890',
        result: { row: 1, socket: 'udp:10.0.0.1:7890', set_id: 2, kind: 'rtpproxy' },
      },
    ]);
  });

  test("Kamailio's: flags that are not 0 say that it is disabled", () => {
    expect(
      results(
        make(PROXIES, [
          ['1', '3', 'udp:10.0.0.1:7890', '0', '5', 'first'],
          ['2', '3', 'unix:/run/rtpproxy.sock', '1', '5', ''],
        ]),
      ),
    ).toEqual([
      { row: 1, socket: 'udp:10.0.0.1:7890', set_id: 3, kind: 'rtpproxy', weight: 5 },
      [
        { row: 2, socket: 'unix:/run/rtpproxy.sock', set_id: 3, kind: 'rtpproxy', weight: 0 },
        'disabled in Kamailio: imported with weight 0',
      ],
    ]);
  });

  test('are told from those of rtpengines in a dump without column names', () => {
    const [opensips, kamailio] = [
      make(undefined, [['1', 'udp:10.0.0.1', '0']], 'opensips.rtpproxy_sockets'),
      make(undefined, [['1', '0', 'udp:10.0.0.1', '0', '1', '']], 'rtpproxy'),
    ];
    for (const table of [opensips, kamailio])
      expect(results(table)).toMatchObject([{ kind: 'rtpproxy', socket: 'udp:10.0.0.1:22222' }]);
    expect(fault([opensips, kamailio])).toContain(
      '(OpenSIPS rtpproxy, 1 rows), rtpproxy (Kamailio rtpproxy, 1 rows)',
    );
  });

  test.each([
    ['udp:10.0.0.1', 'udp:10.0.0.1:22222'],
    ['udp6:[2001:db8::1]', 'udp6:[2001:db8::1]:22222'],
    ['udp6:2001:db8::1:7890', 'udp6:2001:db8::1:7890'],
    ['tcp:10.0.0.1:7890', 'tcp:10.0.0.1:7890'],
    ['unix:/run/rtpproxy.sock', 'unix:/run/rtpproxy.sock'],
    ['cunix:/run/rtpproxy.sock', 'cunix:/run/rtpproxy.sock'],
    ['/run/rtpproxy.sock', 'unix:/run/rtpproxy.sock'],
  ])('socket %p becomes %p', (text, socket) => {
    expect(of(text)).toEqual([{ row: 1, socket, set_id: 2, kind: 'rtpproxy' }]);
    expect(of(`${text}=3`)).toEqual([{ row: 1, socket, set_id: 2, kind: 'rtpproxy', weight: 3 }]);
  });

  test('several sockets in one text are several nodes, each with its weight and advertised address', () => {
    expect(of('udp:10.0.0.1:7890|1.2.3.4=2 /run/b.sock udp:10.0.0.3|2001:db8::3')).toEqual([
      [
        {
          ...{ row: 1, socket: 'udp:10.0.0.1:7890', set_id: 2, kind: 'rtpproxy', weight: 2 },
          out_media_ip: '1.2.3.4',
        },
        'its advertised address 1.2.3.4 is the outer media address',
      ],
      { row: 2, socket: 'unix:/run/b.sock', set_id: 2, kind: 'rtpproxy', weight: 1 },
      [
        {
          ...{ row: 3, socket: 'udp:10.0.0.3:22222', set_id: 2, kind: 'rtpproxy', weight: 1 },
          out_media_ip: '2001:db8::3',
        },
        'its advertised address 2001:db8::3 is the outer media address',
      ],
    ]);
  });

  test('an advertised address that cannot be used is left out, and the report says so', () => {
    expect(of('udp:10.0.0.1:1|relay.example.org')).toEqual([
      [
        { row: 1, socket: 'udp:10.0.0.1:1', set_id: 2, kind: 'rtpproxy' },
        'its advertised address "relay.example.org" is left out: it is no IP address',
      ],
    ]);
    const ours = make([...SOCKETS, 'out_media_ip'], [['7', 'udp:10.0.0.1:1|1.2.3.4', '2', '5.6.7.8']]);
    expect(results(ours)).toEqual([
      [
        { row: 1, socket: 'udp:10.0.0.1:1', set_id: 2, kind: 'rtpproxy', out_media_ip: '5.6.7.8' },
        'its advertised address 1.2.3.4 is left out: the row has out_media_ip',
      ],
    ]);
  });

  test('one relay twice is refused, however its port and path are written', () => {
    expect(of('udp:10.0.0.1 udp:10.0.0.1:22222 /run/a unix:/run/a').slice(1)).toEqual([
      'socket udp:10.0.0.1:22222 in set 2 is in row 1 already',
      { row: 3, socket: 'unix:/run/a', set_id: 2, kind: 'rtpproxy' },
      'socket unix:/run/a in set 2 is in row 3 already',
    ]);
  });

  test.each([
    ['udp:localhost:12221', 'write the IP address instead of the host name'],
    ['udp:relay', 'write the IP address instead of the host name'],
    ['tcp6:relay:1', 'write the IP address instead of the host name'],
    ['10.0.0.1:7890', 'without udp: it is a UNIX socket to the proxies, and its path must begin with "/"'],
    ['udp:10.0.0.300:1', 'allowed is udp:IP[:PORT], udp6:[IP][:PORT], tcp:IP:PORT'],
    ['ws:10.0.0.1:7890', 'unix:/PATH or cunix:/PATH'],
  ])('socket %p is refused, saying why', (text, message) => {
    expect(String(of(text)[0])).toContain(message);
  });

  test('a column of ours may name the kind of a row', () => {
    const table = make([...OPENSIPS, 'kind'], [['1', 'udp:10.0.0.1', '0', 'RTPproxy']]);
    expect(results(table)).toMatchObject([{ id: 1, kind: 'rtpproxy', socket: 'udp:10.0.0.1:22222' }]);
    expect(results(make([...OPENSIPS, 'kind'], [['1', 'udp:10.0.0.1:1', '0', 'x']]))).toEqual([
      'kind is "x"; allowed is rtpengine or rtpproxy',
    ]);
  });
});

describe('sockets', () => {
  const of = (socket: string | null): unknown[] => results(make(OPENSIPS, [['7', socket, '0']]));

  test('a weight behind the socket is that of the node; others of the table then have 1, as in OpenSIPS', () => {
    expect(
      results(
        make(OPENSIPS, [
          ['1', 'udp:10.0.0.1:1=3', '0'],
          ['2', 'udp:10.0.0.2:1', '0'],
        ]),
      ),
    ).toMatchObject([{ weight: 3 }, { weight: 1 }]);
  });

  test('several sockets in one text are several nodes; the first has the id', () => {
    expect(of('udp:10.0.0.1:1=2  udp:10.0.0.2:1\n')).toEqual([
      { row: 1, id: 7, socket: 'udp:10.0.0.1:1', set_id: 0, kind: 'rtpengine', weight: 2 },
      { row: 2, socket: 'udp:10.0.0.2:1', set_id: 0, kind: 'rtpengine', weight: 1 },
    ]);
  });

  test('the form of a parameter names the set', () => {
    expect(of('5 == udp:10.0.0.1:1 udp:10.0.0.2:1')).toMatchObject([{ set_id: 5 }, { set_id: 5 }]);
  });

  test.each([
    ['udp:relay.example.org:7890', 'write the IP address instead of the host name'],
    ['udp6:relay:7890=2', 'write the IP address instead of the host name'],
    ['tcp:10.0.0.1:7890', 'rtpengine is driven over UDP only (udp:IP:PORT), not tcp'],
    ['ws:10.0.0.1:7890', 'not ws'],
    ['unix:/run/rtpproxy.sock', 'not unix'],
    ['cunix:/run/rtpproxy.sock', 'not cunix'],
    ['/run/rtpproxy.sock', 'without udp: or udp6: it is a UNIX socket'],
    ['udp:10.0.0.1', 'allowed is udp:IP:PORT or udp6:[IP]:PORT'],
    ['udp:10.0.0.300:1', 'allowed is udp:IP:PORT'],
    ['', 'the socket is empty'],
    [null, 'the socket is empty'],
  ])('%j is refused, saying why', (socket, message) => {
    const [found, ...rest] = of(socket);
    expect(String(found)).toContain(message);
    expect(rest).toEqual([]);
  });

  test('the same socket or id again is refused', () => {
    expect(
      results(
        make(OPENSIPS, [
          ['1', 'udp:10.0.0.1:1', '0'],
          ['2', 'udp:10.0.0.1:1', '0'],
          ['1', 'udp:10.0.0.2:1', '0'],
        ]),
      ).slice(1),
    ).toEqual(['socket udp:10.0.0.1:1 in set 0 is in row 1 already', 'id 1 is in row 1 already']);
  });

  test('a set that is no number, and a row with too few cells, are refused', () => {
    expect(results(make(OPENSIPS, [['1', 'udp:10.0.0.1:1', 'x']]))).toEqual([
      'set_id is "x"; allowed is a whole number from 0 to 999999999',
    ]);
    expect(results(make(OPENSIPS, [['1', 'udp:10.0.0.1:1']]))).toEqual([
      'the row has 2 cells; the table has 3 columns',
    ]);
  });
});

describe('which table', () => {
  const row = ['1', 'udp:10.0.0.1:1', '0'];
  const [acc, empty] = [make(['id', 'method'], [], 'acc'), make(OPENSIPS, [])];

  test('is found among others by its columns, whatever its name', () => {
    expect(results(acc, empty, make(OPENSIPS, [row], 'my_relays'))).toHaveLength(1);
    expect(mayFit('my_relays', OPENSIPS)).toBe(true);
    expect(mayFit('acc', ['id', 'method'])).toBe(false);
    expect(mayFit('public.RTPENGINE', undefined)).toBe(true);
    expect(mayFit('constructor', undefined)).toBe(false);
  });

  test('must be said if several fit; a name does, with its database if that is needed', () => {
    const tables = [
      make(OPENSIPS, [row], 'a.rtpengine'),
      make(KAMAILIO, [['1', '0', 'x', '1', '0', 'y']], 'b.rtpengine'),
    ];
    expect(fault(tables)).toBe(
      'several tables hold relays: a.rtpengine (OpenSIPS rtpengine, 1 rows), b.rtpengine (Kamailio rtpengine, 1 rows); name one with --table',
    );
    expect(fault(tables, 'rtpengine')).toStartWith('several tables');
    expect(fault(tables, 'A.RTPengine')).toBe('no fault');
  });

  test('that does not exist, does not fit or is empty is told with what there is', () => {
    expect(fault([acc])).toBe(
      'no table holds relays; wanted are the columns socket and set_id; rtpproxy_sock and set_id; url and setid and flags; url and setid. There are the tables acc',
    );
    expect(fault([acc], 'rtpengine')).toBe('there is no table "rtpengine"; there are acc');
    expect(fault([acc], 'acc')).toStartWith('no table holds relays');
    expect(fault([empty])).toBe('the table rtpengine has no rows');
    expect(fault([])).toContain('There are the tables none');
  });

  test('has no more rows than a fleet has nodes', () => {
    expect(fault([make(OPENSIPS, Array(10_001).fill(row))])).toBe(
      'rtpengine has more than 10000 rows; allowed are 10000',
    );
  });
});
