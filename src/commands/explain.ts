/** `rtp-cluster explain`: why a call went where it went. */

import { type Action, runAction, shapesOf, show } from './actions.ts';
import { UsageError } from './args.ts';
import { callPath } from './call-query.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { isObject, listOf, textOf } from './json.ts';
import { stepLines } from './step-lines.ts';
import { type Look, paint, paintWord } from './style.ts';

export const help = `Usage: rtp-cluster explain CALL-ID [--sdp]

Tells all that was done for a call, the last 24 hours long: each request with its timing, which nodes
were considered for it and which were left out by which rule, with the figures of that moment, every
try, and the media addresses in the SDP before and after. Also for calls that no node took.

  --sdp              Show the whole SDP of each request in place of the addresses: lines the relay took out
                     begin with "-", lines it put in with "+"
${CLIENT_HELP}`;

const explain: Action = {
  words: ['CALL-ID'],
  flags: { sdp: 'switch' },
  async run(args, [callId = ''], api, io) {
    const path = callPath('explain', callId);
    if (path instanceof UsageError) return path;
    const reply = await api.call('GET', path);

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, (look) => lines(reply.json, look, args.has('sdp')));
  },
};

function lines(json: unknown, look: Look, hasSdp: boolean): string[] {
  const head = callTitle(json, look);
  const steps = listOf(json, 'steps');
  if (steps.length === 0) return [head, '', 'What was done for it is not known any more.'];

  return [head, ...steps.flatMap((step) => ['', ...stepLines(step, look, hasSdp)])];
}

/** One line about a call as `/v1/explain` has it: its set, direction, state and node. */
export function callTitle(json: unknown, look: Look): string {
  const call = isObject(json) && isObject(json.call) ? json.call : undefined;
  const name = `call ${textOf(json, 'call_id')}`;
  if (call === undefined) return `${paint(look, name, 'bold')}: ${paint(look, 'no node took it', 'red')}`;
  const reason = textOf(call, 'end_reason');
  const node = textOf(call, 'node_id');

  return [
    paint(look, name, 'bold'),
    paint(look, `set ${textOf(call, 'set_id')}`),
    paint(look, textOf(call, 'direction')),
    paintWord(look, textOf(call, 'state')) + paint(look, reason === '' ? '' : ` (${reason})`),
    paint(look, node === '' ? 'on no node' : `node ${node}`),
  ].join('  ');
}

export const shapes = shapesOf({ '': explain });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('explain', explain, argv, io);
}
