/** A SIP proxy's rtpengine module: a connected UDP socket, a cookie for each request, and what comes back for it. */

import type { NgDict } from '../../src/relay/driver.ts';
import { DecodeError, decode, encodeText, isDict } from '../../src/relay/ng/bencode.ts';
import { audioOf, buildSdp } from './sdp.ts';

/** Longest wait for a reply, ms. The modules ask again after 1 s; whoever wants that here does it himself. */
const PATIENCE_MS = 10_000;

/** The caller's phone is inside, the callee's outside. */
export const INNER_SDP = buildSdp({ address: '10.1.1.1', port: 4000 });
export const OUTER_SDP = buildSdp({ address: '203.0.113.9', port: 5000 });

export interface Place {
  readonly host?: string;
  readonly port: number;
}

interface Socket {
  send(bytes: Buffer): boolean;
  close(): void;
}

/** The offer of a caller inside who calls somebody outside. */
export function offerOf(callId: string, more: NgDict = {}): NgDict {
  const direction = ['priv', 'pub'];

  return { command: 'offer', 'call-id': callId, 'from-tag': 'caller', direction, sdp: INNER_SDP, ...more };
}

/** The answer of the callee to `offerOf`. */
export function answerOf(callId: string, more: NgDict = {}): NgDict {
  const tags = { 'from-tag': 'caller', 'to-tag': 'callee' };

  return { command: 'answer', 'call-id': callId, ...tags, sdp: OUTER_SDP, ...more };
}

export class NgClient {
  static readonly #open = new Set<NgClient>();
  static #opened = 0;
  /** Times the system said that nobody listens there (ICMP): what makes a proxy stay away for a minute. */
  refused = 0;
  /** Datagrams that came, by cookie, oldest first. */
  readonly #replies = new Map<string, string[]>();
  readonly #listeners = new Set<() => void>();
  readonly #cookies = `${process.pid}_${++NgClient.#opened}`;
  #sent = 0;
  #socket: Socket | undefined;

  private constructor() {}

  /** As the modules have it, the socket is connected: what comes from another address or port is not heard. */
  static async connect({ host = '127.0.0.1', port }: Place, from = host): Promise<NgClient> {
    const client = new NgClient();
    client.#socket = await Bun.udpSocket({
      hostname: from,
      connect: { hostname: host, port },
      binaryType: 'buffer',
      socket: {
        data: (_socket, bytes) => client.#take(bytes.toString('latin1')),
        error: () => void client.refused++,
      },
    });
    NgClient.#open.add(client);

    return client;
  }

  /** Closes all that are open. */
  static closeAll(): void {
    for (const client of NgClient.#open) client.close();
  }

  /** A cookie nobody has used. */
  cookie(): string {
    return `${this.#cookies}_${++this.#sent}`;
  }

  /** Sends a request once and waits for nothing. A text is the payload as it is. */
  send(cookie: string, message: NgDict | string): void {
    const payload = typeof message === 'string' ? message : encodeText(message);
    this.sendRaw(Buffer.from(`${cookie} ${payload}`, 'latin1'));
  }

  sendRaw(datagram: Buffer): void {
    try {
      this.#socket?.send(datagram);
    } catch {
      // The system tells here what became of an earlier datagram, and does not send this one.
      this.refused++;
    }
  }

  /** Replies that came for a cookie so far, as they were, without the cookie. */
  replies(cookie: string): readonly string[] {
    return this.#replies.get(cookie) ?? [];
  }

  /** Waits for so many replies to a cookie. */
  heard(cookie: string, count = 1, timeoutMs = PATIENCE_MS): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.replies(cookie).length < count) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(this.replies(cookie));
      };
      const timer = setTimeout(() => {
        this.#listeners.delete(look);
        const came = `${this.replies(cookie).length} replies of ${count} came for ${cookie}`;
        reject(new Error(`waited ${timeoutMs} ms: ${came}`));
      }, timeoutMs);
      this.#listeners.add(look);
      look();
    });
  }

  /** Asks once, and reads the reply. */
  async ask(message: NgDict | string, cookie = this.cookie()): Promise<NgDict> {
    const before = this.replies(cookie).length;
    this.send(cookie, message);
    const replies = await this.heard(cookie, before + 1);

    return read(replies.at(-1) ?? '');
  }

  close(): void {
    NgClient.#open.delete(this);
    this.#socket?.close();
  }

  #take(text: string): void {
    const space = text.indexOf(' ');
    const cookie = text.slice(0, space);
    this.#replies.set(cookie, [...this.replies(cookie), text.slice(space + 1)]);
    for (const look of [...this.#listeners]) look();
  }
}

/** A reply in either encoding; throws if it cannot be read. */
export function read(payload: string): NgDict {
  if (payload.startsWith('{')) return JSON.parse(payload) as NgDict;
  const value = decode(Buffer.from(payload, 'latin1'));
  if (value instanceof DecodeError || !isDict(value)) throw new Error(`this is no reply: ${payload}`);

  return value;
}

/** Where the reader of an offer or answer is told to send his audio; throws what the reply says instead. */
export function shown(reply: NgDict): string {
  if (reply.result !== 'ok') throw new Error(JSON.stringify(reply));

  return audioOf(String(reply.sdp)).address;
}
