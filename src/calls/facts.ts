/** What the doors tell the use cases, and what they get back. */

import type { Door } from '../domain/door.ts';
import type { Direction, Side } from '../domain/side.ts';
import type { NgDict } from '../relay/driver.ts';

/** What every media request says. Strings are byte strings. */
export interface CallFacts {
  readonly callId: string;
  /** The offerer's tag, in offers and answers. */
  readonly fromTag: string;
  readonly toTag?: string;
  readonly branch?: string;
  readonly setId?: number;
  /** Source address of the SIP message. */
  readonly source?: string;
  /** Sender's side to reader's side of this SDP, as the client says. */
  readonly direction?: Direction;
  /** The reader's side alone, of a client that says no more; `direction` wins over it. */
  readonly readerSide?: Side;
  /** Tags a node must have to get this call, and tags it should have, in lower case; they count for new calls only. */
  readonly require?: readonly string[];
  readonly prefer?: readonly string[];
  /** ng keys to pass on. */
  readonly extra: NgDict;
  /** The SIP transaction of the INVITE that begins the call, if this is it. */
  readonly initial?: string;
  /** Whether the sender is the called party; then a set's default direction is turned round. Unknown if missing. */
  readonly isFromCallee?: boolean;
  /** Where it came in; `http` if missing. */
  readonly door?: Door;
}

export interface OfferFacts extends CallFacts {
  readonly sdp: string;
  /** The SIP transaction whose request carried this offer; absent for offers in replies. */
  readonly transaction?: string;
  /** Whether the offer comes from inside a dialog: then its call is looked for on the nodes before it counts as new. */
  readonly isInDialog: boolean;
}

export interface AnswerFacts extends CallFacts {
  readonly toTag: string;
  readonly sdp: string;
  /** Whether this answer establishes the dialog; false for early media. */
  readonly isFinal: boolean;
}

export interface DeleteFacts {
  readonly callId: string;
  /** Tags of the message's parties: a node whose call is not known here may know it by them only. */
  readonly tags?: readonly string[];
  readonly branch?: string;
  readonly setId?: number;
  readonly reason: string;
  /** What an ng client says besides. */
  readonly ng?: {
    /** The party that ends the call; who names one is told the final statistics. */
    readonly fromTag?: string;
    /** The one callee who leaves a call that goes on with others; missing if the call is over. */
    readonly leaving?: string;
    /** The client's `delete-delay`, s: how long the relay keeps the call, which the next offer or answer brings back. Missing: the relay's own. */
    readonly delayS?: number;
  };
}

/** An SDP for its reader. */
export interface Relayed {
  readonly sdp: string;
  readonly nodeId: number;
}
