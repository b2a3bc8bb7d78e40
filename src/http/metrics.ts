/** `GET /metrics`: the metrics for Prometheus and whoever reads its formats. Who comes while they are being written gets the same ones. */

import { Elysia } from 'elysia';
import { expose, FORMATS, type Format, formatFor } from '../metrics/exposition.ts';
import type { MetricParts } from '../metrics/parts.ts';
import { Turns } from '../util/turns.ts';

export function metricsRoutes(parts: MetricParts) {
  const underWay = new Map<Format, Promise<Blob>>();
  const turns = new Turns();
  // Each on its own, many at once would have as many turns of the event loop as all the calls.
  const text = (format: Format): Promise<Blob> => {
    const begun = underWay.get(format) ?? write(parts, format).finally(() => underWay.delete(format));
    underWay.set(format, begun);

    return begun;
  };

  return new Elysia().get(
    '/metrics',
    async ({ request }) => {
      const format = formatFor(request.headers.get('accept') ?? '');
      const body = await text(format);
      // A megabyte into each socket: one after the other.
      await turns.next();

      return new Response(body, { headers: { 'Content-Type': FORMATS[format] } });
    },
    {
      detail: {
        tags: ['health'],
        summary: 'Metrics for Prometheus',
        description:
          'Text format 0.0.4, or OpenMetrics 1.0.0 if `Accept` names it. docs/metrics.md lists them all.',
        responses: { 200: { description: 'The metrics', content: { 'text/plain': {} } } },
      },
    },
  );
}

async function write(parts: MetricParts, format: Format): Promise<Blob> {
  // Encoded piece by piece: all at once it would take longer than everything else of this.
  const pieces: Buffer<ArrayBuffer>[] = [];
  for await (const piece of expose(parts, format)) pieces.push(Buffer.from(piece));

  return new Blob(pieces);
}
