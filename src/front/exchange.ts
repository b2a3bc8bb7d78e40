/**
 * From a client's datagram to the datagram that answers it: framing, encodings, retransmissions and bounds, as rtpengine has them
 * where clients can tell (reference: ng-protocol 1 and 14). What a message asks is done by somebody else.
 */

import type { NgDict } from '../relay/driver.ts';
import { type Decoding, MAX_BYTES } from '../relay/ng/bencode.ts';
import { errorReply, isJson, readPayload, writeReply } from '../relay/ng/payload.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { Duplicates } from './duplicates.ts';

/** Does what a readable message asks. It rejects only by a defect. */
export type Handle = (message: NgDict, setId: number, client: string) => Promise<NgDict>;

/** What came and how it went, since the start; datagrams each. */
export interface ExchangeCounters {
  /** Handed on to be done. */
  readonly requests: number;
  /** Retransmissions that got, or wait for, the reply of the first one. */
  readonly repeated: number;
  /** Dropped: without a cookie, or with one longer than `MAX_COOKIE`. */
  readonly unframed: number;
  /** Answered with an error since the payload is no message. */
  readonly unreadable: number;
  /** Answered with `Load limit exceeded`. */
  readonly refused: number;
  /** Done, but with a reply longer than a datagram. */
  readonly oversized: number;
  /** Ended by a defect of ours. */
  readonly defects: number;
  /** Forgotten before their time; a retransmission of one of these would be done again. */
  readonly forgotten: number;
}

/** Longest cookie, bytes. Those of the known clients have up to 40. */
export const MAX_COOKIE = 255;
/** Requests under way at a time: more than a cluster gets done while its clients are still waiting (1 s until they try again). */
export const MAX_UNDER_WAY = 4096;
/** Those beyond are refused if they are offers: what is left is for ending calls, and for those that are being set up. */
export const MAX_OFFERS = 3072;
/** Defects are logged at most so often, ms. */
const QUIET_MS = 1000;

/**
 * A request has some dozens of values; the longest lists in it are those of codecs, flags and tags. Levels and keys are bound by the
 * codec. OpenSIPS writes `direction=a direction=b` as one key twice, which rtpengine ignores (sip-proxies 7.1); here it is the list
 * that was meant, since the first one alone would be a wrong address.
 */
const REQUEST: Decoding = { bytes: MAX_BYTES, items: 2048, paired: 'direction' };

/** No reply is due. */
const SILENCE: Promise<undefined> = Promise.resolve(undefined);

export class Exchange {
  readonly #handle: Handle;
  readonly #clock: Clock;
  readonly #duplicates: Duplicates;
  readonly #counters = {
    requests: 0,
    repeated: 0,
    unframed: 0,
    unreadable: 0,
    refused: 0,
    oversized: 0,
    defects: 0,
  };
  #underWay = 0;
  /** When a defect was last logged, monotonic ms. */
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(handle: Handle, clock: Clock) {
    this.#handle = handle;
    this.#clock = clock;
    this.#duplicates = new Duplicates(clock);
  }

  get counters(): ExchangeCounters {
    return { ...this.#counters, forgotten: this.#duplicates.forgotten };
  }

  /** Requests handed on and not yet answered. */
  get underWay(): number {
    return this.#underWay;
  }

  /**
   * The reply to one datagram `COOKIE SP PAYLOAD` of a client; undefined if none is due. Never throws or rejects.
   * The bytes need to be valid only until the call returns. `client` is the IP address it came from, `setId` the set of nodes that
   * was asked: a proxy takes our ports for several relays, so the same request at another one is another request.
   */
  take(bytes: Uint8Array, client: string, setId: number): Promise<Buffer | undefined> {
    const datagram =
      bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const space = datagram.indexOf(0x20);
    if (space <= 0 || space > MAX_COOKIE) {
      this.#counters.unframed++;

      return SILENCE;
    }
    const cookie = datagram.toString('latin1', 0, space);
    const payload = datagram.subarray(space + 1);
    const key = `${client} ${setId} ${cookie}`;
    const hash = Bun.hash(payload);
    const reply = this.#duplicates.find(key, hash, payload.length);
    if (reply !== undefined) {
      this.#counters.repeated++;

      return reply;
    }
    // Refusals are not kept: nothing was done, and whoever asks again may be in luck.
    const asJson = isJson(payload);
    const message = readPayload(payload, REQUEST);
    if (typeof message === 'string') {
      this.#counters.unreadable++;

      return Promise.resolve(this.#write(cookie, errorReply(message), asJson));
    }
    if (this.#isTooMuch(message)) {
      this.#counters.refused++;

      return Promise.resolve(this.#write(cookie, errorReply('Load limit exceeded'), asJson));
    }
    const coming = this.#run(cookie, message, { setId, client, asJson });
    this.#duplicates.add(key, { hash, length: payload.length, reply: coming });

    return coming;
  }

  /** A ping asks whether we live, and waits for nobody: a proxy that gets no pong stays away for a minute. */
  #isTooMuch({ command }: NgDict): boolean {
    return command !== 'ping' && this.#underWay >= (command === 'offer' ? MAX_OFFERS : MAX_UNDER_WAY);
  }

  async #run(
    cookie: string,
    message: NgDict,
    { setId, client, asJson }: { setId: number; client: string; asJson: boolean },
  ): Promise<Buffer> {
    this.#counters.requests++;
    this.#underWay++;
    let reply: NgDict;
    try {
      reply = await this.#handle(message, setId, client);
    } catch (error) {
      reply = this.#defect(error);
    }
    this.#underWay--;
    const datagram = this.#write(cookie, reply, asJson);
    this.#duplicates.weigh(datagram.length);

    return datagram;
  }

  #write(cookie: string, reply: NgDict, asJson: boolean): Buffer {
    let datagram: Buffer;
    try {
      datagram = writeReply(cookie, reply, asJson);
    } catch (error) {
      return writeReply(cookie, this.#defect(error), asJson);
    }
    if (datagram.length <= MAX_BYTES) return datagram;
    this.#counters.oversized++;

    // rtpengine says nothing then (ng-protocol 1.3), and its client waits in vain.
    return writeReply(cookie, errorReply('Reply too large'), asJson);
  }

  /** Neither handling nor encoding ever fails, unless we made a mistake; the client shall hear of it at once all the same. */
  #defect(error: unknown): NgDict {
    this.#counters.defects++;
    const now = this.#clock.monotonic();
    if (now - this.#loggedAt >= QUIET_MS) {
      this.#loggedAt = now;
      log.error('ng.defect', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        defects: this.#counters.defects,
      });
    }

    return errorReply('Internal error');
  }
}
