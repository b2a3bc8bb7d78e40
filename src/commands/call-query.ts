/** Flags that choose calls, and calls as a table: of `call list` and `call watch`. */

import { type Args, type Flags, readInteger, UsageError } from './args.ts';
import { readMoment } from './duration.ts';
import { type JsonObject, textOf, timeOf } from './json.ts';
import { type Cell, type Look, type Style, styleOf } from './style.ts';
import { formatTable } from './table.ts';

/** Calls the service gives at a time. */
export const MAX_PAGE = 1000;
/** Characters of a Call-ID the service searches by. */
const MIN_SEARCH = 3;

/** Which calls. */
export const CHOICE_FLAGS = { node: 'node', set: 'set', search: 'value' } as const satisfies Flags;

/** Which calls, how many, and where the list goes on. */
export const LIST_FLAGS = {
  ...CHOICE_FLAGS,
  state: ['live', 'announced', 'early', 'confirmed', 'ended', 'all'],
  since: 'value',
  until: 'value',
  order: ['oldest', 'newest'],
  limit: 'value',
  after: 'value',
} as const satisfies Flags;

/** The flags that were given, as the API takes them. */
export function readCallQuery(args: Args): URLSearchParams | UsageError {
  const query = new URLSearchParams();
  const limit = args.one('limit');
  const count = limit === undefined ? 0 : readInteger(limit, '--limit', 1, MAX_PAGE);
  if (count instanceof UsageError) return count;
  for (const flag of Object.keys(LIST_FLAGS)) {
    const value = args.one(flag);
    if (value === undefined) continue;
    const read = flag === 'since' || flag === 'until' ? readMoment(value, `--${flag}`) : value;
    if (read instanceof UsageError) return read;
    query.set(flag, read);
  }
  const search = query.get('search') ?? undefined;
  // The service takes less for a whole Call-ID, and who types a part of one would be told that there is none.
  if (search !== undefined && search.length < MIN_SEARCH)
    return new UsageError(
      `--search is "${search}"; allowed is a part of a Call-ID of ${MIN_SEARCH} characters or more`,
    );

  return query;
}

/** The path of a call at one of the places of `/v1` that have calls. */
export function callPath(place: 'calls' | 'explain' | 'statistics', callId: string): string | UsageError {
  // However they are written, clients and servers read these two as folders.
  if (callId === '.' || callId === '..')
    return new UsageError(
      `the Call-ID is "${callId}", which no address can hold; allowed is any other, and "rtp-cluster call list" shows this one too`,
    );

  return `/v1/${place}/${encodeURIComponent(callId)}`;
}

/** Calls as lines, the first of which is the head; the Call-ID is never cut. */
export function callTable(calls: readonly JsonObject[], look: Look): string[] {
  const rows = calls.map((call): Cell[] => [
    textOf(call, 'node_id') || { text: 'none', style: 'yellow' },
    textOf(call, 'set_id'),
    textOf(call, 'direction'),
    stateCell(call),
    textOf(call, 'legs'),
    timeOf(call, 'created_at'),
    textOf(call, 'call_id'),
  ]);

  return formatTable(['NODE', 'SET', 'DIRECTION', 'STATE', 'LEGS', 'CREATED', 'CALL-ID'], rows, look, [
    'LEGS',
    'DIRECTION',
    'SET',
    'CREATED',
  ]);
}

/** Ends that need a look. */
const END_STYLES: Readonly<Record<string, Style>> = {
  lost: 'red',
  'media timeout': 'yellow',
  idle: 'yellow',
};

/** `ended (bye)` */
function stateCell(call: JsonObject): Cell {
  const [state, reason] = [textOf(call, 'state'), textOf(call, 'end_reason')];

  return {
    text: reason === '' ? state : `${state} (${reason})`,
    style: END_STYLES[reason] ?? styleOf(state),
  };
}
