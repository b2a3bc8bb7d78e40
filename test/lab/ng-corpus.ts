/** Requests of ng clients, as they were recorded and as SIP proxies send them to a cluster: what hostile datagrams are made of. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NgDict, NgValue } from '../../src/relay/driver.ts';
import { isDict } from '../../src/relay/ng/bencode.ts';
import { INNER_SDP, OUTER_SDP } from './ng-client.ts';

const FIXTURES = join(import.meta.dir, '..', 'fixtures', 'ng');

/** Keys and their values, in this order, the same key again and again if need be: what no dictionary can hold. */
export type Pairs = [key: string, value: NgValue][];

/** Requests as they were sent, without the cookie; of those above 8 KiB there are three. */
export function recordedPayloads(): Buffer[] {
  const payloads: Buffer[] = [];
  for (const path of [...new Bun.Glob('**/*.json').scanSync(FIXTURES)].sort()) {
    const { request } = JSON.parse(readFileSync(join(FIXTURES, path), 'utf8')) as {
      request?: { raw_base64?: string; payload?: NgDict };
    };
    if (request?.raw_base64 !== undefined) {
      const bytes = Buffer.from(request.raw_base64, 'base64');
      payloads.push(bytes.subarray(bytes.indexOf(0x20) + 1));
    } else if (isDict(request?.payload)) payloads.push(writePairs(Object.entries(request.payload)));
  }

  return payloads;
}

/** What OpenSIPS and Kamailio send to a cluster, beyond what was recorded of a relay. */
export const OF_PROXIES: readonly NgDict[] = [
  {
    sdp: INNER_SDP,
    direction: ['priv', 'pub'],
    flags: ['trust-address'],
    replace: ['origin'],
    'call-id': 'x',
    'received-from': ['IP4', '10.1.1.1'],
    'from-tag': 'caller',
    command: 'offer',
  },
  {
    supports: ['load limit'],
    sdp: INNER_SDP,
    'cluster-to': 'outer',
    'cluster-set': '0',
    'via-branch': 'z9hG4bK1',
    'call-id': 'x',
    'from-tag': 'caller',
    command: 'offer',
  },
  {
    sdp: OUTER_SDP,
    'call-id': 'x',
    'from-tag': 'caller',
    'to-tag': 'callee',
    command: 'answer',
    'rtpp-flags': 'replace-origin ICE=remove direction=pub direction=priv codec=[strip=[opus]]',
  },
  {
    sdp: OUTER_SDP,
    direction: ['pub', 'priv'],
    'call-id': 'x',
    'from-tag': 'callee',
    'to-tag': 'caller',
    command: 'offer',
  },
  { 'call-id': 'x', 'received-from': ['IP4', '0.0.0.0'], 'to-tag': 'callee', command: 'delete' },
  { 'call-id': 'x', command: 'play media', 'from-tag': 'caller', file: '/x.wav' },
];

/** Bencode of pairs, whatever they hold; what it has no form for becomes a string. */
export function writePairs(pairs: Pairs): Buffer {
  return Buffer.from(`d${pairs.map(([key, value]) => write(key) + write(value)).join('')}e`, 'latin1');
}

function write(value: NgValue | null): string {
  if (typeof value === 'number' && Number.isInteger(value)) return `i${value}e`;
  if (Array.isArray(value)) return `l${value.map(write).join('')}e`;
  if (typeof value === 'object' && value !== null) {
    return `d${Object.entries(value)
      .map(([key, item]) => write(key) + write(item))
      .join('')}e`;
  }
  const text = String(value);

  return `${text.length}:${text}`;
}
