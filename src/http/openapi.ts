/** `/openapi`: the description of the API, as JSON and as a page that needs nothing from outside. */

import { toOpenAPISchema } from '@elysiajs/openapi';
import { type AnyElysia, Elysia } from 'elysia';
import { version } from '../util/version.ts';
import { openapiPage } from './openapi-page.ts';
import { json } from './responses.ts';

/** Inline styles only; no script, nothing from elsewhere. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @param described gives the app whose routes are described; asked at the first request, when it is whole */
export function openapiRoutes(described: () => AnyElysia) {
  let document: Record<string, unknown> | undefined;
  const describe = (): Record<string, unknown> => {
    document ??= {
      openapi: '3.1.0',
      info: {
        title: 'rtp_cluster',
        version: version,
        description:
          'Puts the right relay and the right address into every SDP. Errors are `{code, message}`.',
      },
      ...nameCallId(toOpenAPISchema(described())),
    };

    return document;
  };

  return new Elysia()
    .get('/openapi.json', () => json(describe()), { detail: { hide: true } })
    .get(
      '/openapi',
      ({ request }) => {
        if (!(request.headers.get('accept') ?? '').includes('text/html')) return json(describe());

        return new Response(openapiPage(describe()), {
          headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': PAGE_POLICY },
        });
      },
      { detail: { hide: true } },
    );
}

/** Some routes take the rest of the path, since Call-IDs may hold slashes; OpenAPI has no word for that. */
function nameCallId(document: ReturnType<typeof toOpenAPISchema>): ReturnType<typeof toOpenAPISchema> {
  const parameters = [
    {
      name: 'call-id',
      in: 'path',
      required: true,
      description: 'Percent-encoded.',
      schema: { type: 'string' as const },
    },
  ];
  const paths = Object.entries(document.paths).map(([path, item]) => {
    if (!path.endsWith('/*')) return [path, item] as const;
    if (item?.get !== undefined) item.get.parameters = parameters;

    return [path.replace(/\*$/, '{call-id}'), item] as const;
  });

  return { ...document, paths: Object.fromEntries(paths) };
}
