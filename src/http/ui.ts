/**
 * `/` and `/ui/NAME`: the dashboard. Its files are open, as they say nothing of this site: all that does comes from the API,
 * which asks for a token. The names under `/ui/` change with the content, so browsers keep these for good.
 */

import { Elysia } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { INDEX, PAGE_FILES, type PageFile } from '../ui/files.ts';
import { failureResponse } from './responses.ts';

/** Nothing but what this program serves: no inline script or style, no frame, no request to anybody else. */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};
/** The page itself is asked for anew each time, and is 304 unless another version runs. */
const FRESH = 'no-cache';
const FOR_GOOD = 'public, max-age=31536000, immutable';

export function uiRoutes() {
  const detail = { hide: true };

  return new Elysia()
    .get('/', ({ request }) => serve(PAGE_FILES.get(INDEX), request, FRESH), { detail })
    .get(
      '/ui/:name',
      ({ params: { name }, request }) =>
        serve(name === INDEX ? undefined : PAGE_FILES.get(name), request, FOR_GOOD),
      { detail },
    );
}

function serve(file: PageFile | undefined, { headers }: Request, cacheControl: string): Response {
  if (file === undefined) {
    return failureResponse(new Failure('RTPC_NOT_FOUND', 'there is no such file; the dashboard is at /'));
  }
  const { type, etag, gzip } = file;
  const common = { ...PAGE_HEADERS, ETag: etag, 'Cache-Control': cacheControl, Vary: 'Accept-Encoding' };
  if (names(headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers: common });
  const isCompressed = takesGzip(headers.get('accept-encoding') ?? '');

  return new Response(isCompressed ? gzip : Bun.gunzipSync(gzip), {
    headers: { ...common, 'Content-Type': type, ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}) },
  });
}

/** Whether `If-None-Match` has this tag, be it weak (RFC 9110 section 13.1.2). */
function names(given: string | null, etag: string): boolean {
  return given?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) === true;
}

/** Whether gzip is named and not refused by `q=0` (RFC 9110 section 12.5.3). */
function takesGzip(accepted: string): boolean {
  return accepted
    .toLowerCase()
    .split(',')
    .some((part) => /^\s*(?:gzip|x-gzip|\*)\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/.test(part));
}
