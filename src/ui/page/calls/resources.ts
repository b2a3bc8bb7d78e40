/** What the API answers about calls, as far as the page shows it. Times are UTC ms. */

export type CallState = 'announced' | 'early' | 'confirmed' | 'ended';

export interface LegResource {
  readonly tag: string;
  readonly branch: string;
  readonly side: string;
  readonly reader_side: string;
  readonly family: string;
  readonly confirmed: boolean;
}

/** A call of `/v1/calls`. */
export interface CallResource {
  readonly call_id: string;
  readonly node_id: number | null;
  readonly set_id: number;
  readonly direction: string;
  readonly state: CallState;
  readonly caller_tag: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly end_reason: string | null;
  readonly legs: readonly LegResource[];
}

/** A page of `/v1/calls`. */
export interface CallPage {
  readonly calls: readonly CallResource[];
  /** What to give as `after` for the next page; null on the last one. */
  readonly next: string | null;
  /** Whether a bound ended the search before all calls were looked at. */
  readonly is_partial?: boolean;
}

export interface CandidateResource {
  readonly node_id: number;
  readonly rank: 'first' | 'full' | 'spare' | 'panic';
  readonly priority: number;
  readonly weight: number;
  readonly sessions: number;
  readonly ports_free: number | null;
}

export interface LeftOutResource {
  readonly node_id: number;
  readonly rule: string;
  readonly figure: string;
}

export interface PlacementResource {
  readonly policy: string;
  readonly panic: boolean;
  readonly candidates: readonly CandidateResource[];
  readonly candidate_count: number;
  readonly left_out_count: number;
  readonly left_out: readonly LeftOutResource[];
}

export interface TryResource {
  readonly node_id: number;
  /** `ok`, or what went wrong. */
  readonly result: string;
  readonly reason: string;
  readonly took_ms: number;
}

/** One request of a call. */
export interface StepResource {
  readonly at: number;
  readonly operation: string;
  /** As `INVITE` or `200 INVITE`; null if the client named the operation. */
  readonly message: string | null;
  readonly took_ms: number;
  /** `ok` or a code. */
  readonly result: string;
  readonly reason: string;
  readonly node_id: number | null;
  /** As `inner>outer`, sender first. */
  readonly sides: string | null;
  readonly door?: 'http' | 'ng' | null;
  /** As `audio 192.0.2.1:4000`. */
  readonly received: readonly string[];
  readonly returned: readonly string[];
  readonly sdp_received?: string | null;
  readonly sdp_returned?: string | null;
  /** Whether an SDP is not kept whole. */
  readonly sdp_cut?: boolean;
  /** Of the party that sent the SDP. */
  readonly tag?: string | null;
  readonly placement: PlacementResource | null;
  readonly tries: readonly TryResource[];
}

/** `/v1/explain/CALL-ID`. */
export interface Explained {
  readonly call_id: string;
  /** Null for a call that no node took. */
  readonly call: CallResource | null;
  readonly steps: readonly StepResource[];
  /** Whether there were too many, and some after the first ones are left out. */
  readonly is_partial?: boolean;
}

/** What a relay counts of one stream of a party. Ends are as `192.0.2.1:4000`. Null where nobody tells. */
export interface StreamResource {
  readonly tag: string;
  readonly side: string | null;
  readonly media: string | null;
  /** Which m= line, from 1. */
  readonly index: number | null;
  /** Whether it is the RTCP that goes with it. */
  readonly rtcp: boolean;
  /** By the party's last SDP: `sendrecv`, `sendonly`, `recvonly`, `inactive`, `off`. */
  readonly direction: string | null;
  readonly codec: string | null;
  /** The relay's end. */
  readonly local: string | null;
  /** Where the party was told to send to. */
  readonly told: string | null;
  /** Where its packets come from. */
  readonly remote: string | null;
  /** Where its SDP says it is. */
  readonly advertised: string | null;
  /** Those that came from the party. */
  readonly packets: number | null;
  readonly bytes: number | null;
  readonly errors: number | null;
  readonly last_packet_s: number | null;
  /** What the party hears, by its own reports. */
  readonly loss_percent: number | null;
  readonly jitter_ms: number | null;
  readonly mos: number | null;
}

export interface FindingResource {
  /** `no-packets`, `one-way`, `stopped`, `lossy`, `private-address` ... */
  readonly code: string;
  readonly level: 'problem' | 'warning' | 'info';
  /** The party it is about: whose packets are missing, or who hears badly; null if it is about all. */
  readonly tag: string | null;
  readonly side: string | null;
  /** Which m= line, from 1. */
  readonly index: number | null;
  /** What it means and what to check, in English. */
  readonly text: string;
}

/** `/v1/statistics/CALL-ID`. */
export interface StatisticsResource {
  readonly call_id: string;
  readonly node_id: number;
  readonly kind: string;
  /** UTC ms; of an ended call its end. */
  readonly at: number;
  /** Whether these are the last figures of a call that has ended. */
  readonly final: boolean;
  readonly streams: readonly StreamResource[];
  readonly findings: readonly FindingResource[];
}
