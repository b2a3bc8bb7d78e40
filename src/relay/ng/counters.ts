/** What an ng client counts. */

/** What went over the socket since the start. */
export interface NgCounters {
  /** Requests sent, each counted once. */
  sent: number;
  retransmitted: number;
  replies: number;
  /** Requests that were sent and had no reply by their deadline. */
  timeouts: number;
  /** Requests that ended because nobody listens at the node's port. */
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
export function newCounters(): NgCounters {
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
