/** Where metrics are read. Each of these keeps its own figures; nothing is counted twice for us. */

import type { CallTable } from '../calls/call-table.ts';
import type { Checkup } from '../calls/checkup.ts';
import type { History } from '../calls/history.ts';
import type { Notices } from '../calls/notices.ts';
import type { Reconcile } from '../calls/reconcile.ts';
import type { Replays } from '../calls/replays.ts';
import type { Requests } from '../calls/requests.ts';
import type { Search } from '../calls/search.ts';
import type { Strays } from '../calls/strays.ts';
import type { Webhooks } from '../events/webhooks.ts';
import type { DrainHook } from '../fleet/drain-hook.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { NgCommands } from '../front/commands.ts';
import type { Exchange } from '../front/exchange.ts';
import type { NgServer } from '../front/server.ts';
import type { WireTotals } from '../relay/of-node.ts';
import type { NoticeServer } from '../relay/rtpproxy/notice-server.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Descriptors } from '../util/descriptors.ts';
import type { Histogram } from '../util/histogram.ts';
import type { Meter } from './meter.ts';
import type { RelayMeter } from './relay-meter.ts';

export interface MetricParts {
  readonly meter: Meter;
  readonly relayMeter: RelayMeter;
  readonly loopDelay: { readonly histogram: Histogram; readonly max: number };
  readonly requests: Pick<Requests, 'counters' | 'serial'>;
  readonly calls: CallTable;
  readonly replays: Pick<Replays, 'counters' | 'size' | 'bytes'>;
  readonly search: Pick<Search, 'counters'>;
  readonly strays: Pick<Strays, 'counters' | 'size'>;
  readonly checkup: Pick<Checkup, 'counters'>;
  readonly reconcile: Pick<Reconcile, 'counters' | 'foreignCalls'>;
  readonly notices: Pick<Notices, 'counters'>;
  readonly history: Pick<History, 'counters'>;
  readonly fleet: Fleet;
  readonly watch: {
    readonly counters: Readonly<Record<'checks' | 'failedChecks' | 'restarts', number>>;
    isInPanic(setId: number): boolean;
  };
  readonly mediaProbes: {
    readonly counters: Readonly<Record<'probes' | 'failed' | 'lossy' | 'unsaid', number>>;
  };
  readonly hook: Pick<DrainHook, 'counters' | 'pending'>;
  readonly store: Store;
  /** Open streams of events, and of the live figures of a page. */
  readonly streams: { readonly size: number };
  readonly live: { readonly size: number };
  readonly sampler: { readonly counters: Readonly<Record<'written' | 'dropped', number>> };
  readonly guard: { readonly counters: Readonly<Record<'wrongTokens' | 'wrongRoles' | 'waits', number>> };
  readonly clock: Clock;
  /** Path of the database; missing where it is in memory. */
  readonly databasePath?: string;
  /** What went over the sockets of calls and of checks. */
  readonly wires: Readonly<Record<'calls' | 'checks', WireTotals>>;
  readonly ng: {
    readonly server: Pick<NgServer, 'counters'>;
    readonly exchange: Pick<Exchange, 'counters' | 'underWay'>;
    readonly commands: Pick<NgCommands, 'counters'>;
  };
  /** What begins after the API has begun to answer, or never. */
  readonly late: {
    noticeServer?: Pick<NoticeServer, 'counters'> | null;
    https?: { readonly notAfter: number } | null;
    webhooks?: Pick<Webhooks, 'states'>;
    descriptors?: Pick<Descriptors, 'open' | 'limit'>;
    reload?: { readonly isRefused: boolean; readonly note: string };
  };
}
