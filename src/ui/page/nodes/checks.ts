/** What a check of a node answers, as the page shows it. */

export type CheckResult = 'ok' | 'warning' | 'failed' | 'skipped';

export interface CheckResource {
  readonly check: string;
  /** Of `address` the side that reads it, of `media` a pair as `inner>outer`, or one side; else null. */
  readonly side: string | null;
  readonly family: string | null;
  readonly result: CheckResult;
  readonly detail: string;
  /** '' if there is nothing to do. */
  readonly advice: string;
  readonly took_ms: number;
}

/** `/v1/nodes/check`. */
export interface ReportResource {
  readonly node_id: number | null;
  readonly socket: string;
  readonly result: 'ok' | 'warning' | 'failed';
  readonly checks: readonly CheckResource[];
}
