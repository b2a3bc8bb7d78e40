/**
 * What the use cases ask of a relay, whatever its kind. One driver object stands for one node.
 * Strings that travel in messages are byte strings: one character per byte, 0 to 255 (SDP need not be UTF-8).
 */

import type { Family } from '../util/ip.ts';

/** A value of the ng protocol. Dictionaries have no prototype. */
export type NgValue = string | number | readonly NgValue[] | NgDict;
export interface NgDict {
  readonly [key: string]: NgValue;
}

/** The parties of an offer or answer, in the protocol's sense: `fromTag` is the offerer in both. */
export interface Parties {
  readonly callId: string;
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
  /** Further ng keys of the client; they win over what the driver would add, except for the keys above. */
  readonly extra: NgDict;
}

/**
 * Why a relay did not do as asked.
 * `refused`: it has no room (load limit, sessions, ports): try another node. A call it had is ended then.
 * `rejected`: it does not like this request; others would say the same.
 * `unknown-call`: it does not know the call.
 * `silent`: no reply in time, so nobody knows whether it was done. `unreachable`: nobody listens there.
 * `garbled`: a reply that cannot be read; as `silent`. `busy`: our own queue for this node is full, or our host cannot send; nothing was sent.
 * `too-large`: the request does not fit into a datagram; nothing was sent.
 */
export type RelayFailureKind =
  | 'refused'
  | 'rejected'
  | 'unknown-call'
  | 'silent'
  | 'unreachable'
  | 'garbled'
  | 'busy'
  | 'too-large';

export class RelayFailure {
  constructor(
    readonly kind: RelayFailureKind,
    /** The relay's own words where it spoke, else ours. */
    readonly reason: string,
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
}

/** Commands to one node. Every call ends by `deadline` (monotonic milliseconds) at the latest; none ever throws. */
export interface RelayDriver {
  /** Returns the rewritten SDP as the relay gave it; the caller checks the addresses. `sdp` is '' where the relay gave none. */
  offer(request: MediaRequest, deadline: number): Promise<string | RelayFailure>;
  answer(request: MediaRequest, deadline: number): Promise<string | RelayFailure>;
  /** Ends a call, or with `branch` and `fromTag` one branch of it, at once (no delay on the relay). */
  delete(call: DeleteRequest, deadline: number): Promise<DeleteResult | RelayFailure>;
  /** The relay's own record of a call. */
  query(callId: string, deadline: number, fromTag?: string): Promise<NgDict | RelayFailure>;
  /** Any other command, as it is; `message` must name `command` and `call-id`. */
  command(message: NgDict, deadline: number): Promise<NgDict | RelayFailure>;
  /** Releases the socket; requests under way end as `unreachable`. */
  close(): void;
}

export interface DeleteRequest {
  readonly callId: string;
  readonly fromTag?: string;
  readonly branch?: string;
}

/** A node's own figures, in one form for every kind of relay. What a relay does not tell is null. */
export interface RelayStatistics {
  /** Time since the relay started, s. It goes backwards when the relay restarts. */
  readonly uptimeS: number;
  /**
   * Calls it has now: ours, those of other controllers, those it keeps for a while after their end. Not those of another node which
   * it only sees through a shared store, although it lists them: they are no load, and no limit counts them.
   */
  readonly sessions: number;
  /** Calls that ended since its start; with `uptimeS` it tells a restart. */
  readonly ended: number;
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
