/**
 * Tells other programs of events by HTTP POST: in order, at least once, one request at a time for each URL. How far each
 * has been told is in the database, and so are the events: what cannot be delivered waits there, not in memory, until
 * retention removes it. Trouble goes to the log only; an event of it would be the next thing to deliver.
 */

import { SQLiteError } from 'bun:sqlite';
import { type EventRows, lets, type StoredEvent } from '../store/event-rows.ts';
import { explain } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { version } from '../util/version.ts';
import { eventResource } from './resource.ts';

/** Events in one request. */
const BATCH = 100;
/** Wait after a failure, ms: doubled each time, up to the limit, and spread by that part to both sides. */
const BACK_OFF = { first: 1000, max: 300_000, spread: 0.2 } as const;
/** The signature of the body: `sha256=` and the HMAC-SHA256 in hex. */
const SIGNATURE = 'X-Rtp-Cluster-Signature';

export interface WebhookSettings {
  readonly urls: readonly string[];
  /** Patterns of the kinds they are told of. */
  readonly kinds: readonly string[];
  /** Key of the signature, '' for none. */
  readonly secret: string;
  /** How long a receiver may take to answer. */
  readonly timeoutMs: number;
}

/** Sends a request; `fetch`, or what a test gives. */
export type Post = (url: string, init: RequestInit) => Promise<Response>;

/** How one webhook is doing. */
export interface WebhookState {
  /** Host and port of its URL: the rest is often a secret. */
  readonly host: string;
  /** Events it has not been told of yet, or that are of no interest to it. */
  readonly backlog: number;
  /** Since the start: events delivered, requests that failed, and events pruned before they could be told. */
  readonly counters: { readonly delivered: number; readonly failed: number; readonly pruned: number };
}

/** Webhooks that are being told. */
export interface Webhooks {
  /** In the order of the URLs. */
  states(): WebhookState[];
  /** Ends it, requests under way included, and resolves when nothing is left of it. */
  stop(): Promise<void>;
}

/** Starts telling. `told` says how far each URL has been told already (`EventRows.webhooks`). */
export function startWebhooks(
  store: Store,
  clock: Clock,
  settings: WebhookSettings,
  told: ReadonlyMap<string, number>,
  post: Post = fetch,
): Webhooks {
  const hooks = settings.urls.map((url) => {
    const last = told.get(url);
    const hook = new Webhook(url, last ?? store.events.lastId, { store, clock, settings, post });
    // A new one begins now, and is known from now on.
    if (last === undefined) store.noteWebhook(url, store.events.lastId);

    return { hook, running: hook.run() };
  });

  return {
    states: () => hooks.map(({ hook }) => hook.state),
    async stop() {
      for (const { hook } of hooks) hook.stop();
      await Promise.all(hooks.map(({ running }) => running));
    },
  };
}

interface Parts {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: WebhookSettings;
  readonly post: Post;
}

class Webhook {
  readonly #counters = { delivered: 0, failed: 0, pruned: 0 };
  readonly #url: string;
  /** For the log. Paths of such URLs are often secrets. */
  readonly #name: string;
  readonly #parts: Parts;
  readonly #events: EventRows;
  readonly #stopped = new AbortController();
  /** Id of the last event that needs not be told any more, and the one the database knows of. */
  #last: number;
  #saved: number;
  /** Failures in a row; 0 while all is well. */
  #failures = 0;
  /** When the first of them was, monotonic ms. */
  #failingSince = 0;
  /** Events that were pruned since then before they could be told, or looked at. */
  #pruned = 0;
  #isBackingOff = false;
  #wake: () => void = () => undefined;

  constructor(url: string, last: number, parts: Parts) {
    this.#url = url;
    this.#name = new URL(url).host;
    this.#parts = parts;
    this.#events = parts.store.events;
    // A database that lost its end gives ids anew.
    this.#last = Math.min(last, this.#events.lastId);
    this.#saved = last;
  }

  get state(): WebhookState {
    return {
      host: this.#name,
      backlog: Math.max(0, this.#events.lastId - this.#last),
      counters: this.#counters,
    };
  }

  stop(): void {
    this.#stopped.abort();
    this.#wake();
  }

  async run(): Promise<void> {
    const { signal } = this.#stopped;
    const stopListening = this.#events.onNew(() => {
      if (!this.#isBackingOff) this.#wake();
    });
    while (!signal.aborted) {
      // Made before the read, so that an event between the two wakes.
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const slice = this.#read();
      if (typeof slice === 'string') {
        await this.#backOff(slice, woken);
        continue;
      }
      this.#skipPruned(slice[0]);
      const last = slice.at(-1)?.id;
      if (last === undefined) {
        await woken;
        continue;
      }
      const wanted = slice.filter((event) => lets(this.#parts.settings, event));
      const problem = wanted.length === 0 ? undefined : await this.#deliver(wanted);
      if (signal.aborted && problem !== undefined) break;
      if (problem === undefined) this.#advance(last, wanted.length);
      else await this.#backOff(problem, woken);
      await new Promise((resolve) => setImmediate(resolve));
    }
    stopListening();
    this.#save();
  }

  /** The next events, or why they cannot be read. */
  #read(): StoredEvent[] | string {
    try {
      return this.#events.after(this.#last, BATCH);
    } catch (error) {
      if (error instanceof SQLiteError) return `the events cannot be read: ${explain(error)}`;
      throw error;
    }
  }

  /** Retention may have removed what was still to be looked at. */
  #skipPruned(first: StoredEvent | undefined): void {
    const before = first === undefined ? this.#events.lastId : first.id - 1;
    if (before <= this.#last) return;
    // The first time, and in all when it works again: not at each try.
    if (this.#pruned === 0) log.warning('webhook.events_pruned', { webhook: this.#name });
    this.#pruned += before - this.#last;
    this.#counters.pruned += before - this.#last;
    this.#last = before;
  }

  /** Resolves to what was wrong, or to undefined when the receiver has taken them. */
  async #deliver(events: readonly StoredEvent[]): Promise<string | undefined> {
    const { settings, post } = this.#parts;
    const body = JSON.stringify({ events: events.map(eventResource) });
    const headers: Record<string, string> = {
      'Content-Type': 'application/json',
      'User-Agent': `rtp-cluster/${version}`,
    };
    if (settings.secret !== '') {
      const mac = new Bun.CryptoHasher('sha256', settings.secret).update(body).digest('hex');
      headers[SIGNATURE] = `sha256=${mac}`;
    }
    try {
      const timeout = AbortSignal.timeout(settings.timeoutMs);
      const signal = AbortSignal.any([this.#stopped.signal, timeout]);
      const response = await post(this.#url, { method: 'POST', headers, body, redirect: 'manual', signal });
      await response.body?.cancel();
      if (response.ok) return undefined;
      const isRedirect = response.status >= 300 && response.status < 400;

      return `status ${response.status}${isRedirect ? '; redirects are not followed' : ''}`;
    } catch (error) {
      if (!(error instanceof Error)) return String(error);
      if (error.name === 'TimeoutError') return `no answer within ${settings.timeoutMs} ms`;

      return 'code' in error ? String(error.code) : error.message;
    }
  }

  #advance(last: number, delivered: number): void {
    this.#last = last;
    // Most events may be of no interest here: that is worth a write only now and then.
    if (delivered > 0 || last - this.#saved >= BATCH) this.#save();
    if (delivered === 0) return;
    this.#counters.delivered += delivered;
    if (this.#failures > 0) {
      log.info('webhook.recovered', {
        webhook: this.#name,
        failures: this.#failures,
        after_ms: Math.round(this.#parts.clock.monotonic() - this.#failingSince),
        events_pruned: this.#pruned,
      });
    }
    this.#failures = 0;
    this.#pruned = 0;
  }

  async #backOff(cause: string, woken: Promise<void>): Promise<void> {
    const { clock } = this.#parts;
    if (this.#failures === 0) {
      this.#failingSince = clock.monotonic();
      log.warning('webhook.failing', { webhook: this.#name, cause });
    }
    const ms = Math.min(BACK_OFF.first * 2 ** this.#failures, BACK_OFF.max);
    this.#failures++;
    this.#counters.failed++;
    // So that many clusters do not come back to one receiver at once.
    const stopTimer = clock.every(ms * (1 + BACK_OFF.spread * (2 * Math.random() - 1)), () => this.#wake());
    this.#isBackingOff = true;
    await woken;
    this.#isBackingOff = false;
    stopTimer();
  }

  #save(): void {
    if (this.#saved === this.#last) return;
    this.#saved = this.#last;
    this.#parts.store.noteWebhook(this.#url, this.#last);
  }
}
