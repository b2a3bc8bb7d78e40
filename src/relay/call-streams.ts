/** What relays tell of the media of one call, in one form for every kind. */

/** Where packets come from or go to. */
export interface StreamEnd {
  readonly address: string;
  readonly port: number;
}

/** One stream of a call: what the relay received from one party. Null is what this relay does not tell. */
export interface CallStream {
  /** Tag of the party that sends it; '' while nobody has answered. A byte string. */
  readonly tag: string;
  /** Which m= line, from 1. */
  readonly index: number;
  readonly isRtcp: boolean;
  /** What the relay takes it for: `PCMA/8000`. Not known before the first packet. */
  readonly codec: string | null;
  /** Port of the relay that the party sends to; the address is '' where the relay does not tell it. */
  readonly local: StreamEnd | null;
  /** Where the party is, as its packets show, and as it said itself. */
  readonly remote: StreamEnd | null;
  readonly advertised: StreamEnd | null;
  /** Packets that came, and what they carried. */
  readonly packets: number;
  readonly bytes: number | null;
  /** Packets that came and could not be passed on. */
  readonly errors: number | null;
  /** UTC ms by the relay's clock, to the second; null before the first one too. */
  readonly lastPacketAt: number | null;
  /** How well this party hears the others, by its own RTCP reports: packets lost of 100, ms, and a score of 1 to 5. */
  readonly heard: Heard | null;
}

export interface Heard {
  readonly lossPercent: number | null;
  readonly jitterMs: number | null;
  readonly mos: number | null;
}

/** Streams of a call that are told, at most. */
export const MAX_STREAMS = 256;
