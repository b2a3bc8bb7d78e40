/**
 * What is remembered of a call on an rtpproxy. The daemon knows neither calls nor parties, only sessions: one for each m= line,
 * named by Call-ID, number of the line and the tag of whoever offered it first (reference: rtpproxy-protocol 1 and 3.2).
 */

import { tagDefect, wordDefect } from './commands.ts';

/** One stream of one dialog. */
export interface Session {
  /** Branch the dialog was begun on, '' when one offer serves all branches. It is part of the Call-ID the daemon is told. */
  readonly branch: string;
  /** Which m= line, from 1. */
  readonly n: number;
  /** Tag of the party whose offer opened it: the daemon finds it by this one. */
  readonly opener: string;
  /** The last other party; '' while nobody has answered. */
  readonly peer: string;
  /** The ports shown with the opener's SDP and with the peer's; 0 while there is none. */
  readonly openerPort: number;
  readonly peerPort: number;
}

/** The parties of a request: who made the offer, and who answers or is to answer it. */
export interface Offerer {
  readonly fromTag: string;
  readonly toTag?: string;
  readonly branch?: string;
}

/** Sessions in one memo; a call of more streams and branches is refused. */
export const MAX_SESSIONS = 128;

/** Reads a memo. What is none, or could not be said to a daemon, counts as empty: the tags of the request have to do then. */
export function readMemo(memo: string | null | undefined): Session[] {
  if (memo == null) return [];
  try {
    const rows: unknown = JSON.parse(memo);

    return Array.isArray(rows) ? rows.flatMap(readRow) : [];
  } catch {
    return [];
  }
}

/** Whether a memo says that the call has no stream on the node: all are off, or not relayed. */
export function hasNone(memo: string | null | undefined): boolean {
  return memo === '[]';
}

export function writeMemo(sessions: readonly Session[]): string {
  return JSON.stringify(
    sessions.map(({ branch, n, opener, peer, openerPort, peerPort }) => [
      branch,
      n,
      opener,
      peer,
      openerPort,
      peerPort,
    ]),
  );
}

/** The Call-ID of a dialog as the daemon is told it: branches are kept apart as Kamailio does it (rtpproxy-protocol 3.2). */
export function nameOf(callId: string, branch: string): string {
  return branch === '' ? callId : `${callId};${branch}`;
}

/**
 * The sessions a request is about. Of a first offer those of its branch. Else those of its two parties, since requests inside a dialog
 * may come with the branch of another fork (proxies count the branches of each transaction from 0); else those of its branch, those
 * one of them opened and nobody has answered, or the only ones one of them opened (of several callees who share a session only
 * the last is remembered).
 */
export function sessionsOf(
  sessions: readonly Session[],
  { fromTag, toTag, branch = '' }: Offerer,
): readonly Session[] {
  const known = sessions.filter(({ opener }) => opener === fromTag || opener === toTag);
  const onBranch = known.filter((session) => session.branch === branch);
  if (toTag === undefined) return onBranch;
  const isTheirs = ({ opener, peer }: Session) => (opener === fromTag ? peer === toTag : peer === fromTag);
  const first =
    onBranch.find(isTheirs) ??
    known.find(isTheirs) ??
    onBranch[0] ??
    known.findLast(({ peer }) => peer === '') ??
    (known.every((session) => session.branch === known[0]?.branch) ? known[0] : undefined);

  return first === undefined ? [] : known.filter((session) => session.branch === first.branch);
}

/** A request inside a dialog belongs to the branch the dialog was begun on, whatever branch it has itself. */
export function branchOf([first]: readonly Session[], { branch = '', toTag }: Offerer): string {
  return first?.branch ?? (toTag === undefined ? branch : '');
}

/** The sessions with one more, or with one in place of the one it follows. */
export function withSession(sessions: readonly Session[], session: Session): Session[] {
  const others = sessions.filter(
    ({ branch, n, opener }) => branch !== session.branch || n !== session.n || opener !== session.opener,
  );

  return [...others, session];
}

function readRow(row: unknown): Session[] {
  if (!Array.isArray(row)) return [];
  const [branch, n, opener, peer, openerPort, peerPort]: unknown[] = row;
  if (typeof branch !== 'string' || typeof opener !== 'string' || typeof peer !== 'string') return [];
  if (!isCount(n) || !isCount(openerPort) || !isCount(peerPort) || n === 0) return [];
  if (branch !== '' && wordDefect('branch', branch) !== undefined) return [];
  if (tagDefect('tag', opener) !== undefined || (peer !== '' && tagDefect('tag', peer) !== undefined))
    return [];

  return [{ branch, n, opener, peer, openerPort, peerPort }];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
