/** Takes secrets out of texts that leave the house: those we know, and all that look like one. */

import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { tokenWords, UNIT_FOLDER } from './unit-environment.ts';

const REMOVED = '[removed]';
/** Shorter words are no tokens, and stand in texts by chance. */
const MIN_SECRET = 8;

/** What looks like a secret, whoever wrote it; the first group stays. */
const PATTERNS: readonly RegExp[] = [
  // Paths of URLs are the password of many webhooks. Of any scheme: a refused one stands in the log as well.
  /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s"'<>/@]*@)?[^\s"'<>]*/gi,
  /\b((?:Bearer|Basic) +)[A-Za-z0-9._~+/=-]+/gi,
  /([?&](?:token|key|secret|password)=)[^&\s"']+/gi,
  // Environment of a unit, or of a shell.
  /\b((?!\w*_FILE=)\w*(?:TOKEN|SECRET|PASS|API_?KEY|WEBHOOKS_URLS)\w*=)(?:"[^"]*"|'[^']*'|[^\s"']+)/gi,
  // The same in JSON.
  /("\w*(?:token|secret|passw(?:or)?d)" *: *)"(?:[^"\\]|\\.)*"/gi,
  /^(\s*SetCredential(?:Encrypted)?=[^:\s]*:)(?:\\\n|.)*/gim,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  // Keys of media, and whole SDP texts, as they are and as JSON has them.
  /(\binline:|\bice-pwd:|\bkey-mgmt:)[^\s"\\]+/gi,
  /(\bv=0)(?:\\r)?(?:\\n|\r?\n)o=(?:[^"\r\n]|\r?\n[a-z]=)*/g,
];

/** Makes a function that takes out the given secrets and all that looks like one. */
export function scrubber(secrets: Iterable<string>): (text: string) => string {
  const known = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < MIN_SECRET) continue;
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      known.add(form);
  }
  // Longer ones first: one may be a part of another.
  const ordered = [...known].sort((a, b) => b.length - a.length);

  return (text) => {
    let clean = text;
    for (const secret of ordered) clean = clean.replaceAll(secret, REMOVED);
    for (const pattern of PATTERNS)
      clean = clean.replace(pattern, (whole, kept: string) =>
        kept.endsWith('://') ? `${kept}${hostOf(whole)}/${REMOVED}` : kept + REMOVED,
      );

    return clean;
  };
}

function hostOf(url: string): string {
  return /^[^:]*:\/\/(?:[^\s/@]*@)?([A-Za-z0-9.:[\]-]*)/i.exec(url)?.[1] ?? '';
}

/** The secrets of this host that we can read. */
export function secretsOf(
  settings: Settings | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const fromSettings =
    settings === undefined
      ? []
      : [...settings.http.tokens.map(({ token }) => token), settings.webhooks.secret];
  const credentials = env.CREDENTIALS_DIRECTORY;
  const files = [
    join(UNIT_FOLDER, 'tokens'),
    ...(credentials === undefined ? [] : [`${credentials}/tokens`]),
  ];

  return [...fromSettings, env.RTP_CLUSTER_TOKEN ?? '', ...files.flatMap(tokenWords)];
}
