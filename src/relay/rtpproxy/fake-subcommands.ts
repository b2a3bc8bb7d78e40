/** What follows `&&` in U, L and Q (reference: rtpproxy-protocol 5). Modules (`M`) are never loaded, and `C` copies nothing. */

import type { FakeAddresses } from './fake-addresses.ts';
import { type MediaOptions, readOptions } from './fake-modifiers.ts';
import { type FakeSession, otherSide, type Side } from './fake-session.ts';
import type { FakeSessions } from './fake-sessions.ts';
import type { Release } from './fake-version.ts';

/** A sub-command that can be done. */
export type Sub =
  | { readonly name: 'D'; readonly isWeak: boolean }
  /** `ttl` undefined: it sets the type of service, of the input leg or of the output leg. */
  | { readonly name: 'S'; readonly ttl: number | undefined; readonly isReverse: boolean }
  | { readonly name: 'C'; readonly callId: string; readonly from: string; readonly to: string }
  | { readonly name: 'L'; readonly options: MediaOptions };

/** What sub-commands work on: the session, and the leg whose party the command came from. */
export interface SubTarget {
  readonly session: FakeSession;
  /** Another one after `L`. */
  input: Side;
}

/** The command a sub-command belongs to. */
export interface SubOwner {
  readonly name: string;
  /** Whether it names the answerer's tag. */
  readonly hasAnswerer: boolean;
}

const FAILED = ' && -1';

/** Reads a sub-command; undefined if it cannot be done, and then the whole command is refused with E3. */
export function readSub(
  [first = '', ...words]: readonly string[],
  owner: SubOwner,
  addresses: FakeAddresses,
  release: Release,
): Sub | undefined {
  const modifiers = first.slice(1).toLowerCase();
  const isPaired = owner.name === 'U' && owner.hasAnswerer && release.hasLabels;
  const [a = '', b = '', c = ''] = words;
  switch (first.charAt(0).toUpperCase()) {
    case 'D':
      return words.length === 0 && /^w*$/.test(modifiers)
        ? { name: 'D', isWeak: modifiers !== '' }
        : undefined;
    case 'S': {
      const [key, value = ''] = a.split('=', 2);
      const isGood =
        release.hasLabels && words.length === 1 && modifiers.length <= 1 && /^[1-9]\d{0,8}$/.test(value);
      if (!isGood || (key !== 'ttl' && key !== 'tos')) return undefined;

      return { name: 'S', ttl: key === 'ttl' ? Number(value) : undefined, isReverse: modifiers === 'r' };
    }
    case 'L': {
      if (!isPaired || words.length !== 2) return undefined;
      const options = readOptions(first.slice(1), a, b, addresses, release);

      return typeof options === 'string' ? undefined : { name: 'L', options };
    }
    case 'C':
      return isPaired && words.length === 3 && modifiers === ''
        ? { name: 'C', callId: a, from: b, to: c }
        : undefined;
    default:
      return undefined;
  }
}

/**
 * Does the sub-commands until one fails, and shows their results as they stand behind the reply: those that say nothing appear only
 * before one that does.
 */
export function showResults(
  subs: readonly Sub[],
  target: SubTarget,
  sessions: FakeSessions,
  look: (options: MediaOptions) => string | undefined,
): string {
  let shown = '';
  let silent = '';
  for (const sub of subs) {
    const result = sub.name === 'L' ? look(sub.options) : run(sub, target, sessions);
    if (result === undefined) return shown + silent + FAILED;
    if (result === '') silent += ' && 0';
    else {
      shown += `${silent} && ${result}`;
      silent = '';
    }
  }

  return shown;
}

/** '' if it was done, undefined if not. */
function run(
  sub: Exclude<Sub, { name: 'L' }>,
  { session, input }: SubTarget,
  sessions: FakeSessions,
): '' | undefined {
  if (sub.name === 'D')
    return sessions.delete(session.callId, session.tag, undefined, sub.isWeak) ? '' : undefined;
  if (sub.name === 'C') {
    const source = sessions.find(sub.callId, sub.from, sub.to)?.session;

    return source === undefined || source === session ? undefined : '';
  }
  if (sub.ttl === undefined) {
    // The daemon can set it on IPv4 only.
    const leg = session.legs[sub.isReverse ? otherSide(input) : input];

    return leg.place.family === 'IP6' ? undefined : '';
  }
  session.ttl = session.streamTtl = sub.ttl;
  sessions.renew(session);

  return '';
}
