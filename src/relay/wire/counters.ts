/** What a client of a relay's control socket counts. */

/** What went over the socket since the start. */
export interface WireCounters {
  /** Requests sent, each counted once. */
  sent: number;
  retransmitted: number;
  replies: number;
  /** Requests that had no reply by their deadline, no connection by then, or lost their connection before. */
  timeouts: number;
  /** Requests that ended because nobody listens at the node's socket, or because we may not open it. */
  refused: number;
  /** Requests that found the waiting queue full, or no place in the window by their deadline. */
  busy: number;
  /** Replies to requests already given up. */
  late: number;
  /** Further replies to requests already answered. */
  duplicates: number;
  /** Replies to nothing we sent. */
  unknown: number;
  /** Replies that could not be read. */
  garbled: number;
  /** Errors of the socket other than a refusal. */
  socketErrors: number;
}

/** All at zero. */
export function newCounters(): WireCounters {
  return {
    sent: 0,
    retransmitted: 0,
    replies: 0,
    timeouts: 0,
    refused: 0,
    busy: 0,
    late: 0,
    duplicates: 0,
    unknown: 0,
    garbled: 0,
    socketErrors: 0,
  };
}
