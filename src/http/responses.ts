/** Values and failures as HTTP responses. */

import type { Failure } from '../domain/errors.ts';
import { toText } from '../util/bytes.ts';

/** Seconds after which a proxy may try again when no node could take a call. */
const RETRY_AFTER_S = 2;

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

/** A failure for the client: an object, or one line for proxies that print it into their log. */
export function failureResponse(failure: Failure, asJson = true): Response {
  const { code, status } = failure;
  const message = toText(failure.message);
  const retryAfterS = failure.retryAfterS ?? (status === 503 ? RETRY_AFTER_S : undefined);
  const headers: Record<string, string> =
    retryAfterS === undefined ? {} : { 'Retry-After': String(retryAfterS) };
  if (asJson) return json({ code, message }, status, headers);
  const line = `${code} ${message}`.replace(/[\r\n]+/g, ' ');

  return new Response(`${line}\n`, {
    status,
    headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' },
  });
}
