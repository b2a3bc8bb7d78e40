/**
 * Who may ask: the Host and Origin headers, and the bearer token with its role or the session it began, looked at before
 * anything else.
 */

import { Failure } from '../domain/errors.ts';
import { covers, type Role, type Token } from '../domain/role.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { familyOf } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { Sparing } from '../util/sparing.ts';
import { Keyring, type Known, NO_TOKEN, notLogged } from './keyring.ts';
import type { Peers } from './peers.ts';
import {
  hasSessionCookie,
  isCurrent,
  noSessionCookie,
  SESSION_MS,
  type Session,
  sessionCookie,
} from './session-cookie.ts';

/** What a reload may change. */
export interface GuardOptions {
  /** Bearer tokens; none = nobody is asked for one. */
  readonly tokens: readonly Token[];
  /** Names that may stand in the Host header besides `localhost` and IP addresses. */
  readonly hosts: readonly string[];
}

export interface GuardParts {
  readonly peers: Pick<Peers, 'isLocal' | 'addressOf' | 'isSecure'>;
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

/** Who asked, and why not, if not. */
export interface Verdict {
  /** Name of the token, `unix socket`, or `nobody` where none is asked for; '' if the token is missing or wrong. */
  readonly who: string;
  readonly refusal: Failure | undefined;
}

/** Who somebody is to us. */
export interface Bearer {
  /** As in `Verdict`. */
  readonly who: string;
  readonly role: Role;
  /** When the session ends, UTC ms; null if it is none. */
  readonly expiresAt: number | null;
}

/** Whether what was allowed still is: its token is there, with a role that will do, and its session goes on. */
export type Permit = () => boolean;

/** A token, and when the session ends that it was found by; null if it was given itself. */
type Found = Session<Known> | { readonly known: Known; readonly expiresAt: null };

export const LOCAL = 'unix socket';
const AS_LOCAL: Verdict = { who: LOCAL, refusal: undefined };
const AS_NOBODY: Verdict = { who: 'nobody', refusal: undefined };
/** What a page may say in place of an origin: no form and no page of another origin can. */
const OUR_PAGE = 'rtp-cluster';
/** Of each kind of line and event in a minute. */
const TOLD_PER_MINUTE = 10;

export class Guard {
  readonly #parts: GuardParts;
  readonly #keyring: Keyring;
  readonly #roleLines: Sparing;
  /** Requests with a token or a session that may not do what they asked. */
  #wrongRoles = 0;
  #hosts: ReadonlySet<string> = new Set();
  #certified: ReadonlySet<string> = new Set();

  constructor(options: GuardOptions, parts: GuardParts) {
    this.#parts = parts;
    this.#keyring = new Keyring(parts);
    this.#roleLines = new Sparing(parts.clock, TOLD_PER_MINUTE);
    this.replace(options);
  }

  /** Requests refused for who asked. */
  get counters() {
    return { wrongRoles: this.#wrongRoles, ...this.#keyring.counters };
  }

  /** Takes other tokens and hosts, from the next request on. Who has given wrong tokens stays known. */
  replace({ tokens, hosts }: GuardOptions): void {
    this.#keyring.replace(tokens);
    this.#hosts = new Set([...hosts, 'localhost']);
  }

  /** Takes the names of our certificate as hosts too: nobody else can have one for them. */
  certify(names: readonly string[]): void {
    this.#certified = new Set(names.map((name) => name.toLowerCase()));
  }

  /** Why a request is refused before anybody looks at its path, or undefined. */
  refuseHost(request: Request): Failure | undefined {
    if (!this.#parts.peers.isLocal(request) && !this.#knowsHost(request.headers.get('host') ?? '')) {
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

  /**
   * Whether a request may use a route.
   * @param wanted the role; any token will do if undefined
   * @param other a token that came by another way than the header
   */
  admit(request: Request, wanted: Role | undefined, other = ''): Verdict {
    if (this.#parts.peers.isLocal(request)) return AS_LOCAL;
    if (this.#keyring.isEmpty) return AS_NOBODY;
    const found = this.#whose(request, other);
    if (found instanceof Failure) return { who: '', refusal: found };
    const { known } = found;
    if (wanted === undefined || covers(known.token.role, wanted)) return known.good;

    return { who: known.token.name, refusal: this.#refuseRole(request, known.token, wanted) };
  }

  /** Whether nobody has to say who he is. */
  isOpenTo(request: Request): boolean {
    return this.#keyring.isEmpty || this.#parts.peers.isLocal(request);
  }

  /** Who asks; a failure if what he says of himself is wrong, undefined if he says nothing. */
  bearerOf(request: Request): Bearer | Failure | undefined {
    if (this.isOpenTo(request))
      return { who: this.admit(request, undefined).who, role: 'admin', expiresAt: null };
    const found = this.#whose(request, '');
    if (!(found instanceof Failure)) return bearer(found);

    return request.headers.has('authorization') ? found : undefined;
  }

  /** Begins a session, for whoever has a token that may look at something. Wrong ones are counted as everywhere. */
  logIn(request: Request, token: string): { readonly bearer: Bearer; readonly cookie: string } | Failure {
    const known = this.#keyring.check(token, this.#parts.peers.addressOf(request));
    if (known instanceof Failure) return known;
    if (!covers(known.token.role, 'read')) return this.#refuseRole(request, known.token, 'read');
    const expiresAt = this.#parts.clock.utc() + SESSION_MS;
    const cookie = sessionCookie(known.token, expiresAt, this.#isSecure(request));

    return { bearer: bearer({ known, expiresAt }), cookie };
  }

  /** Ends a session in its browser: the cookie that does. No page of elsewhere may. */
  logOut(request: Request): string | Failure {
    const refusal = hasSessionCookie(request.headers.get('cookie'))
      ? this.#refuseCrossSite(request)
      : undefined;

    return refusal ?? noSessionCookie(this.#isSecure(request));
  }

  /** What a request that was admitted may go on with, for as long as this says so. */
  permit(request: Request, wanted: Role): Permit {
    if (this.#parts.peers.isLocal(request)) return () => true;
    if (this.#keyring.isEmpty) return () => this.#keyring.isEmpty;
    const found = this.#whose(request, '');
    if (found instanceof Failure) return () => false;
    const {
      known: { token },
      expiresAt,
    } = found;

    return () =>
      (expiresAt === null || isCurrent(expiresAt, this.#parts.clock.utc())) &&
      this.#keyring.lets(token, wanted);
  }

  /** Whether a browser talks TLS, to us or to a proxy in front: the origin of our page says so, and has been compared with our host. */
  #isSecure(request: Request): boolean {
    const isOverTls = request.headers.get('origin')?.startsWith('https:') ?? false;

    return isOverTls || this.#parts.peers.isSecure(request);
  }

  /** Why a page may not do with its cookie what the request wants, or undefined if it may. */
  #refuseCrossSite(request: Request): Failure | undefined {
    // An origin that is given has been compared with our host. Pages of other ports of the host count as the same site to browsers,
    // so their requests have the cookie too; those that read need not say an origin, but say what kind they are.
    const site = request.headers.get('sec-fetch-site') ?? 'none';
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    const isOurs = request.headers.has('origin') || request.headers.get('x-requested-with') === OUR_PAGE;
    if ((site === 'same-origin' || site === 'none') && (isReading || isOurs)) return undefined;

    return new Failure(
      'RTPC_FOREIGN_ORIGIN',
      `only a page of this program may use its session; what changes something needs the header Origin, which browsers send, or "X-Requested-With: ${OUR_PAGE}"`,
    );
  }

  /** Whose request it is: by the header, or `other`, or the cookie of a session where there is neither. */
  #whose(request: Request, other: string): Found | Failure {
    const header = request.headers.get('authorization');
    const given = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? other;
    if (given !== '') {
      const known = this.#keyring.check(given, this.#parts.peers.addressOf(request));

      return known instanceof Failure ? known : { known, expiresAt: null };
    }
    const session = header === null ? this.#keyring.session(request.headers.get('cookie')) : undefined;
    if (session === undefined) return new Failure('RTPC_UNAUTHORIZED', NO_TOKEN);

    return this.#refuseCrossSite(request) ?? session;
  }

  #refuseRole(request: Request, { name, role }: Token, wanted: Role): Failure {
    const address = this.#parts.peers.addressOf(request);
    this.#wrongRoles++;
    const more = this.#roleLines.pass();
    if (more !== undefined)
      log.warning('http.role_refused', { who: name, role, wanted, address, ...notLogged(more) });

    return new Failure('RTPC_FORBIDDEN', `the token "${name}" has the role ${role}; this wants ${wanted}`);
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
    const host = name.toLowerCase();

    // A certificate for `*.example.org` is for one label in place of the star (RFC 9525 section 6.3).
    const starred = host.replace(/^[^.]+/, '*');

    return (
      familyOf(name) === 'IP4' ||
      this.#hosts.has(host) ||
      this.#certified.has(host) ||
      this.#certified.has(starred)
    );
  }
}

function bearer({ known: { token }, expiresAt }: Found): Bearer {
  return { who: token.name, role: token.role, expiresAt };
}

/** The host and port of an Origin header; '' for `null` and other things without one. */
function hostOf(origin: string): string {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1] ?? '';
}
