/**
 * The ng keys of a client, read for a relay that only forwards packets. What it does anyway, or what has no object in this SDP, is
 * passed over; what would need the media to be changed is named, so that the request goes to an rtpengine or fails clearly.
 */

import { type Family, familyOf } from '../../util/ip.ts';
import type { NgDict, NgValue } from '../driver.ts';

/** What of the keys matters here. */
export interface Options {
  /** `a`: the signalled host is taken at its word. `s`: the daemon learns where media comes from. */
  readonly symmetry: 'a' | 's' | undefined;
  /** The address the SIP message came from, to be used in place of the SDP's: for phones that show a private one. */
  readonly source: { readonly address: string; readonly family: Family } | undefined;
}

/** Keys that change codecs, packets or keys of encryption. */
const CONVERSIONS: ReadonlySet<string> = new Set([
  'codec',
  'ptime',
  'ptime-reverse',
  't.38',
  'osrtp',
  'record-call',
  'audio-player',
  'delay-buffer',
  'dtmf-security',
  'dtmf-delay',
  'media-echo',
]);

/** Values that ask for nothing. */
const OFF: ReadonlySet<string> = new Set(['off', 'no', 'never', 'disable']);

/** Flags of the same kind, by their start. */
const CONVERTING_FLAGS = [
  'always-transcode',
  'transcode',
  'codec-',
  'inject-dtmf',
  'detect-dtmf',
  'record-call',
  'block-',
  'silence-',
  'media-handover-',
  'generate-rtcp',
  'mirror-rtcp',
  'loop-protect-',
];

/**
 * Names the first key that an rtpproxy cannot do for this SDP, as `ICE=force`; undefined if there is none.
 * @param isOffer an answer only follows what its offer has decided
 */
export function conversionIn(extra: NgDict, sdp: string, isOffer: boolean): string | undefined {
  for (const [key, value] of Object.entries(extra)) {
    if (isConversion(fold(key), value, sdp, isOffer)) return `${key}=${shown(value)}`;
  }

  return undefined;
}

export function readOptions(extra: NgDict): Options {
  const flags = wordsOf(lookUp(extra, 'flags'));
  const [, address = ''] = wordsOf(lookUp(extra, 'received-from'), /[\s,]+/);
  const family = familyOf(address);

  return {
    symmetry: flags.includes('asymmetric') ? 'a' : flags.includes('symmetric') ? 's' : undefined,
    source: flags.includes('sip-source-address') && family !== undefined ? { address, family } : undefined,
  };
}

function isConversion(key: string, value: NgValue, sdp: string, isOffer: boolean): boolean {
  if (CONVERSIONS.has(key)) return asksForSomething(value);
  const words = wordsOf(value);
  switch (key) {
    case 'flags':
      return words.some((word) => CONVERTING_FLAGS.some((start) => word.startsWith(start)));
    case 'transport-protocol':
      return isOffer && words.some((word) => !hasOnly(sdp, word));
    case 'ice':
      return words.some((word) => word.startsWith('force'));
    case 'rtcp-mux': {
      const isMuxed = /^a=rtcp-mux\s*$/m.test(sdp);

      // An rtpproxy opens two ports and passes the attribute on.
      return isMuxed
        ? words.some((word) => word === 'demux' || word === 'reject')
        : isOffer && words.some((word) => word === 'require' || word === 'offer');
    }
    case 'sdes':
      return /^a=crypto:/m.test(sdp) && words.some((word) => OFF.has(word));
    case 'dtls':
      return /^a=fingerprint:/m.test(sdp) && words.some((word) => OFF.has(word));
    default:
      return false;
  }
}

/** Whether every RTP line that is on has this transport already. */
function hasOnly(sdp: string, transport: string): boolean {
  if (transport === 'accept') return true;
  for (const [, port = '', protocol = ''] of sdp.matchAll(/^m=\S+ +(\d+)\S* +(\S*RTP\S*)/gim)) {
    if (Number(port) !== 0 && protocol.toLowerCase() !== transport) return false;
  }

  return true;
}

function lookUp(extra: NgDict, name: string): NgValue | undefined {
  const key = Object.keys(extra).find((other) => fold(other) === name);

  return key === undefined ? undefined : extra[key];
}

/** Keys and words as they are compared: ng takes blanks and hyphens for the same. */
function fold(text: string): string {
  return text.toLowerCase().replace(/[ _]/g, '-');
}

/** The words of a list, also of one in a plain string, which ng splits at commas, since flags may have blanks. */
function wordsOf(value: NgValue | undefined, separator: string | RegExp = ','): string[] {
  if (value === undefined) return [];
  const items: readonly NgValue[] = Array.isArray(value)
    ? value
    : typeof value === 'string'
      ? value.split(separator)
      : [value];

  return items.flatMap((item) => (typeof item === 'object' ? [] : fold(String(item).trim()) || []));
}

function asksForSomething(value: NgValue): boolean {
  if (typeof value !== 'object') return wordsOf(value).some((word) => !OFF.has(word));

  return Array.isArray(value) ? value.some(asksForSomething) : Object.keys(value).length > 0;
}

function shown(value: NgValue): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);

  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
