/** The ng protocol over datagrams: bencoded dictionaries in both directions (reference: ng-protocol 1 and 2). */

import type { SocketAddress } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import { type NgDict, RelayFailure } from '../driver.ts';
import {
  type Codec,
  DatagramClient,
  type DatagramLimits,
  type DatagramOptions,
} from '../wire/datagram-client.ts';
import { DecodeError, decode, encodeText, isDict } from './bencode.ts';

/**
 * rtpengine's receive buffer loses datagrams from about 150 requests in flight on (ng-protocol 1.4). What a request leaves free of a
 * datagram is for what the reply adds to it (1.3).
 */
export const LIMITS: DatagramLimits = { window: 64, requestBytes: 60_000 };

/** Requests to one rtpengine; replies come as they are, whatever their `result` says. */
export type NgClient = DatagramClient<NgDict, NgDict>;

const CODEC: Codec<NgDict, NgDict> = {
  encode(message) {
    try {
      return encodeText(message);
    } catch (error) {
      // A defect of ours, but a relay driver never throws; nothing was sent.
      return new RelayFailure('rejected', `the message cannot be encoded: ${String(error)}`);
    }
  },
  decode(body) {
    // 13.5 answers what it cannot decode with an empty body (ng-protocol 1.1).
    const reply = body.length === 0 ? new DecodeError('empty body', 0) : decode(body);
    if (!(reply instanceof DecodeError)) return isDict(reply) ? reply : unreadable('no dictionary');
    const [code] = /^E\d{1,4}(?=\s*$)/.exec(Buffer.from(body.subarray(0, 8)).toString('latin1')) ?? [];
    if (code !== undefined)
      return unreadable(`it is "${code}", as an rtpproxy says; then the node should be of the kind rtpproxy`);

    return unreadable(`${reply.reason} at byte ${reply.offset}`);
  },
};

/** The client of one rtpengine node. Opens its socket with the first request; `close` gives it back. */
export function createNgClient(
  address: SocketAddress,
  clock: Clock,
  options: DatagramOptions = {},
): NgClient {
  return new DatagramClient(address, clock, CODEC, LIMITS, options);
}

function unreadable(reason: string): RelayFailure {
  return new RelayFailure('garbled', `the reply cannot be read: ${reason}`);
}
