/** Who may ask: the Host and Origin headers and the bearer token, looked at before anything else. */

import { timingSafeEqual } from 'node:crypto';
import { Failure } from '../domain/errors.ts';
import { familyOf } from '../util/ip.ts';

export interface GuardOptions {
  /** Bearer tokens, any of which will do; none = nobody is asked for one. */
  readonly tokens: readonly string[];
  /** Names that may stand in the Host header besides `localhost` and IP addresses. */
  readonly hosts: readonly string[];
}

export class Guard {
  readonly #tokens: readonly Buffer[];
  readonly #hosts: ReadonlySet<string>;

  constructor({ tokens, hosts }: GuardOptions) {
    this.#tokens = tokens.map(digest);
    this.#hosts = new Set([...hosts, 'localhost']);
  }

  /**
   * Why a request is refused before anybody looks at its path, or undefined.
   * @param isLocal whether it came over the unix socket, whose file mode has already said who may
   */
  refuseHost(request: Request, isLocal: boolean): Failure | undefined {
    if (!isLocal && !this.#knowsHost(request.headers.get('host') ?? '')) {
      return new Failure(
        'RTPC_NOT_FOUND',
        'this host is not served here; add its name to http.hosts to allow it',
      );
    }
    const origin = request.headers.get('origin');
    if (origin !== null && hostOf(origin) !== request.headers.get('host')) {
      return new Failure('RTPC_FOREIGN_ORIGIN', 'a web page of another origin may not use this API');
    }

    return undefined;
  }

  /** Why a request may not use a route that wants a token, or undefined. */
  refuseToken(request: Request, isLocal: boolean): Failure | undefined {
    if (isLocal || this.#tokens.length === 0) return undefined;
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    if (token !== undefined && this.knowsToken(token)) return undefined;

    return new Failure('RTPC_UNAUTHORIZED', 'a bearer token is needed: "Authorization: Bearer TOKEN"');
  }

  /**
   * A web page can make a browser ask us under a name of the page's own (DNS rebinding), but not under an address.
   */
  #knowsHost(header: string): boolean {
    // An IPv6 address stands in brackets (RFC 9110 section 7.2, RFC 3986 section 3.2.2).
    const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d+)?$/i.exec(header);
    if (match === null) return false;
    const [, bracketed, name = ''] = match;
    if (bracketed !== undefined)
      return familyOf(bracketed) === 'IP6' || this.#hosts.has(bracketed.toLowerCase());

    return familyOf(name) === 'IP4' || this.#hosts.has(name.toLowerCase());
  }

  /** Whether this is one of the tokens. Compares digests, all of them, so that time tells neither length nor content. */
  knowsToken(token: string): boolean {
    const given = digest(token);
    let isKnown = false;
    for (const known of this.#tokens) isKnown = timingSafeEqual(known, given) || isKnown;

    return isKnown;
  }
}

/** The host and port of an Origin header; '' for `null` and other things without one. */
function hostOf(origin: string): string {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1] ?? '';
}

function digest(token: string): Buffer {
  return new Bun.CryptoHasher('sha256').update(token).digest();
}
