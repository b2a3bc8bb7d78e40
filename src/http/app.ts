/** The HTTP API: routes, guard, and one place where whatever goes wrong becomes a response. */

import { type AnyElysia, Elysia } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { History } from '../calls/history.ts';
import type { Notices } from '../calls/notices.ts';
import type { Reconcile } from '../calls/reconcile.ts';
import type { Requests } from '../calls/requests.ts';
import { Failure } from '../domain/errors.ts';
import type { Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Orders } from '../fleet/orders.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { callRoutes } from './calls.ts';
import type { EventStreams } from './event-streams.ts';
import { eventRoutes } from './events.ts';
import { explainRoutes } from './explain.ts';
import { fleetRoutes } from './fleet.ts';
import type { Guard } from './guard.ts';
import { healthRoutes, type Readiness } from './health.ts';
import { mediaRoutes } from './media.ts';
import { type AskNg, ngRoutes } from './ng.ts';
import { nodeOrderRoutes } from './node-orders.ts';
import { nodeRoutes } from './nodes.ts';
import { notifyRoutes } from './notify.ts';
import { openapiRoutes } from './openapi.ts';
import { reconcileRoutes } from './reconcile.ts';
import { failureResponse } from './responses.ts';
import { setRoutes } from './sets.ts';

export interface AppParts {
  readonly requests: Requests;
  readonly fleet: Fleet;
  readonly roster: Roster;
  readonly orders: Orders;
  readonly watch: { recheck(member: Member): void };
  readonly calls: CallTable;
  readonly store: Store;
  readonly history: History;
  readonly streams: EventStreams;
  readonly sides: Sides;
  /** Largest body of a media request. */
  readonly maxBodyBytes: number;
  readonly guard: Guard;
  readonly readiness: Readiness;
  /** Requests that came over the unix socket. */
  readonly local: WeakSet<Request>;
  /** IP addresses notices came from. */
  readonly senders: WeakMap<Request, string>;
  readonly reconcile: Reconcile;
  readonly notices: Notices;
  readonly askNg: AskNg;
  readonly clock: Clock;
}

export function createApp(parts: AppParts): AnyElysia {
  const {
    requests,
    fleet,
    roster,
    calls,
    store,
    history,
    streams,
    sides,
    maxBodyBytes,
    guard,
    readiness,
    local,
  } = parts;
  const callsOn = (nodeId: number): number => calls.countOn(nodeId);
  // The routes themselves ask for the token, so that no second reading of the path decides who needs one. This hook comes
  // before validation: whoever has no token learns nothing else, but that a body is no JSON (Elysia parses it before).
  const closed = new Elysia()
    .onTransform(({ request }) => {
      const failure = guard.refuseToken(request, local.has(request));
      if (failure !== undefined) throw failure;
    })
    .use(mediaRoutes(requests, sides, maxBodyBytes))
    .use(ngRoutes(parts.askNg))
    .use(nodeRoutes(parts))
    .use(nodeOrderRoutes(parts))
    .use(reconcileRoutes(fleet, parts.reconcile))
    .use(setRoutes(fleet, sides, callsOn))
    .use(fleetRoutes(fleet, roster))
    .use(callRoutes(calls, store))
    .use(explainRoutes(calls, store, history))
    .use(eventRoutes(store.events, streams))
    .use(openapiRoutes(() => described));
  const described: AnyElysia = new Elysia()
    .use(closed)
    .use(notifyRoutes(parts))
    .use(healthRoutes(store, readiness));

  return new Elysia()
    .onRequest(({ request }) => {
      const failure = guard.refuseHost(request, local.has(request));

      return failure === undefined ? undefined : failureResponse(failure);
    })
    .onError({ as: 'global' }, ({ code, error, request }) => {
      // Who has no token does not learn which paths there are.
      const unknown = code === 'NOT_FOUND' ? guard.refuseToken(request, local.has(request)) : undefined;

      return refusal(unknown ?? toFailure(code, error));
    })
    .use(described);
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
