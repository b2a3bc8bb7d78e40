/** The network of the wire tests with ng messages in its datagrams, and the recorded exchanges. */

import { readdirSync, readFileSync } from 'node:fs';
import type { NgValue } from '../../../../src/relay/driver.ts';
import { DecodeError, decode, encodeText, isDict } from '../../../../src/relay/ng/bencode.ts';
import { FakeNet as WireNet } from '../wire/harness.ts';

export { FakeClock, refusal, settle } from '../wire/harness.ts';

/** One socket's worth of network that speaks ng. */
export class FakeNet extends WireNet {
  /** Message of the n-th datagram sent. */
  message(index: number): Readonly<Record<string, NgValue>> {
    const datagram = this.sent.at(index) ?? '';
    const message = decode(Buffer.from(datagram.slice(datagram.indexOf(' ') + 1), 'latin1'));
    if (message instanceof DecodeError || !isDict(message))
      throw new Error(`no message was sent: ${datagram}`);

    return { ...message };
  }

  /** Answers the n-th datagram sent. */
  reply(index: number, value: NgValue): void {
    this.answer(index, encodeText(value));
  }
}

/** A recorded exchange; see the README of the fixtures. */
export interface Fixture {
  readonly file: string;
  readonly scenario: string;
  readonly step: number;
  readonly transport: string;
  readonly request: FixtureSide;
  readonly response: FixtureSide | null;
}

export interface FixtureSide {
  readonly format?: string;
  readonly payload?: unknown;
  readonly undecodable?: unknown;
  readonly raw_base64?: string;
}

const FOLDER = new URL('../../../fixtures/ng/', import.meta.url).pathname;

/** All recorded exchanges, those of other versions included. */
export function readFixtures(): Fixture[] {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' });

  return files
    .filter((file) => file.endsWith('.json') && !file.endsWith('index.json'))
    .sort()
    .map((file) => ({ ...(JSON.parse(readFileSync(FOLDER + file, 'utf8')) as Fixture), file }));
}

/** The payload of a recorded datagram, without its cookie. */
export function bodyOf(side: FixtureSide): Buffer | undefined {
  if (side.raw_base64 === undefined) return undefined;
  const bytes = Buffer.from(side.raw_base64, 'base64');
  const space = bytes.indexOf(0x20);

  return space < 0 ? undefined : bytes.subarray(space + 1);
}

/** Turns byte strings into what the recorder wrote: UTF-8 where the bytes are that, else latin-1. */
export function readable(value: NgValue): unknown {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'latin1');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return value;
    }
  }
  if (!isDict(value)) return [...value].map(readable);

  return Object.fromEntries(Object.entries(value).map(([key, item]) => [readable(key), readable(item)]));
}
