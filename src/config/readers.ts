/** Reads the texts that settings are made of: addresses, paths, host names, side names, networks. */

import { familyOf, isUnspecified, parseNetwork } from '../util/ip.ts';

/** Where the HTTP server listens. */
export interface ListenAddress {
  /** IP literal without brackets, or `localhost`. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** Reads `127.0.0.1:7888`, `[::1]:7888`, `localhost:7888`; undefined if it is none of these. */
export function readListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^[\]:]+)):(\d{1,5})$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, six, other = ''] = match;
  const port = Number(match[3]);
  if (port > 65535) return undefined;
  if (six !== undefined) return familyOf(six) === 'IP6' ? { host: six, port } : undefined;
  const host = other.toLowerCase();

  return host === 'localhost' || familyOf(host) === 'IP4' ? { host, port } : undefined;
}

/** The form `readListen` reads. */
export function showListen({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where the ng protocol is served, for one set of nodes. */
export interface NgListen extends ListenAddress {
  readonly setId: number;
}

/** Reads `0 == udp:127.0.0.1:2223`, as `rtpengine_sock` of the SIP proxies has it; without `N ==` it is set 0. */
export function readNgListen(text: string): NgListen | undefined {
  const [, set = '0', place = ''] = /^(?:(\d{1,9})\s*==\s*)?udp:(\S+)$/.exec(text.trim()) ?? [];
  const listen = readListen(place);
  // A reply must leave from the address that was asked, and one socket for all addresses does not know which that was.
  if (listen === undefined || isUnspecified(listen.host)) return undefined;

  return { setId: Number(set), ...listen, host: listen.host === 'localhost' ? '127.0.0.1' : listen.host };
}

/** The form `readNgListen` reads. */
export function showNgListen({ setId, ...listen }: NgListen): string {
  return `${setId} == udp:${showListen(listen)}`;
}

/** As `readNgListen`, as text in the one form `showNgListen` gives. */
export function readNgListenText(text: string): string | undefined {
  const listen = readNgListen(text);

  return listen === undefined ? undefined : showNgListen(listen);
}

/** Where notices of relays come in: an address, or the path of a unix socket. */
export type NoticePlace = ListenAddress | { readonly path: string };

/** The word of rtpproxy for the host that a command came from (reference: rtpproxy-protocol 6). */
const CC_SELF = '%%CC_SELF%%';

/**
 * Checks a socket as `-n` of an rtpproxy names it, '' for none. It stays as it is: the daemon compares texts. Over TCP it has
 * IPv4 only.
 */
export function readNoticeSocket(text: string): string | undefined {
  if (text === '') return '';
  const place = noticePlace(text);

  return place === undefined || ('host' in place && place.host.includes(':')) ? undefined : text;
}

/** Checks a place to listen for notices, '' for none. */
export function readNoticeListen(text: string): string | undefined {
  return text === '' || (noticePlace(text) !== undefined && !text.includes(CC_SELF)) ? text : undefined;
}

/** Where notices come in that are sent to `text`: whoever has many addresses listens on all. Undefined if it is no socket. */
export function noticePlace(text: string): NoticePlace | undefined {
  const [, scheme, rest = ''] = /^(tcp|unix):([!-~]+)$/.exec(text) ?? [];
  if (scheme === 'unix') return readSocketPath(rest) === undefined ? undefined : { path: rest };
  const place = scheme === 'tcp' ? readListen(rest.replace(CC_SELF, '0.0.0.0')) : undefined;

  return place === undefined || place.port === 0 ? undefined : place;
}

/** A path; no NUL, not empty. */
export function readPath(text: string): string | undefined {
  return text === '' || text.includes('\0') ? undefined : text;
}

/** A path, or '' for none. */
export function readOptionalPath(text: string): string | undefined {
  return text === '' ? '' : readPath(text);
}

/** The kernel's limit for the path of a unix socket, in bytes (sun_path without the closing NUL). */
const MAX_SOCKET_PATH = 107;

/** An absolute path that fits into a unix socket address, or '' for none. */
export function readSocketPath(text: string): string | undefined {
  if (text === '') return '';
  const isFit = text.startsWith('/') && Buffer.byteLength(text) <= MAX_SOCKET_PATH && !text.endsWith('/');

  return isFit ? readPath(text) : undefined;
}

/** A host name or IP literal as it stands in a Host header, without port; in lower case, IPv6 without brackets. */
export function readHostName(text: string): string | undefined {
  const name = text.trim().toLowerCase();
  const bare = /^\[(.+)\]$/.exec(name)?.[1] ?? name;
  if (familyOf(bare) !== undefined) return bare;

  return /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/.test(name)
    ? name
    : undefined;
}

/** The name or alias of a side, in lower case; `in` and `out` are directions. */
export function readSideName(text: string): string | undefined {
  const name = text.trim().toLowerCase();

  return /^[a-z][a-z0-9_-]{0,31}$/.test(name) && name !== 'in' && name !== 'out' ? name : undefined;
}

/** What a side may be called; completes "allowed is". */
export const SIDE_NAME_RULE =
  'a letter and up to 31 further letters, digits, "_" or "-", and not "in" or "out" (those are directions)';

/** Longer ones are no addresses. */
const MAX_URL = 2048;

/** An http or https URL; names and passwords in it would be shown. */
export function readHttpUrl(text: string): string | undefined {
  const url = URL.parse(text.trim());
  const isFit =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '' &&
    url.href.length <= MAX_URL;

  return isFit ? url.href : undefined;
}

/** A network in CIDR form, or a single address. */
export function readNetworkText(text: string): string | undefined {
  const network = text.trim();

  return parseNetwork(network) === undefined ? undefined : network;
}
