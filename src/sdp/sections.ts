/** What each m= section of an SDP says of its sender: what is sent, what is wanted, and where. For people and hints; nothing is decided by it. */

import { forEachLine, isHeldByAddress, outline, parseConnection } from './outline.ts';

/** Which way media of a section goes, seen by the sender of the SDP; `off`: it has no port. */
export type Mode = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive' | 'off';

export interface Section {
  /** `audio`, `video`, `image` ... */
  readonly media: string;
  /** Where its sender wants packets; the address may be a host name, or '' if there is none. */
  readonly address: string;
  readonly port: number;
  readonly mode: Mode;
  /** Whether its sender finds the way by ICE, so that the address says little. */
  readonly hasIce: boolean;
  /** Whether its packets may come on the port of the first section (RFC 9143). */
  readonly isBundled: boolean;
}

/** Sections that are read, at most. */
const MAX_SECTIONS = 64;
const MODE = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/;

/** The sections in the order of their m= lines. An old-style hold (`0.0.0.0`) counts as wanting nothing. */
export function sectionsOf(sdp: string): Section[] {
  const session: Read = { media: '', port: 0, address: '', mode: undefined, hasIce: false };
  const sections: Read[] = [];
  let isBundled = false;
  forEachLine(sdp, (line) => {
    const section = sections.at(-1) ?? session;
    if (line.startsWith('m=')) {
      const [media = '', port = ''] = line.slice(2).split(/\s+/, 2);
      sections.push({ ...session, media, port: Number.parseInt(port, 10) || 0 });
    } else if (line.startsWith('c=')) {
      section.address = parseConnection(line.slice(2))?.address ?? section.address;
    } else if (line.startsWith('a=group:BUNDLE')) isBundled = true;
    else if (/^a=(?:candidate|ice-ufrag):/.test(line)) section.hasIce = true;
    else section.mode = (MODE.exec(line)?.[1] as Mode | undefined) ?? section.mode;
  });
  const read = outline(sdp);

  return sections
    .slice(0, MAX_SECTIONS)
    .map(({ media, port, address, mode = 'sendrecv', hasIce }, index) => ({
      media,
      address,
      port,
      mode: port === 0 ? 'off' : isHeldByAddress(read, index) ? deaf(mode) : mode,
      hasIce,
      isBundled: isBundled && index > 0,
    }));
}

/** Whether the sender of a section sends media, and whether it wants any. */
export function sends({ mode }: Section): boolean {
  return mode === 'sendrecv' || mode === 'sendonly';
}

export function wants({ mode }: Section): boolean {
  return mode === 'sendrecv' || mode === 'recvonly';
}

interface Read {
  media: string;
  port: number;
  address: string;
  mode: Mode | undefined;
  hasIce: boolean;
}

/** The mode of somebody who wants nothing. */
function deaf(mode: Mode): Mode {
  return mode === 'sendrecv' || mode === 'sendonly' ? 'sendonly' : 'inactive';
}
