/** One party of a call as findings see it, and the words for it. */

import type { Side } from '../domain/side.ts';
import type { StreamEnd } from '../relay/call-streams.ts';
import type { Section } from '../sdp/sections.ts';
import { formatEnd, isPrivate } from '../util/ip.ts';

/** One party of a call, by its last SDP. */
export interface Party {
  readonly tag: string;
  readonly side: Side;
  readonly isCaller: boolean;
  /** Whether it has answered for good. */
  readonly isConfirmed: boolean;
  /** What it said, and what the other party was told to send to this one; null if it is not known. */
  readonly said: readonly Section[] | null;
  /** Where it was told to send to. */
  readonly told: readonly Section[] | null;
  /** UTC ms of its last SDP. */
  readonly changedAt: number;
}

/** Where a party was told to send to, and where it says it is. */
export function whereOf(party: Party, at: number): string {
  const told = endOf(party.told?.[at]);
  const said = endOf(party.said?.[at]);
  const outside = party.side === 'outer' && told !== null && isPrivate(told.address);
  const to =
    told === null
      ? ''
      : ` was told to send to ${formatEnd(told)}${outside ? ', a private address,' : ''} and`;

  return said === null ? '' : `${named(party)}${to} says it is at ${formatEnd(said)}.`;
}

function endOf(section: Section | undefined): StreamEnd | null {
  return section === undefined || section.address === '' || section.port === 0 ? null : section;
}

/** Whom a finding is about. */
export function about({ tag, side }: Party) {
  return { tag, side };
}

/** A party at the beginning of a sentence, and in the middle of one. */
export function named(party: Party): string {
  return `The ${party.isCaller ? 'caller' : 'callee'} (side ${party.side})`;
}

export function lower(party: Party): string {
  return `the ${party.isCaller ? 'caller' : 'callee'}`;
}
