/** Turns an offer or answer into the orders for its streams (reference: rtpproxy-protocol 3.1, 4.3, 4.4). */

import { faceOf } from '../../domain/node.ts';
import type { RelayedStream } from '../../sdp/streams.ts';
import { type Family, familyOf, sameAddress } from '../../util/ip.ts';
import type { MediaRequest } from '../driver.ts';
import { type LocalSocket, type StreamOrder, tagDefect, wordDefect } from './commands.ts';
import { conversionIn, readOptions } from './options.ts';
import type { OpenPort } from './replies.ts';

/** Why a request cannot be put into the daemon's words, or done by it at all. */
export function defectOf(
  { callId, fromTag, toTag, branch, extra, sdp }: MediaRequest,
  isOffer: boolean,
): string | undefined {
  const conversion = conversionIn(extra, sdp, isOffer);
  if (conversion !== undefined) return `an rtpproxy cannot do "${conversion}"; that takes an rtpengine`;

  return (
    wordDefect('call-id', callId) ??
    tagDefect('from-tag', fromTag) ??
    (toTag === undefined ? undefined : tagDefect('to-tag', toTag)) ??
    (branch === undefined ? undefined : wordDefect('branch', branch))
  );
}

export function orderOf(
  letter: 'U' | 'L',
  name: string,
  stream: RelayedStream,
  request: MediaRequest,
): StreamOrder {
  const { n, port, isHeld, formats } = stream;
  const { symmetry, source } = readOptions(request.extra);
  // Who holds says so by its address; a phone that shows a private one is reached where its SIP came from.
  const { address, family } = source === undefined || isHeld ? stream : source;
  const socket = socketFor(request, family);

  return {
    letter,
    name,
    n,
    tags: { offerer: request.fromTag, answerer: request.toTag },
    address,
    family,
    port,
    formats,
    socket,
    // A bridging daemon takes hosts at their word unless it is told not to.
    symmetry: symmetry ?? (socket !== undefined && 'sides' in socket ? 's' : undefined),
  };
}

/**
 * Where the port for the reader is to be opened. `6` of the sender's address would move it to the sender's family, so the family is
 * named where the two differ (rtpproxy-protocol 4.4).
 */
function socketFor({ interfaces, address, family }: MediaRequest, senderFamily: Family): LocalSocket {
  const [sender = '', reader = ''] = interfaces ?? [];
  const face = faceOf(reader);
  if (face === 'address') return { address: reader };
  if (face === 'label') return { label: reader };
  if (family !== senderFamily) return { address };

  return face === undefined ? undefined : { sides: [letterOf(sender), letterOf(reader)] };
}

function letterOf(side: string): 'e' | 'i' {
  return side === 'external' ? 'e' : 'i';
}

/**
 * Why nobody could reach a port the daemon has opened by the address that is shown with it: it is of the other family, or faces the
 * other side. Both are fixed when a session is opened: one that was opened for the other side cannot be turned round.
 */
export function misfitOf({ address }: OpenPort, { family, interfaces }: MediaRequest): string | undefined {
  // It may be a name, or nothing: then the port has to be believed.
  const own = address === null ? undefined : familyOf(address);
  if (address === null || own === undefined) return undefined;
  if (own !== family)
    return `it opened a port at ${address}, which the other party cannot reach over ${family}`;
  const [other, wanted] = interfaces ?? [];
  if (other === undefined || wanted === undefined) return undefined;
  if (familyOf(wanted) === undefined || familyOf(other) === undefined || sameAddress(wanted, other))
    return undefined;

  return sameAddress(address, other)
    ? `it opened a port at ${address}, which faces the other side`
    : undefined;
}
