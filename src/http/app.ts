/** The HTTP API: routes, guard, and one place where whatever goes wrong becomes a response. */

import { type AnyElysia, Elysia } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { History } from '../calls/history.ts';
import type { Notices } from '../calls/notices.ts';
import type { Reconcile } from '../calls/reconcile.ts';
import type { Requests } from '../calls/requests.ts';
import { Statistics } from '../calls/statistics.ts';
import { Failure } from '../domain/errors.ts';
import type { Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Orders } from '../fleet/orders.ts';
import type { Roster } from '../fleet/roster.ts';
import type { MetricParts } from '../metrics/parts.ts';
import type { Probe } from '../probe/probe.ts';
import type { Rates } from '../series/rates.ts';
import type { SeriesReader } from '../series/series.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { Audit } from './audit.ts';
import { callRoutes } from './calls.ts';
import type { EventStreams } from './event-streams.ts';
import { eventRoutes } from './events.ts';
import { explainRoutes } from './explain.ts';
import { fleetRoutes } from './fleet.ts';
import { gate, type Wants, wantsAny, wantsCall, wantsRead } from './gate.ts';
import type { Guard } from './guard.ts';
import { healthRoutes, type Readiness } from './health.ts';
import { liveRoutes } from './live.ts';
import type { LiveStreams } from './live-streams.ts';
import { type DoorObserver, mediaRoutes } from './media.ts';
import { metricsRoutes } from './metrics.ts';
import { type AskNg, ngRoutes } from './ng.ts';
import { nodeCheckRoutes } from './node-checks.ts';
import { nodeOrderRoutes } from './node-orders.ts';
import { nodeRoutes } from './nodes.ts';
import { notifyRoutes } from './notify.ts';
import { openapiRoutes, type RouteRole } from './openapi.ts';
import { overviewRoutes } from './overview.ts';
import type { Peers } from './peers.ts';
import { reconcileRoutes } from './reconcile.ts';
import { failureResponse } from './responses.ts';
import { seriesRoutes } from './series.ts';
import { sessionRoutes } from './session.ts';
import { setRoutes } from './sets.ts';
import { statisticsRoutes } from './statistics.ts';
import { uiRoutes } from './ui.ts';

export interface AppParts {
  readonly requests: Requests;
  readonly fleet: Fleet;
  readonly roster: Roster;
  readonly orders: Orders;
  readonly watch: { recheck(member: Member): void; isInPanic(setId: number): boolean };
  readonly calls: CallTable;
  readonly store: Store;
  readonly history: History;
  readonly meter: DoorObserver;
  readonly metrics: MetricParts;
  readonly streams: EventStreams;
  readonly live: LiveStreams;
  readonly rates: Rates;
  readonly series: Pick<SeriesReader, 'read'>;
  readonly probe: Pick<Probe, 'check'>;
  readonly sides: Sides;
  /** Largest body of a media request. */
  readonly maxBodyBytes: number;
  readonly guard: Guard;
  readonly readiness: Readiness;
  readonly peers: Pick<Peers, 'isLocal' | 'addressOf' | 'isSecure'>;
  readonly reconcile: Reconcile;
  readonly notices: Notices;
  readonly askNg: AskNg;
  readonly clock: Clock;
  /** UTC ms at which this program began. */
  readonly startedAt: number;
}

export function createApp(parts: AppParts): AnyElysia {
  const { fleet, roster, calls, store, history, sides, guard } = parts;
  const callsOn = (nodeId: number): number => calls.countOn(nodeId);
  const audit = new Audit(parts);
  const group = (wants: Wants) => gate(wants, guard, audit);
  const media = group(wantsCall)
    .use(mediaRoutes(parts.requests, sides, parts.maxBodyBytes, parts.meter))
    .use(ngRoutes(parts.askNg));
  const management = group(wantsRead)
    .use(nodeRoutes(parts))
    .use(nodeOrderRoutes(parts))
    .use(nodeCheckRoutes(parts))
    .use(reconcileRoutes(fleet, parts.reconcile))
    .use(setRoutes(fleet, sides, callsOn))
    .use(fleetRoutes(fleet, roster))
    .use(callRoutes(calls, store))
    .use(explainRoutes(calls, store, history))
    .use(statisticsRoutes(calls, store, new Statistics(parts)))
    .use(eventRoutes(store.events, parts.streams, guard))
    .use(metricsRoutes(parts.metrics))
    .use(overviewRoutes(parts))
    .use(liveRoutes(parts.live, guard))
    .use(seriesRoutes(fleet, parts.series));
  const roles = [...rolesOf(media, wantsCall), ...rolesOf(management, wantsRead)];
  const described: AnyElysia = new Elysia()
    .use(media)
    .use(management)
    .use(notifyRoutes(parts))
    .use(sessionRoutes(guard))
    .use(healthRoutes(store, parts.readiness));

  return new Elysia()
    .onRequest(({ request }) => {
      const failure = guard.refuseHost(request);

      return failure === undefined ? undefined : failureResponse(failure);
    })
    .onError({ as: 'global' }, ({ code, error, request }) => {
      // Who has no token does not learn which paths there are, nor which bodies are read: no group has looked at these.
      const isUnseen = code === 'NOT_FOUND' || code === 'PARSE';
      const refused = isUnseen ? guard.admit(request, undefined).refusal : undefined;
      const failure = refused ?? toFailure(code, error);
      if (failure.code === 'RTPC_INTERNAL') parts.meter.defect();
      const response = refusal(failure);
      audit.end(request, response.status);

      return response;
    })
    .use(described)
    .use(uiRoutes())
    .use(group(wantsAny).use(openapiRoutes(() => described, roles)));
}

/** What each route of a group wants; read before others use the group. */
function rolesOf({ routes }: AnyElysia, wants: Wants): RouteRole[] {
  return routes.flatMap(({ method, path }) => {
    const role = wants(method);

    return role === undefined ? [] : [{ method, path, role }];
  });
}

function refusal(failure: Failure): Response {
  const response = failureResponse(failure);
  if (failure.code === 'RTPC_UNAUTHORIZED') response.headers.set('WWW-Authenticate', 'Bearer');

  return response;
}

/** Whatever was thrown, as a failure that tells no internals. */
function toFailure(code: string | number, error: unknown): Failure {
  if (error instanceof Failure) return error;
  switch (code) {
    case 'NOT_FOUND':
      return new Failure('RTPC_NOT_FOUND', 'there is no such path; /openapi lists them');
    case 'PARSE':
      if (error instanceof Error && error.cause instanceof Failure) return error.cause;

      return new Failure('RTPC_BAD_BODY', 'the body is not valid JSON');
    case 'VALIDATION':
      return new Failure('RTPC_BAD_PARAMETER', explainValidation(error));
    default:
      log.error('http.defect', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });

      return new Failure('RTPC_INTERNAL', 'a defect of rtp_cluster; its log has the details');
  }
}

/** The first thing that is wrong with a body or a query: where, and what is allowed. */
function explainValidation(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('all' in error) || !Array.isArray(error.all)) {
    return 'the request does not have the right form; see /openapi';
  }
  const first: unknown = error.all[0];
  const path = typeof first === 'object' && first !== null && 'path' in first ? String(first.path) : '';
  const summary =
    typeof first === 'object' && first !== null && 'summary' in first ? String(first.summary) : '';

  return `${path === '' ? 'the request' : path.slice(1).replaceAll('/', '.')}: ${summary || 'wrong value'}; see /openapi`;
}
