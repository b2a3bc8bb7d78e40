/** The fake node's datagrams: framing, encodings and their errors as rtpengine 10.5 has them (reference: ng-protocol 1.1). */

import type { NgDict } from '../driver.ts';
import { DecodeError, decode, encodeText, isDict } from './bencode.ts';
import { error } from './fake-message.ts';
import { decodeJson, encodeJson } from './json.ts';

const UNDECODABLE = 'Could not decode bencode dictionary';

/** The reply to a payload, in the payload's encoding, cookie included. `handle` does what a readable message asks. */
export function answerDatagram(cookie: string, payload: Buffer, handle: (message: NgDict) => NgDict): Buffer {
  const bencode = (reply: NgDict): Buffer => Buffer.from(`${cookie} ${encodeText(reply)}`, 'latin1');
  const first = payload[0];
  if (first === undefined) return bencode(error('Invalid data (no payload)'));
  if (first === 0x7b) {
    const message = decodeJson(payload);
    const isJson = !(message instanceof DecodeError) || message.reason !== 'not JSON';
    const problem = error(isJson ? UNDECODABLE : 'Failed to parse JSON document');
    const reply = message instanceof DecodeError ? problem : handle(message);

    return Buffer.concat([Buffer.from(`${cookie} `, 'latin1'), encodeJson(reply)]);
  }
  if (first !== 0x64) return bencode(error('Invalid NG data format'));
  const message = decode(payload);

  return bencode(message instanceof DecodeError || !isDict(message) ? error(UNDECODABLE) : handle(message));
}

/** A reply nobody can read, its cookie kept; for `chance` below one half the body is empty, as 13.5 answers what it cannot decode. */
export function spoil(reply: Buffer, chance: number): Buffer {
  const start = reply.subarray(0, reply.indexOf(0x20) + 1);

  return chance < 0.5 ? start : Buffer.concat([start, Buffer.from('d6:result9:cut')]);
}
