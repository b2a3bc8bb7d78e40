/** `rtp-cluster set`: the sets of nodes, over the management API. */

import { type Action, removal, runActions, show } from './actions.ts';
import { readInteger, UsageError } from './args.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { listOf, textOf } from './json.ts';
import { MAX_ID } from './node.ts';
import { formatTable } from './table.ts';

export const help = `Usage: rtp-cluster set list
       rtp-cluster set change ID [--description TEXT] [--direction DIRECTION]
       rtp-cluster set remove ID

Shows and changes the sets. A set appears with its first node; "set change" makes it too.
Only a set without nodes can be removed.

  --description TEXT     What the set is for
  --direction DIRECTION  Direction of calls of this set that do not say theirs: "out", "in", a side,
                         "from>to"; "none" takes it away
${CLIENT_HELP}`;

const list: Action = {
  words: [],
  flags: {},
  async run(args, _words, api, io) {
    const reply = await api.call('GET', '/v1/sets');
    if (reply instanceof ApiError) return reply;
    const fields = ['id', 'nodes', 'calls', 'direction', 'description'];

    return show(args, io, reply, () =>
      formatTable(
        ['ID', 'NODES', 'CALLS', 'DIRECTION', 'DESCRIPTION'],
        listOf(reply.json, 'sets').map((set) => fields.map((field) => textOf(set, field))),
      ),
    );
  },
};

function readId(text = ''): number | UsageError {
  return readInteger(text, 'the set id', 0, MAX_ID);
}

const change: Action = {
  words: ['ID'],
  flags: { description: 'value', direction: 'value' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const description = args.one('description');
    const direction = args.one('direction');
    if (description === undefined && direction === undefined)
      return new UsageError('nothing to change is given; give --description or --direction');
    const reply = await api.call('PUT', `/v1/sets/${id}`, {
      ...(description === undefined ? {} : { description }),
      ...(direction === undefined ? {} : { direction: direction === 'none' ? null : direction }),
    });

    return reply instanceof ApiError ? reply : show(args, io, reply, () => [`set ${id} changed`]);
  },
};

/** Actions of `rtp-cluster set`. */
export const actions = { list, change, remove: removal('set', readId) } as const;

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('set', actions, argv, io);
}
