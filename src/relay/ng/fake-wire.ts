/** The fake node's datagrams, good and spoilt. */

import type { NgDict } from '../driver.ts';
import { errorReply, isJson, readPayload, writeReply } from './payload.ts';

/** The reply to a payload, in the payload's encoding, cookie included. `handle` does what a readable message asks. */
export function answerDatagram(cookie: string, payload: Buffer, handle: (message: NgDict) => NgDict): Buffer {
  const message = readPayload(payload);
  const reply = typeof message === 'string' ? errorReply(message) : handle(message);

  return writeReply(cookie, reply, isJson(payload));
}

/** A reply nobody can read, its cookie kept; for `chance` below one half the body is empty, as 13.5 answers what it cannot decode. */
export function spoil(reply: Buffer, chance: number): Buffer {
  const start = reply.subarray(0, reply.indexOf(0x20) + 1);

  return chance < 0.5 ? start : Buffer.concat([start, Buffer.from('d6:result9:cut')]);
}
