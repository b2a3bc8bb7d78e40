/**
 * The serving end of the ng protocol: payloads in both encodings, replies in that of the request, and the error texts of
 * rtpengine 10.5 (reference: ng-protocol 1.1). Shared by the ng front-end and the fake node.
 */

import type { NgDict } from '../driver.ts';
import { DATAGRAM, DecodeError, type Decoding, decode, encodeText, isDict } from './bencode.ts';
import { decodeJson, encodeJsonText, NOT_JSON } from './json.ts';

const BRACE = 0x7b;
const D = 0x64;
const UNDECODABLE = 'Could not decode bencode dictionary';

/** Whether a payload is meant as JSON, so that its reply has to be. */
export function isJson(payload: Uint8Array): boolean {
  return payload[0] === BRACE;
}

/** The message in a payload, or as a string the error text for the client. Never throws. */
export function readPayload(payload: Uint8Array, decoding: Decoding = DATAGRAM): NgDict | string {
  const first = payload[0];
  if (first === undefined) return 'Invalid data (no payload)';
  if (first !== D && first !== BRACE) return 'Invalid NG data format';
  const message = first === D ? decode(payload, decoding) : decodeJson(payload, decoding);
  // rtpengine turns JSON into bencode first, so what is JSON but no message has the error of bencode.
  if (message instanceof DecodeError)
    return message.reason === NOT_JSON ? 'Failed to parse JSON document' : UNDECODABLE;

  return isDict(message) ? message : UNDECODABLE;
}

/** A reply as it goes out, cookie included. Throws for what no ng message can hold, see `encodeText`. */
export function writeReply(cookie: string, reply: NgDict, asJson: boolean): Buffer {
  return Buffer.from(`${cookie} ${asJson ? encodeJsonText(reply) : encodeText(reply)}`, 'latin1');
}

/** The reply that says what went wrong (ng-protocol 3). */
export function errorReply(reason: string): NgDict {
  return { result: 'error', 'error-reason': reason };
}
