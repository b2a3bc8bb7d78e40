/** What goes on now, as of the last sample: for those who show it beside counts. */

/** Of the whole fleet and of this program; null where nobody knows. */
export interface FleetRates {
  readonly placed_per_s: number | null;
  readonly requests_per_s: number | null;
  readonly failed_per_s: number | null;
  /** Time requests took, half of them and 99 of 100, ms. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** The longest time the event loop stood still, and a commit took, ms. */
  readonly loop_delay_ms: number | null;
  readonly commit_ms: number | null;
}

export interface Rates {
  fleet(): FleetRates;
  /** Calls placed on a node per second; null before its second sample. */
  placedPerS(nodeId: number): number | null;
}
