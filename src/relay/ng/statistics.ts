/** Reads the `statistics` of rtpengine 10.5 to 26.3 into the form all relays share (reference: ng-protocol 9). */

import { type NgDict, type NgValue, RelayFailure, type RelayStatistics } from '../driver.ts';
import { isDict, newDict } from './bencode.ts';

/**
 * What the newest key of a reply tells of the version, newest first; ng never states it.
 * `bufferpools` came with 26.1, `mediacache` with 13.2 (rtpengine commits 0faa777e1 and cd2c58595), `voip_metrics` with 11.0.
 */
const SIGNS: readonly (readonly [string, string])[] = [
  ['bufferpools', '26.1 or newer'],
  ['mediacache', '13.2 to 26.0'],
  ['voip_metrics', '11.0 to 13.1'],
  ['intervalstatistics', '10.5 or older'],
];

/** Reads the dictionary under `statistics`. Without uptime, calls and ended calls it is `garbled`; all else may be missing. */
export function readStatistics(statistics: NgDict): RelayStatistics | RelayFailure {
  const current = dictOf(statistics.currentstatistics);
  const totals = dictOf(statistics.totalstatistics);
  const uptimeS = figure(totals.uptime);
  // Not `sessionstotal`: calls seen through redis belong to another node and count for no limit here (ng-protocol 11).
  const sessions = figure(current.sessionsown);
  const ended = figure(totals.managedsessions);
  if (uptimeS === null || sessions === null || ended === null) {
    return new RelayFailure('garbled', 'the statistics lack one of uptime, sessionsown and managedsessions');
  }

  return {
    uptimeS,
    sessions,
    growing: [ended],
    ports: scarcest(statistics.interfaces),
    packetsPerS: figure(current.packetrate),
    bytesPerS: figure(current.byterate),
    errorsPerS: figure(current.errorrate),
    rejected: figure(totals.rejectedsessions),
    version: SIGNS.find(([key]) => key in statistics || key in current)?.[1] ?? null,
  };
}

/**
 * The interface with the smallest share of free ports: a call needs some on each of its sides, so the first one to run out decides.
 * No sum: an address under two logical names has one pool of ports and yet two entries, each with the figures of the pool.
 */
function scarcest(interfaces: NgValue | undefined): RelayStatistics['ports'] {
  let least: RelayStatistics['ports'] = null;
  for (const entry of Array.isArray(interfaces) ? interfaces : []) {
    const ports = dictOf(dictOf(entry).ports);
    const free = figure(ports.free);
    const total = figure(ports.totals);
    if (free === null || total === null || total === 0) continue;
    if (least === null || free / total < least.free / least.total)
      least = { free: Math.min(free, total), total };
  }

  return least;
}

function dictOf(value: NgValue | undefined): NgDict {
  return isDict(value) ? value : newDict();
}

/** A number that is none below zero. Decimals, the uptime, and what is beyond 2^53 come as text. */
function figure(value: NgValue | undefined): number | null {
  if (typeof value === 'number') return value >= 0 ? value : null;

  return typeof value === 'string' && /^\d{1,20}(\.\d{1,20})?$/.test(value) ? Number(value) : null;
}
