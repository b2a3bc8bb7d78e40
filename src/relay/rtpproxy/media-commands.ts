/** Recording and prompts: the ng commands that an rtpproxy has words of its own for (reference: rtpproxy-protocol 3). */

import { type NgDict, type NgValue, type RelayCall, RelayFailure } from '../driver.ts';
import { pair, type Tags, wordDefect } from './commands.ts';
import { nameOf, readMemo, type Session } from './sessions.ts';

/** Repetitions of a prompt at most. */
const MAX_COUNT = 10_000;

/**
 * The daemon's commands for `start recording`, `stop recording`, `play media` and `stop media`.
 *
 * A recording has a file for what the opener of a stream sends, and one for what the other party does: the daemon writes down one
 * way at a time (measured, 2.1 to 3.2). Without `output-destination` they are named by the daemon, in its own directory, after
 * Call-ID and tag but not the stream, so of several streams only the first is recorded (R). `output-destination` is a name in that
 * directory, or `udp:host:port` for all packets of the call (C).
 *
 * A prompt is heard by the party named by `from-tag`, as with ng; without it by whoever opened the stream.
 *
 * Fails as `rejected` for every other command, and if no stream of the call or of the party is known: that ends no call.
 */
export function mediaCommands(message: NgDict, call: RelayCall): string[] | RelayFailure {
  const all = readMemo(call.memo);
  if (all.length === 0) return new RelayFailure('rejected', 'nothing is known of the streams of this call');
  const tag = typeof message['from-tag'] === 'string' ? message['from-tag'] : undefined;
  const streams = all.filter(({ opener, peer }) => tag === undefined || opener === tag || peer === tag);
  switch (message.command) {
    case 'start recording': {
      const target = message['output-destination'];

      return target === undefined ? recordings(all, call) : copies(all, call, target);
    }
    case 'stop recording':
      return dialogsOf(all).flatMap((first) =>
        bothWays(first).map((parties) => `N ${nameOf(call.callId, first.branch)} ${pair(parties)}`),
      );
    case 'play media':
      if (streams.length === 0) return nobody(tag);

      return prompts(streams, call, message, tag);
    case 'stop media':
      if (streams.length === 0) return nobody(tag);

      return streams.map((session) => `S ${nameOf(call.callId, session.branch)} ${parties(session, tag)}`);
    default:
      return new RelayFailure(
        'rejected',
        `an rtpproxy cannot do "${String(message.command)}"; it knows start recording, stop recording, play media and stop media`,
      );
  }
}

function nobody(tag: string | undefined): RelayFailure {
  return new RelayFailure('rejected', `the party "${tag}" has no stream in this call`);
}

/** The first stream of each dialog, and of each party that has opened one. */
function dialogsOf(sessions: readonly Session[]): Session[] {
  const dialogs = Map.groupBy(sessions, ({ branch, opener }) => `${branch} ${opener}`);

  return [...dialogs.values()].map((own) => own.reduce((first, next) => (next.n < first.n ? next : first)));
}

/** Whoever is named first is recorded. */
function bothWays({ opener, peer }: Session): Tags[] {
  if (peer === '') return [{ offerer: opener }];

  return [
    { offerer: opener, answerer: peer },
    { offerer: peer, answerer: opener },
  ];
}

function recordings(sessions: readonly Session[], { callId }: RelayCall): string[] {
  return dialogsOf(sessions).flatMap((first) =>
    bothWays(first).map((parties) => `R ${nameOf(callId, first.branch)} ${pair(parties, first.n)}`),
  );
}

function copies(
  sessions: readonly Session[],
  { callId }: RelayCall,
  target: NgValue,
): string[] | RelayFailure {
  if (typeof target !== 'string') return new RelayFailure('rejected', 'output-destination must be a text');
  const defect = wordDefect('output-destination', target) ?? pathDefect(target);
  if (defect !== undefined) return new RelayFailure('rejected', defect);

  return sessions.flatMap((session, index) => {
    const { branch, n } = session;
    // Two streams in one file would be neither. The last letters are the daemon's own for the two ways.
    const own = index === 0 ? target : `${target}-${n}${branch === '' ? '' : `-${index}`}`;

    return bothWays(session).map((parties, way) => {
      const place = target.startsWith('udp:') ? target : `${own}.${way === 0 ? 'o' : 'a'}`;

      return `C ${nameOf(callId, branch)} ${place} ${pair(parties, n)}`;
    });
  });
}

/** The daemon puts its directory before a name, and follows `..` out of it (measured, 3.1). */
function pathDefect(target: string): string | undefined {
  return target.split('/').includes('..')
    ? `the output-destination is "${target}"; it must stay in the directory of the daemon (-r)`
    : undefined;
}

function prompts(
  sessions: readonly Session[],
  { callId }: RelayCall,
  message: NgDict,
  tag: string | undefined,
): string[] | RelayFailure {
  const { file } = message;
  if (typeof file !== 'string') {
    return new RelayFailure(
      'rejected',
      'an rtpproxy plays files of its own host: give "file", the name without its codec number',
    );
  }
  const defect = wordDefect('file', file);
  if (defect !== undefined) return new RelayFailure('rejected', defect);
  const times = message['repeat-times'] ?? 1;
  const count = typeof times === 'object' ? Number.NaN : Number(times);
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    return new RelayFailure(
      'rejected',
      `repeat-times is ${JSON.stringify(times)}; it must be 1 to ${MAX_COUNT}`,
    );
  }

  return sessions.map(
    (session) => `P${count} ${nameOf(callId, session.branch)} ${file} session ${parties(session, tag)}`,
  );
}

/** The tags of a session, the party that is to hear first; whoever opened it if nobody is named. */
function parties({ n, opener, peer }: Session, tag: string | undefined): string {
  return tag === peer
    ? pair({ offerer: peer, answerer: opener }, n)
    : pair({ offerer: opener, answerer: peer }, n);
}
