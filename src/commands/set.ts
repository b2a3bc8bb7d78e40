/** `rtp-cluster set`: the sets of nodes, over the management API. */

import { MAX_PORT_RESERVE, MAX_SET_ID } from '../domain/node-limits.ts';
import { LOAD_MEASURES, POLICIES } from '../placement/policy.ts';
import { type Action, removal, runActions, shapesOf, show } from './actions.ts';
import { type Args, readInteger, UsageError } from './args.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { listOf, textOf } from './json.ts';
import { formatTable } from './table.ts';

export const help = `Usage: rtp-cluster set list
       rtp-cluster set change ID [FLAGS]
       rtp-cluster set remove ID

Shows and changes the sets. A set appears with its first node; "set change" makes it too.
Only a set without nodes can be removed.

  --description TEXT     What the set is for
  --direction DIRECTION  Direction of calls of this set that do not say theirs: "out", "in", a side,
                         "from>to"; "none" takes it away
  --policy POLICY        How new calls are placed: hash (default), least-load or round-robin
  --load-by MEASURE      What least-load counts: sessions (default) or ports
  --port-reserve N       Percent of a node's media ports that new calls leave free, 0 to 50
  --media-probe on|off   Whether each node gets a test call with RTP once a minute; two in a row without
                         audio take a node out. Default: off
${CLIENT_HELP}`;

const list: Action = {
  words: [],
  flags: {},
  async run(args, _words, api, io) {
    const reply = await api.call('GET', '/v1/sets');
    if (reply instanceof ApiError) return reply;
    const rows = listOf(reply.json, 'sets').map((set) => [
      ...['id', 'nodes', 'calls', 'policy', 'load_by', 'port_reserve'].map((field) => textOf(set, field)),
      set.media_probe === true ? 'on' : 'off',
      ...['direction', 'description'].map((field) => textOf(set, field)),
    ]);

    return show(args, io, reply, (look) =>
      formatTable(
        ['ID', 'NODES', 'CALLS', 'POLICY', 'LOAD BY', 'RESERVE', 'PROBE', 'DIRECTION', 'DESCRIPTION'],
        rows,
        look,
        ['RESERVE', 'LOAD BY', 'PROBE'],
      ),
    );
  },
};

/** Of a switch that can be set both ways. */
const ON_OFF = ['on', 'off'] as const;

function readId(text = ''): number | UsageError {
  return readInteger(text, 'the set id', 0, MAX_SET_ID);
}

/** The fields of a set that were given, by the names of the API. */
function readFields(args: Args): Record<string, unknown> | UsageError {
  const fields: Record<string, unknown> = {};
  const description = args.one('description');
  if (description !== undefined) fields.description = description;
  const direction = args.one('direction');
  if (direction !== undefined) fields.direction = direction === 'none' ? null : direction;
  for (const [flag, field] of [
    ['policy', 'policy'],
    ['load-by', 'load_by'],
  ] as const)
    if (args.has(flag)) fields[field] = args.one(flag);
  const reserve = args.one('port-reserve');
  if (reserve !== undefined) {
    const percent = readInteger(reserve, '--port-reserve', 0, MAX_PORT_RESERVE);
    if (percent instanceof UsageError) return percent;
    fields.port_reserve = percent;
  }
  if (args.has('media-probe')) fields.media_probe = args.one('media-probe') === 'on';

  return fields;
}

const change: Action = {
  words: ['ID'],
  flags: {
    description: 'value',
    direction: 'value',
    policy: POLICIES,
    'load-by': LOAD_MEASURES,
    'port-reserve': 'value',
    'media-probe': ON_OFF,
  },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const fields = readFields(args);
    if (fields instanceof UsageError) return fields;
    if (Object.keys(fields).length === 0)
      return new UsageError('nothing to change is given; see the flags of "set change"');
    const reply = await api.call('PUT', `/v1/sets/${id}`, fields);

    return reply instanceof ApiError ? reply : show(args, io, reply, () => [`set ${id} changed`]);
  },
};

const actions = { list, change, remove: removal('set', readId) } as const;
export const shapes = shapesOf(actions);

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('set', actions, argv, io);
}
