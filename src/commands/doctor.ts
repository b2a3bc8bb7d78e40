/** `rtp-cluster doctor`: looks at the service and at every node from outside, as calls see them, and says what to do. */

import { MAX_ID } from '../domain/node-limits.ts';
import { type Action, runAction, shapesOf } from './actions.ts';
import { type Args, readInteger, UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { checkDoors, checkService, type Found } from './doctor-service.ts';
import { isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from './json.ts';
import { Progress } from './progress.ts';
import { reportLines } from './report-lines.ts';
import { type Look, lookOf, paint, paintWord, printable } from './style.ts';
import { counted } from './table.ts';

export const help = `Usage: rtp-cluster doctor [ID...] [FLAGS]

Looks at the service, then at each node, or at those that are named: does it answer, which version is it,
how many ports has it left, is the right address shown to each side, does audio pass both ways? For that
it makes calls through the relays, which are deleted at once; the role of the token must be admin. What is
found changes nothing. Nodes are looked at 8 at a time, each for some 1 s.

Exit code 0 if nothing failed, though there may be warnings; 1 if something did, 2 for a wrong call. Nodes
in maintenance are told and do not count: somebody works on them.

  --set ID           Only the nodes of this set
  --no-media         Send no RTP: look at the addresses only
${CLIENT_HELP}`;

/** Nodes looked at a time; the service takes no more. */
const AT_ONCE = 8;

const doctor: Action = {
  words: ['[ID...]'],
  flags: { set: 'set', 'no-media': 'switch' },
  async run(args, words, api, io) {
    const ids = readIds(words);
    if (ids instanceof UsageError) return ids;
    const progress = new Progress(io, 'doctor');
    progress.show('looking at the service');
    const service = [...(await checkService(api)), ...(await checkDoors(args, io))];
    const nodes = await nodesOf(api, ids, args.one('set'));
    const found =
      nodes instanceof ApiError ? nodes : await checkAll(api, nodes, !args.has('no-media'), progress);
    progress.end();
    // What cannot be asked for is told below what is known of the service.
    if (!args.has('json')) for (const line of serviceLines(service, lookOf(io))) io.out(line);
    if (found instanceof ApiError) {
      if (args.has('json')) io.out(JSON.stringify({ result: 'failed', service, nodes: [] }));

      return new ApiError(found.message);
    }

    return tell(args, io, service, found);
  },
};

function readIds(words: readonly string[]): readonly number[] | UsageError {
  const ids = words.map((word) => readInteger(word, 'the node id', 0, MAX_ID));
  const wrong = ids.find((id) => id instanceof UsageError);

  return wrong instanceof UsageError ? wrong : ids.filter((id) => typeof id === 'number');
}

/** The nodes that are wanted, by id. */
async function nodesOf(
  api: Api,
  ids: readonly number[],
  setId: string | undefined,
): Promise<readonly JsonObject[] | ApiError> {
  const reply = await api.call('GET', `/v1/nodes${setId === undefined ? '' : `?set=${setId}`}`);
  if (reply instanceof ApiError) return reply;
  const nodes = listOf(reply.json, 'nodes');
  if (setId !== undefined && nodes.length === 0)
    return new ApiError(`there is no node in set ${setId}; "rtp-cluster node list" shows all`);
  const missing = ids.find((id) => !nodes.some((node) => numberOf(node, 'id') === id));
  if (missing !== undefined) {
    const where = setId === undefined ? '' : ` in set ${setId}`;

    return new ApiError(`there is no node ${missing}${where}; "rtp-cluster node list" shows all`);
  }

  return ids.length === 0 ? nodes : nodes.filter((node) => ids.includes(numberOf(node, 'id') ?? -1));
}

/** A node and what was found. */
interface Looked {
  readonly node: JsonObject;
  readonly report: unknown;
}

async function checkAll(
  api: Api,
  nodes: readonly JsonObject[],
  media: boolean,
  progress: Progress,
): Promise<readonly Looked[] | ApiError> {
  const looked: Looked[] = [];
  let next = 0;
  let done = 0;
  let refused: ApiError | undefined;
  const work = async (): Promise<void> => {
    for (let at = next++; at < nodes.length && refused === undefined; at = next++) {
      const node = nodes[at] ?? {};
      progress.show(`${done} of ${counted(nodes.length, 'node')} looked at`);
      const report = await checkOne(api, textOf(node, 'id'), media);
      if (report instanceof ApiError) refused = report;
      else looked[at] = { node, report };
      done++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));

  return refused ?? looked.filter((each) => each !== undefined);
}

/** One that was taken away meanwhile is a finding of its own; anything else that is refused would be refused for all. */
async function checkOne(api: Api, id: string, media: boolean): Promise<unknown> {
  const reply = await api.call('POST', `/v1/nodes/${id}/check`, { media });
  if (!(reply instanceof ApiError)) return reply.json;
  const code = textOf(reply.reply?.json, 'code');
  if (code === 'RTPC_FORBIDDEN') {
    return new ApiError(
      `${reply.message.replace(/ \(RTPC_FORBIDDEN\)$/, '')}: doctor makes calls through the relays. Give a token of the role admin by --token-file (RTPC_FORBIDDEN)`,
      reply.reply,
    );
  }
  if (code !== 'RTPC_NODE_UNKNOWN' && code !== 'RTPC_BUSY') return reply;

  return {
    node_id: Number(id),
    result: 'failed',
    checks: [{ check: 'control', result: 'failed', detail: reply.message, advice: 'Run doctor again' }],
  };
}

function serviceLines(service: readonly Found[], look: Look): string[] {
  return [heading('service', worst(service), '', look), ...reportLines({ checks: service }, look), ''];
}

function tell(args: Args, io: Io, service: readonly Found[], looked: readonly Looked[]): number {
  const results = looked.map(({ report }) => textOf(report, 'result'));
  const counts = looked.filter(({ node }) => orderOf(node) !== 'maint');
  const result = worst([...service, ...counts.map(({ report }) => ({ result: textOf(report, 'result') }))]);
  if (args.has('json')) {
    const nodes = looked.map(({ node, report }) => ({
      ...(isObject(report) ? report : {}),
      order: orderOf(node),
      health: textOf(objectOf(node, 'health'), 'state'),
    }));
    io.out(JSON.stringify({ result, service, nodes }));

    return result === 'failed' ? EXIT.failed : EXIT.ok;
  }
  const look = lookOf(io);
  for (const { node, report } of looked) {
    const place = `${textOf(node, 'socket')}, set ${textOf(node, 'set_id')}, ${stateOf(node)}`;
    io.out(heading(`node ${textOf(node, 'id')}`, textOf(report, 'result'), place, look));
    for (const line of reportLines(report, look)) io.out(line);
    io.out('');
  }
  const count = (word: string): number => results.filter((each) => each === word).length;
  const inMaint = looked.length - counts.length;
  io.out(
    looked.length === 0
      ? 'there are no nodes'
      : `${counted(looked.length, 'node')}: ${count('ok')} ok, ${count('warning')} with warnings, ${count('failed')} failed${inMaint === 0 ? '' : `; ${inMaint} in maintenance`}`,
  );

  return result === 'failed' ? EXIT.failed : EXIT.ok;
}

function heading(name: string, result: string, rest: string, look: Look): string {
  const place = rest === '' ? '' : `  ${paint(look, rest, 'dim')}`;

  return `${paint(look, name, 'bold')}  ${paintWord(look, result)}${place}`;
}

function orderOf(node: JsonObject): string {
  return textOf(objectOf(node, 'order'), 'state');
}

/** `ready, up` */
function stateOf(node: JsonObject): string {
  return printable([orderOf(node), textOf(objectOf(node, 'health'), 'state')].join(', '));
}

function worst(all: readonly { readonly result: string }[]): 'ok' | 'warning' | 'failed' {
  const results = new Set(all.map(({ result }) => result));

  return results.has('failed') ? 'failed' : results.has('warning') ? 'warning' : 'ok';
}

export const shapes = shapesOf({ '': doctor });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('doctor', doctor, argv, io);
}
