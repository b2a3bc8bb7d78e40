/** `/v1/session`: log in with a token, so that a page need not keep it. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { version } from '../util/version.ts';
import type { Bearer, Guard } from './guard.ts';
import { json } from './responses.ts';

/** Longest token that is looked at, characters. */
const MAX_TOKEN = 1024;
const LogIn = t.Object({
  token: t.String({ maxLength: MAX_TOKEN, description: 'A token of role `read` or `admin`.' }),
});
const detail = (summary: string, description: string) => ({
  tags: ['session'],
  summary,
  description,
  security: [],
});

/** These routes ask by themselves who it is: who wants to log in has no session yet. */
export function sessionRoutes(guard: Guard) {
  const show = (request: Request, bearer: Bearer | undefined, cookie?: string): Response =>
    json(
      {
        needs_token: !guard.isOpenTo(request),
        who: bearer?.who ?? null,
        role: bearer?.role ?? null,
        expires_at: bearer?.expiresAt ?? null,
        version: bearer === undefined ? null : version,
      },
      200,
      { 'Cache-Control': 'no-store', ...(cookie === undefined ? {} : { 'Set-Cookie': cookie }) },
    );

  return new Elysia()
    .get(
      '/v1/session',
      ({ request }) => {
        const bearer = guard.bearerOf(request);

        if (bearer instanceof Failure) throw bearer;

        return show(request, bearer);
      },
      {
        detail: detail(
          'Who is logged in',
          'Open to everybody; `who`, `role` and `version` are null for whoever is not logged in.',
        ),
      },
    )
    .post(
      '/v1/session',
      ({ request, body }) => {
        if (guard.isOpenTo(request)) {
          const bearer = guard.bearerOf(request);

          if (bearer instanceof Failure) throw bearer;

          return show(request, bearer);
        }
        const begun = guard.logIn(request, body.token);

        if (begun instanceof Failure) throw begun;

        return show(request, begun.bearer, begun.cookie);
      },
      {
        parse: 'json',
        body: LogIn,
        detail: detail(
          'Log in',
          'Sets the cookie `rtp_cluster_session`, which counts where no `Authorization` header is given. A wrong token is counted as in any request.',
        ),
      },
    )
    .delete(
      '/v1/session',
      ({ request }) => {
        const cookie = guard.logOut(request);
        if (cookie instanceof Failure) throw cookie;

        return new Response(null, {
          status: 204,
          headers: { 'Set-Cookie': cookie, 'Cache-Control': 'no-store' },
        });
      },
      { detail: detail('Log out', 'Takes the cookie away.') },
    );
}
