/** `/openapi`: the description of the API, as JSON and as a page that needs nothing from outside. */

import { toOpenAPISchema } from '@elysiajs/openapi';
import { type AnyElysia, Elysia } from 'elysia';
import type { Role } from '../domain/role.ts';
import { version } from '../util/version.ts';
import { openapiPage } from './openapi-page.ts';
import { json } from './responses.ts';

/** Inline styles only; no script, nothing from elsewhere. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A route, and the role it wants. */
export interface RouteRole {
  readonly method: string;
  /** As Elysia has it: `/v1/nodes/:id`. */
  readonly path: string;
  readonly role: Role;
}

/**
 * @param described gives the app whose routes are described; asked at the first request, when it is whole
 * @param roles those of all routes that do not say themselves who may
 */
export function openapiRoutes(described: () => AnyElysia, roles: readonly RouteRole[]) {
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
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description:
              'With a role: `call`, `read` or `admin`, which may do all. The cookie of a session (`POST /v1/session`) does as well. None is asked for if the service has no tokens, or over its unix socket.',
          },
        },
      },
      paths: pathsOf(described(), roles),
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

/** All paths, each operation with the role it wants. */
function pathsOf(described: AnyElysia, roles: readonly RouteRole[]): object {
  const known = new Map(
    roles.map(({ method, path, role }) => [
      `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`,
      role,
    ]),
  );
  const all = Object.entries(toOpenAPISchema(described).paths).map(([path, item]) => {
    const operations = Object.entries(item as Record<string, object>).map(([method, operation]) => {
      const role = known.get(`${method} ${path}`);
      const security = role === undefined ? {} : { security: [{ token: [role] }] };

      return [method, { ...operation, ...security, ...callIdIn(path) }] as const;
    });

    return [path.replace(/\*$/, '{call-id}'), Object.fromEntries(operations)] as const;
  });

  return Object.fromEntries(all);
}

/** Some routes take the rest of the path, since Call-IDs may hold slashes; OpenAPI has no word for that. */
function callIdIn(path: string): object {
  if (!path.endsWith('/*')) return {};

  return {
    parameters: [
      {
        name: 'call-id',
        in: 'path',
        required: true,
        description: 'Percent-encoded.',
        schema: { type: 'string' },
      },
    ],
  };
}
