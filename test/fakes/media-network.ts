/** The way between two parties of a probe call, as a test wants it: what one sends through the relay comes to the other. */

import type { SocketAddress } from '../../src/domain/node.ts';
import type { MediaEvents, MediaNetwork, MediaSocket } from '../../src/probe/network.ts';
import { readRtp } from '../../src/probe/rtp.ts';
import type { FakeClock } from './clock.ts';

/** A packet on its way, and which party sent it: 0 is the one whose socket was opened first, the caller. */
export interface OnItsWay {
  readonly from: 0 | 1;
  readonly to: SocketAddress;
  /** Counted from 0 for each party. */
  readonly index: number;
}

/** What becomes of a packet: how long each copy takes, ms; none is a loss. */
export type Fate = (packet: OnItsWay) => readonly number[];

/** Any packet, once, after 2 ms. */
export const PASSES: Fate = () => [2];

export class FakeNetwork implements MediaNetwork {
  fate: Fate = PASSES;
  /** Whether there is a way to a host from here. */
  reaches: (host: string) => boolean = () => true;
  /** Whether the system has sockets to give. */
  hasSockets = true;
  /** Where packets were sent to, in order. */
  readonly sent: OnItsWay[] = [];
  readonly #clock: FakeClock;
  readonly #pairs: { events: MediaEvents; count: number; isClosed: boolean }[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** Sockets nobody has closed. */
  get openSockets(): number {
    return this.#pairs.filter(({ isClosed }) => !isClosed).length;
  }

  async localTowards(host: string): Promise<string | undefined> {
    return this.reaches(host) ? (host.includes(':') ? 'fd00::99' : '10.0.0.99') : undefined;
  }

  async open(_address: string, events: MediaEvents): Promise<MediaSocket | undefined> {
    if (!this.hasSockets) return undefined;
    const mine = this.#pairs.length;
    const socket = { events, count: 0, isClosed: false };
    this.#pairs.push(socket);

    return {
      port: 40_000 + 2 * mine,
      send: (bytes, to) => {
        if (!this.reaches(to.host)) return false;
        if (readRtp(bytes) === undefined) throw new Error('this is no RTP');
        const packet: OnItsWay = { from: mine % 2 === 0 ? 0 : 1, to, index: socket.count++ };
        this.sent.push(packet);
        // The sender uses its buffer again.
        const copy = Buffer.from(bytes);
        for (const delay of this.fate(packet))
          void this.#carry(copy, mine % 2 === 0 ? mine + 1 : mine - 1, delay);

        return true;
      },
      close: () => {
        socket.isClosed = true;
      },
    };
  }

  /** Somebody says that nobody listens where the party sends to. */
  refuse(party: 0 | 1): void {
    this.#pairs[party]?.events.onRefused();
  }

  async #carry(bytes: Buffer, to: number, delay: number): Promise<void> {
    await this.#clock.until(this.#clock.monotonic() + delay);
    const socket = this.#pairs[to];
    if (socket?.isClosed === false) socket.events.onPacket(bytes);
  }
}
