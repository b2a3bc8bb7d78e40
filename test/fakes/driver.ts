/** A relay that does what a test tells it, and notes what it was asked. */

import type { CallStream } from '../../src/relay/call-streams.ts';
import {
  type DeleteRequest,
  type DeleteResult,
  type MediaReply,
  type MediaRequest,
  type NgDict,
  type RelayCall,
  type RelayDriver,
  RelayFailure,
  type RelayFailureKind,
} from '../../src/relay/driver.ts';
import type { FakeClock } from './clock.ts';

export type Operation = 'offer' | 'answer' | 'delete' | 'query' | 'command';

/** What a node was asked, in the order in which it was asked. */
export interface Asked {
  readonly node: number;
  readonly operation: Operation;
  readonly callId: string;
}

/**
 * What the relay does: an SDP it returns, a failure, `never` (silent until the deadline), or something that ends when the
 * test says so.
 */
export type Scripted = string | RelayFailure | NgDict | 'never' | Promise<string | RelayFailure | NgDict>;

/** What a relay wants remembered of a call, in place of what it is by itself: nothing, and one session. */
export type Remembered = Partial<Omit<MediaReply, 'sdp'>>;

/** A failure with a relay's typical words. @param left the memo of what the relay may have all the same */
export function fails(kind: RelayFailureKind, left?: string): RelayFailure {
  return new RelayFailure(kind, `the relay says ${kind}`, left);
}

/** The SDP a relay makes that does what it is told. */
export function anchored(address: string, family = 'IP4', port = 30_000): string {
  return [
    'v=0',
    `o=- 7 7 IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8`,
    'a=sendrecv',
    '',
  ].join('\r\n');
}

export class FakeDriver implements RelayDriver {
  readonly offers: MediaRequest[] = [];
  readonly answers: MediaRequest[] = [];
  readonly deletes: DeleteRequest[] = [];
  readonly queries: (RelayCall & { fromTag: string | undefined })[] = [];
  readonly commands: NgDict[] = [];
  /** The calls `commands` are about, in the same order. */
  readonly commanded: RelayCall[] = [];
  renewsCalls = false;
  /** What it received, of any call it has, and whether it tells so when a call is deleted. */
  received: readonly CallStream[] = [];
  tellsAtTheEnd = false;
  /** Comes with every offer and answer that is done. */
  remembered: Remembered = {};
  /** Deadlines of all requests, in order. */
  readonly deadlines: number[] = [];
  /** Calls this relay has: entered by offers, gone after deletes. */
  readonly calls = new Set<string>();
  isClosed = false;
  readonly #id: number;
  readonly #clock: FakeClock;
  readonly #trace: Asked[];
  readonly #script = new Map<Operation, Scripted[]>();
  readonly #always = new Map<Operation, Scripted>();

  /** @param trace gets what all nodes are asked, in order */
  constructor(id: number, clock: FakeClock, trace: Asked[]) {
    this.#id = id;
    this.#clock = clock;
    this.#trace = trace;
  }

  /** Scripts the next requests of a kind; later ones are done as a good relay does them. */
  next(operation: Operation, ...replies: Scripted[]): this {
    this.#script.set(operation, [...(this.#script.get(operation) ?? []), ...replies]);

    return this;
  }

  /** Scripts all requests of a kind which `next` says nothing of; undefined makes it a good relay again. */
  always(operation: Operation, reply: Scripted | undefined): this {
    if (reply === undefined) this.#always.delete(operation);
    else this.#always.set(operation, reply);

    return this;
  }

  async offer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure> {
    this.offers.push(request);
    const reply = await this.#do('offer', request.callId, deadline, () =>
      anchored(request.address, request.family),
    );
    if (typeof reply === 'string') this.calls.add(request.callId);

    return this.#asReply(reply);
  }

  async answer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure> {
    this.answers.push(request);

    return this.#asReply(
      await this.#do('answer', request.callId, deadline, () => anchored(request.address, request.family)),
    );
  }

  async delete(call: DeleteRequest, deadline: number): Promise<DeleteResult | RelayFailure> {
    this.deletes.push(call);
    const reply = await this.#do('delete', call.callId, deadline, () => ({ result: 'ok' }));
    if (reply instanceof RelayFailure) return reply;
    const found = this.calls.delete(call.callId);

    return { found, reply: asDict(reply), ...(this.tellsAtTheEnd ? { streams: this.received } : {}) };
  }

  async query(call: RelayCall, deadline: number, fromTag?: string): Promise<NgDict | RelayFailure> {
    const { callId } = call;
    this.queries.push({ ...call, fromTag });
    const reply = await this.#do('query', callId, deadline, () =>
      this.calls.has(callId) ? { result: 'ok', node: String(this.#id) } : fails('unknown-call'),
    );

    return reply instanceof RelayFailure ? reply : asDict(reply);
  }

  async streams(call: RelayCall, deadline: number): Promise<readonly CallStream[] | RelayFailure> {
    const record = await this.query(call, deadline);

    return record instanceof RelayFailure ? record : this.received;
  }

  async command(message: NgDict, call: RelayCall, deadline: number): Promise<NgDict | RelayFailure> {
    this.commands.push(message);
    this.commanded.push(call);
    const reply = await this.#do('command', call.callId, deadline, () => ({ result: 'ok' }));

    return reply instanceof RelayFailure ? reply : asDict(reply);
  }

  close(): void {
    this.isClosed = true;
  }

  #asReply(reply: string | RelayFailure | NgDict): MediaReply | RelayFailure {
    if (reply instanceof RelayFailure) return reply;
    if (typeof reply === 'string') return { sdp: reply, memo: null, sessions: 1, ...this.remembered };
    throw new Error('the script gives a dictionary where the relay returns an SDP');
  }

  async #do(
    operation: Operation,
    callId: string,
    deadline: number,
    asGoodRelay: () => string | RelayFailure | NgDict,
  ): Promise<string | RelayFailure | NgDict> {
    this.#trace.push({ node: this.#id, operation, callId });
    this.deadlines.push(deadline);
    const scripted = this.#script.get(operation)?.shift() ?? this.#always.get(operation);
    if (scripted === undefined) return asGoodRelay();
    if (scripted !== 'never') return scripted;
    await this.#clock.until(deadline);

    return fails('silent');
  }
}

function asDict(reply: string | NgDict): NgDict {
  if (typeof reply !== 'string') return reply;
  throw new Error('the script gives a text where the relay returns a dictionary');
}
