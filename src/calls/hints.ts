/** Findings that hold whoever is heard: addresses that cannot be reached, parties that hear badly, packets that go nowhere. */

import type { CallStream } from '../relay/call-streams.ts';
import { isPrivate } from '../util/ip.ts';
import type { Finding } from './findings.ts';
import { about, lower, named, type Party } from './party.ts';

/** Loss that is heard, percent, and the score below which people complain. */
const LOSSY_PERCENT = 3;
const POOR_MOS = 3.5;
/** Share of packets that cannot be passed on. */
const ERROR_SHARE = 0.05;

/** Parties outside that say they are inside. */
export function addressHints(parties: readonly Party[], media: readonly CallStream[]): Finding[] {
  return parties.flatMap((party): Finding[] => {
    const at = (party.said ?? []).findIndex(({ mode, hasIce }) => mode !== 'off' && !hasIce);
    const section = party.said?.[at];
    if (party.side !== 'outer' || section === undefined || !isPrivate(section.address)) return [];
    const index = at + 1;
    const isHeard = media.some((each) => each.tag === party.tag && each.index === index && each.packets > 0);
    const text = isHeard
      ? `${named(party)} says it is at ${section.address}, a private address, so it is behind NAT; its packets arrive, and the relay answers where they come from.`
      : `${named(party)} says it is at ${section.address}, a private address, so it is behind NAT: it gets no media before its own packets arrive. If they never do, look at its NAT and firewall, or whether it is on side outer at all.`;

    return [{ code: 'private-address', level: isHeard ? 'info' : 'warning', ...about(party), index, text }];
  });
}

/** Parties that hear badly, and packets the relay could not pass on. */
export function qualityHints(parties: readonly Party[], media: readonly CallStream[]): Finding[] {
  return media.flatMap(({ tag, index, heard, errors, packets }): Finding[] => {
    const party = parties.find((each) => each.tag === tag);
    if (party === undefined) return [];
    const { lossPercent = null, jitterMs = null, mos = null } = heard ?? {};
    const isLossy = (lossPercent ?? 0) >= LOSSY_PERCENT || (mos !== null && mos < POOR_MOS);
    const figures = [
      lossPercent === null ? '' : `${lossPercent} % lost`,
      jitterMs === null ? '' : `jitter ${jitterMs} ms`,
      mos === null ? '' : `MOS ${mos}`,
    ].filter((part) => part !== '');
    const lossy: Finding = {
      code: 'lossy',
      level: 'warning',
      ...about(party),
      index,
      text: `${named(party)} hears badly, by its own reports: ${figures.join(', ')}. Packets are lost on the way to it: look at its access and at the network between it and the relay.`,
    };
    const failing: Finding = {
      code: 'errors',
      level: 'warning',
      ...about(party),
      index,
      text: `The relay could not pass on ${errors} packets of ${lower(party)} (${packets} came): keys of SRTP that do not fit, or no way to the other party. The relay's log says more.`,
    };

    return [...(isLossy ? [lossy] : []), ...((errors ?? 0) > packets * ERROR_SHARE ? [failing] : [])];
  });
}
