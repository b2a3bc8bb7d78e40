/** `/v1/events`: what happened, as pages or as a stream. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { KIND_RULE, readKindPattern } from '../domain/event.ts';
import { eventResource } from '../events/resource.ts';
import type { EventFilter, EventRows } from '../store/event-rows.ts';
import { fromText } from '../util/bytes.ts';
import type { EventStreams } from './event-streams.ts';
import type { Guard } from './guard.ts';
import { failureResponse, json } from './responses.ts';
import { streamHead } from './streams.ts';
import { readTime } from './times.ts';

/** Events on a page. */
const PAGE = { default: 100, max: 1000 } as const;
/** Patterns in one request. */
const MAX_PATTERNS = 32;

const eventId = (description: string) =>
  t.Optional(t.Numeric({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, multipleOf: 1, description }));
const time = (description: string) => t.Optional(t.String({ description }));

const EventQuery = t.Object({
  kind: t.Optional(
    t.String({ description: 'Only these kinds: `node.removed`, `node.*`; several with commas between.' }),
  ),
  node: t.Optional(t.Numeric({ multipleOf: 1, description: 'Only events of this node.' })),
  call: t.Optional(t.String({ description: 'Only events of the call with this Call-ID.' })),
  since: time('Only events from then on: UTC milliseconds or ISO 8601, UTC if it names no zone.'),
  until: time('Only events up to then. Not for a stream.'),
  after: eventId('Only events with a higher id; a stream begins there. `Last-Event-ID` says the same.'),
  limit: t.Optional(
    t.Numeric({
      minimum: 1,
      maximum: PAGE.max,
      multipleOf: 1,
      description: `Default ${PAGE.default}. Not for a stream.`,
    }),
  ),
  before: eventId('`next` of the page before. Not for a stream.'),
});
type Query = typeof EventQuery.static;

export function eventRoutes(events: EventRows, streams: EventStreams, guard: Pick<Guard, 'permit'>) {
  const open = (query: Query, filter: EventFilter, since: number | undefined, request: Request) => {
    const permit = guard.permit(request, 'read');
    const lastId = request.headers.get('last-event-id');
    if (query.limit !== undefined || query.before !== undefined || query.until !== undefined)
      return new Failure('RTPC_BAD_PARAMETER', 'a stream has no end; leave out limit, before and until');
    // A browser repeats the query when it connects again, so the header knows better.
    if (lastId !== null && /^\d{1,15}$/.test(lastId)) return streams.open(filter, Number(lastId), permit);
    const first = since === undefined ? undefined : events.firstAt(since);

    const after = query.after ?? (first === undefined ? undefined : Math.max(0, first - 1));

    return streams.open(filter, after, permit);
  };
  const page = (query: Query, filter: EventFilter, since?: number, until?: number): Response => {
    const { limit = PAGE.default, before = null, after } = query;
    // One more than wanted: it tells whether there is another page.
    const found = events.list(limit + 1, before, { ...filter, after, since, until });
    const shown = found.slice(0, limit).map(eventResource);

    return json({ events: shown, next: found.length > limit ? (shown.at(-1)?.id ?? null) : null });
  };

  return new Elysia().get(
    '/v1/events',
    ({ query, request }) => {
      const kinds = query.kind === undefined ? undefined : readKinds(query.kind);
      const since = readTime('since', query.since);
      const until = readTime('until', query.until);
      if (kinds instanceof Failure) return failureResponse(kinds);
      if (since instanceof Failure) return failureResponse(since);
      if (until instanceof Failure) return failureResponse(until);
      const { call } = query;
      // Bytes that are not UTF-8 are shown as Latin-1, and asked for as they are shown.
      const callIds = call === undefined ? undefined : [...new Set([fromText(call), call])];
      const filter = { kinds, nodeId: query.node, callIds };
      if (!/\btext\/event-stream\b/i.test(request.headers.get('accept') ?? ''))
        return page(query, filter, since, until);
      if (request.method === 'HEAD') return streamHead();
      const stream = open(query, filter, since, request);

      return stream instanceof Failure ? failureResponse(stream) : stream;
    },
    {
      query: EventQuery,
      detail: {
        tags: ['events'],
        summary: 'What happened, newest first, or as it happens',
        description:
          'With `Accept: text/event-stream` a stream of server-sent events that begins now, or after `Last-Event-ID`, `after` or `since`.',
      },
    },
  );
}

function readKinds(text: string): string[] | Failure {
  const patterns = text.split(',').map(readKindPattern);
  const good = patterns.filter((pattern) => pattern !== undefined);

  return good.length === patterns.length && good.length <= MAX_PATTERNS
    ? good
    : new Failure(
        'RTPC_BAD_PARAMETER',
        `kind: allowed is ${KIND_RULE}, or up to ${MAX_PATTERNS} of them with commas between`,
      );
}
