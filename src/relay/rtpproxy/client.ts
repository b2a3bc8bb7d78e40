/** Sends commands to an rtpproxy over whichever socket it listens at (reference: rtpproxy-protocol 2). */

import type { ControlSocket } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import type { RelayFailure } from '../driver.ts';
import type { WireCounters } from '../wire/counters.ts';
import { type Codec, DatagramClient, type DatagramLimits } from '../wire/datagram-client.ts';
import type { OpenDatagrams } from '../wire/datagrams.ts';
import { decodeReply, encodeCommand, MAX_COMMAND_BYTES } from './framing.ts';
import { ONE_SHOT, PERSISTENT, StreamClient, WINDOW } from './stream-client.ts';
import type { OpenStream } from './streams.ts';

/** The control socket of one node. */
export interface RtpproxyClient {
  /**
   * Sends a command, without cookie and newline, and returns the reply without cookie and last newline; both are byte strings.
   * `deadline` is in monotonic milliseconds. Over a stream only the number of `lines` tells where a reply ends; an error is one line
   * whatever was asked for. Failures: `silent`, `unreachable`, `garbled`, `busy`, `too-large`, `rejected`. Never throws.
   */
  request(command: string, deadline: number, lines?: number): Promise<string | RelayFailure>;
  /** Smoothed round trip, ms; null before the first one was measured. */
  readonly rttMs: number | null;
  /** Requests sent and not yet answered. */
  readonly inFlight: number;
  /** Requests not yet sent. */
  readonly waiting: number;
  readonly counters: Readonly<WireCounters>;
  /** Ends everything under way as `unreachable` and closes the socket. */
  close(): void;
}

export interface RtpproxyClientOptions {
  /** As for datagrams; streams send nothing twice. */
  readonly retransmitMs?: number;
  /** Called when a reply comes to a request given up: too late for that one, but the node lives. */
  readonly onLate?: (() => void) | undefined;
  /** Start of every cookie, without spaces; 96 random bits by default. */
  readonly cookiePrefix?: string;
  /** Where to count, maybe together with others; by itself if missing. */
  readonly counters?: WireCounters | undefined;
  /** Open the sockets; those of the system by default. */
  readonly openDatagrams?: OpenDatagrams | undefined;
  readonly openStream?: OpenStream | undefined;
}

/** The daemon's receive buffer of 16 KiB loses datagrams where more than 24 commands are in flight. */
const LIMITS: DatagramLimits = { window: WINDOW, requestBytes: MAX_COMMAND_BYTES };

const CODEC: Codec<string, string> = {
  encode: encodeCommand,
  decode: (body) => decodeReply(body.toString('latin1')),
};

/** The client of one rtpproxy node. Opens its socket with the first request; `close` gives it back. */
export function createRtpproxyClient(
  address: ControlSocket,
  clock: Clock,
  options: RtpproxyClientOptions = {},
): RtpproxyClient {
  const { openDatagrams, openStream, ...rest } = options;
  if (address.transport === 'udp') {
    return new DatagramClient(address, clock, CODEC, LIMITS, { ...rest, open: openDatagrams });
  }
  const use = address.transport === 'unix' ? ONE_SHOT : PERSISTENT;

  const { onLate, counters } = options;

  return new StreamClient(address, clock, use, { onLate, open: openStream, counters });
}
