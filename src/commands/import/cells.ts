/** A row of an imported table: what its cells may hold, whatever kind of file it comes from. */

import { Failure } from '../../domain/errors.ts';
import { NODE_KINDS, SOCKET_FORMS, socketFor } from '../../domain/node.ts';
import {
  MAX_CAPACITY,
  MAX_ID,
  MAX_PORT,
  MAX_PRIORITY,
  MAX_SET_ID,
  MAX_WEIGHT,
  readNodeTags,
} from '../../domain/node-limits.ts';
import { familyOf } from '../../util/ip.ts';

/** A row as the API takes it; `row` is its place in the file, counted from 1. */
export interface ImportRow {
  readonly row: number;
  readonly [field: string]: string | number | null | readonly string[];
}

/** A row that was read: what it says for messages, and either its fields or what is wrong with it. */
export interface ReadRow {
  readonly row: number;
  readonly id: string;
  readonly socket: string;
  readonly result: ImportRow | RowFault;
  /** What the user should know of a row that is good. */
  readonly note?: string;
}

/** What is wrong with a row. */
export class RowFault {
  constructor(readonly message: string) {}
}

/** The table cannot be read at all. */
export class TableFault {
  constructor(
    readonly row: number,
    readonly message: string,
  ) {}
}

/** More nodes than any fleet has. */
export const MAX_ROWS = 10_000;

/** Columns of our own form of a table. */
export const COLUMNS = [
  'id',
  'socket',
  'set_id',
  'inner_media_ip',
  'out_media_ip',
  'weight',
  'kind',
  'impose_mode',
  'priority',
  'capacity',
  'tags',
  'http_port',
] as const;
export type Column = (typeof COLUMNS)[number];

/** Whether a cell holds nothing: the field is not given. */
export function isEmptyCell(text: string): boolean {
  return text === '' || text.toUpperCase() === 'NULL';
}

/** Reads a cell that is not empty. */
export function readCell(
  column: Column,
  text: string,
): string | number | null | readonly string[] | RowFault {
  switch (column) {
    case 'id':
      return wholeNumber(column, text, 0, MAX_ID);
    case 'set_id':
      return wholeNumber(column, text, 0, MAX_SET_ID);
    case 'weight':
      return wholeNumber(column, text, 0, MAX_WEIGHT);
    case 'priority':
      return wholeNumber(column, text, 0, MAX_PRIORITY);
    case 'capacity':
      return text === 'none' ? null : wholeNumber(column, text, 1, MAX_CAPACITY);
    case 'http_port':
      return text === 'none' ? null : wholeNumber(column, text, 1, MAX_PORT);
    case 'tags':
      return tags(text);
    case 'socket':
      return socket(text);
    case 'inner_media_ip':
    case 'out_media_ip':
      return familyOf(text) === undefined
        ? new RowFault(`${column} is "${text}"; allowed is an IP address, as in 192.168.2.3 or 2001:db8::3`)
        : text;
    case 'kind':
      return word(column, text, NODE_KINDS);
    case 'impose_mode':
      return word(column, text, ['media-address', 'interface']);
  }
}

/** Rows that name a node of an earlier row again are faults; `place` is what messages call a row. */
export function withoutDoubles(rows: readonly ReadRow[], place: 'on line' | 'in row'): ReadRow[] {
  const seen = new Map<string, number>();

  return rows.map((read) => {
    const { result } = read;
    if (result instanceof RowFault) return read;
    const names = [`socket ${result.socket} in set ${result.set_id}`];
    if (result.id !== undefined) names.unshift(`id ${result.id}`);
    for (const name of names) {
      const other = seen.get(name);
      if (other !== undefined)
        return { ...read, result: new RowFault(`${name} is ${place} ${other} already`) };
    }
    for (const name of names) seen.set(name, read.row);

    return read;
  });
}

function wholeNumber(column: string, text: string, min: number, max: number): number | RowFault {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;

  return value >= min && value <= max
    ? value
    : new RowFault(`${column} is "${text}"; allowed is a whole number from ${min} to ${max}`);
}

function tags(text: string): readonly string[] | RowFault {
  const read = text === 'none' ? [] : readNodeTags(text.split(/[\s,;]+/).filter((tag) => tag !== ''));

  return read instanceof Failure ? new RowFault(`tags: ${read.message}`) : read;
}

function word(column: string, text: string, words: readonly string[]): string | RowFault {
  const lower = text.toLowerCase();

  return words.includes(lower)
    ? lower
    : new RowFault(`${column} is "${text}"; allowed is ${words.join(' or ')}`);
}

/** A socket that some kind of relay can have: the service knows the kind of a node that is there already, and looks again. */
function socket(text: string): string | RowFault {
  if (isSocket(text)) return text;
  const [, bare = '', weight] = /^(.+:\d+)=(\d+)$/.exec(text) ?? [];
  const hint = isSocket(bare) ? `; "=${weight}" is a weight of OpenSIPS: put it into a column weight` : '';

  return new RowFault(
    `socket is "${text}"; allowed is ${SOCKET_FORMS.rtpengine}, for rtpproxy ${SOCKET_FORMS.rtpproxy}${hint}`,
  );
}

function isSocket(text: string): boolean {
  return NODE_KINDS.some((kind) => socketFor(kind, text) !== undefined);
}
