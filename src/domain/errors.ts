/**
 * Every failure a user can meet: a stable code, the HTTP status it becomes, and what it means.
 * `docs/errors.md` lists the same codes; a test compares the two. Messages may improve, codes never change.
 */
export const ERRORS = {
  RTPC_BAD_PARAMETER: { status: 400, meaning: 'A parameter is missing or has a value that is not allowed.' },
  RTPC_BAD_BODY: { status: 400, meaning: 'The body cannot be read as what it claims or seems to be.' },
  RTPC_BAD_SDP: {
    status: 400,
    meaning: 'The SDP is missing or broken, or no relay the call may use can carry it.',
  },
  RTPC_DIRECTION_UNKNOWN: { status: 400, meaning: 'Nothing tells which side will read this SDP.' },
  RTPC_COMMAND_UNSUPPORTED: { status: 400, meaning: 'This command cannot be sent for this call.' },
  RTPC_UNAUTHORIZED: { status: 401, meaning: 'The bearer token is missing or wrong.' },
  RTPC_FORBIDDEN: { status: 403, meaning: 'The token has not the role that this wants.' },
  RTPC_FOREIGN_ORIGIN: { status: 403, meaning: 'A web page of another origin may not ask.' },
  RTPC_NOT_FOUND: { status: 404, meaning: 'No such path on this host.' },
  RTPC_METHOD_NOT_ALLOWED: { status: 405, meaning: 'This path changes something and wants POST.' },
  RTPC_CALL_UNKNOWN: { status: 404, meaning: 'Neither the cluster nor any node knows this Call-ID.' },
  RTPC_NODE_UNKNOWN: { status: 404, meaning: 'There is no node with this id.' },
  RTPC_SET_UNKNOWN: { status: 404, meaning: 'There is no set with this id.' },
  RTPC_NODE_EXISTS: { status: 409, meaning: 'Another node has this id, or this socket in this set.' },
  RTPC_NODE_IN_USE: { status: 409, meaning: 'The node has calls, so this cannot be changed.' },
  RTPC_SET_NOT_EMPTY: { status: 409, meaning: 'The set still has nodes.' },
  RTPC_CALL_ANCHORED: {
    status: 409,
    meaning: 'Another proxy on the way of this call has it anchored here already.',
  },
  RTPC_CALLS_APART: { status: 409, meaning: 'The command joins calls that are on different nodes.' },
  RTPC_BODY_TOO_LARGE: {
    status: 413,
    meaning: 'The body, or the message it would make, is larger than allowed.',
  },
  RTPC_TOO_MANY_TOKENS: {
    status: 429,
    meaning: 'Too many wrong tokens came from this address; it has to wait.',
  },
  RTPC_INTERNAL: { status: 500, meaning: 'A defect of rtp_cluster; the log has the details.' },
  RTPC_RELAY_REFUSED: { status: 502, meaning: 'The relay answered with an error.' },
  RTPC_RELAY_ADDRESS: { status: 502, meaning: 'The relay returned an address that is not the one wanted.' },
  RTPC_CALL_LOST: { status: 502, meaning: 'The node that had the call does not know it any more.' },
  RTPC_NO_NODE: { status: 503, meaning: 'No node of the set can take the call.' },
  RTPC_BUSY: { status: 503, meaning: 'A limit of the cluster itself is reached.' },
  RTPC_NOT_DURABLE: { status: 503, meaning: 'The database cannot be written, so the change was not made.' },
  RTPC_RELAY_SILENT: { status: 504, meaning: 'The relay did not answer within the time budget.' },
} as const satisfies Record<string, { status: number; meaning: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An expected failure, returned as a value. The message says what was read, what is allowed and what to do. */
export class Failure {
  constructor(
    readonly code: ErrorCode,
    readonly message: string,
    /** The relay's own words, '' if it did not speak: a client that speaks the relay's protocol knows those. */
    readonly said = '',
    /** Seconds after which it may go better; undefined if nobody knows. */
    readonly retryAfterS?: number,
  ) {}

  get status(): number {
    return ERRORS[this.code].status;
  }
}
