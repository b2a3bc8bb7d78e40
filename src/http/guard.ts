/** Who may ask: the Host and Origin headers, and the bearer token with its role, looked at before anything else. */

import { timingSafeEqual } from 'node:crypto';
import { Failure } from '../domain/errors.ts';
import { covers, type Role, type Token } from '../domain/role.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { familyOf, isLoopback } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { Sparing } from '../util/sparing.ts';
import { Attempts, clientOf, MAX_ATTEMPTS } from './attempts.ts';
import type { Peers } from './peers.ts';

/** What a reload may change. */
export interface GuardOptions {
  /** Bearer tokens; none = nobody is asked for one. */
  readonly tokens: readonly Token[];
  /** Names that may stand in the Host header besides `localhost` and IP addresses. */
  readonly hosts: readonly string[];
}

export interface GuardParts {
  readonly peers: Pick<Peers, 'isLocal' | 'addressOf'>;
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

/** Who asked, and why not, if not. */
export interface Verdict {
  /** Name of the token, `unix socket`, or `nobody` where none is asked for; '' if the token is missing or wrong. */
  readonly who: string;
  readonly refusal: Failure | undefined;
}

/** What is kept of a token. */
interface Known {
  readonly token: Token;
  readonly digest: Buffer;
  /** The answer to whoever has it and may. */
  readonly good: Verdict;
  /** From where it has been right, newest last: there it goes on although others there give wrong ones. */
  readonly proven: Set<string>;
}

export const LOCAL = 'unix socket';
const AS_LOCAL: Verdict = { who: LOCAL, refusal: undefined };
const AS_NOBODY: Verdict = { who: 'nobody', refusal: undefined };
/** Places a token is remembered to have been right from; the oldest is forgotten first. */
const MAX_PROVEN = 256;
/** Of each kind of line and event in a minute. */
const TOLD_PER_MINUTE = 10;

export class Guard {
  readonly #parts: GuardParts;
  readonly #attempts: Attempts;
  readonly #refusedLines: Sparing;
  readonly #roleLines: Sparing;
  readonly #blockedEvents: Sparing;
  #tokens: readonly Known[] = [];
  #hosts: ReadonlySet<string> = new Set();
  #certified: ReadonlySet<string> = new Set();

  constructor(options: GuardOptions, parts: GuardParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.clock);
    this.#refusedLines = new Sparing(parts.clock, TOLD_PER_MINUTE);
    this.#roleLines = new Sparing(parts.clock, TOLD_PER_MINUTE);
    this.#blockedEvents = new Sparing(parts.clock, TOLD_PER_MINUTE);
    this.replace(options);
  }

  /** Takes other tokens and hosts, from the next request on. Who has given wrong tokens stays known. */
  replace({ tokens, hosts }: GuardOptions): void {
    const before = new Map(this.#tokens.map((known) => [known.token.token, known.proven]));
    this.#tokens = tokens.map((token) => ({
      token,
      digest: digest(token.token),
      good: { who: token.name, refusal: undefined },
      proven: before.get(token.token) ?? new Set(),
    }));
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
    if (this.#tokens.length === 0) return AS_NOBODY;
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? other;
    if (given === '') return refused('RTPC_UNAUTHORIZED', NO_TOKEN);
    const known = this.#find(given);
    const address = this.#parts.peers.addressOf(request);
    const client = clientOf(address);
    if (known?.proven.has(client) !== true) {
      const waitS = this.#attempts.waitS(client);
      // Whether the token is right is not said: it could be guessed. But users of this host share one address: one of them, or
      // a script with an old token, must not shut out the proxy that asks for the first time after a restart.
      if (waitS > 0 && (known === undefined || !isLoopback(address))) {
        const message = `${MAX_ATTEMPTS} wrong tokens came from this address; wait ${waitS} s`;

        return { who: '', refusal: new Failure('RTPC_TOO_MANY_TOKENS', message, '', waitS) };
      }
      if (known === undefined) return this.#fail(address, client);
      prove(known, client);
    }
    const { role, name } = known.token;
    if (wanted === undefined || covers(role, wanted)) return known.good;
    const more = this.#roleLines.pass();
    if (more !== undefined)
      log.warning('http.role_refused', { who: name, role, wanted, address, ...notLogged(more) });

    return refused('RTPC_FORBIDDEN', `the token "${name}" has the role ${role}; this wants ${wanted}`, name);
  }

  /** Counts a wrong token. */
  #fail(address: string, client: string): Verdict {
    const count = this.#attempts.failed(client);
    const more = this.#refusedLines.pass();
    if (more !== undefined) log.warning('http.token_refused', { address, count, ...notLogged(more) });
    const others = count === MAX_ATTEMPTS ? this.#blockedEvents.pass() : undefined;
    if (others !== undefined) {
      const waitS = this.#attempts.waitS(client);
      this.#parts.store.event('admin.blocked', {
        from: address,
        attempts: count,
        wait_s: waitS,
        ...(others === 0 ? {} : { others }),
      });
    }

    return refused('RTPC_UNAUTHORIZED', `this bearer token is not known here; ${NO_TOKEN}`);
  }

  /** The token that was given. Compares digests, all of them, so that time tells neither length nor content. */
  #find(given: string): Known | undefined {
    const wanted = digest(given);
    let found: Known | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, wanted)) found = known;

    return found;
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

const NO_TOKEN = 'a bearer token is needed: "Authorization: Bearer TOKEN"';

function refused(code: 'RTPC_UNAUTHORIZED' | 'RTPC_FORBIDDEN', message: string, who = ''): Verdict {
  return { who, refusal: new Failure(code, message) };
}

function prove({ proven }: Known, client: string): void {
  const [oldest] = proven;
  if (proven.size >= MAX_PROVEN && oldest !== undefined) proven.delete(oldest);
  proven.add(client);
}

function notLogged(count: number): object {
  return count === 0 ? {} : { not_logged: count };
}

/** The host and port of an Origin header; '' for `null` and other things without one. */
function hostOf(origin: string): string {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1] ?? '';
}

function digest(token: string): Buffer {
  return new Bun.CryptoHasher('sha256').update(token).digest();
}
