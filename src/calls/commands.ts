/** Commands about a call which only its relay can do: those that are passed on, and why others are not. */

import { Failure } from '../domain/errors.ts';

/**
 * Commands known to concern calls that can be checked. Others are refused, unknown ones too: they could act on the whole
 * node, begin a call nobody placed, or bring back an SDP whose address nobody looks at.
 */
export const COMMANDS: ReadonlySet<string> = new Set([
  ...['start recording', 'pause recording', 'stop recording', 'start forwarding', 'stop forwarding'],
  ...['block DTMF', 'unblock DTMF', 'block media', 'unblock media', 'silence media', 'unsilence media'],
  ...['play media', 'stop media', 'play DTMF'],
  ...['subscribe request', 'subscribe answer', 'unsubscribe', 'connect'],
]);

/** Why others are refused, where there is more to say than that they are not known. */
const REFUSED_COMMANDS: ReadonlyMap<string, string> = new Map([
  ...['offer', 'answer', 'delete', 'query'].map((name) => [name, `use /v1/media/${name}`] as const),
  ...['ping', 'list', 'statistics', 'cli'].map((name) => [name, 'it concerns a node, not a call'] as const),
  ...['publish', 'create', 'create answer', 'transform'].map(
    (name) => [name, 'it begins a call or a party of its own, which the cluster does not place yet'] as const,
  ),
  ['mesh', 'it joins calls in a way that is not checked yet'],
]);

/** What rtpengine says to a command it does not know (ng-protocol 3.1). */
const UNRECOGNIZED = 'Unrecognized command';

/** Why a command is not passed on, or undefined if it is. To one that nobody knows it says what a relay would say. */
export function refuseCommand(command: string): Failure | undefined {
  if (COMMANDS.has(command)) return undefined;
  const why = REFUSED_COMMANDS.get(command);

  return new Failure(
    'RTPC_COMMAND_UNSUPPORTED',
    `"${command}" cannot be sent as a command: ${why ?? 'it is not known to concern one call only'}; allowed are ${[...COMMANDS].join(', ')}`,
    why === undefined ? UNRECOGNIZED : '',
  );
}
