/** The streams of an SDP as rtpproxy needs them: one command for each, so each is read, numbered and checked by itself. */

import { type Family, familyOf, isMulticast } from '../util/ip.ts';
import {
  findDefect,
  forEachLine,
  isHeldByAddress,
  type MediaOutline,
  type Outline,
  outline,
  parseConnection,
} from './outline.ts';

/**
 * What is to be done with an m= section.
 * `relay`: it is on and runs over UDP. `off`: its port is 0, because it was rejected, has ended, or is bundle-only: no command, no
 * change. `leave`: it is on, and no relay of UDP can carry it: it passes with its sender's address.
 */
export type Handling = 'relay' | 'off' | 'leave';

/** A stream which the relay is to carry. */
export interface RelayedStream {
  /** Its number in commands: counts every m= line from 1, so that offer and answer agree (reference: rtpproxy-protocol 8). */
  readonly n: number;
  readonly handling: 'relay';
  /** 1 to 65535. With trickle ICE it is 9 and means nothing. */
  readonly port: number;
  /** An IP literal as the sender wrote it. With hold and with trickle ICE an unspecified one. */
  readonly address: string;
  /** That of the literal; the word before it is not believed. */
  readonly family: Family;
  /** Whether the sender holds it the old way, by an unspecified address (RFC 3264 section 8.4). */
  readonly isHeld: boolean;
  /** Payload types of RTP in the order of the m= line, 0 to 127; empty for other transports. */
  readonly formats: readonly number[];
}

/** A stream which the relay is not told of. */
export interface OtherStream {
  readonly n: number;
  readonly handling: 'off' | 'leave';
}

export type Stream = RelayedStream | OtherStream;

/** Why an SDP cannot be relayed, for the operator. */
export class Refusal {
  constructor(readonly reason: string) {}
}

/**
 * Streams of one SDP that are relayed, at most. Each costs the node four ports and us a round trip. More are only seen in
 * conferences of browsers, which put them on one port and need ICE, so they need another kind of relay anyway.
 */
export const MAX_RELAYED = 16;

/**
 * Transports over UDP (IANA, SDP proto values): all RTP profiles, everything that begins with UDP, T.38 (RFC 7345 for its DTLS
 * form) and V.150.1. `DTLS/SCTP` is what data channels were called before RFC 8841 said `UDP/DTLS/SCTP`.
 */
const OVER_UDP = /^(?:RTP|UDP|UDPTL|UDPSPRT)(?:\/|$)|^DTLS\/SCTP$/i;

const OVER_RTP = /(?:^|\/)RTP(?:\/|$)/i;

/** What is to be done with a section. Unknown transports are left alone: they may be anything. */
export function handlingOf({ port, transport }: MediaOutline): Handling {
  if (port === 0) return 'off';

  return OVER_UDP.test(transport) ? 'relay' : 'leave';
}

/** Whether a party speaks ICE. It may insist on it, as browsers do, and rtpproxy has none. */
export function hasIce(sdp: string): boolean {
  return /^a=(?:candidate|ice-ufrag):/m.test(sdp);
}

/** Reads the streams of an SDP in the order of its m= lines, or says why they cannot be relayed. */
export function readStreams(sdp: string): readonly Stream[] | Refusal {
  const sent = outline(sdp);
  const defect = findDefect(sdp, sent);
  if (defect !== undefined) return new Refusal(defect);
  const { versions, session, sections } = scan(sdp);
  if (versions > 1) return new Refusal(`the body holds ${versions} SDPs ("v=" lines); send one`);

  const streams: Stream[] = [];
  let relayed = 0;
  for (const [index, { line, connections }] of sections.entries()) {
    const stream = readStream(sent, index, line, connections.length > 0 ? connections : session);
    if (stream instanceof Refusal) return stream;
    if (stream.handling === 'relay') relayed++;
    streams.push(stream);
  }
  if (relayed > MAX_RELAYED)
    return new Refusal(`the SDP has ${relayed} streams to relay; at most ${MAX_RELAYED} can be`);

  return streams;
}

/** The lines that decide: m= and c=. */
interface Scan {
  /** Lines that begin an SDP. */
  readonly versions: number;
  /** The c= lines of the session. */
  readonly session: readonly string[];
  readonly sections: readonly { readonly line: string; readonly connections: readonly string[] }[];
}

function scan(sdp: string): Scan {
  let versions = 0;
  const session: string[] = [];
  const sections: { line: string; connections: string[] }[] = [];
  forEachLine(sdp, (line) => {
    if (line.startsWith('v=')) versions++;
    else if (line.startsWith('m=')) sections.push({ line, connections: [] });
    else if (line.startsWith('c=')) (sections.at(-1)?.connections ?? session).push(line);
  });

  return { versions, session, sections };
}

function readStream(
  sent: Outline,
  index: number,
  line: string,
  connections: readonly string[],
): Stream | Refusal {
  const n = index + 1;
  const match = /^m=\S+\s+(\S+)\s+(\S+)/.exec(line);
  if (match === null) return new Refusal(`m= line ${n} is not "m=<media> <port> <transport> <formats>"`);
  const [, portText = '', transport = ''] = match;
  if (OVER_UDP.test(transport)) {
    const bad = portDefect(portText);
    if (bad !== undefined) return new Refusal(`m= line ${n}: ${bad}`);
  }
  const handling = handlingOf(sent.media[index] as MediaOutline);
  if (handling !== 'relay') return { n, handling };

  const found = addressIn(connections);
  if ('defect' in found) return new Refusal(`m= line ${n}: ${found.defect}`);

  return {
    n,
    handling,
    port: Number.parseInt(portText, 10),
    address: found.address,
    family: found.family,
    isHeld: isHeldByAddress(sent, index),
    formats: OVER_RTP.test(transport) ? payloadTypes(line) : [],
  };
}

function portDefect(text: string): string | undefined {
  const [, port = '', count = '1'] = /^(\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535)
    return `its port is "${clip(text)}"; it must be a number from 0 to 65535`;
  // The relay has one pair of ports for each m= line. Where the port is 0 the count says nothing.
  if (Number(count) !== 1 && Number(port) !== 0)
    return `its port is "${clip(text)}"; several ports in one m= line cannot be relayed`;

  return undefined;
}

/**
 * The one address in the c= lines which hold for a section. Several lines, and an address with a count, mean layers on several
 * addresses (RFC 8866 section 5.7), which the relay could not tell apart; the same line twice is only a mistake. Host names are
 * refused because looking one up would keep the call waiting, and some nodes take a name for "no address"
 * (reference: rtpproxy-protocol 3.1).
 */
function addressIn(
  connections: readonly string[],
): { readonly address: string; readonly family: Family } | { readonly defect: string } {
  let address: string | undefined;
  for (const line of connections) {
    const read = parseConnection(line.slice(2))?.address;
    if (read === undefined) return { defect: `its c= line cannot be read: "${clip(line)}"` };
    if (line.includes('/')) return { defect: `TTL and address count cannot be relayed: "${clip(line)}"` };
    if (address !== undefined && read !== address)
      return { defect: 'its c= lines name several addresses; only one can be relayed' };
    address = read;
  }
  const family = familyOf(address ?? '');
  if (address === undefined || family === undefined)
    return { defect: `"${clip(address ?? '')}" in its c= line must be an IP address` };
  if (isMulticast(address)) return { defect: `${address} is a multicast address, which cannot be relayed` };

  return { address, family };
}

function payloadTypes(line: string): number[] {
  return line
    .split(/\s+/)
    .slice(3)
    .filter((format) => /^\d{1,3}$/.test(format))
    .map(Number)
    .filter((format) => format <= 127);
}

/** Text of the sender in a message, at most 80 bytes of it. */
function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
