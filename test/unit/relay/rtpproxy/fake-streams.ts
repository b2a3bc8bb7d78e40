/** Streams made of arrays: what was opened and sent, and a way to answer. */

import type { ByteStream, OpenStream, StreamEvents } from '../../../../src/relay/rtpproxy/streams.ts';

/** One stream, from the node's side. */
export class FakeStream implements ByteStream {
  /** All that came so far. */
  sent = '';
  isClosed = false;
  readonly #events: StreamEvents;

  constructor(events: StreamEvents) {
    this.#events = events;
  }

  /** The commands that came so far. */
  get commands(): readonly string[] {
    return this.sent.split('\n').slice(0, -1);
  }

  send(bytes: Uint8Array): void {
    if (this.isClosed) throw new Error('sent over a closed stream');
    this.sent += Buffer.from(bytes).toString('latin1');
  }

  close(): void {
    this.isClosed = true;
  }

  accept(): void {
    if (!this.isClosed) this.#events.onOpen();
  }

  receive(text: string): void {
    if (!this.isClosed) this.#events.onData(Buffer.from(text, 'latin1'));
  }

  /** The node closes it, or it breaks, or cannot be opened. */
  end(code?: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#events.onEnd(code === undefined ? undefined : Object.assign(new Error(code), { code }));
  }
}

/** A node that accepts streams, at once or when told. */
export class FakeStreams {
  readonly all: FakeStream[] = [];
  /** What becomes of a stream being opened: accepted, left alone, or an error code. */
  answer: 'accept' | 'nothing' | string = 'accept';

  readonly open: OpenStream = (_address, events) => {
    const stream = new FakeStream(events);
    this.all.push(stream);
    const { answer } = this;
    // Never from within `open`.
    queueMicrotask(() => {
      if (answer === 'accept') stream.accept();
      else if (answer !== 'nothing') stream.end(answer);
    });

    return stream;
  };

  /** The stream opened last. */
  get last(): FakeStream {
    const stream = this.all.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');

    return stream;
  }

  /** Streams not closed by either side. */
  get living(): number {
    return this.all.filter(({ isClosed }) => !isClosed).length;
  }
}
