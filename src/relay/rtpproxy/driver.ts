/**
 * The relay driver for Sippy rtpproxy (reference: rtpproxy-protocol). The daemon never sees an SDP: for each m= line it is asked for
 * a port, and the SDP is rewritten here. Of its replies only the port is taken; the address is that of our own table.
 */

import type { ControlSocket } from '../../domain/node.ts';
import { Refusal, readStreams } from '../../sdp/streams.ts';
import type { Clock } from '../../util/clock.ts';
import type { CallStream } from '../call-streams.ts';
import {
  type DeleteRequest,
  type DeleteResult,
  type MediaReply,
  type MediaRequest,
  type NgDict,
  type RelayCall,
  type RelayDriver,
  RelayFailure,
} from '../driver.ts';
import { readCallStreams } from './call-streams.ts';
import { createRtpproxyClient, type RtpproxyClient, type RtpproxyClientOptions } from './client.ts';
import {
  deleteCommand,
  encodeNotice,
  type LocalSocket,
  queryCommand,
  type StreamOrder,
  streamCommand,
} from './commands.ts';
import { mediaCommands } from './media-commands.ts';
import { NoticeSupport } from './notice-support.ts';
import { defectOf, orderOf } from './orders.ts';
import { type OpenPort, readDone, readNumbers, readPort } from './replies.ts';
import {
  branchOf,
  hasNone,
  MAX_SESSIONS,
  nameOf,
  readMemo,
  type Session,
  sessionsOf,
  writeMemo,
} from './sessions.ts';
import { settle } from './settle.ts';
import { Waker } from './waker.ts';
import { askedFor, deleteCommands } from './whole-call.ts';

export interface RtpproxyDriverOptions {
  /**
   * Where the daemon is to tell that a session has ended for want of media, as its own `-n` names it; null = nowhere
   * (rtpproxy-protocol 6).
   */
  readonly noticeSocket: string | null;
}

export class RtpproxyDriver implements RelayDriver {
  /** An offer opens what the daemon has forgotten, and with the answer both parties learn the new ports. */
  readonly renewsCalls = true;
  readonly #client: RtpproxyClient;
  readonly #notices: NoticeSupport | null;
  readonly #waker: Waker;

  /** `client` belongs to this driver alone. */
  constructor(client: RtpproxyClient, clock: Clock, { noticeSocket }: RtpproxyDriverOptions) {
    this.#client = client;
    this.#waker = new Waker(client, clock);
    this.#notices = noticeSocket === null ? null : new NoticeSupport(client, clock, noticeSocket);
  }

  /** What went to this node since the start. */
  get counters() {
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
    return this.#media('U', request, deadline);
  }

  answer(request: MediaRequest, deadline: number): Promise<MediaReply | RelayFailure> {
    return this.#media('L', request, deadline);
  }

  /** A call is found if one session of it was. Without memo and tags nobody can name it: `rejected`. */
  async delete(call: DeleteRequest, deadline: number): Promise<DeleteResult | RelayFailure> {
    if (hasNone(call.memo)) return { found: true, reply: { result: 'ok' } };
    const commands = deleteCommands(call);
    if (commands.length === 0) {
      return new RelayFailure(
        'rejected',
        'an rtpproxy knows calls by the tags of their parties, and none is known',
      );
    }
    let found = false;
    let failure: RelayFailure | undefined;
    const replies = await Promise.all(commands.map((command) => this.#client.request(command, deadline)));
    this.#waker.ended(deadline);
    for (const reply of replies) {
      const done = reply instanceof RelayFailure ? reply : readDone(reply);
      if (done === undefined) found = true;
      else if (done.kind !== 'unknown-call') failure ??= done;
    }

    return failure ?? { found, reply: { result: 'ok' }, ...remainder(call) };
  }

  /** The daemon's counters of each session: packets from its opener and from the other party, relayed and dropped ones (Q). */
  async query(call: RelayCall, deadline: number, fromTag?: string): Promise<NgDict | RelayFailure> {
    if (hasNone(call.memo)) return recordOf([]);
    const wanted = askedFor(call, fromTag);
    if (wanted.length === 0) {
      return new RelayFailure(
        'unknown-call',
        'an rtpproxy knows calls by the tags of their parties, and none is known',
      );
    }
    const replies = await Promise.all(
      wanted.map(({ branch, n, opener, peer }) =>
        this.#client.request(
          queryCommand(nameOf(call.callId, branch), { offerer: opener, answerer: peer }, n),
          deadline,
        ),
      ),
    );
    const streams: NgDict[] = [];
    let failure: RelayFailure | undefined;
    for (const [index, reply] of replies.entries()) {
      const stream = reply instanceof RelayFailure ? reply : streamRecord(reply, wanted[index] as Session);
      // One stream may have ended by itself; the others speak for the call.
      if (!(stream instanceof RelayFailure)) streams.push(stream);
      else if (failure === undefined || failure.kind === 'unknown-call') failure = stream;
    }

    return streams.length === 0 && failure !== undefined ? failure : recordOf(streams);
  }

  async streams(call: RelayCall, deadline: number): Promise<CallStream[] | RelayFailure> {
    const record = await this.query(call, deadline);

    return record instanceof RelayFailure ? record : readCallStreams(record, call.memo);
  }

  /** Recording and prompts; anything else is `rejected`. */
  async command(message: NgDict, call: RelayCall, deadline: number): Promise<NgDict | RelayFailure> {
    const commands = mediaCommands(message, call);
    if (commands instanceof RelayFailure) return commands;
    const replies = await Promise.all(commands.map((command) => this.#client.request(command, deadline)));
    let failure: RelayFailure | undefined;
    let isDone = false;
    // Of several streams some may have nothing to play (E60: a video line has no prompt) or to record.
    let isIdle = true;
    for (const reply of replies) {
      const done = reply instanceof RelayFailure ? reply : readDone(reply);
      const hasNothing = reply === 'E50' || reply === 'E60';
      if (done === undefined) isDone = true;
      else if (failure === undefined || (isIdle && !hasNothing)) {
        failure = done;
        isIdle = hasNothing;
      }
    }
    if (failure === undefined || (isDone && isIdle)) return { result: 'ok' };
    // E50 is also the word for a recording that cannot begin or does not run: whether the call lives, it does not say.
    if (failure.kind === 'unknown-call') {
      return new RelayFailure(
        'rejected',
        `${failure.reason}, or nothing is being recorded, or it was started without -r`,
      );
    }

    return failure;
  }

  close(): void {
    this.#client.close();
  }

  async #media(
    letter: 'U' | 'L',
    request: MediaRequest,
    deadline: number,
  ): Promise<MediaReply | RelayFailure> {
    const streams = readStreams(request.sdp);
    if (streams instanceof Refusal) return new RelayFailure('bad-sdp', streams.reason);
    const defect = defectOf(request, letter === 'U');
    if (defect !== undefined) return new RelayFailure('rejected', defect);
    const memo = readMemo(request.memo);
    const mine = sessionsOf(memo, request);
    // What another answer to the same offer has rejected is gone and shown as off: an L would only fail, and the call with it.
    const isGone = (n: number): boolean =>
      letter === 'L' &&
      (mine.length > 0 || hasNone(request.memo)) &&
      !mine.some((session) => session.n === n);
    const live = streams.filter((stream) => stream.handling === 'relay').filter(({ n }) => !isGone(n));
    if (memo.length - mine.length + live.length > MAX_SESSIONS) {
      return new RelayFailure('rejected', `the call has more than ${MAX_SESSIONS} streams on its branches`);
    }
    const branch = branchOf(mine, request);
    const name = nameOf(request.callId, branch);
    // What is switched off gives its ports back, but not before that is settled: an offer may be refused, and after an early answer
    // another callee may take what the first one did not.
    const isSettled = letter === 'L' && request.isFinal !== false;
    const off = streams.flatMap(({ n, handling }) =>
      handling === 'relay' || !isSettled ? [] : mine.filter((session) => session.n === n),
    );
    const [ports] = await Promise.all([
      Promise.all(
        live.map((stream) => this.#open(orderOf(letter, name, stream, request), request, deadline)),
      ),
      // If this fails, the end of the call takes the ports, or the daemon's own timer.
      ...off.map(({ n, opener, peer }) =>
        this.#client.request(deleteCommand(name, { offerer: opener, answerer: peer }, n), deadline),
      ),
    ]);

    return settle(letter, request, { branch, memo, mine, off, live, ports });
  }

  /** Asks for a port, with a notice of the end if the daemon can give one. */
  async #open(
    order: StreamOrder,
    { callId, isNew }: MediaRequest,
    deadline: number,
  ): Promise<OpenPort | RelayFailure> {
    const notices = order.letter === 'U' ? this.#notices : null;
    const notify =
      notices !== null && (await notices.isSupported(deadline))
        ? { socket: notices.socket, tag: encodeNotice(callId) }
        : undefined;
    let reply = await this.#client.request(streamCommand({ ...order, notify }), deadline);
    if (reply === 'E75' && notify !== undefined) {
      // It was restarted without -n.
      notices?.lost();
      reply = await this.#client.request(streamCommand(order), deadline);
    }
    if (reply instanceof RelayFailure) return reply;
    // This call goes elsewhere; the next one may find ports.
    this.#waker.said(reply, deadline);
    const open = readPort(reply, isNew);

    return open instanceof RelayFailure ? withAddress(open, order.socket) : open;
  }
}

/** What is left to remember after one branch was deleted. */
function remainder({ memo, branch }: DeleteRequest): Pick<DeleteResult, 'left'> {
  if (memo == null || branch === undefined) return {};
  const all = readMemo(memo);
  const rest = all.filter((session) => session.branch !== branch);

  return rest.length === all.length ? {} : { left: { memo: writeMemo(rest), sessions: rest.length } };
}

/** A port at an address which is none of the daemon's host fails as if there were no ports. */
function withAddress(failure: RelayFailure, socket: LocalSocket): RelayFailure {
  if (socket === undefined || !('address' in socket) || failure.isUncertain) return failure;
  const { kind, reason } = failure;

  return new RelayFailure(
    kind,
    `${reason} (asked for at ${socket.address}, which must be an address of its host)`,
  );
}

/** The daemon's record of one session: seconds to live, and packets. */
function streamRecord(reply: string, { branch, n, opener, peer }: Session): NgDict | RelayFailure {
  const numbers = readNumbers(reply, 5);
  if (numbers instanceof RelayFailure) return numbers;
  const [ttl = 0, received = 0, sent = 0, relayed = 0, dropped = 0] = numbers;

  return {
    media: n,
    'from-tag': opener,
    'to-tag': peer,
    ...(branch === '' ? {} : { 'via-branch': branch }),
    ttl,
    'packets from from-tag': received,
    'packets from to-tag': sent,
    'packets relayed': relayed,
    'packets dropped': dropped,
  };
}

/** The answer to a question about a call; packets are added up where ng has them. */
function recordOf(streams: readonly NgDict[]): NgDict {
  const packets = streams.reduce((sum, stream) => sum + Number(stream['packets relayed']), 0);

  return { result: 'ok', relay: 'rtpproxy', totals: { RTP: { packets } }, streams };
}

/** The driver of one rtpproxy node. Opens its socket with the first request; `close` gives it back. */
export function createRtpproxyDriver(
  address: ControlSocket,
  clock: Clock,
  { noticeSocket = null, ...client }: RtpproxyClientOptions & Partial<RtpproxyDriverOptions> = {},
): RtpproxyDriver {
  return new RtpproxyDriver(createRtpproxyClient(address, clock, client), clock, { noticeSocket });
}
