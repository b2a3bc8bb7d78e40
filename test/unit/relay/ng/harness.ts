/** A clock that stands still until told, and a network made of arrays. */

import { readdirSync, readFileSync } from 'node:fs';
import type { SocketAddress } from '../../../../src/domain/node.ts';
import type { NgValue } from '../../../../src/relay/driver.ts';
import { DecodeError, decode, encodeText, isDict } from '../../../../src/relay/ng/bencode.ts';
import type { DatagramEvents, Datagrams, OpenDatagrams } from '../../../../src/relay/ng/datagrams.ts';
import type { Clock } from '../../../../src/util/clock.ts';

export class FakeClock implements Clock {
  now = 1_000_000;
  readonly #timers = new Map<number, { readonly ms: number; readonly run: () => void; next: number }>();
  #ids = 0;

  get timers(): number {
    return this.#timers.size;
  }

  monotonic(): number {
    return this.now;
  }

  utc(): number {
    return 1_800_000_000_000 + this.now;
  }

  every(ms: number, run: () => void): () => void {
    const id = ++this.#ids;
    this.#timers.set(id, { ms, run, next: this.now + ms });

    return () => this.#timers.delete(id);
  }

  /** Lets time pass, timers included. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now++;
      for (const timer of [...this.#timers.values()]) {
        if (this.now < timer.next) continue;
        timer.next += timer.ms;
        timer.run();
      }
    }
  }
}

/** One socket's worth of network: what was sent, and a way to answer. */
export class FakeNet {
  readonly sent: string[] = [];
  opened = 0;
  closed = 0;
  /** Set to make `open` fail. */
  openError: Error | undefined;
  /** What `send` does; true by default. Throws what it returns if that is an error. */
  onSend: (datagram: string) => boolean | Error = () => true;
  #events: DatagramEvents | undefined;

  readonly open: OpenDatagrams = (_address: SocketAddress, events) => {
    this.opened++;
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.#events = events;
    const socket: Datagrams = {
      send: (bytes) => {
        const datagram = Buffer.from(bytes).toString('latin1');
        const outcome = this.onSend(datagram);
        if (outcome instanceof Error) throw outcome;
        this.sent.push(datagram);

        return outcome;
      },
      close: () => {
        this.closed++;
      },
    };

    return Promise.resolve(socket);
  };

  receive(datagram: string): void {
    this.#events?.onMessage(Buffer.from(datagram, 'latin1'));
  }

  fail(error: Error): void {
    this.#events?.onError(error);
  }

  /** Reports errors of the socket open now, also after it was given up. */
  failer(): (error: Error) => void {
    const events = this.#events;

    return (error) => events?.onError(error);
  }

  /** Cookie of the n-th datagram sent; negative counts from the last one. */
  cookie(index: number): string {
    return this.sent.at(index)?.split(' ', 1)[0] ?? '';
  }

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
    this.receive(`${this.cookie(index)} ${encodeText(value)}`);
  }
}

export function refusal(): Error {
  return Object.assign(new Error('recv ECONNREFUSED'), { code: 'ECONNREFUSED' });
}

/** Lets promises that are already decided run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
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
