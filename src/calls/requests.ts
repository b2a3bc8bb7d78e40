/** The way into the use cases for every door: one request at a time per call, the same request only once, each logged. */

import { type Call, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, reverse } from '../domain/side.ts';
import type { NgDict } from '../relay/driver.ts';
import { type CallMemory, decide, type SipFacts, transactionOf } from '../sip/facts.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import type { Ending } from './ending.ts';
import type { AnswerFacts, CallFacts, DeleteFacts, OfferFacts, Relayed } from './facts.ts';
import { beginStep, type History, type Step } from './history.ts';
import type { Ledger } from './ledger.ts';
import type { Media, NodeReply } from './media.ts';
import type { Replays } from './replays.ts';
import { Serial } from './serial.ts';

/** A SIP message as a proxy hands it over. */
export interface SipRequest {
  readonly sip: SipFacts;
  /** The SDP in its body, '' if there is none. */
  readonly sdp: string;
  readonly setId?: number;
  readonly source?: string;
  /** Of the call: caller's side to callee's side. */
  readonly direction?: Direction;
  readonly require?: readonly string[];
  readonly prefer?: readonly string[];
  readonly extra: NgDict;
}

/** Nothing to change in the message. */
export const NOTHING = Symbol('nothing to change');

export class Requests {
  readonly #media: Media;
  readonly #ending: Ending;
  readonly #ledger: Ledger;
  readonly #replays: Replays;
  readonly #history: History;
  readonly #clock: Clock;
  readonly #serial = new Serial();

  constructor(
    media: Media,
    ending: Ending,
    ledger: Ledger,
    replays: Replays,
    history: History,
    clock: Clock,
  ) {
    this.#media = media;
    this.#ending = ending;
    this.#ledger = ledger;
    this.#replays = replays;
    this.#history = history;
    this.#clock = clock;
  }

  /** Whether requests of this call are under way. */
  isBusy(callId: string): boolean {
    return this.#serial.has(callId);
  }

  /** Does what a SIP message asks for (reference: sip-proxies 2.2). */
  async auto(request: SipRequest): Promise<Relayed | typeof NOTHING | Failure> {
    const { sip, sdp } = request;
    const { callId, cseq, method, status, fromTag, toTag, branch, end } = sip;
    const same = [cseq, method, status, fromTag, toTag, branch, end, sdp].join('\n');

    return this.#run(callId, same, async (deadline) => {
      // A call may have ended without being deleted: lost, or idle for too long.
      if (this.#ledger.get(callId) === undefined) this.#replays.forget(callId);
      const replay = cseq === undefined ? undefined : this.#replays.get(callId, same);
      if (replay !== undefined) return replay;
      const answer = await this.#follow(request, deadline);
      if (answer !== NOTHING && !(answer instanceof Failure) && cseq !== undefined) {
        this.#replays.put(callId, same, answer);
      }

      return answer;
    });
  }

  offer(facts: OfferFacts): Promise<Relayed | Failure> {
    const { callId, fromTag, toTag, branch, sdp } = facts;
    const same = ['offer', fromTag, toTag, branch, rest(facts), sdp].join('\n');

    return this.#run(callId, same, (deadline) =>
      this.#timed('offer', callId, null, (step) => this.#media.offer(facts, deadline, step)),
    );
  }

  answer(facts: AnswerFacts): Promise<Relayed | Failure> {
    const { callId, fromTag, toTag, branch, sdp } = facts;
    const same = ['answer', fromTag, toTag, branch, rest(facts), sdp].join('\n');

    return this.#run(callId, same, (deadline) =>
      this.#timed('answer', callId, null, (step) => this.#media.answer(facts, deadline, step)),
    );
  }

  delete(facts: DeleteFacts): Promise<{ reply: NgDict | undefined } | Failure> {
    const { callId, branch, ng } = facts;
    const same = ['delete', branch, ng?.fromTag, ng?.leaving, ng?.delayS].join('\n');

    return this.#serial.run(callId, same, () => this.#delete(facts, null));
  }

  query(callId: string, setId?: number, fromTag?: string): Promise<NodeReply | Failure> {
    return this.#run(callId, `query\n${fromTag}`, (deadline) =>
      this.#timed('query', callId, null, () => this.#media.query(callId, setId, fromTag, deadline)),
    );
  }

  command(message: NgDict, facts: CallFacts): Promise<NodeReply | Failure> {
    return this.#run(facts.callId, `command\n${rest(facts)}\n${JSON.stringify(message)}`, (deadline) =>
      this.#timed(String(message.command), facts.callId, null, () =>
        this.#media.command(message, facts, deadline),
      ),
    );
  }

  /** Runs work in the line of its call. The time spent in the line counts: the client has waited for it. */
  #run<T>(
    callId: string,
    same: string,
    work: (deadline: number) => Promise<T | Failure>,
  ): Promise<T | Failure> {
    const deadline = this.#media.deadline();

    return this.#serial.run(callId, same, async () => {
      if (this.#clock.monotonic() < deadline) return work(deadline);

      return new Failure(
        'RTPC_BUSY',
        'earlier requests of this call took all the time there was for this one',
      );
    });
  }

  async #follow(request: SipRequest, deadline: number): Promise<Relayed | typeof NOTHING | Failure> {
    const { sip, sdp, setId, source, direction, require, prefer, extra } = request;
    const { callId, toTag } = sip;
    const message = sip.status === undefined ? sip.method : `${sip.status} ${sip.method}`;
    const call = this.#ledger.get(callId);
    const isRequest = sip.status === undefined;
    // A further INVITE inside the dialog shows that the first one was accepted, even if nobody told us of the 200.
    if (sip.method === 'INVITE' && isRequest && toTag !== undefined) {
      await this.#media.confirm(callId, call?.callerTag === sip.fromTag ? toTag : sip.fromTag);
    }
    const step = decide(sip, call === undefined ? undefined : memoryOf(call));
    const isInitial = sip.method === 'INVITE' && (isRequest ? toTag === undefined : call === undefined);
    const transaction = transactionOf(sip);
    if (
      (step.do === 'offer' || step.do === 'answer') &&
      this.#ledger.isLate(callId, transaction, !isRequest)
    ) {
      return this.#timed(step.do, callId, message, async () => this.#ledger.unknown({ callId }));
    }
    const common = {
      callId,
      extra,
      ...(sip.branch === undefined ? {} : { branch: sip.branch }),
      ...(setId === undefined ? {} : { setId }),
      ...(source === undefined ? {} : { source }),
      ...(require === undefined ? {} : { require }),
      ...(prefer === undefined ? {} : { prefer }),
      ...(isInitial && transaction !== undefined ? { initial: transaction } : {}),
    };
    switch (step.do) {
      case 'nothing':
        return NOTHING;
      case 'refuse':
        return new Failure('RTPC_BAD_PARAMETER', step.why);
      case 'announce': {
        const facts = {
          ...common,
          fromTag: sip.fromTag,
          isFromCallee: false,
          ...(direction === undefined ? {} : { direction }),
        };

        return this.#timed(
          'announce',
          callId,
          message,
          async () => (await this.#media.announce(facts)) ?? NOTHING,
        );
      }
      case 'confirm':
        await this.#media.confirm(callId, step.tag);

        return NOTHING;
      case 'forget':
        this.#ending.forget(callId, step.tag);

        return NOTHING;
      case 'delete': {
        const { branch: _, ...unbranched } = common;
        const result = await this.#delete(
          {
            ...unbranched,
            ...(step.branch === undefined ? {} : { branch: step.branch }),
            tags: toTag === undefined ? [sip.fromTag] : [sip.fromTag, toTag],
            reason: step.reason,
          },
          message,
        );

        return result instanceof Failure ? result : NOTHING;
      }
      case 'offer': {
        const isInDialog = !step.isReply && step.toTag !== undefined;
        // Whoever begins anew outside of the dialog is a caller, whatever the call had before.
        const isFromCallee =
          call === undefined || (!step.isReply && toTag === undefined)
            ? step.isReply
            : step.fromTag !== call.callerTag;
        // Of a dialog we do not know, either party may be the caller: the direction of the call says nothing then.
        const isEither = call === undefined && isInDialog;
        const facts: OfferFacts = {
          ...common,
          fromTag: step.fromTag,
          ...(step.toTag === undefined ? {} : { toTag: step.toTag }),
          ...(direction === undefined || isEither
            ? {}
            : { direction: isFromCallee ? reverse(direction) : direction }),
          ...(step.isReply || transaction === undefined ? {} : { transaction }),
          ...(isEither ? {} : { isFromCallee }),
          sdp,
          isInDialog,
        };

        return this.#timed('offer', callId, message, (taken) => this.#media.offer(facts, deadline, taken));
      }
      case 'answer': {
        const isFromCallee = call === undefined ? sip.status !== undefined : step.toTag !== call.callerTag;
        const facts: AnswerFacts = {
          ...common,
          fromTag: step.fromTag,
          toTag: step.toTag,
          ...(direction === undefined ? {} : { direction: isFromCallee ? reverse(direction) : direction }),
          isFromCallee,
          sdp,
          isFinal: step.isFinal,
        };

        return this.#timed('answer', callId, message, (taken) => this.#media.answer(facts, deadline, taken));
      }
    }
  }

  #delete(facts: DeleteFacts, message: string | null): Promise<{ reply: NgDict | undefined } | Failure> {
    this.#replays.forget(facts.callId);

    return this.#timed('delete', facts.callId, message, () => this.#ending.delete(facts));
  }

  /** Runs one operation, logs it and notes it for `explain`. */
  async #timed<T>(
    operation: string,
    callId: string,
    message: string | null,
    work: (step: Step) => Promise<T | Failure>,
  ): Promise<T | Failure> {
    const started = this.#clock.monotonic();
    const step = beginStep(this.#clock.utc(), operation, message);
    // A delete ends the call: whose it was is known before.
    step.node = this.#ledger.get(callId)?.nodeId ?? null;
    const result = await work(step);
    step.node = this.#ledger.get(callId)?.nodeId ?? step.node;
    step.took_ms = Math.round((this.#clock.monotonic() - started) * 100) / 100;
    if (result instanceof Failure) {
      step.result = result.code;
      step.reason = result.message;
    }
    this.#history.add(callId, step);
    const fields = {
      call_id: callId,
      node: step.node,
      operation,
      took_ms: step.took_ms,
    };
    if (!(result instanceof Failure)) log.debug('media.done', { ...fields, result: 'ok' });
    else if (result.status < 500)
      log.info('media.refused', { ...fields, result: result.code, reason: result.message });
    else log.error('media.failed', { ...fields, result: result.code, reason: result.message });

    return result;
  }
}

/** What besides tags and SDP makes two requests different. */
function rest({ direction, readerSide, setId, require, prefer, extra }: CallFacts): string {
  return JSON.stringify([direction, readerSide, setId, require, prefer, extra]);
}

function memoryOf(call: Call): CallMemory {
  return {
    isConfirmed: call.state === 'confirmed',
    initial: call.initial,
    hasOtherBranch: (branch) => call.legs.some((leg) => leg.branch !== branch),
    carriedOffer: (transaction) => call.offers.includes(transaction),
    isOffering: (tag) => findTag(call, tag)?.offering === true,
    hasUnnamedOffer: (tag) =>
      findTag(call, tag)?.offering === true && !call.offers.some((offer) => offer.endsWith(` ${tag}`)),
    otherCallees: (tag, confirmed) =>
      new Set(
        call.legs
          .filter((leg) => leg.tag !== tag && leg.tag !== call.callerTag && (leg.confirmed || !confirmed))
          .map((leg) => leg.tag),
      ).size,
    isCaller: (tag) => tag === call.callerTag,
  };
}
