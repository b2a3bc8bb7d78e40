/** What we read of an SDP body: where its media addresses are. Bodies are byte strings and are never rebuilt. */

import { type Family, isUnspecified } from '../util/ip.ts';

/** A c= line (RFC 8866 section 5.7). */
export interface Connection {
  readonly family: Family;
  /** Without TTL or address count. May be a host name. */
  readonly address: string;
}

/** One m= section. */
export interface MediaOutline {
  /** 0 means rejected or off (RFC 3264 section 6), or bundle-only. */
  readonly port: number;
  /** As in `RTP/AVP`; '' if the line has none. */
  readonly transport: string;
  /** The section's own c= line; null if the session's holds. */
  connection: Connection | null;
  /** Whether its addresses come later, as ICE candidates (RFC 8840). */
  isTrickled: boolean;
}

export interface Outline {
  /** The session-level c= line. */
  readonly session: Connection | null;
  readonly media: readonly MediaOutline[];
}

/** Calls `visit` with each line, without its line end, and the line end itself (`\r\n`, `\n` or '' at the end). */
export function forEachLine(sdp: string, visit: (line: string, end: string) => void): void {
  for (let start = 0; start < sdp.length; ) {
    const newline = sdp.indexOf('\n', start);
    const stop = newline === -1 ? sdp.length : newline;
    const hasReturn = stop > start && sdp.charCodeAt(stop - 1) === 13;
    const end = newline === -1 ? (hasReturn ? '\r' : '') : hasReturn ? '\r\n' : '\n';
    visit(sdp.slice(start, hasReturn ? stop - 1 : stop), end);
    start = stop + 1;
  }
}

/** Reads the value of a c= line, `IN IP4 192.0.2.1/127`; null if it is none. */
export function parseConnection(value: string): Connection | null {
  const match = /^\s*IN\s+(IP[46])\s+([^\s/]+)/i.exec(value);
  if (match === null) return null;

  return { family: match[1]?.toUpperCase() === 'IP6' ? 'IP6' : 'IP4', address: match[2] ?? '' };
}

export function outline(sdp: string): Outline {
  let session: Connection | null = null;
  let isTrickled = false;
  const media: MediaOutline[] = [];
  forEachLine(sdp, (line) => {
    if (line.charCodeAt(1) !== 61) return;
    if (line.startsWith('m=')) {
      const [, port = '', transport = ''] = line.split(/\s+/, 3);
      media.push({ port: Number.parseInt(port, 10) || 0, transport, connection: null, isTrickled });
    } else if (line.startsWith('c=')) {
      const section = media.at(-1);
      const connection = parseConnection(line.slice(2));
      if (section === undefined) session ??= connection;
      else section.connection ??= connection;
    } else if (line.startsWith('a=ice-options:') && /\btrickle\b/.test(line)) {
      const section = media.at(-1);
      if (section === undefined) isTrickled = true;
      else section.isTrickled = true;
    }
  });

  return { session, media };
}

/** The connection that holds for section `index`. */
export function connectionOf(sdp: Outline, index: number): Connection | null {
  return sdp.media[index]?.connection ?? sdp.session;
}

/** The port of a stream whose candidates are not known yet (RFC 8840 section 4.1.1). */
export const DISCARD_PORT = 9;

/**
 * Whether section `index` is held the old way, by an unspecified address (RFC 3264 section 8.4). With trickle ICE such an
 * address only says that the candidates come later.
 */
export function isHeldByAddress(sdp: Outline, index: number): boolean {
  const connection = connectionOf(sdp, index);
  const section = sdp.media[index];
  if (connection === null || section === undefined || !isUnspecified(connection.address)) return false;

  return section.port !== DISCARD_PORT && !section.isTrickled;
}

/** The family the sender of this SDP uses: that of its first stream which is on. */
export function familyOfSdp(sdp: Outline): Family {
  const first = sdp.media.findIndex((section) => section.port !== 0);

  return connectionOf(sdp, Math.max(first, 0))?.family ?? 'IP4';
}

/**
 * Says what keeps an SDP from being relayed, or undefined. Relays say the same, but some keep a stray call after it
 * (reference: ng-protocol 3.1), so it is better never sent.
 */
export function findDefect(body: string, sdp: Outline): string | undefined {
  if (!body.startsWith('v=')) return 'an SDP starts with "v=0", this body does not';
  if (sdp.media.length === 0) return 'the SDP has no m= line, so there is nothing to relay';
  const bare = sdp.media.findIndex(
    (section, index) => section.port !== 0 && connectionOf(sdp, index) === null,
  );

  return bare === -1 ? undefined : `m= line ${bare + 1} has no c= line, and the session has none either`;
}

/** The media of an SDP and where each is to be sent, for people: `audio 192.0.2.1:4000`. At most 16. */
export function addressesIn(sdp: string): string[] {
  let session = '';
  const media: { kind: string; port: string; address: string }[] = [];
  forEachLine(sdp, (line) => {
    if (line.startsWith('m=')) {
      const [kind = '', port = ''] = line.slice(2).split(/\s+/, 2);
      if (media.length < MAX_SHOWN) media.push({ kind, port, address: '' });
    } else if (line.startsWith('c=')) {
      const address = parseConnection(line.slice(2))?.address ?? '';
      const section = media.at(-1);
      if (section === undefined) session = address;
      else section.address = address;
    }
  });

  return media.map(({ kind, port, address }) => {
    const host = address || session || '?';

    return `${kind} ${host.includes(':') ? `[${host}]` : host}:${port}`;
  });
}

/** Sections of an SDP that are shown to people. */
const MAX_SHOWN = 16;
