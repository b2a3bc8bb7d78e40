/**
 * The overview and a page of nodes every 2 s, as server-sent events (WHATWG HTML, section 9.2), for as long as somebody listens. All
 * streams share one picture per tick. The runtime asks for more only while the socket takes it, so a client that does not read
 * costs no memory: it misses pictures, and gets the newest when it reads on.
 */

import type { Failure } from '../domain/errors.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { Turns } from '../util/turns.ts';
import type { Permit } from './guard.ts';
import type { NodeQuery } from './node-list.ts';
import { OpenStreams } from './streams.ts';

/** Pages of nodes kept of a picture: as many as there may be streams. */
const MAX_PAGES = 64;
/** Time between two pictures, ms. */
const TICK_MS = 2000;
/** How long a client should wait before it connects again, ms. */
const RETRY_MS = 2000;

/** What pictures are made of. */
export interface LiveSource {
  overview(): unknown;
  nodes(query: NodeQuery): unknown;
}

export class LiveStreams {
  readonly #source: LiveSource;
  readonly #clock: Clock;
  readonly #open = new OpenStreams<LiveStream>('live');
  #picture: Picture;
  #stopTick: (() => void) | undefined;

  constructor(source: LiveSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#picture = new Picture(source);
  }

  /** Streams that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** A stream of the nodes that `query` asks for, as long as `permit` says so. */
  open(query: NodeQuery, permit: Permit): Response | Failure {
    const { refusal } = this.#open;
    if (refusal !== undefined) return refusal;
    if (this.#stopTick === undefined) {
      // The last one is as old as the last listener.
      this.#picture = new Picture(this.#source);
      this.#stopTick = this.#clock.every(TICK_MS, () => this.#tick());
    }
    const stream = new LiveStream({
      query,
      permit,
      picture: () => this.#picture,
      onEnd: () => this.#close(stream),
    });

    return this.#open.open(stream);
  }

  /** Ends the streams of those who may not listen any more. */
  recheck(): void {
    this.#open.recheck();
  }

  /** Ends all streams, and opens no more. */
  stop(): void {
    this.#open.stop();
  }

  #tick(): void {
    this.#picture = new Picture(this.#source);
    this.#open.recheck();
    for (const stream of this.#open) stream.wake();
  }

  #close(stream: LiveStream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    this.#stopTick?.();
    this.#stopTick = undefined;
  }
}

/**
 * What there was at one moment, made as far as somebody asks for it, and once for all who ask for the same. Each part has a turn of the
 * event loop of its own: calls come between.
 */
class Picture {
  readonly #source: LiveSource;
  readonly #encoder = new TextEncoder();
  readonly #turns = new Turns();
  #overview: Promise<Uint8Array> | undefined;
  readonly #nodes = new Map<string, Promise<Uint8Array>>();

  constructor(source: LiveSource) {
    this.#source = source;
  }

  overview(): Promise<Uint8Array> {
    this.#overview ??= this.#message('overview', () => this.#source.overview());

    return this.#overview;
  }

  nodes(key: string, query: NodeQuery): Promise<Uint8Array> {
    let message = this.#nodes.get(key);
    if (message === undefined) {
      const [oldest] = this.#nodes.keys();
      // Whoever opens and leaves streams fast, each time with another query, must not fill the memory.
      if (this.#nodes.size >= MAX_PAGES && oldest !== undefined) this.#nodes.delete(oldest);
      message = this.#message('nodes', () => this.#source.nodes(query));
      this.#nodes.set(key, message);
    }

    return message;
  }

  /** JSON has no line breaks. */
  async #message(event: string, read: () => unknown): Promise<Uint8Array> {
    await this.#turns.next();

    return this.#encoder.encode(`event: ${event}\ndata: ${JSON.stringify(read())}\n\n`);
  }
}

interface LiveStreamParts {
  readonly query: NodeQuery;
  readonly permit: Permit;
  readonly picture: () => Picture;
  readonly onEnd: () => void;
}

/** One stream; the runtime pulls. */
class LiveStream {
  readonly #parts: LiveStreamParts;
  /** Streams with the same one have the same nodes. */
  readonly #key: string;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The picture that was sent last. */
  #sent: Picture | undefined;
  #isEnded = false;
  /** Ends the wait for the next picture. */
  wake: () => void = () => undefined;

  constructor(parts: LiveStreamParts) {
    this.#parts = parts;
    this.#key = JSON.stringify(Object.entries(parts.query).sort());
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    controller.enqueue(new TextEncoder().encode(`retry: ${RETRY_MS}\n\n`));
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { picture, query } = this.#parts;
    try {
      while (!this.#isEnded && picture() === this.#sent)
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      const now = picture();
      const messages = [await now.overview(), await now.nodes(this.#key, query)];
      if (this.#isEnded) return;
      this.#sent = now;
      for (const message of messages) controller.enqueue(message);
    } catch (error) {
      log.warning('live.stream_failed', { cause: error instanceof Error ? error.message : String(error) });
      this.close();
    }
  }

  recheck(): void {
    if (!this.#parts.permit()) this.close();
  }

  /** The client has gone. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#parts.onEnd();
    this.wake();
  }

  close(): void {
    if (this.#isEnded) return;
    this.cancel();
    this.#controller?.close();
  }
}
