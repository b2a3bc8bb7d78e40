/** The contract of a placement policy: which of the nodes that could take a new call should, and in which order. */

/** A node that may take the call. Filtering is done before; a policy only orders. */
export interface Candidate {
  readonly id: number;
  /** Name under which every instance of rtp_cluster knows the node: its socket, not its id. */
  readonly socket: string;
  /** Relative share, 1 to 65535. */
  readonly weight: number;
}

/** Orders candidates for a call, best first; the rest is the order of retries. Pure: same input, same order. */
export type Policy = <C extends Candidate>(callId: string, candidates: readonly C[]) => C[];
