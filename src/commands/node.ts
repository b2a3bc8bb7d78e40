/** `rtp-cluster node`: the nodes of the fleet, over the management API. */

import { type MediaAddress, whereabouts, withPort } from '../domain/node.ts';
import { MAX_ID } from '../domain/node-limits.ts';
import { type Action, removal, runActions, shapesOf, show } from './actions.ts';
import { readInteger, UsageError } from './args.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { type JsonObject, listOf, textOf } from './json.ts';
import { FIELD_FLAGS, isSamePlace, readAddresses, readFields } from './node-flags.ts';
import { nodeLines } from './node-lines.ts';
import { ORDERS_HELP, orderActions } from './node-orders.ts';
import { nodeTable } from './node-table.ts';
import { Progress } from './progress.ts';
import { reportLines } from './report-lines.ts';
import { paintWord } from './style.ts';

export const help = `Usage: rtp-cluster node list [--wide]
       rtp-cluster node show ID
       rtp-cluster node add SOCKET --set SET --inner IP --outer IP [FLAGS]
       rtp-cluster node set ID [--socket SOCKET] [FLAGS]
       rtp-cluster node remove ID
       rtp-cluster node drain ID --reason TEXT [--deadline TIME] [--tell-relay] [--wait]
       rtp-cluster node maint ID --reason TEXT [--until WHEN]
       rtp-cluster node ready ID [--reason TEXT]
       rtp-cluster node check ID [--no-media]
       rtp-cluster node reconcile ID

Shows and changes the nodes (media relays). SOCKET is the control socket as in OpenSIPS's table:
udp:192.168.2.3:7890 or udp6:[2001:db8::3]:7890; of an rtpproxy also udp:192.168.2.3 (its port is 22222 then),
tcp:192.168.2.3:7890, tcp6:[2001:db8::3]:7890, unix:/run/rtpproxy.sock or cunix:/run/rtpproxy.sock (it runs on
the host of the service). "node set" changes only what is given. A node that drains gets no new calls, those it
has go on; one in maintenance gets none either, whatever happens to the others. "check" looks at a node as
calls see it, for about a second, and says what to do; exit code 1 if something failed. "reconcile" compares
its calls with ours: what it lost is ended here, what ended here and is left there is deleted, calls of other
controllers are left alone.

  --wide             All columns
  --socket SOCKET    Of "node set": its new control socket
  --set SET          The set, a number from 0
  --inner IP         Media address as the inner side sees it; again for the other address family
  --outer IP         Media address as the outer side sees it; again for the other address family
  --address SIDE=IP  The same for any side. After the IP, here and with --inner and --outer, may stand
                     @INTERFACE. Of an rtpengine: its logical interface for that side (--impose
                     interface). Of an rtpproxy: which of its sockets faces that side, "internal" or
                     "external" in bridging mode (rtpproxy -l INT/EXT), else an IP address of its host
                     or the label of a listen address; without, it has one socket for all sides
  --id N             Id of a new node; the service chooses one if missing
  --kind KIND        rtpengine (default) or rtpproxy; it is a tag of the node too
  --weight N         Share of new calls, 0 to 65535; 0 takes no new calls
  --impose MODE      media-address (default) or, of an rtpengine, interface
  --priority N       Nodes of the lowest number take the calls, 0 to 65535; default 0
  --capacity N       Calls it may have at a time, 1 to 1000000; "none" for no limit
  --tags A,B         Words a request may ask for; "none" takes them away
  --http-port N      Port of rtpengine's listen-http on the host of SOCKET; "none" if it has none
  --no-media         Of "node check": send no RTP, look at the addresses only
${ORDERS_HELP}
${CLIENT_HELP}`;

function readId(text = ''): number | UsageError {
  return readInteger(text, 'the node id', 0, MAX_ID);
}

const list: Action = {
  words: [],
  flags: { wide: 'switch' },
  async run(args, _words, api, io) {
    const reply = await api.call('GET', '/v1/nodes');
    if (reply instanceof ApiError) return reply;
    const nodes = listOf(reply.json, 'nodes');

    return show(args, io, reply, (look) =>
      nodes.length === 0
        ? ['There are no nodes yet; add one with: rtp-cluster node add']
        : nodeTable(nodes, args.has('wide'), look),
    );
  },
};

const showOne: Action = {
  words: ['ID'],
  flags: {},
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reply = await api.call('GET', `/v1/nodes/${id}`);

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, (look) => nodeLines(reply.json, Date.now(), look));
  },
};

const add: Action = {
  words: ['SOCKET'],
  flags: { ...FIELD_FLAGS, id: 'value' },
  async run(args, [socket], api, io) {
    const fields = readFields(args, socket);
    if (fields instanceof UsageError) return fields;
    const addresses = readAddresses(args);
    if (addresses instanceof UsageError) return addresses;
    if (fields.set_id === undefined)
      return new UsageError('--set is missing; give the set of the node, as in --set 0');
    if (addresses.length === 0)
      return new UsageError(
        'no media address is given; give --inner IP and --outer IP (or --address SIDE=IP)',
      );
    const reply = await api.call('POST', '/v1/nodes', { ...fields, media_addresses: addresses });

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, (look) => [
          `node ${textOf(reply.json, 'id')} added`,
          ...nodeLines(reply.json, Date.now(), look),
        ]);
  },
};

const change: Action = {
  words: ['ID'],
  flags: { ...FIELD_FLAGS, socket: 'value' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const fields = readFields(args, args.one('socket'));
    if (fields instanceof UsageError) return fields;
    const addresses = readAddresses(args);
    if (addresses instanceof UsageError) return addresses;
    if (Object.keys(fields).length === 0 && addresses.length === 0)
      return new UsageError('nothing to change is given; see the flags of "node set"');
    const before = await api.call('GET', `/v1/nodes/${id}`);
    if (before instanceof ApiError) return before;
    const move = moveOf(before.json, fields);
    if (move !== undefined && addresses.length === 0)
      return new UsageError(`${move}; give its media addresses too, as in --inner IP --outer IP`);
    const all = move === undefined ? withOld(addresses, before.json) : addresses;
    const body = addresses.length === 0 ? fields : { ...fields, media_addresses: all };
    const reply = await api.call('PUT', `/v1/nodes/${id}`, body);

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, (look) => [`node ${id} changed`, ...nodeLines(reply.json, Date.now(), look)]);
  },
};

/** How a node becomes another relay, if it does: its media addresses are others then. */
function moveOf(before: unknown, { kind, socket }: Record<string, unknown>): string | undefined {
  const old = textOf(before, 'kind');
  if (typeof kind === 'string' && kind !== old)
    return `the node changes from ${old} to ${kind}, another relay`;
  if (typeof socket !== 'string') return undefined;
  const [from, to] = [textOf(before, 'socket'), socket].map((text) => whereabouts(withPort(text)));
  if (to === from) return undefined;

  return `the node moves from ${from} to ${to}, another ${to?.startsWith('/') ? 'relay' : 'host'}`;
}

/** Addresses with those the node has at other places, and with the interfaces it has at the same ones. */
function withOld(addresses: readonly MediaAddress[], before: unknown): JsonObject[] {
  const old = listOf(before, 'media_addresses');
  const others = old.filter(
    ({ side, family }) => !addresses.some((now) => isSamePlace({ side, family }, now)),
  );
  const now = addresses.map((address) => {
    const had = old.find(({ side, family }) => isSamePlace({ side, family }, address));

    return { ...address, interface: address.interface ?? had?.interface ?? null };
  });

  return [...others, ...now];
}

const check: Action = {
  words: ['ID'],
  flags: { 'no-media': 'switch' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const progress = new Progress(io, 'node check');
    progress.show(`looking at node ${id}`);
    const reply = await api.call('POST', `/v1/nodes/${id}/check`, { media: !args.has('no-media') });
    progress.end();
    if (reply instanceof ApiError) return reply;
    const result = textOf(reply.json, 'result');
    if (result === '')
      return new ApiError('the service is older than this command and cannot look at nodes; upgrade it');
    show(args, io, reply, (look) => [
      `node ${id}  ${paintWord(look, result)}`,
      ...reportLines(reply.json, look),
    ]);

    return result === 'failed' ? EXIT.failed : EXIT.ok;
  },
};

const reconcile: Action = {
  words: ['ID'],
  flags: {},
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reply = await api.call('POST', `/v1/nodes/${id}/reconcile`);

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, () => [
          ['asked', 'kept', 'lost', 'strays', 'foreign', 'unsure']
            .map((field) => `${textOf(reply.json, field)} ${field}`)
            .join(', '),
        ]);
  },
};

const actions = {
  list,
  show: showOne,
  add,
  set: change,
  remove: removal('node', readId),
  ...orderActions,
  check,
  reconcile,
} as const;
export const shapes = shapesOf(actions);

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runActions('node', actions, argv, io);
}
