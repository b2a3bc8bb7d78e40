/** The contract of a placement policy: which of the nodes that could take a new call should, and in which order. */

/** What a policy knows of a node that may take the call. Filtering is done before; a policy only orders. */
export interface Candidate {
  readonly id: number;
  /** Name under which every instance of rtp_cluster knows the node: its socket, not its id. */
  readonly socket: string;
  /** Relative share of new calls; more than 0, not always whole: slow start takes a part of it away. */
  readonly weight: number;
  /** How much it has to do, in calls; a set that counts by ports gives the calls its ports in use would be enough for. */
  readonly load: number;
}

/** Orders candidates for a call, best first; the rest is the order of retries. Never drops or invents one. */
export type Policy = <C extends Candidate>(callId: string, candidates: readonly C[]) => C[];

/** Names of the policies, as people write them. */
export const POLICIES = ['hash', 'least-load', 'round-robin'] as const;
export type PolicyName = (typeof POLICIES)[number];

/** What a node's load is counted by, as people write it. */
export const LOAD_MEASURES = ['sessions', 'ports'] as const;
export type LoadMeasure = (typeof LOAD_MEASURES)[number];
