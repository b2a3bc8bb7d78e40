import { describe, expect, test } from 'bun:test';
import type { Role, Token } from '../../../src/domain/role.ts';
import {
  hasSessionCookie,
  noSessionCookie,
  readSession,
  SESSION_MS,
  sessionCookie,
} from '../../../src/http/session-cookie.ts';

const NOW = 1_800_000_000_000;
const LATER = NOW + 60_000;

function known(name: string, token = `${name}-0123456789abcdef`, role: Role = 'admin'): { token: Token } {
  return { token: { name, role, token } };
}

/** What a browser sends back. */
function sent(token: Token, expiresAt = LATER): string {
  return sessionCookie(token, expiresAt, false).split(';')[0] ?? '';
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('the cookie', () => {
  test('keeps away from scripts and other sites, and lasts 12 hours', () => {
    const { token } = known('alice');
    const value = '[A-Za-z0-9_.-]+';
    const rest = 'HttpOnly; SameSite=Strict; Path=/; Max-Age=43200';
    expect(sessionCookie(token, LATER, false)).toMatch(new RegExp(`^rtp_cluster_session=${value}; ${rest}$`));
    expect(sessionCookie(token, LATER, true)).toMatch(
      new RegExp(`^rtp_cluster_session=${value}; ${rest}; Secure$`),
    );
  });

  test('holds no token, and is another one each time', () => {
    const { token } = known('alice');
    expect(sent(token)).not.toContain(token.token);
    expect(sent(token)).not.toBe(sent(token));
  });

  test('is taken away with the same attributes', () => {
    expect(noSessionCookie(false)).toBe('rtp_cluster_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0');
    expect(noSessionCookie(true)).toEndWith('; Max-Age=0; Secure');
  });
});

describe('a session', () => {
  test.each(['a', 'alice.b_c-d', 'RTP_CLUSTER_TOKEN', 'line-7', 'x'.repeat(64), '...', '__proto__'])(
    'is found by the name %p',
    (name) => {
      const wanted = known(name);
      const found = readSession(sent(wanted.token), [known('other'), wanted], NOW);
      expect(found).toEqual({ known: wanted, expiresAt: LATER });
    },
  );

  test('ends at its time', () => {
    const wanted = known('alice');
    expect(readSession(sent(wanted.token), [wanted], LATER - 1)).toBeDefined();
    expect(readSession(sent(wanted.token), [wanted], LATER)).toBeUndefined();
  });

  test('that would last longer than any does was begun by a clock that was ahead, and counts for nothing', () => {
    const wanted = known('alice');
    const cookie = sent(wanted.token, NOW + SESSION_MS);
    const minutes = 60_000;
    expect(readSession(cookie, [wanted], NOW)).toBeDefined();
    expect(readSession(cookie, [wanted], NOW - 5 * minutes)).toBeDefined();
    expect(readSession(cookie, [wanted], NOW - 5 * minutes - 1)).toBeUndefined();
    expect(readSession(sent(wanted.token, NOW + 365 * 24 * 60 * minutes), [wanted], NOW)).toBeUndefined();
  });

  test('is that of its token, where others have the same name', () => {
    const [one, two] = [known('alice', 'token-one-0123456789'), known('alice', 'token-two-0123456789')];
    expect(readSession(sent(two.token), [one, two], NOW)?.known).toBe(two);
  });

  test('ends when its token goes, or has another name or another secret', () => {
    const cookie = sent(known('alice', 'token-one-0123456789').token);
    expect(readSession(cookie, [], NOW)).toBeUndefined();
    expect(readSession(cookie, [known('alicia', 'token-one-0123456789')], NOW)).toBeUndefined();
    expect(readSession(cookie, [known('alice', 'token-two-0123456789')], NOW)).toBeUndefined();
  });

  test('goes on with another role: what counts is the one that the token has now', () => {
    const cookie = sent(known('alice').token);
    const now = known('alice', undefined, 'read');
    expect(readSession(cookie, [now], NOW)?.known.token.role).toBe('read');
  });

  test('ends with any change of a character', () => {
    const wanted = known('alice');
    const cookie = sent(wanted.token);
    const start = cookie.indexOf('=') + 1;
    for (let index = start; index < cookie.length; index++) {
      // Of the last character two bits belong to no byte of the signature: all its neighbours are tried.
      for (const other of index === cookie.length - 1 ? ALPHABET : ['A', 'B']) {
        const changed = cookie.slice(0, index) + other + cookie.slice(index + 1);
        if (changed === cookie) continue;
        expect([index, readSession(changed, [wanted], NOW)]).toEqual([index, undefined]);
      }
    }
  });

  test('cannot be made longer', () => {
    const wanted = known('alice');
    const longer = sent(wanted.token).replace(String(LATER), String(LATER + 1));
    expect(readSession(longer, [wanted], NOW)).toBeUndefined();
  });

  test('cannot be made out of the cookie of another token', () => {
    const [alice, bob] = [known('alice'), known('bob')];
    const swapped = sent(alice.token).replace(
      Buffer.from('alice').toString('base64url'),
      Buffer.from('bob').toString('base64url'),
    );
    expect(readSession(swapped, [alice, bob], NOW)).toBeUndefined();
  });
});

describe('a Cookie header', () => {
  const wanted = known('alice');
  const good = sent(wanted.token);
  const value = good.slice(good.indexOf('=') + 1);
  const bad = sent(known('alice', 'another-token-0123456').token);

  test.each([
    ['alone', good],
    ['among others', `theme=dark; ${good}; lang=zh`],
    ['without blanks', `theme=dark;${good};lang=zh`],
    ['with too many blanks', `  theme=dark ;   ${good}   ;`],
    ['in quotes', `rtp_cluster_session="${value}"`],
    ['beside a wrong one of the same name', `${bad}; ${good}`],
    ['after an empty one', `rtp_cluster_session=; ${good}`],
    ['after three wrong ones', `${`${bad}; `.repeat(3)}${good}`],
  ])('is read with the session %s', (_, header) => {
    expect(readSession(header, [wanted], NOW)?.known).toBe(wanted);
    expect(hasSessionCookie(header)).toBe(true);
  });

  test.each([
    ['nothing', null],
    ['an empty text', ''],
    ['another name', `x${good}`],
    ['a longer name', good.replace('session=', 'session2=')],
    ['another spelling', good.replace('rtp', 'RTP')],
    ['an empty value', 'rtp_cluster_session='],
    ['something after it', `${good}x`],
    ['an expiry that is no number', good.replace(String(LATER), '99999999999999999')],
    ['four wrong ones before it', `${`${bad}; `.repeat(4)}${good}`],
    ['more than 8192 characters', `${good}; x=${'y'.repeat(8192)}`],
    ['nothing but separators', ';'.repeat(8000)],
    ['nothing but dots', `rtp_cluster_session=${'.'.repeat(8000)}`],
    ['nothing but quotes', `rtp_cluster_session=${'"'.repeat(8000)}`],
  ])('has no session with %s', (_, header) => {
    expect(readSession(header, [wanted], NOW)).toBeUndefined();
  });
});
