/** Bearer tokens: from the file named in the settings and from the environment, never from the command line. */

import { ROLES, type Role, type Token } from '../domain/role.ts';
import type { Problem } from './sources.ts';

/** Shorter tokens can be guessed. */
export const MIN_TOKEN_LENGTH = 16;
/** Every request is compared with all of them. */
const MAX_TOKENS = 100;
/** The key of the settings that names the file. */
const KEY = 'http.token_file';

const HOW = `a token is ${MIN_TOKEN_LENGTH} or more characters of letters, digits and ._~+/=-; make one with: openssl rand -hex 24`;
const FORM = `a line is ROLE NAME TOKEN, with a role of ${ROLES.join(', ')}, or a token alone, which is an admin`;

/**
 * Tokens of a file: one a line, `ROLE NAME TOKEN` or a token alone; `#` begins a comment line. No message shows a word of
 * a line, since any of them may be the token.
 * @param mayBeEmpty whether a file without tokens is fine
 */
export function readTokens(
  content: string,
  file: string,
  mayBeEmpty = false,
): { tokens: Token[]; problems: Problem[] } {
  const tokens: Token[] = [];
  const lines = new Map<string, number>();
  const problems: Problem[] = [];
  for (const [index, text] of content.split(/\r?\n/).entries()) {
    const line = text.trim();
    if (line === '' || line.startsWith('#')) continue;
    const number = index + 1;
    const token = readLine(line, number);
    const first = typeof token === 'string' ? undefined : lines.get(token.token);
    if (typeof token === 'string') problems.push({ where: `${file}:${number}`, key: KEY, message: token });
    else if (first !== undefined) {
      const message = `the token is that of line ${first} too; give each its own, so that the audit can tell them apart`;
      problems.push({ where: `${file}:${number}`, key: KEY, message });
    } else {
      lines.set(token.token, number);
      tokens.push(token);
    }
  }
  if (tokens.length === 0 && problems.length === 0 && !mayBeEmpty)
    problems.push({ where: file, key: KEY, message: `the file holds no token; ${FORM}; ${HOW}` });
  if (tokens.length > MAX_TOKENS) {
    const message = `the file holds ${tokens.length} tokens; allowed are ${MAX_TOKENS}`;
    problems.push({ where: file, key: KEY, message });
  }

  return { tokens, problems };
}

/** The token of a line, or what is wrong with it. */
function readLine(line: string, number: number): Token | string {
  const words = line.split(/\s+/);
  const [first = '', name = '', token = ''] = words;
  if (words.length === 1) {
    const fault = tokenFault(first);

    return fault === undefined ? { role: 'admin', name: `line-${number}`, token: first } : `${fault}; ${HOW}`;
  }
  if (words.length !== 3) return `the line has ${words.length} words; ${FORM}`;
  if (!isRole(first)) return `the first of its three words is no role; ${FORM}`;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
    return 'the name, its second word, may have up to 64 letters, digits and ._-';
  const fault = tokenFault(token);

  return fault === undefined ? { role: first, name, token } : `${fault}; ${HOW}`;
}

function isRole(word: string): word is Role {
  return ROLES.some((role) => role === word);
}

/** The secret of a file: its one line that is neither empty nor a comment. No message ever shows it. */
export function readSecret(content: string, file: string): { secret: string; problems: Problem[] } {
  const lines = content.split(/\r?\n/).map((line) => line.trim());
  const [secret = '', ...others] = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (others.length === 0 && secret.length >= MIN_TOKEN_LENGTH) return { secret, problems: [] };
  const count = others.length === 0 ? `${secret.length} characters` : `${others.length + 1} lines`;
  const message = `the file holds ${count}; allowed is one line of ${MIN_TOKEN_LENGTH} or more characters; make one with: openssl rand -hex 24`;

  return { secret: '', problems: [{ where: file, key: 'webhooks.secret_file', message }] };
}

/** The token of RTP_CLUSTER_TOKEN, an admin. `others` are those of the file. */
export function readEnvToken(
  value: string,
  others: readonly Token[],
): { tokens: Token[]; problems: Problem[] } {
  const where = 'RTP_CLUSTER_TOKEN';
  const fault = value === '' ? 'the variable is set but empty' : tokenFault(value);
  if (fault !== undefined) {
    const message = `${fault}; ${value === '' ? 'unset it, or give a token: ' : ''}${HOW}`;

    return { tokens: [], problems: [{ where, key: '', message }] };
  }
  if (others.some(({ token }) => token === value)) {
    const message = 'the token is in the token file too; take it out of one of them';

    return { tokens: [], problems: [{ where, key: '', message }] };
  }

  return { tokens: [{ role: 'admin', name: where, token: value }], problems: [] };
}

function tokenFault(token: string): string | undefined {
  // What may follow "Bearer " in a header (RFC 6750 section 2.1).
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token)) return 'the token has a character that no bearer token may have';
  if (token.length < MIN_TOKEN_LENGTH)
    return `the token has ${token.length} characters; allowed are ${MIN_TOKEN_LENGTH} or more`;

  return token.length > 1024 ? 'the token has more than 1024 characters' : undefined;
}
