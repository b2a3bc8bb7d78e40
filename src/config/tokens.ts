/** Bearer tokens: from the file named in the settings and from the environment, never from the command line. */

import type { Problem } from './sources.ts';

/** Shorter tokens can be guessed. */
export const MIN_TOKEN_LENGTH = 16;
/** Every request is compared with all of them. */
const MAX_TOKENS = 100;

const HOW = `a token is ${MIN_TOKEN_LENGTH} or more characters of letters, digits and ._~+/=-; make one with: openssl rand -hex 24`;

/** Tokens of a file: one a line, `#` begins a comment line. No message ever shows a token. */
export function readTokens(content: string, file: string): { tokens: string[]; problems: Problem[] } {
  const tokens: string[] = [];
  const problems: Problem[] = [];
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    const token = line.trim();
    if (token === '' || token.startsWith('#')) continue;
    const fault = tokenFault(token);
    if (fault === undefined) tokens.push(token);
    else
      problems.push({ where: `${file}:${index + 1}`, key: 'http.token_file', message: `${fault}; ${HOW}` });
  }
  if (tokens.length === 0 && problems.length === 0)
    problems.push({ where: file, key: 'http.token_file', message: `the file holds no token; ${HOW}` });
  if (tokens.length > MAX_TOKENS) {
    const message = `the file holds ${tokens.length} tokens; allowed are ${MAX_TOKENS}`;
    problems.push({ where: file, key: 'http.token_file', message });
  }

  return { tokens, problems };
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

/** The token of RTP_CLUSTER_TOKEN. */
export function readEnvToken(value: string): { tokens: string[]; problems: Problem[] } {
  const fault = value === '' ? 'the variable is set but empty' : tokenFault(value);
  if (fault === undefined) return { tokens: [value], problems: [] };
  const message = `${fault}; ${value === '' ? 'unset it, or give a token: ' : ''}${HOW}`;

  return { tokens: [], problems: [{ where: 'RTP_CLUSTER_TOKEN', key: '', message }] };
}

function tokenFault(token: string): string | undefined {
  // What may follow "Bearer " in a header (RFC 6750 section 2.1).
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token)) return 'the token has a character that no bearer token may have';
  if (token.length < MIN_TOKEN_LENGTH)
    return `the token has ${token.length} characters; allowed are ${MIN_TOKEN_LENGTH} or more`;

  return token.length > 1024 ? 'the token has more than 1024 characters' : undefined;
}
