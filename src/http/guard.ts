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

/** Paths for supervisors, which have no token. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

export class Guard {
  readonly #tokens: readonly Buffer[];
  readonly #hosts: ReadonlySet<string>;

  constructor({ tokens, hosts }: GuardOptions) {
    this.#tokens = tokens.map(digest);
    this.#hosts = new Set([...hosts, 'localhost']);
  }

  /**
   * Why a request is refused, or undefined.
   * @param isLocal whether it came over the unix socket, whose file mode has already said who may
   */
  refuse(request: Request, path: string, isLocal: boolean): Failure | undefined {
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
    if (isLocal || this.#tokens.length === 0 || OPEN_PATHS.has(path)) return undefined;
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    if (token !== undefined && this.#knowsToken(token)) return undefined;

    return new Failure('RTPC_UNAUTHORIZED', 'a bearer token is needed: "Authorization: Bearer TOKEN"');
  }

  /**
   * A web page can make a browser ask us under a name of the page's own (DNS rebinding), but not under an address.
   */
  #knowsHost(header: string): boolean {
    const name = header
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();

    return familyOf(name) !== undefined || this.#hosts.has(name);
  }

  /** Compares digests, all of them, so that time tells neither length nor content. */
  #knowsToken(token: string): boolean {
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
