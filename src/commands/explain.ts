/** `rtp-cluster explain`: why a call went where it went. */

import { type Action, runAction, show } from './actions.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { isObject, type JsonObject, listOf, textOf } from './json.ts';
import { formatTable, printable } from './table.ts';

export const help = `Usage: rtp-cluster explain CALL-ID

Tells all that was done for a call, the last 24 hours long: each request with its timing, which nodes
were considered for it and which were left out by which rule, with the figures of that moment, every
try, and the media addresses in the SDP before and after. Also for calls that no node took.
${CLIENT_HELP}`;

const explain: Action = {
  words: ['CALL-ID'],
  flags: {},
  async run(args, [callId = ''], api, io) {
    const reply = await api.call('GET', `/v1/explain/${encodeURIComponent(callId)}`);

    return reply instanceof ApiError ? reply : show(args, io, reply, () => lines(reply.json).map(printable));
  },
};

function lines(json: unknown): string[] {
  const call = isObject(json) && isObject(json.call) ? json.call : undefined;
  const head =
    call === undefined
      ? `call ${textOf(json, 'call_id')}: no node took it`
      : [
          `call ${textOf(json, 'call_id')}`,
          `set ${textOf(call, 'set_id')}`,
          textOf(call, 'direction'),
          `${textOf(call, 'state')}${textOf(call, 'end_reason') === '' ? '' : ` (${textOf(call, 'end_reason')})`}`,
          textOf(call, 'node_id') === '' ? 'on no node' : `node ${textOf(call, 'node_id')}`,
        ].join('  ');
  const steps = listOf(json, 'steps');
  if (steps.length === 0) return [head, '', 'What was done for it is not known any more.'];

  return [head, ...steps.flatMap((step) => ['', ...stepLines(step)])];
}

function stepLines(step: JsonObject): string[] {
  const message = textOf(step, 'message');
  const result = textOf(step, 'result');
  const sides = textOf(step, 'sides');
  const node = textOf(step, 'node_id');
  const title = [
    time(step),
    message === '' ? textOf(step, 'operation') : `${message} (${textOf(step, 'operation')})`,
    sides,
    node === '' ? '' : `node ${node}`,
    result,
    `${textOf(step, 'took_ms')} ms`,
  ].filter((part) => part !== '');
  const reason = textOf(step, 'reason');
  const received = textsOf(step, 'received');
  const returned = textsOf(step, 'returned');

  return [
    title.join('  '),
    ...(reason === '' ? [] : [`  ${reason}`]),
    ...(isObject(step.placement) ? placementLines(step.placement) : []),
    ...tryLines(listOf(step, 'tries')),
    ...received.map((text, index) => `  sdp    ${text} -> ${returned[index] ?? 'nothing'}`),
  ];
}

function placementLines(placement: JsonObject): string[] {
  const candidates = listOf(placement, 'candidates').map((node, index) => [
    `${index + 1}.`,
    `node ${textOf(node, 'node_id')}`,
    textOf(node, 'rank'),
    `priority ${textOf(node, 'priority')}`,
    `weight ${textOf(node, 'weight')}`,
    `${textOf(node, 'sessions')} calls`,
    textOf(node, 'ports_free') === '' ? '' : `${textOf(node, 'ports_free')} ports free`,
  ]);
  const leftOut = listOf(placement, 'left_out').map((node) => [
    '-',
    `node ${textOf(node, 'node_id')}`,
    textOf(node, 'rule'),
    textOf(node, 'figure'),
  ]);
  const panic = placement.panic === true ? '; the set is in panic: less than half of it is healthy' : '';

  return [
    `  placed by ${textOf(placement, 'policy')}${panic}`,
    ...(candidates.length === 0 ? [] : rows(candidates)),
    ...(leftOut.length === 0 ? [] : ['  left out', ...rows(leftOut)]),
  ];
}

function tryLines(tries: readonly JsonObject[]): string[] {
  // One try that worked is what the title says already.
  if (tries.length === 0 || (tries.length === 1 && tries[0]?.result === 'ok')) return [];

  return [
    '  tries',
    ...rows(
      tries.map((one) => [
        `node ${textOf(one, 'node_id')}`,
        textOf(one, 'result'),
        `${textOf(one, 'took_ms')} ms`,
        textOf(one, 'reason'),
      ]),
    ),
  ];
}

/** A table without head, set in. */
function rows([first = [], ...rest]: string[][]): string[] {
  return formatTable(first, rest).map((line) => `    ${line}`);
}

function textsOf(step: JsonObject, key: string): string[] {
  const list = step[key];

  return Array.isArray(list) ? list.map(String) : [];
}

/** UTC, to the ms: a call is looked at together with SIP traces. */
function time(step: JsonObject): string {
  const at = new Date(typeof step.at === 'number' ? step.at : Number.NaN);

  return Number.isNaN(at.getTime()) ? '' : at.toISOString().replace('T', ' ');
}

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('explain', explain, argv, io);
}
