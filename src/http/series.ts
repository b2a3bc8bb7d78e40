/** `/v1/series`: what a node or the whole fleet did in the last hour or week. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { type SeriesReader, SPANS } from '../series/series.ts';
import { failureResponse, json } from './responses.ts';

const SeriesQuery = t.Object({
  node: t.Optional(
    t.Numeric({ minimum: 0, multipleOf: 1, description: 'A node; the whole fleet if missing.' }),
  ),
  span: t.Optional(t.String({ description: `${SPANS.join(' or ')}. Default: hour.` })),
});

export function seriesRoutes(fleet: Fleet, series: Pick<SeriesReader, 'read'>) {
  return new Elysia().get(
    '/v1/series',
    async ({ query: { node, span = 'hour' } }) => {
      const wanted = SPANS.find((name) => name === span);
      if (wanted === undefined) {
        const message = `span is "${span.slice(0, 32)}"; allowed are ${SPANS.join(' and ')}`;

        return failureResponse(new Failure('RTPC_BAD_PARAMETER', message));
      }
      const known = node === undefined ? undefined : fleet.find(node);

      return known instanceof Failure
        ? failureResponse(known)
        : json(await series.read(node ?? null, wanted));
    },
    {
      query: SeriesQuery,
      detail: {
        tags: ['fleet'],
        summary: 'What a node or the fleet did in the last hour or week',
        description:
          'Columns of the same length as `times`: an hour in steps of 10 s, kept in memory, or a week in steps of 5 min. Null is unknown, as before a start.',
      },
    },
  );
}
