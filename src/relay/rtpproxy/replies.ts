/** Reads the replies of an rtpproxy (reference: rtpproxy-protocol 3.6 and 4.1). */

import { RelayFailure, type RelayFailureKind } from '../driver.ts';

/** A port the daemon has opened. */
export interface OpenPort {
  readonly port: number;
  /** The address the daemon names with it, for comparison only; null if it names none. */
  readonly address: string | null;
}

/** Refusals for want of room or will: another node may have it. */
const NO_ROOM: Readonly<Record<string, string>> = {
  E36: 'it has no IPv6 address',
  E71: 'it has no free port',
  E72: 'it has no free port',
  E98: 'it is overloaded',
  E99: 'it is shutting down slowly and takes no new calls',
};

/**
 * What one node cannot do as it is set up or as old as it is, or because it is none: another node may. A new call that failed by it
 * would leave the node the least loaded one, and the next call would go there again.
 */
const OF_THE_NODE: ReadonlySet<string> = new Set(['E0', 'E8', 'E11', 'E12', 'E15', 'E31', 'E32', 'E35']);

/** What other codes mean, for whoever reads the error. */
const MEANINGS: Readonly<Record<string, string>> = {
  E0: 'it does not know the command: is this an rtpproxy?',
  E1: 'wrong number of words',
  E2: 'modifiers are not allowed here',
  E3: 'it does not know the sub-command',
  E5: 'it cannot read the command',
  E8: 'it does not know the modifier; rtpengine answers so too: then add the node as an rtpengine with its ng port',
  E11: 'it has one address only: media addresses say "internal" and "external", which is for rtpproxy -l INT/EXT',
  E12: 'it has one address only: media addresses say "internal" and "external", which is for rtpproxy -l INT/EXT',
  E15: 'it cannot read the local address',
  E31: "it has no such local address or label: check the interfaces of the node's media addresses",
  E32: 'it has no route to the address',
  E35: 'it does not know a modifier: it is too old for what was asked',
  E37: 'it cannot read the address',
  E50: 'it does not know the session',
  E60: 'it has no such prompt',
  E62: 'it does not know a counter',
  E65: 'it cannot copy there',
  E68: 'it does not know a counter',
  E75: 'it was started without -n',
};

/** Largest reply quoted in a failure, characters. */
const MAX_QUOTED = 80;

/** Whether a reply is an error code: `E` and digits. */
export function isError(reply: string): boolean {
  return /^E\d{1,4}$/.test(reply);
}

/** The failure an error code stands for. @param isNew whether the command should have opened a call */
export function failureOf(code: string, isNew = false): RelayFailure {
  const room =
    NO_ROOM[code] ??
    (/^E8[1-9]$/.test(code)
      ? 'it is out of memory'
      : /^E99[3-9]$/.test(code)
        ? 'it has no relay'
        : undefined);
  const why = room ?? MEANINGS[code];
  // A call that lives cannot go elsewhere, and lives on.
  const kind: RelayFailureKind =
    code === 'E50'
      ? 'unknown-call'
      : isNew && (room !== undefined || OF_THE_NODE.has(code))
        ? 'refused'
        : 'rejected';

  return new RelayFailure(kind, why === undefined ? code : `${code}: ${why}`);
}

/**
 * Reads the reply to U or L. An L in a session the daemon does not know is no error code but port 0.
 * @param isNew whether the command should have opened a call
 */
export function readPort(reply: string, isNew = false): OpenPort | RelayFailure {
  if (isError(reply)) return failureOf(reply, isNew);
  const match = /^(\d{1,5})(?: ([!-~]{1,255})(?: ([46]))?)?$/.exec(reply);
  const port = Number(match?.[1]);
  // RTCP is one above.
  if (match === null || port > 65_534) return unreadable(reply);
  if (port === 0) return new RelayFailure('unknown-call', 'it does not know the session (port 0)');
  // Only rtpengine writes it (`--listen-udp`), and loses calls there (rtpproxy-protocol 9, point 22).
  if (match[3] === '4') {
    return new RelayFailure(
      isNew ? 'refused' : 'rejected',
      'it is an rtpengine (--listen-udp): add it as a node of that kind, with its ng port',
    );
  }

  return { port, address: match[2] ?? null };
}

/** Reads a reply that has nothing to say but `0`, done. */
export function readDone(reply: string): undefined | RelayFailure {
  if (reply === '0') return undefined;

  return isError(reply) ? failureOf(reply) : unreadable(reply);
}

/** Reads a row of whole numbers, at least `count` of them. */
export function readNumbers(reply: string, count: number): number[] | RelayFailure {
  if (isError(reply)) return failureOf(reply);
  const numbers = reply.trim().split(/\s+/).map(Number);

  return numbers.length >= count && numbers.every(Number.isFinite) ? numbers : unreadable(reply);
}

export function unreadable(reply: string): RelayFailure {
  const quoted = JSON.stringify(reply.slice(0, MAX_QUOTED));
  // The beginning of a dictionary of the ng protocol.
  const guess = /^d\d+:/.test(reply)
    ? '; so speaks the ng port of an rtpengine: then the node should be of the kind rtpengine'
    : '';

  return new RelayFailure('garbled', `the reply cannot be read: ${quoted}${guess}`);
}
