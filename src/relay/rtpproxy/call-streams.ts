/** The record of a call on an rtpproxy as streams (reference: rtpproxy-protocol 3.5): it counts packets per party, and no more. */

import { type CallStream, MAX_STREAMS } from '../call-streams.ts';
import type { NgDict, NgValue } from '../driver.ts';
import { readMemo } from './sessions.ts';

/** @param record as the driver's `query` returns it. @param memo of the call */
export function readCallStreams(record: NgDict, memo: string | null | undefined): CallStream[] {
  const sessions = readMemo(memo);
  const rows = Array.isArray(record.streams) ? record.streams : [];
  const streams = rows.flatMap((row): CallStream[] => {
    if (!isDict(row)) return [];
    const { media: n, 'from-tag': opener, 'to-tag': peer, 'via-branch': branch = '' } = row;
    if (typeof n !== 'number' || typeof opener !== 'string' || typeof peer !== 'string') return [];
    const session = sessions.find((each) => each.n === n && each.opener === opener && each.branch === branch);

    // Each is shown the port that stands in the other's SDP.
    return [
      streamOf(opener, n, row['packets from from-tag'], session?.peerPort),
      streamOf(peer, n, row['packets from to-tag'], session?.openerPort),
    ];
  });

  return streams.slice(0, MAX_STREAMS);
}

function streamOf(tag: string, index: number, packets: unknown, port = 0): CallStream {
  return {
    tag,
    index,
    isRtcp: false,
    codec: null,
    local: port === 0 ? null : { address: '', port },
    remote: null,
    advertised: null,
    packets: typeof packets === 'number' ? packets : 0,
    bytes: null,
    errors: null,
    lastPacketAt: null,
    heard: null,
  };
}

function isDict(value: NgValue): value is NgDict {
  return typeof value === 'object' && !Array.isArray(value);
}
