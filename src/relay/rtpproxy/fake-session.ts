/** A session of a fake rtpproxy: one media stream of a call, with two legs (reference: rtpproxy-protocol 1, 3.2). */

import type { Place } from './fake-addresses.ts';

/** Which leg: 0 has the socket that faces the answerer, 1 the one that faces the offerer. */
export type Side = 0 | 1;

export interface Leg {
  place: Place;
  /** RTP port; 0 = not open yet. */
  port: number;
  isWeak: boolean;
  /** Payload types of the party on this leg, for P; undefined if none were told. */
  codecs: string | undefined;
  isPlaying: boolean;
  /** Whether it is recorded or copied, and the port from which a copy is sent. */
  copy: { readonly place: Place; readonly port: number } | 'file' | undefined;
}

/** Whom a time-out is told to. */
export interface Notice {
  /** `tcp:HOST:PORT` or `unix:/path`. */
  readonly target: string;
  /** A byte string. */
  readonly tag: string;
}

export interface FakeSession {
  readonly callId: string;
  /** The offerer's tag with its media number. */
  readonly tag: string;
  readonly legs: readonly [Leg, Leg];
  readonly createdMs: number;
  isStrong: boolean;
  /** Whether both legs were opened. */
  isComplete: boolean;
  /** Seconds it lives without U and L, now and once it is complete. */
  ttl: number;
  streamTtl: number;
  /** The daemon's second when its life was last renewed. */
  renewedAt: number;
  notice: Notice | undefined;
}

/** How a tag given by a client fits a session's: 1 exactly, 2 but for the media number, 0 not. */
export function matchTag(own: string, given: string): 0 | 1 | 2 {
  if (own === given) return 1;

  return own.charCodeAt(given.length) === 59 && own.startsWith(given) ? 2 : 0;
}

/** Which leg a client's pair of tags means when it makes an offer; undefined if they are not of this session. */
export function sideOf(session: FakeSession, from: string, to: string | undefined): Side | undefined {
  if (session.tag === from) return 0;
  if (to === undefined) return undefined;
  const match = matchTag(session.tag, to);
  if (match !== 2) return match === 1 ? 1 : undefined;
  // The media number may stand at the first tag only.
  const own = session.tag.lastIndexOf(';');
  const given = from.lastIndexOf(';');

  return given >= 0 && session.tag.slice(own) === from.slice(given) ? 1 : undefined;
}

/** Which leg is another's other one. */
export function otherSide(side: Side): Side {
  return side === 0 ? 1 : 0;
}

/** A leg without a socket. */
export function newLeg(place: Place): Leg {
  return { place, port: 0, isWeak: false, codecs: undefined, isPlaying: false, copy: undefined };
}
