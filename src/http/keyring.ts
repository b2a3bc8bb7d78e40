/** The tokens that open the API: which one was given, who has proven to have one, and who gives wrong ones. */

import { timingSafeEqual } from 'node:crypto';
import { Failure } from '../domain/errors.ts';
import { covers, type Role, type Token } from '../domain/role.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { isLoopback } from '../util/ip.ts';
import { log } from '../util/log.ts';
import { Sparing } from '../util/sparing.ts';
import { Attempts, clientOf, MAX_ATTEMPTS } from './attempts.ts';
import { readSession, type Session } from './session-cookie.ts';

/** What the client of a missing or wrong token is told. */
export const NO_TOKEN = 'a bearer token is needed: "Authorization: Bearer TOKEN"';
/** Places a token is remembered to have been right from; the oldest is forgotten first. */
const MAX_PROVEN = 256;
/** Of each kind of line and event in a minute. */
const TOLD_PER_MINUTE = 10;

/** What is kept of a token. */
export interface Known {
  readonly token: Token;
  readonly digest: Buffer;
  /** The answer to whoever has it and may. */
  readonly good: { readonly who: string; readonly refusal: undefined };
  /** From where it has been right, newest last: there it goes on although others there give wrong ones. */
  readonly proven: Set<string>;
}

export interface KeyringParts {
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

export class Keyring {
  /** Requests with a token nobody knows, and those that were not looked at after too many of these. */
  readonly counters = { wrongTokens: 0, waits: 0 };
  readonly #parts: KeyringParts;
  readonly #attempts: Attempts;
  readonly #refusedLines: Sparing;
  readonly #blockedEvents: Sparing;
  #tokens: readonly Known[] = [];

  constructor(parts: KeyringParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.clock);
    this.#refusedLines = new Sparing(parts.clock, TOLD_PER_MINUTE);
    this.#blockedEvents = new Sparing(parts.clock, TOLD_PER_MINUTE);
  }

  /** Whether nobody is asked for a token. */
  get isEmpty(): boolean {
    return this.#tokens.length === 0;
  }

  /** Takes other tokens. Who has given wrong ones stays known. */
  replace(tokens: readonly Token[]): void {
    const before = new Map(this.#tokens.map((known) => [known.token.token, known.proven]));
    this.#tokens = tokens.map((token) => ({
      token,
      digest: digest(token.token),
      good: { who: token.name, refusal: undefined },
      proven: before.get(token.token) ?? new Set(),
    }));
  }

  /** Whether a token is still there, under its name, with a role that will do. */
  lets({ name, token: secret }: Token, wanted: Role): boolean {
    return this.#tokens.some(
      ({ token }) => token.token === secret && token.name === name && covers(token.role, wanted),
    );
  }

  /**
   * The session of a request, by its cookies. A wrong cookie counts as none, and not as an attempt: what signs it is as hard to guess as
   * the token, and one that is old is no attack. Proxies have no sessions.
   */
  session(cookies: string | null): Session<Known> | undefined {
    const session = readSession(cookies, this.#tokens, this.#parts.clock.utc());

    return session === undefined || session.known.token.role === 'call' ? undefined : session;
  }

  /**
   * The token that was given, if it is one; wrong ones are counted.
   * @param address where it came from
   */
  check(given: string, address: string): Known | Failure {
    const known = this.#find(given);
    const client = clientOf(address);
    if (known?.proven.has(client) === true) return known;
    const waitS = this.#attempts.waitS(client);
    // Whether the token is right is not said: it could be guessed. But users of this host share one address: one of them, or
    // a script with an old token, must not shut out the proxy that asks for the first time after a restart.
    if (waitS > 0 && (known === undefined || !isLoopback(address))) {
      this.counters.waits++;
      const message = `${MAX_ATTEMPTS} wrong tokens came from this address; wait ${waitS} s`;

      return new Failure('RTPC_TOO_MANY_TOKENS', message, '', waitS);
    }
    if (known === undefined) return this.#fail(address, client);
    prove(known, client);

    return known;
  }

  /** Counts a wrong token. */
  #fail(address: string, client: string): Failure {
    this.counters.wrongTokens++;
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

    return new Failure('RTPC_UNAUTHORIZED', `this bearer token is not known here; ${NO_TOKEN}`);
  }

  /** The token that was given. Compares digests, all of them, so that time tells neither length nor content. */
  #find(given: string): Known | undefined {
    const wanted = digest(given);
    let found: Known | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, wanted)) found = known;

    return found;
  }
}

function prove({ proven }: Known, client: string): void {
  const [oldest] = proven;
  if (proven.size >= MAX_PROVEN && oldest !== undefined) proven.delete(oldest);
  proven.add(client);
}

/** For log lines that stand for others too. */
export function notLogged(count: number): object {
  return count === 0 ? {} : { not_logged: count };
}

function digest(token: string): Buffer {
  return new Bun.CryptoHasher('sha256').update(token).digest();
}
