/** What the API shows of nodes, sets, events and the whole fleet, as far as several pages use it. `null` = nobody knows. */

export type Health = 'unknown' | 'up' | 'falling' | 'down' | 'rising' | 'ejected';
export type Order = 'ready' | 'drain' | 'maint';

export const HEALTHS: readonly Health[] = ['unknown', 'up', 'falling', 'down', 'rising', 'ejected'];
export const ORDERS: readonly Order[] = ['ready', 'drain', 'maint'];

export interface MediaAddress {
  readonly side: string;
  readonly family: 'IP4' | 'IP6';
  readonly address: string;
  readonly interface?: string | null;
}

/** One of `/v1/nodes`. Times are UTC ms. */
export interface NodeResource {
  readonly id: number;
  readonly kind: 'rtpengine' | 'rtpproxy';
  readonly socket: string;
  readonly set_id: number;
  readonly weight: number;
  readonly priority: number;
  readonly capacity: number | null;
  readonly tags: readonly string[];
  readonly http_port: number | null;
  readonly impose_mode: 'media-address' | 'interface';
  readonly media_addresses: readonly MediaAddress[];
  readonly calls: number;
  readonly order: {
    readonly state: Order;
    readonly by: string;
    readonly reason: string;
    readonly at: number;
    readonly until: number | null;
    readonly relay_told: boolean;
  };
  readonly health: {
    readonly state: Health;
    readonly since: number;
    readonly cause: string;
    readonly ejected_until: number | null;
  };
  readonly takes_new_calls: 'yes' | 'spare' | 'panic' | 'no';
  /** Share of its weight it has in slow start, 0 to 1. */
  readonly share: number;
  readonly load: {
    readonly calls: number;
    readonly sessions: number | null;
    readonly ports_in_use: number | null;
    readonly ports_total: number | null;
    readonly packets_per_s: number | null;
    readonly bytes_per_s: number | null;
    readonly errors_per_s: number | null;
    readonly figures_age_ms: number | null;
  };
  readonly placed_per_s?: number | null;
  readonly rtt_ms: number | null;
  readonly version: string | null;
  readonly uptime_s: number | null;
  readonly drain: {
    readonly calls_left: number;
    readonly per_minute: number | null;
    readonly eta_s: number | null;
    readonly is_drained: boolean;
  } | null;
  readonly probe?: Probe | null;
}

/** What the media probe last found. */
export interface Probe {
  readonly at: number;
  readonly result: 'ok' | 'lossy' | 'failed';
  readonly loss_percent: number | null;
  readonly delay_ms: number | null;
  readonly reordered: number | null;
  readonly reason: string | null;
}

/** One of `/v1/sets`. */
export interface SetResource {
  readonly id: number;
  readonly description: string;
  readonly direction: string | null;
  readonly policy: 'hash' | 'least-load' | 'round-robin';
  readonly load_by: 'sessions' | 'ports';
  readonly port_reserve: number;
  readonly media_probe?: boolean;
  readonly nodes: number;
  readonly calls: number;
}

/** `/v1/overview`. */
export interface Overview {
  readonly at: number;
  readonly version: string;
  readonly started_at: number;
  /** `ok`, or what is wrong. */
  readonly database: string;
  readonly totals: {
    readonly nodes: number;
    readonly nodes_up: number;
    readonly calls: number;
    readonly sessions: number | null;
    readonly ports_in_use: number | null;
    readonly ports_total: number | null;
    readonly placed_per_s: number | null;
    readonly requests_per_s: number | null;
    readonly failed_per_s: number | null;
    readonly p50_ms: number | null;
    readonly p99_ms: number | null;
    readonly loop_delay_ms: number | null;
    readonly commit_ms: number | null;
  };
  readonly sets: readonly OverviewSet[];
}

export interface OverviewSet {
  readonly id: number;
  readonly description: string;
  readonly policy: string;
  readonly media_probe: boolean;
  readonly nodes: number;
  readonly nodes_up: number;
  readonly nodes_ready: number;
  readonly probes_failed: number;
  readonly calls: number;
  readonly sessions: number | null;
  readonly ports_in_use: number | null;
  readonly ports_total: number | null;
  readonly placed_per_s: number | null;
  readonly is_in_panic: boolean;
}

/** A page of `/v1/nodes`. */
export interface NodePage {
  readonly nodes: readonly NodeResource[];
  readonly total: number;
}

/** `/v1/series`. */
export interface Series {
  readonly span: Span;
  readonly step_s: number;
  /** Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}
export type Span = 'hour' | 'week';

/** One of `/v1/events`. */
export interface EventResource {
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly node_id: number | null;
  readonly call_id: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}
