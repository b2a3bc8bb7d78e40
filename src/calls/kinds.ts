/** Which kind of relay a new call needs where a set has both: an rtpproxy forwards packets and changes nothing in them. */

import type { Member } from '../fleet/member.ts';
import { conversionIn } from '../relay/rtpproxy/options.ts';
import { hasIce } from '../sdp/streams.ts';
import type { CallFacts } from './facts.ts';

/** Tags for the choice of a node. */
export interface Wishes {
  readonly require: readonly string[];
  readonly prefer: readonly string[];
}

const NONE: readonly string[] = [];
/** Every node has its kind as a tag. */
const RTPENGINE = 'rtpengine';

/**
 * The tags a request asks for, and where nodes of both kinds stand by: an rtpengine if the request wants media converted, rather an
 * rtpengine if the caller speaks ICE (without it browsers send no media, other phones do).
 */
export function wishesOf(
  { extra, require = NONE, prefer = NONE }: CallFacts,
  sdp: string,
  members: readonly Member[],
): Wishes {
  const isMixed =
    members.some(({ node }) => node.kind === 'rtpproxy') &&
    members.some(({ node }) => node.kind === RTPENGINE);
  if (!isMixed) return { require, prefer };
  if (conversionIn(extra, sdp, true) !== undefined) return { require: [...require, RTPENGINE], prefer };

  return hasIce(sdp) ? { require, prefer: [...prefer, RTPENGINE] } : { require, prefer };
}
