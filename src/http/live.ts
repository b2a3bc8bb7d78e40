/** `/v1/live`: the overview and a page of nodes as they change. */

import { Elysia } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Guard } from './guard.ts';
import type { LiveSource, LiveStreams } from './live-streams.ts';
import { NodeQuery, queryFault } from './node-list.ts';
import { type NodeResourceParts, nodePage } from './node-resource.ts';
import { type OverviewParts, overview } from './overview.ts';
import { failureResponse } from './responses.ts';
import { streamHead } from './streams.ts';

/** Nodes in a picture unless the query says otherwise. */
const PAGE = 100;

/** What the streams show: the same as the resources do. */
export function liveSource(parts: OverviewParts & NodeResourceParts & { readonly fleet: Fleet }): LiveSource {
  return { overview: () => overview(parts), nodes: (query) => nodePage(parts.fleet, query, parts) };
}

export function liveRoutes(live: LiveStreams, guard: Guard) {
  return new Elysia().get(
    '/v1/live',
    ({ query, request }) => {
      const fault = queryFault(query);
      if (fault === undefined && request.method === 'HEAD') return streamHead();
      const result = fault ?? live.open({ limit: PAGE, ...query }, guard.permit(request, 'read'));

      return result instanceof Failure ? failureResponse(result) : result;
    },
    {
      query: NodeQuery,
      detail: {
        tags: ['fleet'],
        summary: 'The fleet as it changes',
        description: `Server-sent events: \`overview\` (as /v1/overview) and \`nodes\` (a page as /v1/nodes gives it, ${PAGE} nodes unless \`limit\` says otherwise), at once and then every 2 s.`,
      },
    },
  );
}
