/** What a client of the ng protocol is told when something failed: in rtpengine's words, since its modules decide by them. */

import type { Failure } from '../domain/errors.ts';
import type { NgDict } from '../relay/driver.ts';
import { findDefect, outline } from '../sdp/outline.ts';

/** What a reply depends on besides the failure. */
export interface Asked {
  readonly command: string;
  readonly sdp: string;
  /** Whether it was the offer of a new call: no other request may go to another relay than the one that has the call. */
  readonly isNewCall: boolean;
  readonly knowsLoadLimit: boolean;
}

/** Makes OpenSIPS and Kamailio ask their next relay (sip-proxies 7.5), whatever the limit was (ng-protocol 10). */
const SESSION_LIMIT = 'Parallel session limit reached';
/** Does the same; it comes from relays only, and is no limit in the sense of `load limit`. */
const OUT_OF_PORTS = 'Ran out of ports';

/** Words of a relay that is at a limit. All but the first are for clients that know `load limit` (ng-protocol 3). */
const LIMITS: ReadonlySet<string> = new Set([
  SESSION_LIMIT,
  'CPU usage limit exceeded',
  'Load limit exceeded',
  'Bandwidth limit exceeded',
]);

/** Failures that are no fault of the request: another relay may have better luck. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['RTPC_NO_NODE', 'RTPC_RELAY_SILENT', 'RTPC_BUSY']);

/** Commands which spell it so (ng-protocol 3.1). */
const SMALL_ID: ReadonlySet<string> = new Set([
  ...['offer', 'answer', 'query'],
  ...['start recording', 'pause recording', 'stop recording'],
]);

/** Longest text of ours in a reply, bytes. */
const MAX_TEXT = 1000;

/**
 * The reply to a request that failed. `error-reason` is the relay's own text where it spoke, else what rtpengine says in this case,
 * else our code and message. Where it is not ours, `message` has ours, so that a trace tells the reason; clients ignore that key.
 * A `load limit` has its only text in `message`: the relay's, or ours.
 */
export function errorReply(failure: Failure, asked: Asked): NgDict {
  const ours = clean(`${failure.code} ${failure.message}`);
  const text = clean(textOf(failure, asked) ?? '');
  if (asked.isNewCall && asked.knowsLoadLimit && LIMITS.has(text)) {
    return { result: 'load limit', message: LIMITS.has(failure.said) ? text : ours };
  }

  return text === ''
    ? { result: 'error', 'error-reason': ours }
    : { result: 'error', 'error-reason': text, message: ours };
}

/** What rtpengine says in such a case; undefined if it has no words for it. */
function textOf(failure: Failure, asked: Asked): string | undefined {
  const { code, said } = failure;
  const { command, sdp, isNewCall, knowsLoadLimit } = asked;
  if (isNewCall && (LIMITS.has(said) || (UNAVAILABLE.has(code) && said !== OUT_OF_PORTS))) {
    // The other limits are names for those who know them; rtpengine too says sessions to all others.
    return knowsLoadLimit && LIMITS.has(said) ? said : SESSION_LIMIT;
  }
  if (said !== '') return said;
  switch (code) {
    case 'RTPC_CALL_UNKNOWN':
    case 'RTPC_CALL_LOST':
      return SMALL_ID.has(command) ? 'Unknown call-id' : 'Unknown call-ID';
    case 'RTPC_BAD_SDP':
      return sdpText(sdp);
    default:
      return undefined;
  }
}

/** What rtpengine 10.5 says to an SDP; undefined if it has nothing against it, as only another kind of relay cannot carry it. */
function sdpText(sdp: string): string | undefined {
  const read = outline(sdp);
  if (findDefect(sdp, read) === undefined) return undefined;
  if (!sdp.startsWith('v=')) return 'Failed to parse SDP';

  return read.media.length === 0 ? 'Error rewriting SDP' : 'Incomplete SDP specification';
}

/** A byte string without control characters. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant
  return text.slice(0, MAX_TEXT).replaceAll(/[\x00-\x1f\x7f]|[^\x00-\xff]/g, '?');
}
