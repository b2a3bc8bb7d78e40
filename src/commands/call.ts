/** `rtp-cluster call`: the calls and where they are, over the management API. */

import { type Action, runActions, shapesOf, show } from './actions.ts';
import { UsageError } from './args.ts';
import { CHOICE_FLAGS, callPath, callTable, LIST_FLAGS, readCallQuery } from './call-query.ts';
import { watchCall } from './call-watch.ts';
import { watchCalls } from './calls-watch.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { readDuration } from './duration.ts';
import { type JsonObject, listOf, textOf, timeOf } from './json.ts';
import { type Look, paint, printable, type Style, styleOf } from './style.ts';

export const help = `Usage: rtp-cluster call list [--state STATE] [--node ID] [--set ID] [--search TEXT] [--since WHEN]
                             [--until WHEN] [--order ORDER] [--limit N] [--after POSITION]
       rtp-cluster call show CALL-ID
       rtp-cluster call watch [CALL-ID] [--interval TIME] [--node ID] [--set ID] [--search TEXT]

Shows calls: which node has them, in which direction, since when, and with "show" each leg with the
SDP that came from it and what was given back. "watch" with a CALL-ID follows that call until it ends:
each request, its state, and what comes from each party, with what is wrong; without one it shows the
live calls as they come and go. On a terminal q or Ctrl-C ends it; elsewhere it prints a line for each change.

  --state STATE      live (default), announced, early, confirmed, ended or all
  --node ID          Only calls of this node
  --set ID           Only calls of this set
  --search TEXT      Only calls with this in their Call-ID, three characters or more
  --since WHEN       Only calls that began then or later: 30m, 2h, 7d ago, or a time such as
                     2026-11-23T12:00:00Z
  --until WHEN       Only calls that began before
  --order ORDER      Of live calls: "oldest" first (default) or "newest"
  --limit N          At most so many, 1 to 1000; default 100
  --after POSITION   Go on where the list before ended; it says with what
  --interval TIME    Of "watch": time between two looks; default 2s
${CLIENT_HELP}`;

const DEFAULT_INTERVAL = '2s';
const MAX_INTERVAL_MS = 3_600_000;

const list: Action = {
  words: [],
  flags: LIST_FLAGS,
  async run(args, _words, api, io) {
    const query = readCallQuery(args);
    if (query instanceof UsageError) return query;
    const reply = await api.call('GET', `/v1/calls${query.size === 0 ? '' : `?${query}`}`);

    return reply instanceof ApiError ? reply : show(args, io, reply, (look) => listLines(reply.json, look));
  },
};

function listLines(json: unknown, look: Look): string[] {
  const calls = listOf(json, 'calls');
  const next = textOf(json, 'next');
  // The service looks through so many calls for one request.
  const isPartial = textOf(json, 'is_partial') === 'true';
  const none = isPartial ? 'None so far.' : 'There are no such calls.';
  const more = isPartial ? 'There may be more' : 'There are more';

  return [
    ...(calls.length === 0 ? [none] : callTable(calls, look)),
    ...(next === '' ? [] : [`${more}: --after '${printable(next)}'`]),
  ];
}

const watch: Action = {
  words: ['[CALL-ID]'],
  flags: { ...CHOICE_FLAGS, interval: 'value' },
  async run(args, [callId], api, io) {
    const interval = readDuration(args.one('interval') ?? DEFAULT_INTERVAL, '--interval', MAX_INTERVAL_MS);
    if (interval instanceof UsageError) return interval;
    const query = readCallQuery(args);
    if (query instanceof UsageError) return query;
    const isJson = args.has('json');
    if (callId === undefined) return watchCalls(api, io, { query, interval, isJson });
    if (query.size > 0)
      return new UsageError('--node, --set and --search do not go with a CALL-ID; leave them out');

    const path = callPath('explain', callId);
    if (path instanceof UsageError) return path;

    return watchCall(api, io, { callId, interval, isJson });
  },
};

const showOne: Action = {
  words: ['CALL-ID'],
  flags: {},
  async run(args, [callId = ''], api, io) {
    const path = callPath('calls', callId);
    if (path instanceof UsageError) return path;
    const reply = await api.call('GET', path);

    return reply instanceof ApiError ? reply : show(args, io, reply, (look) => callLines(reply.json, look));
  },
};

function callLines(call: unknown, look: Look): string[] {
  const reason = textOf(call, 'end_reason');
  const legs = listOf(call, 'legs');
  const field = fieldsFor(look);

  return [
    field('call', textOf(call, 'call_id')),
    field('node', textOf(call, 'node_id') || 'none yet'),
    field('set', textOf(call, 'set_id')),
    field('direction', textOf(call, 'direction')),
    field(
      'state',
      reason === '' ? textOf(call, 'state') : `${textOf(call, 'state')} (${reason})`,
      styleOf(textOf(call, 'state')),
    ),
    field('created', timeOf(call, 'created_at')),
    field('updated', timeOf(call, 'updated_at')),
    ...legs.flatMap((leg, index) => ['', ...legLines(leg, index + 1, look)]),
  ];
}

/** Makes lines of a name and a value. */
function fieldsFor(look: Look) {
  return (name: string, value: string, style?: Style, indent = ''): string =>
    `${indent}${`${name}:`.padEnd(14 - indent.length)} ${paint(look, value, style)}`;
}

function legLines(leg: JsonObject, number: number, look: Look): string[] {
  const field = fieldsFor(look);
  const branch = textOf(leg, 'branch');

  return [
    `leg ${number}, side ${printable(textOf(leg, 'side'))}`,
    field('tag', textOf(leg, 'tag'), undefined, '  '),
    ...(branch === '' ? [] : [field('branch', branch, undefined, '  ')]),
    ...sdpLines('SDP received', textOf(leg, 'sdp_received')),
    ...sdpLines('SDP returned', textOf(leg, 'sdp_returned')),
  ];
}

function sdpLines(title: string, sdp: string): string[] {
  const lines = sdp.split(/\r?\n/).filter((line) => line !== '');

  return lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${printable(line)}`)];
}

const actions = { list, show: showOne, watch } as const;
export const shapes = shapesOf(actions);

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('call', actions, argv, io);
}
