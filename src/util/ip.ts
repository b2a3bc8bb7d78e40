/** IP literals: what SDP, sockets and networks are made of. */

import { isIPv4, isIPv6 } from 'node:net';

/** Address family as SDP and ng write it (RFC 8866 section 5.7). */
export type Family = 'IP4' | 'IP6';

/** The family of an IP literal without brackets or zone, or undefined if `text` is none. */
export function familyOf(text: string): Family | undefined {
  if (isIPv4(text)) return 'IP4';

  return isIPv6(text) && !text.includes('%') ? 'IP6' : undefined;
}

/** `0.0.0.0` or any spelling of `::`: "no address", as old-style hold writes it (RFC 3264 section 8.4). */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || (address.includes(':') && !/[1-9a-f]/i.test(address));
}

/** 224.0.0.0/4 and ff00::/8 (RFC 5771, RFC 4291 section 2.7). */
export function isMulticast(address: string): boolean {
  return /^(?:(?:::ffff:)?(?:22[4-9]|23\d)\.|ff[0-9a-f]{2}:)/i.test(address);
}

/** The address as a number; 32 bits for IPv4, 128 for IPv6. Throws if `address` is no IP literal. */
export function toNumber(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // An embedded IPv4 tail (::ffff:10.0.0.1) counts as two groups.
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const text = tail ? `${tail[1]}${groups(toNumber(tail[2] ?? ''), 2)}` : address;
  const [head = '', rest] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = rest === undefined || rest === '' ? [] : rest.split(':');
  const all =
    rest === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];

  return all.reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}

function groups(value: bigint, count: number): string {
  return Array.from({ length: count }, (_, i) =>
    ((value >> BigInt(16 * (count - 1 - i))) & 0xffffn).toString(16),
  ).join(':');
}

/** Whether two IP literals name the same address, however they are spelled (2001:DB8:0::1 is 2001:db8::1). */
export function sameAddress(a: string, b: string): boolean {
  if (a === b) return true;
  if (!a.includes(':') || !b.includes(':')) return false;

  return familyOf(a) === 'IP6' && familyOf(b) === 'IP6' && toNumber(a) === toNumber(b);
}

/** A network in CIDR form. */
export interface Network {
  readonly family: Family;
  readonly base: bigint;
  /** How many low bits are free. */
  readonly hostBits: bigint;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined if it is none of these. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.trim().split('/');
  const family = familyOf(address);
  if (family === undefined || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    return undefined;
  const width = family === 'IP4' ? 32 : 128;
  const prefix = length === undefined ? width : Number(length);
  if (prefix > width) return undefined;
  const hostBits = BigInt(width - prefix);

  return { family, base: toNumber(address) >> hostBits, hostBits };
}

/** Whether an IP literal lies in a network. An IPv4 address mapped into IPv6 counts as IPv4. */
export function isInNetwork(address: string, network: Network): boolean {
  const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;

  return familyOf(plain) === network.family && toNumber(plain) >> network.hostBits === network.base;
}

const LOOPBACK = ['127.0.0.0/8', '::1']
  .map(parseNetwork)
  .filter((network): network is Network => network !== undefined);

/** Whether only programs of this host can connect to `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || LOOPBACK.some((network) => isInNetwork(host, network));
}

const PRIVATE = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'],
  ...['fc00::/7', 'fe80::/10', '::1'],
]
  .map(parseNetwork)
  .filter((network): network is Network => network !== undefined);

/** Whether an address means something only in its own network (RFC 1918, 6598, 3927, 4193, 4291). A host name does not count. */
export function isPrivate(address: string): boolean {
  return familyOf(address) !== undefined && PRIVATE.some((network) => isInNetwork(address, network));
}

/** An address with a port, as in `192.0.2.1:4000` and `[2001:db8::1]:4000`. */
export function formatEnd({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
