/** Two parties of ours talk through a relay, each to the address it was shown, and count what comes of it. */

import type { SocketAddress } from '../domain/node.ts';
import type { Clock } from '../util/clock.ts';
import type { MediaSocket } from './network.ts';
import { PACKET_MS, type Passage, RtpStream, readRtp, Tally } from './rtp.ts';

/** Packets that are counted each way. */
export const COUNTED = 25;
/** Packets after which a party that was not heard tries its next address; a relay learns from the first where they come from. */
const TRIED = 12;
/** How long the last packets may take, ms; waited for only if some are missing. */
const TAIL_MS = 500;

/** A party: where it sends to, in the order in which it tries. */
export interface Party {
  readonly socket: Pick<MediaSocket, 'send'>;
  readonly targets: readonly SocketAddress[];
}

/** One direction: from a party through the relay to the other one. */
export interface Heard extends Passage {
  /** Where its packets went to when they arrived, or at last. */
  readonly target: SocketAddress;
  /** Place of that among the party's targets. */
  readonly targetIndex: number;
  /** Whether our own host has no way to any of them, so that nothing was sent. */
  readonly isWayless: boolean;
}

class Talker {
  readonly tally = new Tally();
  isHeard = false;
  isMute = false;
  readonly #party: Party;
  readonly #stream = new RtpStream();
  readonly #clock: Clock;
  #index = 0;
  /** Which target each packet went to by which is learnt. */
  readonly #wentTo = new Map<number, number>();
  #tried = 0;
  #sent = 0;

  constructor(party: Party, clock: Clock) {
    this.#party = party;
    this.#clock = clock;
  }

  get #target(): SocketAddress {
    // There is one at least, see `converse`.
    return this.#party.targets[this.#index] as SocketAddress;
  }

  /** A packet to learn by; after some without effect the next address is tried. */
  try(): void {
    if (this.isMute) return;
    if (this.#tried >= TRIED && !this.isHeard) this.#next();
    if (this.isMute) return;
    this.#tried++;
    this.#wentTo.set(this.#stream.seq, this.#index);
    if (!this.#send() && !this.isHeard) this.#next();
  }

  /** Nobody listens where it sends to. Whether that is about the last target, or late news of one before, nobody can tell. */
  refused(): void {
    // A port that is about to be opened may refuse the first packet.
    if (!this.isHeard && this.#tried > 1 && this.#hasNext) this.#next();
  }

  count(): void {
    this.tally.sent(this.#stream.seq, this.#clock.monotonic());
    this.#send();
  }

  /** What came in at the other end; says whether it is of this talker. */
  hear(bytes: Uint8Array): boolean {
    const packet = readRtp(bytes);
    if (packet?.ssrc !== this.#stream.ssrc) return false;
    // Where the way is long, the next target was tried already when the first packet came through by another.
    if (!this.isHeard) this.#index = this.#wentTo.get(packet.seq) ?? this.#index;
    this.isHeard = true;
    this.isMute = false;
    this.tally.came(packet.seq, this.#clock.monotonic());

    return true;
  }

  get heard(): Heard {
    return {
      ...this.tally.passage,
      target: this.#target,
      targetIndex: this.#index,
      isWayless: this.#sent === 0,
    };
  }

  get #hasNext(): boolean {
    return this.#index + 1 < this.#party.targets.length;
  }

  #send(): boolean {
    const isSent = this.#party.socket.send(this.#stream.next(this.#sent === 0), this.#target);
    if (isSent) this.#sent++;

    return isSent;
  }

  #next(): void {
    this.#tried = 0;
    if (this.#hasNext) this.#index++;
    else this.isMute = true;
  }
}

/** A conversation that is about to begin: its sockets are to tell it what they hear. */
export class Conversation {
  readonly #clock: Clock;
  #talkers: readonly [Talker, Talker] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something came to the socket of a party, 0 or 1. */
  hear(at: 0 | 1, bytes: Uint8Array): void {
    this.#talkers?.[at === 0 ? 1 : 0].hear(bytes);
  }

  /** Nobody listens where a party sends to. */
  refused(party: 0 | 1): void {
    this.#talkers?.[party].refused();
  }

  /**
   * Both talk at once. Ends when all is counted, some 0.6 s, or sooner by `signal`. Each party needs a target.
   * @returns what came from the first to the second, and back
   */
  async run(one: Party, other: Party, signal: AbortSignal): Promise<readonly [Heard, Heard]> {
    const talkers = [new Talker(one, this.#clock), new Talker(other, this.#clock)] as const;
    this.#talkers = talkers;
    const { promise, resolve } = Promise.withResolvers<void>();
    let left: number | undefined;
    let tailUntil = 0;
    const tick = (): void => {
      if (signal.aborted) {
        resolve();

        return;
      }
      if (left === undefined) {
        for (const talker of talkers) talker.try();
        if (talkers.every(({ isMute }) => isMute)) resolve();
        else if (talkers.every(({ isHeard, isMute }) => isHeard || isMute)) left = COUNTED;

        return;
      }
      if (left > 0) {
        for (const talker of talkers) talker.count();
        if (--left === 0) tailUntil = this.#clock.monotonic() + TAIL_MS;

        return;
      }
      const isOver = talkers.every(({ tally, isMute }) => isMute || tally.isWhole);
      if (isOver || this.#clock.monotonic() >= tailUntil) resolve();
    };
    const stop = this.#clock.every(PACKET_MS, tick);
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort);
    tick();
    await promise;
    signal.removeEventListener('abort', onAbort);
    stop();

    return [talkers[0].heard, talkers[1].heard];
  }
}
