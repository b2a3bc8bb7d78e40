/** Takes replies to clients through one UDP socket, and says what became of them. Nothing in here throws. */

/** Sends a datagram; false if the system cannot take it just now. May throw. */
export type SendDatagram = (bytes: Buffer, port: number, address: string) => boolean;

/** What became of replies, of all sockets together. */
export interface OutboxCounters {
  /** Taken by the system. */
  sent: number;
  /** Refused by the system, or by a full queue. Their clients ask again. */
  lost: number;
}

/** Replies that wait while the system's send buffer is full; those beyond are lost. */
export const MAX_UNSENT = 256;
/**
 * A socket tells the error of an earlier datagram (a client is gone, ICMP says) when the next one is to be sent, whoever that goes to,
 * and does not send it. Once told the error is over, so it is tried again.
 */
const TRIES = 3;

interface Unsent {
  readonly bytes: Buffer;
  readonly port: number;
  readonly address: string;
}

export class Outbox {
  readonly #send: SendDatagram;
  readonly #counters: OutboxCounters;
  #unsent: Unsent[] = [];

  constructor(send: SendDatagram, counters: OutboxCounters) {
    this.#send = send;
    this.#counters = counters;
  }

  put(bytes: Buffer, port: number, address: string): void {
    if (this.#unsent.length === 0 && this.#isDone(bytes, port, address)) return;
    if (this.#unsent.length < MAX_UNSENT) this.#unsent.push({ bytes, port, address });
    else this.#counters.lost++;
  }

  /** The system can take datagrams again. */
  resume(): void {
    const left = this.#unsent.findIndex(({ bytes, port, address }) => !this.#isDone(bytes, port, address));
    this.#unsent = left < 0 ? [] : this.#unsent.slice(left);
  }

  /** Whether a reply was sent or lost; false if it has to wait. */
  #isDone(bytes: Buffer, port: number, address: string): boolean {
    for (let left = TRIES; left > 0; left--) {
      try {
        if (!this.#send(bytes, port, address)) return false;
        this.#counters.sent++;

        return true;
      } catch {
        // The last try says whether the error is that of this very reply, such as an address without a route.
      }
    }
    this.#counters.lost++;

    return true;
  }
}
