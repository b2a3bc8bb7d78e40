/** What can be seen of a node: the only thing our opinion of it changes by. */

/**
 * What was seen of a node. An error in a reply is a sign of life like any other: `check-ok`, `call-ok`. What was not sent or
 * not meant for the relay (a full queue of ours, a datagram too large) is no evidence.
 */
export type Evidence =
  | { readonly kind: 'check-ok' }
  | { readonly kind: 'check-silent' }
  /** A reply that is none, as one nobody can read. Counts as silence; `why` is for people. */
  | { readonly kind: 'check-failed'; readonly why: string }
  /** A reply, but later than a call would wait for it. */
  | { readonly kind: 'check-slow' }
  /** Nobody listens there (ECONNREFUSED), or the way is barred to us; `why` is for people. */
  | { readonly kind: 'check-refused'; readonly why?: string }
  /** A reply to a request of a call, errors too. */
  | { readonly kind: 'call-ok' }
  /** The same, later than a new call would have waited for it. */
  | { readonly kind: 'call-slow' }
  | { readonly kind: 'call-silent'; readonly callId: string }
  | { readonly kind: 'call-refused'; readonly why?: string }
  /** RTP of a test call came through, both ways. */
  | { readonly kind: 'media-ok' }
  /** It did not, or the relay did not do as asked in that call; `why` is for people. */
  | { readonly kind: 'media-failed'; readonly why: string }
  /** Nobody makes test calls to it any more: what they told is out of date. */
  | { readonly kind: 'media-unwatched' }
  /** Nothing but that time passed. */
  | { readonly kind: 'time' };
