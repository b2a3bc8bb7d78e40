/**
 * The cookie of a session: name of the token, expiry and a nonce, signed with the token itself (HMAC-SHA256, RFC 2104). Nothing is kept
 * here, so a session outlives a restart, ends with its token, and none can be made without one.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Token } from '../domain/role.ts';

/** How long a session lasts, ms: a shift. */
export const SESSION_MS = 43_200_000;
/** How much longer it may seem to last, ms: clocks are set back a little now and then. */
const SLACK_MS = 300_000;
const NAME = 'rtp_cluster_session';
/** Its format; with another one older cookies are wrong. It also keeps other uses of the tokens as keys apart from this one. */
const FORMAT = 's1';
/** A header that is longer is not read, characters; browsers send those of all programs of a host together. */
const MAX_HEADER = 8192;
/** Cookies of our name that are tried: another program of the host may have set one too. */
const MAX_TRIED = 4;
const NONCE_BYTES = 12;
/** `FORMAT.NAME.EXPIRY.NONCE`, and the signature of that: characters that need no quotes in a cookie (RFC 6265 section 4.1.1). */
const COOKIE = /^((s1)\.([\w-]{1,128})\.(\d{1,16})\.[\w-]{16})\.([\w-]{43})$/;
const ATTRIBUTES = 'HttpOnly; SameSite=Strict; Path=/';

/** A session that is good. */
export interface Session<T> {
  readonly known: T;
  /** UTC ms. */
  readonly expiresAt: number;
}

/**
 * Whether a session that ends at a time goes on (UTC ms). One that would last longer than any does was begun by a clock that was ahead:
 * without this it would go on for as long as that clock was wrong.
 */
export function isCurrent(expiresAt: number, now: number): boolean {
  return expiresAt > now && expiresAt <= now + SESSION_MS + SLACK_MS;
}

/** The value of `Set-Cookie` for the bearer of a token. */
export function sessionCookie(token: Token, expiresAt: number, isSecure: boolean): string {
  const name = Buffer.from(token.name).toString('base64url');
  const content = `${FORMAT}.${name}.${expiresAt}.${randomBytes(NONCE_BYTES).toString('base64url')}`;
  const value = `${content}.${signature(token, content)}`;

  return `${NAME}=${value}; ${ATTRIBUTES}; Max-Age=${SESSION_MS / 1000}${isSecure ? '; Secure' : ''}`;
}

/** The value of `Set-Cookie` that ends a session in its browser. */
export function noSessionCookie(isSecure: boolean): string {
  return `${NAME}=; ${ATTRIBUTES}; Max-Age=0${isSecure ? '; Secure' : ''}`;
}

/** Whether a request has something that may be a session. */
export function hasSessionCookie(header: string | null): boolean {
  return valuesOf(header).length > 0;
}

/**
 * The session of a request, whatever else the browser sends along.
 * @param header `Cookie`
 * @param tokens those that are known; several may have the same name
 * @param now UTC ms
 */
export function readSession<T extends { readonly token: Token }>(
  header: string | null,
  tokens: readonly T[],
  now: number,
): Session<T> | undefined {
  for (const value of valuesOf(header)) {
    const [, content = '', , encoded = '', expiry = '', given = ''] = COOKIE.exec(value) ?? [];
    const expiresAt = Number(expiry);
    if (content === '' || !isCurrent(expiresAt, now)) continue;
    const name = Buffer.from(encoded, 'base64url').toString();
    // As text: the last character has bits that no byte of the signature needs.
    const mac = Buffer.from(given);
    const known = tokens.find(
      ({ token }) => token.name === name && timingSafeEqual(Buffer.from(signature(token, content)), mac),
    );
    if (known !== undefined) return { known, expiresAt };
  }

  return undefined;
}

/** What the cookies of our name hold. */
function valuesOf(header: string | null): string[] {
  if (header === null || header.length > MAX_HEADER) return [];

  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${NAME}=`))
    .slice(0, MAX_TRIED)
    .map((pair) => pair.slice(NAME.length + 1).replace(/^"(.*)"$/, '$1'));
}

function signature({ token }: Token, content: string): string {
  return createHmac('sha256', token).update(`rtp_cluster session\n${content}`).digest('base64url');
}
