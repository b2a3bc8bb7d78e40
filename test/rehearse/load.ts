/**
 * A steady load of whole calls: offer, answer, re-offer with its answer, delete. Open loop: calls begin at their time,
 * whatever became of those before. Half of them come as SIP proxies send them, half as JSON.
 */

import { buildSdp } from '../lab/sdp.ts';

/** What the nodes of a rehearsal are on the outer side: `outerAddress(3)` is that of node 3. */
export const outerAddress = (node: number): string => `198.51.100.${node}`;

/** Time from the answered offer to the answer, ms. */
const RING_MS = 50;
/** How long a call lasts, ms. */
const HOLD_MS = { least: 2000, most: 4000 } as const;
/** Calls that may exist at a time; those beyond are left out and counted. */
const MAX_CALLS = 600;
/** The longest a client waits for any answer, ms: twice what the appliance allows itself. */
const CLIENT_TIMEOUT_MS = 2000;

/** One request and what came of it. */
export interface Outcome {
  /** UTC ms at which it was sent. */
  readonly at: number;
  readonly ms: number;
  /** HTTP status; 0 if there was no answer at all. */
  readonly status: number;
  readonly text: string;
}

/** A request of a call that exists. */
export interface BoundOutcome extends Outcome {
  readonly operation: 'answer' | 're-offer' | 're-answer' | 'delete';
}

/** One call of the load. */
export interface CallRecord {
  readonly callId: string;
  readonly offer: Outcome;
  /** Where it was placed; null if it was not. */
  readonly node: number | null;
  readonly bound: BoundOutcome[];
}

export function isGood({ status }: Outcome): boolean {
  return status >= 200 && status <= 299;
}

/** How one kind of client writes its requests. */
interface Client {
  offer(callId: string): Request;
  answer(callId: string): Request;
  reOffer(callId: string): Request;
  reAnswer(callId: string): Request;
  end(callId: string): Request;
}

const sdpOf = (side: 'caller' | 'callee', version: number): string =>
  side === 'caller'
    ? buildSdp({ address: '10.1.1.1', port: 4000, version })
    : buildSdp({ address: '203.0.113.9', port: 5000, version });

function jsonClient(url: string): Client {
  const post = (operation: string, body: object): Request =>
    new Request(`${url}/v1/media/${operation}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ 'from-tag': 'a', ...body }),
    });
  const inDialog = { 'to-tag': 'b' };

  return {
    offer: (id) => post('offer', { 'call-id': id, direction: 'out', sdp: sdpOf('caller', 1) }),
    answer: (id) => post('answer', { 'call-id': id, ...inDialog, sdp: sdpOf('callee', 1) }),
    reOffer: (id) => post('offer', { 'call-id': id, ...inDialog, sdp: sdpOf('caller', 2) }),
    reAnswer: (id) => post('answer', { 'call-id': id, ...inDialog, sdp: sdpOf('callee', 2) }),
    end: (id) => post('delete', { 'call-id': id }),
  };
}

function proxyClient(url: string): Client {
  const post = (id: string, query: string, sdp = ''): Request =>
    new Request(`${url}/v1/media/auto?call-id=${encodeURIComponent(id)}&from-tag=a&${query}`, {
      method: 'POST',
      headers: { 'content-type': sdp === '' ? 'text/plain' : 'application/sdp' },
      body: sdp,
    });

  return {
    offer: (id) => post(id, 'cseq=1&method=INVITE&dir=out', sdpOf('caller', 1)),
    answer: (id) => post(id, 'to-tag=b&cseq=1&method=INVITE&status=200', sdpOf('callee', 1)),
    reOffer: (id) => post(id, 'to-tag=b&cseq=2&method=INVITE', sdpOf('caller', 2)),
    reAnswer: (id) => post(id, 'to-tag=b&cseq=2&method=INVITE&status=200', sdpOf('callee', 2)),
    end: (id) => post(id, 'to-tag=b&cseq=3&method=BYE'),
  };
}

export class Load {
  /** Calls whose offer has been answered, in the order of the answers. */
  readonly calls: CallRecord[] = [];
  /** Calls that were not begun because too many existed. */
  leftOut = 0;
  /** How late the generator itself began a call at most, ms: a measure of how busy the machine is. */
  lateMs = 0;
  readonly #clients: readonly Client[];
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  readonly #running = new Set<Promise<void>>();
  #begun = 0;
  #timer: Timer | undefined;

  constructor(
    url: string,
    readonly rate: number,
  ) {
    this.#clients = [proxyClient(url), jsonClient(url)];
  }

  /** Begins calls from now on; nothing if the rate is 0. */
  start(): void {
    if (this.rate === 0) return;
    const start = performance.now();
    this.#timer = setInterval(() => {
      const passed = performance.now() - start;
      for (; (this.#begun * 1000) / this.rate <= passed; this.#begun++) {
        this.lateMs = Math.max(this.lateMs, passed - (this.#begun * 1000) / this.rate);
        this.#begin(this.#begun);
      }
    }, 2);
  }

  /** Begins no more calls, and waits until those there are have ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #begin(index: number): void {
    const client = this.#clients[index % this.#clients.length];
    if (client === undefined) return;
    if (this.#running.size >= MAX_CALLS) {
      this.leftOut++;

      return;
    }
    const call = this.#call(`${this.#prefix}-${index}@rehearsal`, client);
    this.#running.add(call);
    call.finally(() => this.#running.delete(call));
  }

  async #call(callId: string, client: Client): Promise<void> {
    const offer = await send(client.offer(callId));
    const record: CallRecord = { callId, offer, node: isGood(offer) ? nodeIn(offer.text) : null, bound: [] };
    this.calls.push(record);
    if (!isGood(offer)) return;
    const bound = async (operation: BoundOutcome['operation'], request: Request): Promise<boolean> => {
      const outcome = await send(request);
      record.bound.push({ operation, ...outcome });

      return isGood(outcome);
    };
    await Bun.sleep(RING_MS);
    const half = (HOLD_MS.least + (HOLD_MS.most - HOLD_MS.least) * Math.random()) / 2;
    if (await bound('answer', client.answer(callId))) {
      await Bun.sleep(half);
      if (await bound('re-offer', client.reOffer(callId))) await bound('re-answer', client.reAnswer(callId));
      await Bun.sleep(half);
    }
    await bound('delete', client.end(callId));
  }
}

async function send(request: Request): Promise<Outcome> {
  const at = Date.now();
  const begin = performance.now();
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(CLIENT_TIMEOUT_MS) });
    const text = await response.text();

    return { at, ms: performance.now() - begin, status: response.status, text };
  } catch (error) {
    return { at, ms: performance.now() - begin, status: 0, text: String(error) };
  }
}

/** Which node an SDP comes from: by the address in it, as whoever reads it would know. */
function nodeIn(text: string): number | null {
  const found = /c=IN IP4 198\.51\.100\.(\d+)/.exec(text)?.[1];

  return found === undefined ? null : Number(found);
}
