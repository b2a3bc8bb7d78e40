/** One stream to a node, and what is expected over it: replies come in the order of the commands (reference: rtpproxy-protocol 2). */

import { RelayFailure } from '../driver.ts';
import { decodeReply, lengthOfReply, MAX_REPLY_BYTES } from './framing.ts';
import type { ByteStream, OpenStream, StreamAddress } from './streams.ts';

/**
 * How long a node may take to accept, and how long it may stay silent after it owed a reply, ms. Longer than the system waits to
 * repeat a lost SYN (1 s); then another stream is the better chance.
 */
export const PATIENCE_MS = 1500;

/** A command that was sent, or is to be. */
export interface Order {
  readonly command: string;
  /** Lines of its reply. */
  readonly lines: number;
  /** Monotonic ms, as all times here. */
  readonly deadline: number;
  readonly end: (outcome: string | RelayFailure) => void;
  sentAt: number;
  /** Whether `end` was called; its reply may come all the same, and the next one belongs to the next order. */
  hasEnded: boolean;
}

/** What a connection tells its owner; never from within `send` or `close`. */
export interface ConnectionEvents {
  onOpen(): void;
  /** Each order that was sent, in turn; `garbled` if the reply cannot be read. */
  onReply(order: Order, reply: string | RelayFailure): void;
  /** All that came has been told: there may be room for more. */
  onRead(): void;
  /** Something came that nobody asked for. */
  onUnknown(): void;
  /** Not opened, or over: what is left of `orders` gets no reply. `error` if the node did not just close it. The last event. */
  onEnd(error: Error | undefined): void;
}

export class Connection {
  readonly #events: ConnectionEvents;
  readonly #endsReply: boolean;
  readonly #stream: ByteStream;
  /** Orders whose reply is to come, oldest first. */
  readonly #awaited: Order[] = [];
  /** What came and is no whole reply yet. */
  #text = '';
  #isOpen = false;
  /** When something last happened that gives hope. */
  #heardAt: number;

  /** `endsReply`: there is one order, and its reply is all that comes before the node closes the connection (`unix`). */
  constructor(
    open: OpenStream,
    address: StreamAddress,
    now: () => number,
    endsReply: boolean,
    events: ConnectionEvents,
  ) {
    this.#events = events;
    this.#endsReply = endsReply;
    this.#heardAt = now();
    this.#stream = open(address, {
      onOpen: () => {
        this.#isOpen = true;
        this.#heardAt = now();
        events.onOpen();
      },
      onData: (bytes) => {
        this.#heardAt = now();
        this.#text += bytes.toString('latin1');
        this.#read();
      },
      onEnd: (error) => this.#onEnd(error),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Replies to come, those nobody waits for any more included. */
  get awaited(): number {
    return this.#awaited.length;
  }

  /** Orders that have not ended. */
  get orders(): readonly Order[] {
    return this.#awaited.filter(({ hasEnded }) => !hasEnded);
  }

  send(orders: readonly Order[]): void {
    this.#awaited.push(...orders);
    this.#stream.send(Buffer.from(orders.map(({ command }) => `${command}\n`).join(''), 'latin1'));
  }

  /** Whether there is nothing to hope for: the replies behind one that does not come cannot come either. */
  isStuck(now: number): boolean {
    const [head] = this.#awaited;
    if (this.#isOpen && !head?.hasEnded) return false;

    return now - Math.max(this.#heardAt, head?.deadline ?? 0) >= PATIENCE_MS;
  }

  /** No event comes any more. */
  close(): void {
    this.#stream.close();
  }

  #read(): void {
    while (!this.#endsReply && this.#awaited.length > 0) {
      const length = lengthOfReply(this.#text, this.#awaited[0]?.lines ?? 1);
      if (length === undefined || length > MAX_REPLY_BYTES) break;
      const reply = decodeReply(this.#text.slice(0, length));
      this.#text = this.#text.slice(length);
      this.#answer(reply);
    }
    if (this.#text.length > MAX_REPLY_BYTES && this.#awaited.length > 0) {
      this.#answer(new RelayFailure('garbled', `the reply has more than ${MAX_REPLY_BYTES} bytes`));
      this.#breakOff();
    } else if (this.#text !== '' && this.#awaited.length === 0) {
      this.#events.onUnknown();
      this.#breakOff();
    } else this.#events.onRead();
  }

  #answer(reply: string | RelayFailure): void {
    const order = this.#awaited.shift();
    if (order !== undefined) this.#events.onReply(order, reply);
  }

  /** What comes next would be taken for what it is not. */
  #breakOff(): void {
    this.close();
    this.#events.onEnd(undefined);
  }

  #onEnd(error: Error | undefined): void {
    if (this.#endsReply && this.#text.endsWith('\n')) this.#answer(decodeReply(this.#text));
    else if (this.#text !== '') this.#answer(new RelayFailure('garbled', 'the reply is cut off'));
    this.#events.onEnd(error);
  }
}
