/** A request of a call as lines: of `explain` and of `call watch`. */

import { isObject, type JsonObject, listOf, textOf } from './json.ts';
import { type DiffLine, diffSdp } from './sdp-diff.ts';
import { type Cell, type Look, paint, paintWord, tinted } from './style.ts';
import { formatRows } from './table.ts';

const MARKS = { ' ': undefined, '-': 'red', '+': 'green' } as const satisfies Record<
  DiffLine['mark'],
  unknown
>;

/** When, what, between which sides, on which node, with which result, how long. */
export function stepTitle(step: JsonObject, look: Look): string {
  const message = textOf(step, 'message');
  const operation = textOf(step, 'operation');
  const node = textOf(step, 'node_id');
  const parts = [
    paint(look, time(step)),
    paint(look, message === '' ? operation : `${message} (${operation})`, 'bold'),
    paint(look, textOf(step, 'door') === 'ng' ? 'ng' : ''),
    paint(look, textOf(step, 'sides')),
    paint(look, node === '' ? '' : `node ${node}`),
    paintWord(look, textOf(step, 'result')),
    paint(look, `${textOf(step, 'took_ms')} ms`),
  ];

  return parts.filter((part) => part !== '').join('  ');
}

/** All of a step; with `hasSdp` the SDP line by line. */
export function stepLines(step: JsonObject, look: Look, hasSdp: boolean): string[] {
  const reason = textOf(step, 'reason');

  return [
    stepTitle(step, look),
    ...(reason === '' ? [] : [`  ${paint(look, reason)}`]),
    ...(isObject(step.placement) ? placementLines(step.placement, look) : []),
    ...tryLines(listOf(step, 'tries'), look),
    ...(hasSdp ? sdpLines(step, look) : addressLines(step, look)),
  ];
}

function placementLines(placement: JsonObject, look: Look): string[] {
  const candidates = listOf(placement, 'candidates').map((node, index): Cell[] => [
    `${index + 1}.`,
    `node ${textOf(node, 'node_id')}`,
    tinted(textOf(node, 'rank')),
    `priority ${textOf(node, 'priority')}`,
    `weight ${textOf(node, 'weight')}`,
    `${textOf(node, 'sessions')} ${textOf(node, 'sessions') === '1' ? 'call' : 'calls'}`,
    textOf(node, 'ports_free') === '' ? '' : `${textOf(node, 'ports_free')} ports free`,
  ]);
  const leftOut = listOf(placement, 'left_out').map((node): Cell[] => [
    '-',
    `node ${textOf(node, 'node_id')}`,
    textOf(node, 'rule'),
    textOf(node, 'figure'),
  ]);
  const panic = placement.panic === true ? '; the set is in panic: less than half of it is healthy' : '';

  return [
    `  placed by ${paint(look, textOf(placement, 'policy'))}${paint(look, panic, 'red')}`,
    ...formatRows(candidates, look, '    '),
    ...(leftOut.length === 0 ? [] : ['  left out', ...formatRows(leftOut, look, '    ')]),
  ];
}

function tryLines(tries: readonly JsonObject[], look: Look): string[] {
  // One try that worked is what the title says already.
  if (tries.length === 0 || (tries.length === 1 && tries[0]?.result === 'ok')) return [];
  const rows = tries.map((one): Cell[] => [
    `node ${textOf(one, 'node_id')}`,
    tinted(textOf(one, 'result')),
    `${textOf(one, 'took_ms')} ms`,
    textOf(one, 'reason'),
  ]);

  return ['  tries', ...formatRows(rows, look, '    ')];
}

function addressLines(step: JsonObject, look: Look): string[] {
  const returned = textsOf(step, 'returned');

  return textsOf(step, 'received').map(
    (text, index) => `  sdp    ${paint(look, text)} -> ${paint(look, returned[index] ?? 'nothing')}`,
  );
}

/** What came and what left, in one: lines the relay took out with "-", lines it put in with "+". */
function sdpLines(step: JsonObject, look: Look): string[] {
  const [received, returned] = [textOf(step, 'sdp_received'), textOf(step, 'sdp_returned')];
  if (received === '' && returned === '') return addressLines(step, look);
  const cut = step.sdp_cut === true ? ', not kept whole' : '';
  // Without an answer there is nothing to compare: nothing was taken out.
  const lines: DiffLine[] = returned === '' ? diffSdp(received, received) : diffSdp(received, returned);
  const title = returned === '' ? 'sdp received, none returned' : 'sdp received (-) and returned (+)';

  return [
    `  ${title}${cut}`,
    ...lines.map(({ mark, text }) => `    ${paint(look, `${mark} ${text}`.trimEnd(), MARKS[mark])}`),
  ];
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
