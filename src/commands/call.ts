/** `rtp-cluster call`: the calls and where they are, over the management API. */

import { MAX_ID } from '../domain/node-limits.ts';
import { type Action, runActions, show } from './actions.ts';
import { readInteger, UsageError } from './args.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { type JsonObject, listOf, textOf, timeOf } from './json.ts';
import { formatTable, printable } from './table.ts';

export const help = `Usage: rtp-cluster call list [--state STATE] [--node ID] [--set ID] [--limit N] [--after POSITION]
       rtp-cluster call show CALL-ID

Shows calls: which node has them, in which direction, since when, and with "show" each leg with the
SDP that came from it and what was given back.

  --state STATE     Only calls that are announced, early, confirmed or ended
  --node ID         Only calls of this node
  --set ID          Only calls of this set
  --limit N         At most so many
  --after POSITION  Go on where the list before ended; it says with what
${CLIENT_HELP}`;

const STATES = ['announced', 'early', 'confirmed', 'ended'];

const list: Action = {
  words: [],
  flags: { state: 'value', node: 'value', set: 'value', limit: 'value', after: 'value' },
  async run(args, _words, api, io) {
    const query = new URLSearchParams();
    for (const flag of ['state', 'node', 'set', 'limit', 'after']) {
      const value = args.one(flag);
      if (value === undefined) continue;
      const fault = flagFault(flag, value);
      if (fault !== undefined) return fault;
      query.set(flag, value);
    }
    const reply = await api.call('GET', `/v1/calls${query.size === 0 ? '' : `?${query}`}`);

    return reply instanceof ApiError ? reply : show(args, io, reply, () => callTable(reply.json));
  },
};

function flagFault(flag: string, value: string): UsageError | undefined {
  if (flag === 'after') return undefined;
  if (flag === 'state')
    return STATES.includes(value)
      ? undefined
      : new UsageError(`--state is "${value}"; allowed is ${STATES.join(', ')}`);
  const number = readInteger(value, `--${flag}`, flag === 'limit' ? 1 : 0, MAX_ID);

  return number instanceof UsageError ? number : undefined;
}

function callTable(json: unknown): string[] {
  const calls = listOf(json, 'calls');
  if (calls.length === 0) return ['There are no such calls.'];
  const rows = calls.map((call) => [
    textOf(call, 'node_id') || 'none',
    textOf(call, 'set_id'),
    textOf(call, 'direction'),
    textOf(call, 'state'),
    textOf(call, 'legs'),
    timeOf(call, 'created_at'),
    textOf(call, 'end_reason'),
    textOf(call, 'call_id'),
  ]);
  const next = textOf(json, 'next');
  const more = next === '' ? [] : [`There are more: --after '${printable(next)}'`];

  return [
    ...formatTable(['NODE', 'SET', 'DIRECTION', 'STATE', 'LEGS', 'CREATED', 'END', 'CALL-ID'], rows),
    ...more,
  ];
}

const showOne: Action = {
  words: ['CALL-ID'],
  flags: {},
  async run(args, [callId = ''], api, io) {
    const reply = await api.call('GET', `/v1/calls/${encodeURIComponent(callId)}`);

    return reply instanceof ApiError ? reply : show(args, io, reply, () => callLines(reply.json));
  },
};

function field(name: string, value: string, indent = ''): string {
  return `${indent}${`${name}:`.padEnd(14 - indent.length)} ${printable(value)}`;
}

function callLines(call: unknown): string[] {
  const reason = textOf(call, 'end_reason');
  const legs = listOf(call, 'legs');

  return [
    field('call', textOf(call, 'call_id')),
    field('node', textOf(call, 'node_id') || 'none yet'),
    field('set', textOf(call, 'set_id')),
    field('direction', textOf(call, 'direction')),
    field('state', reason === '' ? textOf(call, 'state') : `${textOf(call, 'state')} (${reason})`),
    field('created', timeOf(call, 'created_at')),
    field('updated', timeOf(call, 'updated_at')),
    ...legs.flatMap((leg, index) => ['', ...legLines(leg, index + 1)]),
  ];
}

function legLines(leg: JsonObject, number: number): string[] {
  const branch = textOf(leg, 'branch');

  return [
    `leg ${number}, side ${printable(textOf(leg, 'side'))}`,
    field('tag', textOf(leg, 'tag'), '  '),
    ...(branch === '' ? [] : [field('branch', branch, '  ')]),
    ...sdpLines('SDP received', textOf(leg, 'sdp_received')),
    ...sdpLines('SDP returned', textOf(leg, 'sdp_returned')),
  ];
}

function sdpLines(title: string, sdp: string): string[] {
  const lines = sdp.split(/\r?\n/).filter((line) => line !== '');

  return lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${printable(line)}`)];
}

/** Actions of `rtp-cluster call`. */
export const actions = { list, show: showOne } as const;

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('call', actions, argv, io);
}
