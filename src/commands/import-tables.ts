/** Finds the table of relays among those of a database, and reads its rows: OpenSIPS's and Kamailio's forms and our own. */

import { parseSocket } from '../domain/node.ts';
import {
  COLUMNS,
  type Column,
  type ImportRow,
  isEmptyCell,
  MAX_ROWS,
  type ReadRow,
  RowFault,
  readCell,
  TableFault,
  withoutDoubles,
} from './import-cells.ts';
import type { Table } from './import-sql.ts';

/** How one of the proxies keeps its relays (reference: sip-proxies 9). */
interface Form {
  readonly title: string;
  /** Columns that tell this form from the others. */
  readonly marks: readonly string[];
  readonly socket: string;
  readonly set: string;
  readonly kind: 'rtpengine' | 'rtpproxy';
}

/** The first that fits counts: OpenSIPS and Kamailio share the name `rtpengine`, so only the columns decide. */
const FORMS: readonly Form[] = [
  {
    title: 'OpenSIPS rtpengine',
    marks: ['socket', 'set_id'],
    socket: 'socket',
    set: 'set_id',
    kind: 'rtpengine',
  },
  {
    title: 'OpenSIPS rtpproxy',
    marks: ['rtpproxy_sock', 'set_id'],
    socket: 'rtpproxy_sock',
    set: 'set_id',
    kind: 'rtpproxy',
  },
  {
    title: 'Kamailio rtpproxy',
    marks: ['url', 'setid', 'flags'],
    socket: 'url',
    set: 'setid',
    kind: 'rtpproxy',
  },
  { title: 'Kamailio rtpengine', marks: ['url', 'setid'], socket: 'url', set: 'setid', kind: 'rtpengine' },
];

/** Columns by table and their number, for dumps that do not name them. */
const ORDERS: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  [
    'rtpengine',
    [
      ['id', 'socket', 'set_id'],
      ['id', 'socket', 'set_id', 'inner_media_ip', 'out_media_ip'],
      ['id', 'setid', 'url', 'weight', 'disabled', 'stamp'],
    ],
  ],
  ['rtpproxy_sockets', [['id', 'rtpproxy_sock', 'set_id']]],
  ['rtpproxy', [['id', 'setid', 'url', 'flags', 'weight', 'description']]],
]);

/** Columns that are taken as they are from whatever table has them. */
const PLAIN: readonly Column[] = COLUMNS.filter(
  (column) => !['socket', 'set_id', 'kind', 'weight'].includes(column),
);

/** Whether a table may hold relays, by what is known before its rows are read. */
export function mayFit(name: string, columns: readonly string[] | undefined): boolean {
  return columns === undefined ? ORDERS.has(lastPart(name)) : formOf(columns) !== undefined;
}

/** The rows of the one table that holds relays, or of the one called `wanted`. */
export function readTables(tables: readonly Table[], wanted: string | undefined): ReadRow[] | TableFault {
  const found = tables.filter(({ name }) => wanted === undefined || isCalled(name, wanted));
  const fitting = found.flatMap((table) => {
    const columns = table.columns ?? orderOf(table);
    const form = columns === undefined ? undefined : formOf(columns);

    return columns === undefined || form === undefined ? [] : [{ ...table, columns, form }];
  });
  const full = fitting.filter(({ rows }) => rows.length > 0);
  const [table, ...others] = full;
  if (table === undefined) return new TableFault(1, nothingFits(tables, found, fitting, wanted));
  if (others.length > 0) {
    const names = full.map(({ name, rows, form }) => `${name} (${form.title}, ${rows.length} rows)`);

    return new TableFault(1, `several tables hold relays: ${names.join(', ')}; name one with --table`);
  }
  if (table.rows.length > MAX_ROWS)
    return new TableFault(1, `${table.name} has more than ${MAX_ROWS} rows; allowed are ${MAX_ROWS}`);

  return readRelays(table.columns, table.form, table.rows);
}

function nothingFits(
  tables: readonly Table[],
  found: readonly Table[],
  fitting: readonly Table[],
  wanted: string | undefined,
): string {
  const [empty] = fitting;
  if (empty !== undefined) return `the table ${empty.name} has no rows`;
  const forms = FORMS.map(({ marks }) => marks.join(' and ')).join('; ');
  const all = tables.map(({ name }) => name);
  const shown = `${all.slice(0, 20).join(', ')}${all.length > 20 ? ' and others' : ''}`;
  if (wanted !== undefined && found.length === 0)
    return `there is no table "${wanted}"; there are ${shown || 'none'}`;

  return `no table holds relays; wanted are the columns ${forms}. There are the tables ${shown || 'none'}`;
}

function formOf(columns: readonly string[]): Form | undefined {
  return FORMS.find(({ marks }) => marks.every((mark) => columns.includes(mark)));
}

function orderOf({ name, rows }: Table): readonly string[] | undefined {
  return ORDERS.get(lastPart(name))?.find((order) => order.length === rows[0]?.length);
}

function lastPart(name: string): string {
  return name.toLowerCase().split('.').at(-1) ?? '';
}

function isCalled(name: string, wanted: string): boolean {
  return name.toLowerCase() === wanted.toLowerCase() || lastPart(name) === wanted.toLowerCase();
}

/** One place of a relay in a text of sockets. */
interface Place {
  readonly socket: string;
  readonly weight: string | undefined;
}

function readRelays(columns: readonly string[], form: Form, rows: Table['rows']): ReadRow[] {
  const at = (row: Table['rows'][number], column: string): string => {
    const cell = row[columns.indexOf(column)]?.trim() ?? '';

    return isEmptyCell(cell) ? '' : cell;
  };
  // The proxies give a relay without a weight 1. It counts only beside others that have one.
  const hasWeights = rows.some(
    (row) =>
      at(row, 'weight') !== '' || placesOf(at(row, form.socket)).some(({ weight }) => weight !== undefined),
  );
  const read: ReadRow[] = [];
  for (const row of rows) {
    // The form of a parameter, "1 == udp:a:1=2 udp:b:1", names the set before the sockets.
    const [, set = at(row, form.set), text = ''] =
      /^(?:(\d+)\s*==\s*)?(.*)$/s.exec(at(row, form.socket)) ?? [];
    const places = row.length === columns.length ? placesOf(text) : [];
    for (const [index, { socket, weight }] of (places.length === 0
      ? [{ socket: '', weight: undefined }]
      : places
    ).entries()) {
      const cells = new Map<Column, string>([
        ...PLAIN.map((column): [Column, string] => [column, at(row, column)]),
        ['socket', socket],
        ['set_id', set || '0'],
        ['kind', at(row, 'kind') || form.kind],
        ['weight', weight ?? (at(row, 'weight') || (hasWeights ? '1' : ''))],
      ]);
      // Only one of several relays of a row can have its id.
      if (index > 0) cells.delete('id');
      const number = read.length + 1;
      const named = { row: number, id: cells.get('id') ?? '', socket };
      if (row.length !== columns.length) {
        const message = `the row has ${row.length} cells; the table has ${columns.length} columns`;
        read.push({ ...named, result: new RowFault(message) });
      } else read.push({ ...named, ...readRelay(number, cells, !/^0?$/.test(at(row, 'disabled'))) });
    }
  }

  return withoutDoubles(read, 'in row');
}

/** The sockets of a text, with their weights: `udp:a:1=2 udp:b:1`, rtpproxy's `udp:a:1|advertised=2`. */
function placesOf(text: string): Place[] {
  return text
    .replace(/^\d+\s*==\s*/, '')
    .split(/\s+/)
    .filter((part) => part !== '')
    .map((part) => {
      const [, socket = part, weight] = /^(.*?)(?:\|[^=]*)?(?:=(\d+))?$/.exec(part) ?? [];

      return { socket, weight };
    });
}

function readRelay(
  row: number,
  cells: ReadonlyMap<Column, string>,
  isDisabled: boolean,
): Pick<ReadRow, 'result' | 'note'> {
  const socket = cells.get('socket') ?? '';
  if (cells.get('kind') === 'rtpproxy')
    return { result: new RowFault('kind is rtpproxy; this version drives rtpengine only') };
  const wrong = wrongSocket(socket);
  if (wrong !== undefined) return { result: new RowFault(wrong) };
  const fields: Record<string, ImportRow[string]> = {};
  for (const [column, text] of cells) {
    if (text === '') continue;
    const value = readCell(column, text);
    if (value instanceof RowFault) return { result: value };
    fields[column] = value;
  }

  return isDisabled
    ? { result: { row, ...fields, weight: 0 }, note: 'disabled in Kamailio: imported with weight 0' }
    : { result: { row, ...fields } };
}

/** Why a socket cannot be used; undefined if it can. */
function wrongSocket(socket: string): string | undefined {
  if (socket === '') return 'the socket is empty';
  if (parseSocket(socket) !== undefined) return undefined;
  const scheme = /^(udp6?|tcp6?|unix|wss?|https?):/i.exec(socket)?.[1]?.toLowerCase();
  if (scheme === undefined)
    return `socket is "${socket}"; without udp: or udp6: it is a UNIX socket to the proxies, and only relays on UDP can be used`;
  if (!scheme.startsWith('udp'))
    return `socket is "${socket}"; only relays on UDP can be used (udp:IP:PORT), not ${scheme}`;
  if (/^udp6?:[a-z0-9.-]*[a-z][a-z0-9.-]*:\d+$/i.test(socket))
    return `socket is "${socket}"; write the IP address instead of the host name: a call must find its relay when DNS has changed`;

  return `socket is "${socket}"; allowed is udp:IP:PORT or udp6:[IP]:PORT`;
}
