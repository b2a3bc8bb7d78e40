/**
 * What the use cases ask of a relay, whatever its kind. One driver object stands for one node.
 * Strings that travel in messages are byte strings: one character per byte, 0 to 255 (SDP need not be UTF-8).
 */

import type { Family } from '../util/ip.ts';
import type { CallStream } from './call-streams.ts';

/** A value of the ng protocol. Dictionaries have no prototype. */
export type NgValue = string | number | readonly NgValue[] | NgDict;
export interface NgDict {
  readonly [key: string]: NgValue;
}

/** A call as a relay is told of it. */
export interface RelayCall {
  readonly callId: string;
  /** What the driver wanted remembered of the call, in words of its own; null or missing if that is nothing, or not known. */
  readonly memo?: string | null;
  /** Tags of its parties as far as they are known: without a memo, rtpproxy knows a call by one of them only. */
  readonly tags?: readonly string[];
}

/** The parties of an offer or answer, in the protocol's sense: `fromTag` is the offerer in both. */
export interface Parties {
  readonly callId: string;
  /** As in `RelayCall`. */
  readonly memo?: string | null;
  readonly fromTag: string;
  readonly toTag?: string;
  readonly branch?: string;
}

/** An offer or an answer for the relay. */
export interface MediaRequest extends Parties {
  readonly sdp: string;
  /** The address which the reader of the returned SDP must see. */
  readonly address: string;
  readonly family: Family;
  /** Logical interfaces, sender's then reader's; only in impose mode `interface`. */
  readonly interfaces?: readonly [string, string];
  /** Whether this is the offer that creates the call, the only request a limit of the relay may refuse. */
  readonly isNew: boolean;
  /** Of an offer: whether the relay may have a call of this Call-ID all the same, one that was deleted and that it keeps for a while. */
  readonly isKept?: boolean;
  /** Of an answer: whether it establishes the dialog. After an early one another callee may answer otherwise. */
  readonly isFinal?: boolean;
  /** Further ng keys of the client; they win over what the driver would add, except for the keys above. */
  readonly extra: NgDict;
}

/** What a relay made of an offer or answer. */
export interface MediaReply {
  /** The rewritten SDP as the relay gave it, '' if it gave none; the caller checks the addresses. */
  readonly sdp: string;
  /** What is to be remembered of the call from now on. */
  readonly memo: string | null;
  /** Sessions the relay has for the call now, as it counts them: one, or for rtpproxy one for each stream. */
  readonly sessions: number;
  /** Whether the relay had forgotten the call and has begun it anew: its ports have changed. */
  readonly isRenewed?: boolean;
}

/**
 * Why a relay did not do as asked.
 * `refused`: it has no room (load limit, sessions, ports): try another node. A call it had is ended then.
 * `rejected`: it does not like this request; others would say the same.
 * `unknown-call`: it does not know the call.
 * `silent`: no reply in time, so nobody knows whether it was done. `unreachable`: nobody listens there.
 * `garbled`: a reply that cannot be read; as `silent`. `busy`: our own queue for this node is full, or our host cannot send; nothing was sent.
 * `too-large`: the request does not fit into a datagram; nothing was sent.
 * `bad-sdp`: a relay of this kind cannot carry this SDP; nothing was sent.
 */
export type RelayFailureKind =
  | 'refused'
  | 'rejected'
  | 'unknown-call'
  | 'silent'
  | 'unreachable'
  | 'garbled'
  | 'busy'
  | 'too-large'
  | 'bad-sdp';

export class RelayFailure {
  constructor(
    readonly kind: RelayFailureKind,
    /** The relay's own words where it spoke, else ours. */
    readonly reason: string,
    /** The memo of what the relay may have of the call now although it failed; missing if that is nothing new. */
    readonly left?: string,
  ) {}

  /** Whether the relay may have done what was asked although we have no answer. */
  get isUncertain(): boolean {
    return this.kind === 'silent' || this.kind === 'garbled' || this.kind === 'unreachable';
  }
}

/** What a delete did. */
export interface DeleteResult {
  /** False if the node said it knows no such call. */
  readonly found: boolean;
  /** The relay's whole reply: final statistics where it gives them. */
  readonly reply: NgDict;
  /** What it received of each stream to the end, if the reply says so. */
  readonly streams?: readonly CallStream[];
  /** What is to be remembered of a call of which only one branch was deleted; missing if that is as before. */
  readonly left?: Pick<MediaReply, 'memo' | 'sessions'>;
}

/** Commands to one node. Every call ends by `deadline` (monotonic milliseconds) at the latest; none ever throws. */
export interface RelayDriver {
  /**
   * Whether an offer in a call which the relay has forgotten begins the call anew there, and the reply says so: then its node need
   * not be asked before.
   */
  readonly renewsCalls: boolean;
  offer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure>;
  answer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure>;
  /** Ends a call, or with `branch` and `fromTag` one branch of it. */
  delete(call: DeleteRequest, deadline: number): Promise<DeleteResult | RelayFailure>;
  /** The relay's own record of a call. */
  query(call: RelayCall, deadline: number, fromTag?: string): Promise<NgDict | RelayFailure>;
  /** What the relay received of each stream of a call so far. */
  streams(call: RelayCall, deadline: number): Promise<readonly CallStream[] | RelayFailure>;
  /** Any other command about `call`, as it is; `message` must name `command` and `call-id`. */
  command(message: NgDict, call: RelayCall, deadline: number): Promise<NgDict | RelayFailure>;
  /** Releases the socket; requests under way end as `unreachable`. */
  close(): void;
}

export interface DeleteRequest extends RelayCall {
  readonly fromTag?: string;
  readonly branch?: string;
  /** How long the relay may keep the whole call, s; null for as long as its own settings say. Missing: not at all. */
  readonly delayS?: number | null;
  /** Whether the reply should have the call's final statistics, even if that takes another question. */
  readonly wantsStatistics?: boolean;
}

/** A node's own figures, in one form for every kind of relay. What a relay does not tell is null. */
export interface RelayStatistics {
  /** Time since the relay started, s; null if it does not say. It goes backwards when the relay restarts. */
  readonly uptimeS: number | null;
  /**
   * Sessions it has now, as it counts them (rtpengine: calls, rtpproxy: streams): ours, those of other controllers, those it keeps
   * for a while after their end. Not those of another node which it only sees through a shared store, although it lists them: they are no load, and no limit counts them.
   */
  readonly sessions: number;
  /** Counters that only grow while the relay lives, always the same ones: where one has fallen, it has restarted. */
  readonly growing: readonly number[];
  /** Media ports of the interface with the smallest share of free ones: where calls fail first. Null if it does not say. */
  readonly ports: { readonly free: number; readonly total: number } | null;
  /** Media packets, bytes and errors in the last second; null if it does not say. */
  readonly packetsPerS: number | null;
  readonly bytesPerS: number | null;
  readonly errorsPerS: number | null;
  /** New calls it refused since its start. */
  readonly rejected: number | null;
  /** Its version, or what its answers look like, as in `10.5 or older`; null if nobody can tell. */
  readonly version: string | null;
}

/**
 * Looks after one node over a socket of its own, so that checks never wait behind calls nor calls behind checks.
 * Every call ends by `deadline` (monotonic milliseconds) at the latest; none ever throws.
 */
export interface RelayMonitor {
  /** Why statistics and lists come another way than the configured one, for the operator; null or missing if they do not. */
  readonly httpTrouble?: string | null;
  /** Whether the node lives, and nothing more: a node that refuses every call answers as well. Returns the time it took, ms. */
  ping(deadline: number): Promise<number | RelayFailure>;
  statistics(deadline: number): Promise<RelayStatistics | RelayFailure>;
  /**
   * Call-IDs of the calls it has, at most `limit`, in no order; those it only sees through a shared store included. A list as long as
   * the limit may be cut off. `too-large`: it has more than the way to it can carry, and fewer than `limit` would be a false answer.
   * `rejected`: this kind of relay does not tell its calls.
   */
  list(limit: number, deadline: number): Promise<readonly string[] | RelayFailure>;
  /** Makes a call and deletes it, to see that the node opens ports and writes SDP. Returns the time it took, ms. */
  canary(address: string, family: Family, deadline: number): Promise<number | RelayFailure>;
  /**
   * Tells the relay itself how many calls it may have (`null` = no limit), against every controller, and returns what was set
   * before. `rejected` where the relay has no such command or no way to send it.
   */
  limitSessions(limit: number | null, deadline: number): Promise<{ before: number | null } | RelayFailure>;
  close(): void;
}
