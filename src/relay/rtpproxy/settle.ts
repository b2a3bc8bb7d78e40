/** Puts together what an rtpproxy said of each stream of an offer or answer: the SDP, and what is remembered of the call. */

import { rewrite } from '../../sdp/rewrite.ts';
import type { RelayedStream } from '../../sdp/streams.ts';
import { type MediaReply, type MediaRequest, RelayFailure } from '../driver.ts';
import { misfitOf } from './orders.ts';
import type { OpenPort } from './replies.ts';
import { type Session, withSession, writeMemo } from './sessions.ts';

/** What a request found, and what came of it. */
export interface Outcome {
  /** The branch the request belongs to. */
  readonly branch: string;
  /** All sessions of the call, and those of them the request is about. */
  readonly memo: readonly Session[];
  readonly mine: readonly Session[];
  /** Those that are off from now on. */
  readonly off: readonly Session[];
  /** Those it is to have relayed. */
  readonly live: readonly RelayedStream[];
  /** For each of `live`. */
  readonly ports: readonly (OpenPort | RelayFailure)[];
}

/** Puts together what the daemon said of each stream. */
export function settle(
  letter: 'U' | 'L',
  request: MediaRequest,
  { branch, memo, mine, off, live, ports }: Outcome,
): MediaReply | RelayFailure {
  let after = memo.filter((session) => !off.includes(session));
  const shown = new Map<number, number>();
  const failures: RelayFailure[] = [];
  let isRenewed = false;
  for (const [index, { n }] of live.entries()) {
    const open = ports[index] as OpenPort | RelayFailure;
    const port = open instanceof RelayFailure ? open : fitting(open, request);
    const known = mine.find((session) => session.n === n);
    const opened = known ?? newSession(branch, n, request);
    if (port instanceof RelayFailure) {
      failures.push(port);
      if (isOver(letter, port)) after = after.filter((session) => session !== known);
      // It was opened in vain; or perhaps it was, and the reply was lost.
      const mayBe = !(open instanceof RelayFailure) || open.isUncertain;
      if (letter === 'U' && known === undefined && mayBe) after = withSession(after, opened);
      continue;
    }
    shown.set(n, port);
    const next = withPort(opened, letter, request, port);
    isRenewed ||= letter === 'U' && request.toTag !== undefined && hasMoved(opened, next);
    after = withSession(after, next);
  }
  // A daemon ends each stream by itself, as a video nobody sends while the other phone rings: such a one is shown as off, and the
  // call is lost only with its last one.
  const others = failures.filter((each) => !isOver(letter, each));
  const failure = gravest(shown.size > 0 || others.length > 0 ? others : failures);
  if (failure !== undefined) {
    const isLeft = letter === 'U' && after.length > memo.length - off.length;

    return isLeft ? new RelayFailure(failure.kind, failure.reason, writeMemo(after)) : failure;
  }
  const { sdp, address, family } = request;

  return {
    sdp: rewrite(sdp, { ports: shown, address, family, isAnswer: letter === 'L' }),
    memo: writeMemo(after),
    sessions: after.length,
    ...(isRenewed ? { isRenewed } : {}),
  };
}

/** The port, unless its reader could not reach it: that is how the node is set up, and a new call may find another. */
function fitting(open: OpenPort, request: MediaRequest): number | RelayFailure {
  const misfit = misfitOf(open, request);

  return misfit === undefined ? open.port : new RelayFailure(request.isNew ? 'refused' : 'rejected', misfit);
}

/** Whether the daemon has ended the stream that is answered. */
function isOver(letter: 'U' | 'L', { kind }: RelayFailure): boolean {
  return letter === 'L' && kind === 'unknown-call';
}

/** Of several failures the one that decides: what is certain before what is not. */
function gravest(failures: readonly RelayFailure[]): RelayFailure | undefined {
  return failures.find(({ isUncertain }) => !isUncertain) ?? failures[0];
}

function newSession(branch: string, n: number, { fromTag, toTag = '' }: MediaRequest): Session {
  return { branch, n, opener: fromTag, peer: toTag, openerPort: 0, peerPort: 0 };
}

/** The session after a port was opened for the reader of this SDP: it is shown with the sender's. */
function withPort(
  session: Session,
  letter: 'U' | 'L',
  { fromTag, toTag = '' }: MediaRequest,
  port: number,
): Session {
  const sender = letter === 'U' ? fromTag : toTag;
  const other = letter === 'U' ? toTag : fromTag;
  if (sender === session.opener)
    return { ...session, openerPort: port, peer: other === '' ? session.peer : other };

  return { ...session, peerPort: port, peer: sender };
}

/** Whether a port that was shown before is another one now: the daemon had forgotten the session and opened a new one. */
function hasMoved(before: Session, after: Session): boolean {
  return (
    (before.openerPort !== 0 && before.openerPort !== after.openerPort) ||
    (before.peerPort !== 0 && before.peerPort !== after.peerPort)
  );
}
