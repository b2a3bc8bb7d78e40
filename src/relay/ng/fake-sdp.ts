/**
 * SDP as the fake node reads and rewrites it: in the manner of rtpengine 10.5 (reference: ng-protocol 5.1), line by line, every
 * other line byte for byte as it came. No codecs, no SRTP, ICE only by its addresses.
 */

import { type Family, familyOf, isUnspecified } from '../../util/ip.ts';

/** More m= sections than this are refused. */
const MAX_MEDIA = 64;

export interface FakeMedia {
  readonly type: string;
  readonly protocol: string;
  /** As offered; 0 = stream not wanted. */
  readonly port: number;
  readonly rtcpPort: number;
  /** The sender's address: own c= line, else that of the session. */
  readonly address: string;
  /** First line of the section, and the first one after it. */
  readonly from: number;
  readonly to: number;
  readonly hasConnection: boolean;
  readonly hasIce: boolean;
}

export interface FakeSdp {
  /** With their line ends. */
  readonly lines: readonly string[];
  readonly medias: readonly FakeMedia[];
}

/** What the returned SDP should show. */
export interface FakeRewrite {
  readonly address: string;
  /** Whether `address` was asked for, which also replaces 0.0.0.0. */
  readonly isImposed: boolean;
  /** RTP port per m= section. */
  readonly ports: readonly number[];
  readonly replaceOrigin: boolean;
  readonly replaceSession: boolean;
  /** Flag `full-rtcp-attribute`. */
  readonly fullRtcp: boolean;
  /** Flag `no-rtcp-attribute`. */
  readonly noRtcp: boolean;
  /** Value of the key `transport-protocol`, '' = as it came. */
  readonly protocol: string;
  /** Value of the key `ICE`: `remove` and `force` count. */
  readonly ice: string;
}

/** Reads an SDP; a string is rtpengine's error text for it. */
export function readSdp(text: string): FakeSdp | string {
  const lines = text.split(/(?<=\n)/);
  if (!text.startsWith('v=') || lines.some((line) => line.trim() !== '' && line[1] !== '=')) {
    return 'Failed to parse SDP';
  }
  const starts = lines.flatMap((line, i) => (line.startsWith('m=') ? [i] : []));
  if (starts.length === 0) return 'Error rewriting SDP';
  if (starts.length > MAX_MEDIA) return 'Failed to parse SDP';
  const session = connectionOf(lines, 0, starts[0] ?? 0);
  const medias: FakeMedia[] = [];
  for (const [i, from] of starts.entries()) {
    const to = starts[i + 1] ?? lines.length;
    const match = /^m=(\S+) (\d{1,5})(?:\/\d+)? (\S+)/.exec(lines[from] ?? '');
    if (match === null) return 'Failed to parse SDP';
    const own = connectionOf(lines, from, to);
    const address = own ?? session;
    if (address === undefined) return 'Incomplete SDP specification';
    const port = Number(match[2]);
    const section = lines.slice(from, to);
    const rtcp = section.map((line) => /^a=rtcp:(\d+)/.exec(line)?.[1]).find((found) => found !== undefined);
    medias.push({
      type: match[1] ?? '',
      protocol: match[3] ?? '',
      port,
      rtcpPort: rtcp === undefined ? port + 1 : Number(rtcp),
      address,
      from,
      to,
      hasConnection: own !== undefined,
      hasIce: section.some((line) => line.startsWith('a=candidate:')),
    });
  }

  return { lines, medias };
}

/** The SDP for the other party. */
export function rewriteSdp(sdp: FakeSdp, how: FakeRewrite): string {
  const first = sdp.medias[0]?.from ?? 0;
  const replaceSession = how.replaceSession || sdp.medias.some((media) => !media.hasConnection);
  let out = '';
  for (const line of sdp.lines.slice(0, first)) {
    if (line.startsWith('o=') && how.replaceOrigin) out += replaceOrigin(line, how.address);
    else if (line.startsWith('c=') && replaceSession) out += replaceConnection(line, how);
    else out += line;
  }
  for (const [i, media] of sdp.medias.entries()) out += rewriteSection(sdp, media, how.ports[i] ?? 0, how);

  return out;
}

/** How SDP writes an address: `IN IP4 192.0.2.1`. */
function connection(address: string): string {
  const family: Family = familyOf(address) ?? 'IP4';

  return `IN ${family} ${address}`;
}

function rewriteSection(sdp: FakeSdp, media: FakeMedia, port: number, how: FakeRewrite): string {
  const lineEnd = sdp.lines[media.from]?.endsWith('\r\n') === false ? '\n' : '\r\n';
  const withIce = how.ice === 'force' || (media.hasIce && how.ice !== 'remove');
  const isHeld = isUnspecified(media.address);
  let hasRtcp = false;
  let hasUfrag = false;
  let out = '';
  for (const line of sdp.lines.slice(media.from, media.to)) {
    if (line.startsWith('m=')) {
      out += line.replace(
        /^(m=\S+ )\d+(\S* )(\S+)/,
        (_match, type: string, count: string, protocol: string) =>
          `${type}${port}${count}${how.protocol || protocol}`,
      );
    } else if (line.startsWith('c=')) out += replaceConnection(line, how);
    else if (line.startsWith('a=candidate:') || line.startsWith('a=end-of-candidates')) continue;
    else if (/^a=ice-/.test(line)) {
      hasUfrag = true;
      if (withIce) out += line;
    } else if (line.startsWith('a=rtcp:')) {
      hasRtcp = true;
      if (port > 0 && !how.noRtcp) out += rtcpLine(port, how, lineEnd);
    } else if (isHeld && line.startsWith('a=sendrecv')) out += line.replace('sendrecv', 'sendonly');
    else out += line;
  }
  if (port === 0) return out;
  if (!out.endsWith('\n')) out += lineEnd;
  if (!hasRtcp && !how.noRtcp) out += rtcpLine(port, how, lineEnd);
  if (!withIce) return out;
  if (!hasUfrag) out += `a=ice-ufrag:fakefake${lineEnd}a=ice-pwd:fakefakefakefakefakefake${lineEnd}`;
  out += `a=candidate:fakeFakeFakeFake 1 UDP 2130706431 ${how.address} ${port} typ host${lineEnd}`;

  return `${out}a=candidate:fakeFakeFakeFake 2 UDP 2130706430 ${how.address} ${port + 1} typ host${lineEnd}`;
}

function rtcpLine(port: number, how: FakeRewrite, lineEnd: string): string {
  return `a=rtcp:${port + 1}${how.fullRtcp ? ` ${connection(how.address)}` : ''}${lineEnd}`;
}

function replaceConnection(line: string, how: FakeRewrite): string {
  const address = /^c=IN IP[46] (\S+)/.exec(line)?.[1] ?? '';
  // A hold of the old style stays one, unless an address was asked for (ng-protocol 5.1).
  if (isUnspecified(address) && !how.isImposed) return line;

  return line.replace(/^c=IN IP[46] \S+/, `c=${connection(how.address)}`);
}

function replaceOrigin(line: string, address: string): string {
  return line.replace(/IN IP[46] \S+/, connection(address));
}

function connectionOf(lines: readonly string[], from: number, to: number): string | undefined {
  for (let i = from; i < to; i++) {
    const address = /^c=IN IP[46] ([^\s/]+)/.exec(lines[i] ?? '')?.[1];
    if (address !== undefined) return address;
  }

  return undefined;
}
