/**
 * A node's HTTP side, `listen-http` of rtpengine (reference: ng-protocol 1.5): for replies that are too long for a datagram or would
 * travel in fragments, and for the commands of its CLI.
 */

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { SocketAddress } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import { type NgDict, RelayFailure } from '../driver.ts';
import { Cookies } from '../wire/cookies.ts';
import { DecodeError, decode, encode, isDict } from './bencode.ts';

/** Longest body read, bytes; a list of 100,000 calls has about 5 MB, and 20 ms go into decoding it. */
export const MAX_HTTP_BYTES = 8 * 1024 * 1024;
/** Values in one reply: such a list and some more. */
const MAX_HTTP_ITEMS = 262_144;
/** rtpengine answers any other type with 404. */
const CONTENT_TYPE = 'application/x-rtpengine-ng';
/** Timers run late, deadlines must not: requests end this much earlier, ms. */
const MARGIN_MS = 10;

/** One connection for each request: they come seconds apart, so none is kept open. Never throws. */
export class NgHttp {
  readonly #address: SocketAddress;
  readonly #clock: Clock;
  /** rtpengine remembers cookies of all transports together (ng-protocol 1.2). */
  readonly #cookies = new Cookies();
  readonly #aborts = new Set<(failure: RelayFailure) => void>();
  #isClosed = false;

  constructor(address: SocketAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
  }

  /** Sends a message and returns the reply, whatever its `result` says. */
  async ng(message: NgDict, deadline: number): Promise<NgDict | RelayFailure> {
    const cookie = `${this.#cookies.next()} `;
    let body: Buffer;
    try {
      body = Buffer.concat([Buffer.from(cookie, 'latin1'), encode(message)]);
    } catch (error) {
      // A defect of ours, but a relay monitor never throws; nothing was sent.
      return new RelayFailure('rejected', `the message cannot be encoded: ${String(error)}`);
    }
    const reply = await this.#exchange('POST', '/ng', body, deadline);
    if (reply instanceof RelayFailure) return reply;
    if (reply.toString('latin1', 0, cookie.length) !== cookie) {
      return new RelayFailure('garbled', 'the reply over HTTP has not the cookie of the request');
    }
    const value = decode(reply.subarray(cookie.length), { bytes: MAX_HTTP_BYTES, items: MAX_HTTP_ITEMS });
    if (value instanceof DecodeError) {
      return new RelayFailure(
        'garbled',
        `the reply over HTTP cannot be read: ${value.reason} at byte ${value.offset}`,
      );
    }

    return isDict(value) ? value : new RelayFailure('garbled', 'the reply over HTTP is no dictionary');
  }

  /** What the CLI prints to a command; that may be a complaint. */
  async cli(command: string, deadline: number): Promise<string | RelayFailure> {
    const path = `/cli/${command.split(' ').map(encodeURIComponent).join('+')}`;
    const reply = await this.#exchange('GET', path, undefined, deadline);

    return reply instanceof RelayFailure ? reply : reply.toString('latin1').trim();
  }

  /** Ends everything under way as `unreachable`. */
  close(): void {
    this.#isClosed = true;
    for (const abort of this.#aborts) abort(new RelayFailure('unreachable', 'this node was taken away'));
  }

  /**
   * Returns the body of a reply with status 200; no other status counts, redirections neither.
   * `fetch` is not used: Bun sends it through the proxy that HTTP_PROXY names, loopback addresses too. `node:http` knows no proxy.
   */
  #exchange(
    method: 'GET' | 'POST',
    path: string,
    body: Buffer | undefined,
    deadline: number,
  ): Promise<Buffer | RelayFailure> {
    const { host, port } = this.#address;
    const remaining = deadline - MARGIN_MS - this.#clock.monotonic();
    if (this.#isClosed) return Promise.resolve(new RelayFailure('unreachable', 'this node was taken away'));
    if (remaining <= 0) return Promise.resolve(new RelayFailure('silent', 'no time left for HTTP'));
    const headers = body === undefined ? {} : { 'content-type': CONTENT_TYPE, 'content-length': body.length };
    let exchange: ClientRequest;
    try {
      exchange = request({ host, port, method, path, headers, agent: false });
    } catch (error) {
      return Promise.resolve(new RelayFailure('unreachable', `HTTP at port ${port}: ${String(error)}`));
    }

    return new Promise((resolve) => {
      const end = (outcome: Buffer | RelayFailure): void => {
        stop();
        this.#aborts.delete(end);
        resolve(outcome);
        exchange.destroy();
      };
      const stop = this.#clock.every(remaining, () =>
        end(new RelayFailure('silent', `no reply over HTTP at port ${port} in time`)),
      );
      this.#aborts.add(end);
      exchange.on('response', (response) => {
        if (response.statusCode === 200) readBody(response, end);
        else end(new RelayFailure('rejected', `HTTP status ${response.statusCode} at port ${port}`));
      });
      exchange.on('error', (error) => {
        end(new RelayFailure('unreachable', `HTTP at port ${port}: ${error.message}`));
      });
      exchange.end(body);
    });
  }
}

/** Calls `end` with all of a body, or with what went wrong; further calls mean nothing. */
function readBody(response: IncomingMessage, end: (outcome: Buffer | RelayFailure) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const cutOff = (): void => end(new RelayFailure('garbled', 'the reply over HTTP is cut off'));
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_HTTP_BYTES) {
      end(new RelayFailure('garbled', `the reply over HTTP has more than ${MAX_HTTP_BYTES} bytes`));
    }
  });
  response.on('end', () => (response.complete ? end(Buffer.concat(chunks)) : cutOff()));
  response.on('close', cutOff);
  response.on('error', cutOff);
}
