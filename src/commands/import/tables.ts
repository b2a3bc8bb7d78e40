/** Finds the table of relays among those of a database, and reads its rows: OpenSIPS's and Kamailio's forms and our own. */

import { NODE_KINDS, type NodeKind } from '../../domain/node.ts';
import { familyOf } from '../../util/ip.ts';
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
} from './cells.ts';
import { type Place, placesOf, socketOf, wrongSocket } from './sockets.ts';
import type { Table } from './sql.ts';

/** How one of the proxies keeps its relays (reference: sip-proxies 9). */
interface Form {
  readonly title: string;
  /** Columns that tell this form from the others. */
  readonly marks: readonly string[];
  readonly socket: string;
  readonly set: string;
  readonly kind: NodeKind;
  /** Column that says, if it is not 0, that the relay is not to be used. */
  readonly disabled: string;
}

/** The first that fits counts: OpenSIPS and Kamailio share the name `rtpengine`, so only the columns decide. */
const FORMS: readonly Form[] = [
  {
    title: 'OpenSIPS rtpengine',
    marks: ['socket', 'set_id'],
    socket: 'socket',
    set: 'set_id',
    kind: 'rtpengine',
    disabled: 'disabled',
  },
  {
    title: 'OpenSIPS rtpproxy',
    marks: ['rtpproxy_sock', 'set_id'],
    socket: 'rtpproxy_sock',
    set: 'set_id',
    kind: 'rtpproxy',
    disabled: 'disabled',
  },
  {
    title: 'Kamailio rtpproxy',
    marks: ['url', 'setid', 'flags'],
    socket: 'url',
    set: 'setid',
    kind: 'rtpproxy',
    disabled: 'flags',
  },
  {
    title: 'Kamailio rtpengine',
    marks: ['url', 'setid'],
    socket: 'url',
    set: 'setid',
    kind: 'rtpengine',
    disabled: 'disabled',
  },
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
    const fits = row.length === columns.length;
    const places = fits ? placesOf(text) : [];
    for (const [index, place] of (places.length === 0 ? [NOWHERE] : places).entries()) {
      const number = read.length + 1;
      const { cells, notes } = relayOf(form, place, {
        at: (column) => at(row, column),
        set: set || '0',
        plainWeight: hasWeights ? '1' : '',
      });
      // Only one of several relays of a row can have its id.
      if (index > 0) cells.delete('id');
      const named = { row: number, id: cells.get('id') ?? '', socket: cells.get('socket') ?? '' };
      const result = fits
        ? readRelay(number, cells)
        : new RowFault(`the row has ${row.length} cells; the table has ${columns.length} columns`);
      const isNoted = notes.length > 0 && !(result instanceof RowFault);
      read.push({ ...named, result, ...(isNoted ? { note: notes.join('; ') } : {}) });
    }
  }

  return withoutDoubles(read, 'in row');
}

/** Of a row without a socket. */
const NOWHERE: Place = { socket: '', weight: undefined, advertised: undefined };

/** What is known of a relay besides its place. */
interface Around {
  /** A cell of its row. */
  readonly at: (column: string) => string;
  readonly set: string;
  /** Its weight if neither the place nor the row has one. */
  readonly plainWeight: string;
}

/** A relay by our own columns, and what the user should know of it. */
function relayOf(
  form: Form,
  { socket, weight, advertised }: Place,
  { at, set, plainWeight }: Around,
): { cells: Map<Column, string>; notes: string[] } {
  const kind = at('kind') || form.kind;
  const isDisabled = !/^0?$/.test(at(form.disabled));
  const cells = new Map<Column, string>([
    ...PLAIN.map((column): [Column, string] => [column, at(column)]),
    ['socket', socketOf(socket, kind)],
    ['set_id', set],
    ['kind', kind],
    ['weight', isDisabled ? '0' : (weight ?? (at('weight') || plainWeight))],
  ]);
  // A proxy numbers its rtpproxies and its rtpengines each from 1, but they are nodes of one fleet.
  if (form.kind === 'rtpproxy') cells.delete('id');
  const notes = isDisabled ? ['disabled in Kamailio: imported with weight 0'] : [];
  if (advertised === undefined) return { cells, notes };
  if (familyOf(advertised) === undefined)
    notes.push(`its advertised address "${advertised}" is left out: it is no IP address`);
  else if (at('out_media_ip') !== '')
    notes.push(`its advertised address ${advertised} is left out: the row has out_media_ip`);
  else {
    cells.set('out_media_ip', advertised);
    notes.push(`its advertised address ${advertised} is the outer media address`);
  }

  return { cells, notes };
}

function readRelay(row: number, cells: ReadonlyMap<Column, string>): ImportRow | RowFault {
  const kind = NODE_KINDS.find((each) => each === cells.get('kind')?.toLowerCase());
  const wrong = kind === undefined ? undefined : wrongSocket(cells.get('socket') ?? '', kind);
  if (wrong !== undefined) return new RowFault(wrong);
  const fields: Record<string, ImportRow[string]> = {};
  for (const [column, text] of cells) {
    if (text === '') continue;
    const value = readCell(column, text);
    if (value instanceof RowFault) return value;
    fields[column] = value;
  }

  return { row, ...fields };
}
