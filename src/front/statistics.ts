/**
 * `statistics` of a set of nodes, as one rtpengine would tell them (reference: ng-protocol 9), from what the nodes told when they
 * were last looked at: no relay is asked, so anybody may ask often.
 */

import type { Figures, Member } from '../fleet/member.ts';
import type { NgDict, NgValue } from '../relay/driver.ts';

/** Nodes listed under `interfaces`, those with the fewest free ports first; more would not fit into a datagram. */
const MAX_INTERFACES = 256;

/**
 * Numbers are whole; `uptime` and `used_pct` are text, as rtpengine has them. What no node tells counts as 0.
 * `sessionsown` has our calls, those being offered, and those of other controllers as of the last look. `sessionsforeign` is 0: calls
 * that a node only sees through a shared store are another node's, and would count twice.
 * @param now monotonic ms
 */
export function mergedStatistics(members: readonly Member[], now: number): NgDict {
  const told = members.flatMap(({ hasFigures, figures }) =>
    hasFigures && figures !== null ? [figures] : [],
  );
  const sum = (read: (figures: Figures) => number | null): number =>
    Math.round(told.reduce((total, figures) => total + (read(figures) ?? 0), 0));
  const sessions = members.reduce((total, member) => total + member.sessions, 0);

  return {
    currentstatistics: {
      sessionsown: sessions,
      sessionsforeign: 0,
      sessionstotal: sessions,
      packetrate: sum(({ packetsPerS }) => packetsPerS),
      byterate: sum(({ bytesPerS }) => bytesPerS),
      errorrate: sum(({ errorsPerS }) => errorsPerS),
    },
    totalstatistics: {
      uptime: String(shortestUptime(told, now)),
      rejectedsessions: sum(({ rejected }) => rejected),
    },
    interfaces: interfacesOf(members),
  };
}

/** Seconds since the last restart in the set, 0 if no node tells: it goes back when one restarts, as that of a single relay. */
function shortestUptime(told: readonly Figures[], now: number): number {
  const uptimes = told.flatMap(({ uptimeS, at }) => (uptimeS === null ? [] : [uptimeS + (now - at) / 1000]));

  return uptimes.length === 0 ? 0 : Math.floor(Math.min(...uptimes));
}

/** One entry for each node that tells its ports. */
function interfacesOf(members: readonly Member[]): NgValue[] {
  return members
    .flatMap(({ id, node, portsInUse: used, portsTotal: total }) =>
      used === null || total === null || total === 0 ? [] : [{ id, node, used, total }],
    )
    .sort((a, b) => b.used / b.total - a.used / a.total || a.id - b.id)
    .slice(0, MAX_INTERFACES)
    .map(({ id, node, used, total }) => ({
      name: `node ${id}`,
      address: node.mediaAddresses[0]?.address ?? '',
      ports: {
        used: Math.round(used),
        used_pct: ((100 * used) / total).toFixed(2),
        free: Math.round(total - used),
        totals: Math.round(total),
      },
    }));
}
