/** The way into the use cases for every door: one request at a time per call, the same request only once, each logged. */

import { type Call, findTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, reverse } from '../domain/side.ts';
import type { NgDict } from '../relay/driver.ts';
import { type CallMemory, decide, type SipFacts, transactionOf } from '../sip/facts.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import type { AnswerFacts, CallFacts, DeleteFacts, OfferFacts, Relayed } from './facts.ts';
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
  readonly extra: NgDict;
}

/** Nothing to change in the message. */
export const NOTHING = Symbol('nothing to change');

export class Requests {
  readonly #media: Media;
  readonly #ledger: Ledger;
  readonly #replays: Replays;
  readonly #clock: Clock;
  readonly #serial = new Serial();

  constructor(media: Media, ledger: Ledger, replays: Replays, clock: Clock) {
    this.#media = media;
    this.#ledger = ledger;
    this.#replays = replays;
    this.#clock = clock;
  }

  /** Does what a SIP message asks for (reference: sip-proxies 2.2). */
  async auto(request: SipRequest): Promise<Relayed | typeof NOTHING | Failure> {
    const { sip, sdp } = request;
    const { callId, cseq, method, status, fromTag, toTag, branch, end } = sip;
    const same = [cseq, method, status, fromTag, toTag, branch, end, sdp].join('\n');

    return this.#serial.run(callId, same, async () => {
      // A call may have ended without being deleted: lost, or idle for too long.
      if (this.#ledger.get(callId) === undefined) this.#replays.forget(callId);
      const replay = cseq === undefined ? undefined : this.#replays.get(callId, same);
      if (replay !== undefined) return replay;
      const answer = await this.#follow(request);
      if (answer !== NOTHING && !(answer instanceof Failure) && cseq !== undefined) {
        this.#replays.put(callId, same, answer);
      }

      return answer;
    });
  }

  offer(facts: OfferFacts): Promise<Relayed | Failure> {
    const { callId, fromTag, toTag, branch, sdp } = facts;
    const same = ['offer', fromTag, toTag, branch, sdp].join('\n');

    return this.#serial.run(callId, same, () => this.#timed('offer', callId, this.#media.offer(facts)));
  }

  answer(facts: AnswerFacts): Promise<Relayed | Failure> {
    const { callId, fromTag, toTag, branch, sdp } = facts;
    const same = ['answer', fromTag, toTag, branch, sdp].join('\n');

    return this.#serial.run(callId, same, () => this.#timed('answer', callId, this.#media.answer(facts)));
  }

  delete(facts: DeleteFacts): Promise<{ reply: NgDict | undefined } | Failure> {
    return this.#serial.run(facts.callId, `delete\n${facts.branch}`, () => this.#delete(facts));
  }

  query(callId: string, setId?: number, fromTag?: string): Promise<NodeReply | Failure> {
    return this.#serial.run(callId, `query\n${fromTag}`, () =>
      this.#timed('query', callId, this.#media.query(callId, setId, fromTag)),
    );
  }

  command(message: NgDict, facts: CallFacts): Promise<NodeReply | Failure> {
    return this.#serial.run(facts.callId, `command\n${JSON.stringify(message)}`, () =>
      this.#timed(String(message.command), facts.callId, this.#media.command(message, facts)),
    );
  }

  async #follow(request: SipRequest): Promise<Relayed | typeof NOTHING | Failure> {
    const { sip, sdp, setId, source, direction, extra } = request;
    const { callId } = sip;
    const call = this.#ledger.get(callId);
    const step = decide(sip, call === undefined ? undefined : memoryOf(call));
    const common = {
      callId,
      extra,
      ...(sip.branch === undefined ? {} : { branch: sip.branch }),
      ...(setId === undefined ? {} : { setId }),
      ...(source === undefined ? {} : { source }),
    };
    switch (step.do) {
      case 'nothing':
        return NOTHING;
      case 'refuse':
        return new Failure('RTPC_BAD_PARAMETER', step.why);
      case 'announce': {
        const facts = { ...common, fromTag: sip.fromTag, ...(direction === undefined ? {} : { direction }) };

        return (await this.#media.announce(facts)) ?? NOTHING;
      }
      case 'forget':
        this.#media.forget(callId, step.tag);

        return NOTHING;
      case 'delete': {
        const result = await this.#delete({ ...common, reason: step.reason });

        return result instanceof Failure ? result : NOTHING;
      }
      case 'offer': {
        const isFromCallee = call === undefined ? step.isReply : step.fromTag !== call.callerTag;
        const transaction = step.isReply ? undefined : transactionOf(sip);
        const facts: OfferFacts = {
          ...common,
          fromTag: step.fromTag,
          ...(step.toTag === undefined ? {} : { toTag: step.toTag }),
          ...(direction === undefined ? {} : { direction: isFromCallee ? reverse(direction) : direction }),
          ...(transaction === undefined ? {} : { transaction }),
          sdp,
          isFromCallee,
          // An offer in a reply may be the first SDP of a call; one in a request with two tags never is.
          isInDialog: !step.isReply && step.toTag !== undefined,
        };

        return this.#timed('offer', callId, this.#media.offer(facts));
      }
      case 'answer': {
        const isFromCallee = call === undefined ? sip.status !== undefined : step.toTag !== call.callerTag;
        const facts: AnswerFacts = {
          ...common,
          fromTag: step.fromTag,
          toTag: step.toTag,
          ...(direction === undefined ? {} : { direction: isFromCallee ? reverse(direction) : direction }),
          sdp,
          isFinal: step.isFinal,
        };

        return this.#timed('answer', callId, this.#media.answer(facts));
      }
    }
  }

  #delete(facts: DeleteFacts): Promise<{ reply: NgDict | undefined } | Failure> {
    this.#replays.forget(facts.callId);

    return this.#timed('delete', facts.callId, this.#media.delete(facts));
  }

  async #timed<T>(operation: string, callId: string, work: Promise<T | Failure>): Promise<T | Failure> {
    const started = this.#clock.monotonic();
    const result = await work;
    const fields = {
      call_id: callId,
      node: this.#ledger.get(callId)?.nodeId ?? null,
      operation,
      took_ms: Math.round((this.#clock.monotonic() - started) * 100) / 100,
    };
    if (!(result instanceof Failure)) log.debug('media.done', { ...fields, result: 'ok' });
    else if (result.status < 500)
      log.info('media.refused', { ...fields, result: result.code, reason: result.message });
    else log.error('media.failed', { ...fields, result: result.code, reason: result.message });

    return result;
  }
}

function memoryOf(call: Call): CallMemory {
  return {
    isConfirmed: call.state === 'confirmed',
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
