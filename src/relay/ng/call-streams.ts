/** Reads the `query` of rtpengine 10.5 to 26.3 as streams (reference: ng-protocol 9; MOS, loss and jitter measured with 10.5). */

import { type CallStream, type Heard, MAX_STREAMS, type StreamEnd } from '../call-streams.ts';
import type { NgDict, NgValue } from '../driver.ts';
import { isDict } from './bencode.ts';

/** The streams of all parties, RTP before RTCP. What cannot be read is left out. */
export function readCallStreams(record: NgDict): CallStream[] {
  const streams: CallStream[] = [];
  const parties = isDict(record.tags) ? Object.values(record.tags) : [];
  const reports = isDict(record.SSRC) ? record.SSRC : undefined;
  for (const party of parties) {
    if (!isDict(party)) continue;
    // A party that has not answered is listed by a made-up name; its tag is empty.
    const tag = typeof party.tag === 'string' ? party.tag : '';
    for (const media of dictsIn(party.medias)) {
      for (const stream of dictsIn(media.streams)) {
        const read = readStream(tag, media, stream, reports);
        if (read !== undefined && streams.length < MAX_STREAMS) streams.push(read);
      }
    }
  }

  return streams;
}

function readStream(
  tag: string,
  media: NgDict,
  stream: NgDict,
  reports: NgDict | undefined,
): CallStream | undefined {
  const { index, codec } = media;
  const stats = isDict(stream.stats) ? stream.stats : undefined;
  const packets = count(stats?.packets);
  if (typeof index !== 'number' || packets === null) return undefined;
  const flags = Array.isArray(stream.flags) ? stream.flags : [];
  // With rtcp-mux one stream is both.
  const isRtcp = flags.includes('RTCP') && !flags.includes('RTP');
  const port = count(stream['local port']) ?? 0;
  if (isRtcp && port === 0 && packets === 0) return undefined;
  const last = count(stream['last packet']);

  return {
    tag,
    index,
    isRtcp,
    codec: typeof codec === 'string' && codec !== '' ? codec : null,
    local: port === 0 ? null : { address: text(stream['local address']), port },
    // Before the first packet it is where the party said to be.
    remote: packets === 0 ? null : readEnd(stream.endpoint),
    advertised: readEnd(stream['advertised endpoint']),
    packets,
    bytes: count(stats?.bytes),
    errors: count(stats?.errors),
    // Before the first packet it is the time at which the stream was opened.
    lastPacketAt: packets === 0 || last === null || last === 0 ? null : last * 1000,
    heard: isRtcp ? null : readHeard(stream, media, reports),
  };
}

/**
 * What the party reports of what it hears. The relay keeps it under the SSRC of the one who reports, and works out the score only where
 * both parties send reports.
 */
function readHeard(stream: NgDict, media: NgDict, reports: NgDict | undefined): Heard | null {
  const blocks = [stream['ingress SSRCs'], media['ingress SSRCs']].flatMap(dictsIn);
  const ssrc = stream.SSRC ?? blocks[0]?.SSRC;
  const found = [reports?.[String(ssrc)], ...blocks].find(
    (each): each is NgDict => isDict(each) && isDict(each['average MOS']),
  );
  const average = found?.['average MOS'];
  if (!isDict(average)) return null;
  const mos = count(average.MOS);

  return {
    lossPercent: count(average['packet loss']),
    jitterMs: count(average.jitter),
    // In tenths; 0 is none.
    mos: mos === null || mos === 0 ? null : mos / 10,
  };
}

function readEnd(value: NgValue | undefined): StreamEnd | null {
  if (!isDict(value)) return null;
  const port = count(value.port);
  const address = text(value.address);

  return port === null || port === 0 || address === '' ? null : { address, port };
}

function dictsIn(value: NgValue | undefined): NgDict[] {
  return Array.isArray(value) ? value.filter((each): each is NgDict => isDict(each)) : [];
}

function text(value: NgValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** A whole number that is none below zero. */
function count(value: NgValue | undefined): number | null {
  return typeof value === 'number' && value >= 0 ? value : null;
}
