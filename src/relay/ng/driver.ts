/** The relay driver for Sipwise rtpengine. */

import type { SocketAddress } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import type { CallStream } from '../call-streams.ts';
import {
  type DeleteRequest,
  type DeleteResult,
  type MediaReply,
  type MediaRequest,
  type NgDict,
  type NgValue,
  type RelayCall,
  type RelayDriver,
  RelayFailure,
} from '../driver.ts';
import type { WireCounters } from '../wire/counters.ts';
import type { DatagramOptions } from '../wire/datagram-client.ts';
import { isDict, newDict } from './bencode.ts';
import { readCallStreams } from './call-streams.ts';
import { createNgClient, type NgClient } from './client.ts';
import { deleteMessage, failureIn, mediaMessage, plainMessage, saysNotFound } from './message.ts';
import { isListener, isWithoutPartner, refuseListening, takesPiece } from './precautions.ts';

/** Commands about those who listen to a call. */
const LISTENING: ReadonlySet<NgValue | undefined> = new Set(['subscribe request', 'unsubscribe']);
const MAX_LISTENED = 10_000;

export class NgDriver implements RelayDriver {
  /** A call it has forgotten is begun anew with one party only, and the reply does not tell. */
  readonly renewsCalls = false;

  readonly #client: NgClient;
  /** Before 12.5 a call deleted by its Call-ID alone ends without a word about it (ng-protocol 8). */
  #deletesWithStatistics = false;
  /** Calls with commands about listeners; the oldest are forgotten. */
  readonly #listened = new Set<string>();

  constructor(client: NgClient) {
    this.#client = client;
  }

  /** What went over this node's socket since the start. */
  get counters(): Readonly<WireCounters> {
    return this.#client.counters;
  }

  /** Smoothed round trip to this node, ms; null before the first one was measured. */
  get rttMs(): number | null {
    return this.#client.rttMs;
  }

  /** Requests under way, waiting ones included. */
  get pending(): number {
    return this.#client.inFlight + this.#client.waiting;
  }

  offer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure> {
    return this.#media('offer', request, deadline);
  }

  answer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure> {
    return this.#media('answer', request, deadline);
  }

  async delete(call: DeleteRequest, deadline: number): Promise<DeleteResult | RelayFailure> {
    if (call.branch !== undefined && call.fromTag === undefined) {
      // Sent without the tag, this would end the whole call.
      return new RelayFailure(
        'rejected',
        'a branch is deleted by its id and the from-tag; there is no from-tag',
      );
    }
    const isAsked = call.wantsStatistics === true && !this.#deletesWithStatistics;
    const last = isAsked ? await this.query(call, deadline) : undefined;
    const reply = await this.#client.request(deleteMessage(call), deadline);
    if (reply instanceof RelayFailure) return reply;
    if (saysNotFound(reply)) return { found: false, reply };
    const failure = failureIn(reply);
    if (failure !== undefined) return failure;
    this.#deletesWithStatistics ||= reply.totals !== undefined;
    const isBare = last !== undefined && !(last instanceof RelayFailure) && reply.totals === undefined;

    const told = isBare ? { ...last, ...reply } : reply;

    return {
      found: true,
      reply: told,
      ...(told.tags === undefined ? {} : { streams: readCallStreams(told) }),
    };
  }

  query({ callId }: RelayCall, deadline: number, fromTag?: string): Promise<NgDict | RelayFailure> {
    const message = newDict();
    message.command = 'query';
    message['call-id'] = callId;
    if (fromTag !== undefined) message['from-tag'] = fromTag;

    return this.ask(message, deadline);
  }

  async streams(call: RelayCall, deadline: number): Promise<CallStream[] | RelayFailure> {
    const record = await this.query(call, deadline);

    return record instanceof RelayFailure ? record : readCallStreams(record);
  }

  /** The message names the call itself. An offer or an answer is a piece of an SDP, for a call the relay has. */
  async command(message: NgDict, call: RelayCall, deadline: number): Promise<NgDict | RelayFailure> {
    const plain = plainMessage(message);
    const isPiece = plain.command === 'offer' || plain.command === 'answer';
    if (!isPiece && !LISTENING.has(plain.command)) return this.ask(plain, deadline);
    const record = await this.query(call, deadline);
    if (record instanceof RelayFailure) return record;
    if (!isPiece) {
      const refused = refuseListening(record, plain);
      if (refused !== undefined) return new RelayFailure('rejected', refused);
      this.#noteListened(call.callId);

      return this.ask(plain, deadline);
    }
    const { 'via-branch': _, ...piece } = plain;

    // Whoever is not known there has nothing that the piece could belong to.
    return takesPiece(record, piece) ? this.ask(piece, deadline) : { result: 'ok' };
  }

  /** Any message as it is, about a call or not; the reply if it tells of no failure. */
  async ask(message: NgDict, deadline: number): Promise<NgDict | RelayFailure> {
    const reply = await this.#client.request(message, deadline);

    return reply instanceof RelayFailure ? reply : (failureIn(reply) ?? reply);
  }

  /** Whether the node lives. That is all a ping tells: a node which refuses every call answers as well (ng-protocol 10). */
  async ping(deadline: number): Promise<'pong' | RelayFailure> {
    const reply = await this.ask({ command: 'ping' }, deadline);

    return reply instanceof RelayFailure ? reply : 'pong';
  }

  /** The dictionary under `statistics` of the reply (ng-protocol 9). */
  async statistics(deadline: number): Promise<NgDict | RelayFailure> {
    const reply = await this.ask({ command: 'statistics' }, deadline);
    if (reply instanceof RelayFailure) return reply;

    return isDict(reply.statistics)
      ? reply.statistics
      : new RelayFailure('garbled', 'the reply has no statistics');
  }

  close(): void {
    this.#client.close();
  }

  /** Why an offer or an answer must not be sent (`precautions.ts`), or undefined. */
  async #refuse(
    request: MediaRequest,
    namesNobody: boolean,
    deadline: number,
  ): Promise<RelayFailure | undefined> {
    const { fromTag, toTag } = request;
    const record = await this.query(request, deadline);
    if (record instanceof RelayFailure) return undefined;
    if (namesNobody && isWithoutPartner(record, fromTag))
      return new RelayFailure('rejected', `party ${fromTag} has no partner in this call; name one`);
    const listener = [fromTag, toTag].find((tag) => isListener(record, tag));

    return listener === undefined
      ? undefined
      : new RelayFailure('rejected', `${listener} listens to this call, and so cannot be a party of it`);
  }

  #noteListened(callId: string): void {
    this.#listened.add(callId);
    const [oldest] = this.#listened;
    if (this.#listened.size > MAX_LISTENED && oldest !== undefined) this.#listened.delete(oldest);
  }

  async #media(
    command: 'offer' | 'answer',
    request: MediaRequest,
    deadline: number,
  ): Promise<MediaReply | RelayFailure> {
    const namesNobody = command === 'offer' && request.toTag === undefined;
    // Nearly all need no question.
    if ((namesNobody && (!request.isNew || request.isKept === true)) || this.#listened.has(request.callId)) {
      const refused = await this.#refuse(request, namesNobody, deadline);
      if (refused !== undefined) return refused;
    }
    const reply = await this.#client.request(mediaMessage(command, request), deadline);
    if (reply instanceof RelayFailure) return reply;
    const failure = failureIn(reply, command === 'offer' && request.isNew);
    if (failure !== undefined) return failure;

    return { sdp: typeof reply.sdp === 'string' ? reply.sdp : '', memo: null, sessions: 1 };
  }
}

/** The driver of one rtpengine node. Opens its socket with the first request; `close` gives it back. */
export function createNgDriver(
  address: SocketAddress,
  clock: Clock,
  options: DatagramOptions = {},
): NgDriver {
  return new NgDriver(createNgClient(address, clock, options));
}
