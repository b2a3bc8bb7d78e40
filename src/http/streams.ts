/** What all streams of server-sent events have in common. */

import { Failure } from '../domain/errors.ts';

/** Streams of a kind at once. */
const MAX_STREAMS = 64;

export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  // Without it nginx collects the stream.
  'X-Accel-Buffering': 'no',
};

/** What HEAD of a stream gets: nobody would read a body, nor end it. */
export function streamHead(): Response {
  return new Response(null, { headers: STREAM_HEADERS });
}

/** A stream; the runtime pulls, so that it holds nothing for a client that does not read. */
export interface Stream {
  start(controller: ReadableStreamDefaultController<Uint8Array>): void;
  pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void>;
  /** The client has gone. */
  cancel(): void;
  /** Ends it if its listener may not listen any more. */
  recheck(): void;
  close(): void;
}

/** The open streams of a kind. */
export class OpenStreams<S extends Stream> {
  readonly #kind: string;
  readonly #open = new Set<S>();
  #isStopped = false;

  /** @param kind what they are, for people */
  constructor(kind: string) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<S> {
    return this.#open.values();
  }

  /** Why no more can be opened, or undefined. */
  get refusal(): Failure | undefined {
    if (this.#isStopped) return new Failure('RTPC_BUSY', 'the program is stopping; connect again soon');
    if (this.#open.size < MAX_STREAMS) return undefined;

    return new Failure(
      'RTPC_BUSY',
      `${MAX_STREAMS} ${this.#kind} streams are open, which is the limit; close some`,
    );
  }

  /** Takes a stream in, until it is deleted. */
  open(stream: S): Response {
    this.#open.add(stream);

    return new Response(new ReadableStream(stream, { highWaterMark: 0 }), { headers: STREAM_HEADERS });
  }

  delete(stream: S): void {
    this.#open.delete(stream);
  }

  /** Ends the streams of those who may not listen any more. */
  recheck(): void {
    for (const stream of [...this.#open]) stream.recheck();
  }

  /** Ends all, and refuses more. */
  stop(): void {
    this.#isStopped = true;
    for (const stream of [...this.#open]) stream.close();
  }
}
