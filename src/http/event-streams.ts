/**
 * Events as they happen, as server-sent events (WHATWG HTML, section 9.2). A stream holds nothing but the id up to which
 * it has read: the table is the buffer. The runtime asks for more only while the socket takes it, so a client that does
 * not read costs no memory, and the idle time-out of the server ends it.
 */

import type { Failure } from '../domain/errors.ts';
import { eventResource } from '../events/resource.ts';
import { type EventFilter, type EventRows, lets, type StoredEvent } from '../store/event-rows.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { Turns } from '../util/turns.ts';
import type { Permit } from './guard.ts';
import { OpenStreams } from './streams.ts';

/** Rows read in one turn of the event loop, whichever stream they are for: less than a millisecond. */
const SLICE = 200;
/** A stream without events says so often that it lives, ms; proxies cut what is silent for a minute. */
const KEEP_ALIVE_MS = 15_000;
/** How long a client should wait before it connects again, ms. */
const RETRY_MS = 2000;

export class EventStreams {
  readonly #events: EventRows;
  readonly #clock: Clock;
  readonly #open = new OpenStreams<EventStream>('event');
  readonly #turns = new Turns();

  constructor(events: EventRows, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * A stream of the events after the id `after`, past ones first; those to come only if undefined. It goes on for as long as
   * `permit` says so.
   */
  open(filter: EventFilter, after: number | undefined, permit: Permit): Response | Failure {
    const { refusal } = this.#open;
    if (refusal !== undefined) return refusal;
    const newest = this.#events.lastId;
    // A database that lost its end (restored, or without fsync) gives ids anew: nothing of that may be skipped.
    const last = Math.min(after ?? newest, newest);
    const onEnd = (): void => {
      stopListening();
      stopTimer();
      this.#open.delete(stream);
    };
    const parts = { events: this.#events, turns: this.#turns, permit, onEnd };
    const stream = new EventStream(parts, filter, last);
    const stopListening = this.#events.onNew(() => stream.wake());
    const stopTimer = this.#clock.every(KEEP_ALIVE_MS, () => {
      stream.recheck();
      stream.wake();
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
}

interface EventStreamParts {
  readonly events: EventRows;
  readonly turns: Turns;
  readonly permit: Permit;
  readonly onEnd: () => void;
}

/** One stream; the runtime pulls. */
class EventStream {
  readonly #events: EventRows;
  readonly #turns: Turns;
  readonly #filter: EventFilter;
  readonly #permit: Permit;
  readonly #onEnd: () => void;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Id of the last event that was read. */
  #last: number;
  #isBegun = false;
  #isEnded = false;
  /** Ends the wait for events. */
  wake: () => void = () => undefined;

  constructor({ events, turns, permit, onEnd }: EventStreamParts, filter: EventFilter, last: number) {
    this.#events = events;
    this.#turns = turns;
    this.#permit = permit;
    this.#onEnd = onEnd;
    this.#filter = filter;
    this.#last = last;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const text = await this.#next();
      if (!this.#isEnded) controller.enqueue(this.#encoder.encode(text));
    } catch (error) {
      log.warning('events.stream_failed', { cause: error instanceof Error ? error.message : String(error) });
      this.close();
    }
  }

  /** The client has gone. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd();
    this.wake();
  }

  recheck(): void {
    if (!this.#permit()) this.close();
  }

  close(): void {
    if (this.#isEnded) return;
    this.cancel();
    this.#controller?.close();
  }

  async #next(): Promise<string> {
    if (!this.#isBegun) {
      this.#isBegun = true;

      // The id alone already counts: whoever is cut before the first event goes on from here.
      return `retry: ${RETRY_MS}\nid: ${this.#last}\n\n`;
    }
    // Made before the read, so that an event between the two wakes.
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    const text = await this.#read();
    if (text !== '' || this.#isEnded) return text;
    await woken;

    return (await this.#read()) || ': keep-alive\n\n';
  }

  /** The next events the filter lets through; '' when there are none yet. */
  async #read(): Promise<string> {
    for (;;) {
      await this.#turns.next();
      this.recheck();
      if (this.#isEnded) return '';
      const slice = this.#events.after(this.#last, SLICE);
      this.#last = slice.at(-1)?.id ?? this.#last;
      const wanted = slice.filter((event) => lets(this.#filter, event));
      if (wanted.length > 0 || slice.length === 0) return wanted.map(message).join('');
    }
  }
}

/** JSON has no line breaks, and a kind is a word. */
function message(event: StoredEvent): string {
  return `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventResource(event))}\n\n`;
}
