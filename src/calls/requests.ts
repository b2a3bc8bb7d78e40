/** The way into the use cases for every door: one request at a time per call, the same request only once, each logged. */

import type { Door } from '../domain/door.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, reverse } from '../domain/side.ts';
import type { NgDict } from '../relay/driver.ts';
import { memoryOf } from '../sip/call-memory.ts';
import { decide, type SipFacts, transactionOf } from '../sip/facts.ts';
import type { Clock } from '../util/clock.ts';
import type { Ending } from './ending.ts';
import type { AnswerFacts, CallFacts, DeleteFacts, OfferFacts, Relayed } from './facts.ts';
import type { History } from './history.ts';
import { Journal, type Observer } from './journal.ts';
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
  /** Requests whose time was over before those before them had ended. */
  readonly counters = { overdue: 0 };
  readonly #media: Media;
  readonly #ending: Ending;
  readonly #ledger: Ledger;
  readonly #replays: Replays;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #serial = new Serial();

  constructor(
    media: Media,
    ending: Ending,
    ledger: Ledger,
    replays: Replays,
    history: History,
    clock: Clock,
    observer: Observer,
  ) {
    this.#media = media;
    this.#ending = ending;
    this.#ledger = ledger;
    this.#replays = replays;
    this.#journal = new Journal({ ledger, history, observer, clock });
    this.#clock = clock;
  }

  /** Requests of the same call, one after the other. */
  get serial(): Pick<Serial, 'size' | 'counters'> {
    return this.#serial;
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
      this.#journal.run(
        'offer',
        callId,
        null,
        (step) => this.#media.offer(facts, deadline, step),
        facts.door,
      ),
    );
  }

  answer(facts: AnswerFacts): Promise<Relayed | Failure> {
    const { callId, fromTag, toTag, branch, sdp } = facts;
    const same = ['answer', fromTag, toTag, branch, rest(facts), sdp].join('\n');

    return this.#run(callId, same, (deadline) =>
      this.#journal.run(
        'answer',
        callId,
        null,
        (step) => this.#media.answer(facts, deadline, step),
        facts.door,
      ),
    );
  }

  delete(facts: DeleteFacts): Promise<{ reply: NgDict | undefined } | Failure> {
    const { callId, branch, ng } = facts;
    const same = ['delete', branch, ng?.fromTag, ng?.leaving, ng?.delayS].join('\n');

    return this.#serial.run(callId, same, () => this.#delete(facts, null));
  }

  query(callId: string, setId?: number, fromTag?: string, door?: Door): Promise<NodeReply | Failure> {
    return this.#run(callId, `query\n${fromTag}`, (deadline) =>
      this.#journal.run(
        'query',
        callId,
        null,
        () => this.#media.query(callId, setId, fromTag, deadline),
        door,
      ),
    );
  }

  command(message: NgDict, facts: CallFacts): Promise<NodeReply | Failure> {
    return this.#run(facts.callId, `command\n${rest(facts)}\n${JSON.stringify(message)}`, (deadline) =>
      this.#journal.run(
        String(message.command),
        facts.callId,
        null,
        () => this.#media.command(message, facts, deadline),
        facts.door,
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
      this.counters.overdue++;

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
      return this.#journal.run(step.do, callId, message, async (late) => {
        late.tag = isRequest ? sip.fromTag : (toTag ?? null);
        late.sdp_received = sdp;

        return this.#ledger.unknown({ callId });
      });
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

        return this.#journal.run(
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

        return this.#journal.run('offer', callId, message, (taken) =>
          this.#media.offer(facts, deadline, taken),
        );
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

        return this.#journal.run('answer', callId, message, (taken) =>
          this.#media.answer(facts, deadline, taken),
        );
      }
    }
  }

  #delete(facts: DeleteFacts, message: string | null): Promise<{ reply: NgDict | undefined } | Failure> {
    this.#replays.forget(facts.callId);

    // Only ng says more than the rest.
    const door = facts.ng === undefined ? 'http' : 'ng';

    return this.#journal.run(
      'delete',
      facts.callId,
      message,
      (step) => this.#ending.delete(facts, step),
      door,
    );
  }
}

/** What besides tags and SDP makes two requests different. */
function rest({ direction, readerSide, setId, require, prefer, extra }: CallFacts): string {
  return JSON.stringify([direction, readerSide, setId, require, prefer, extra]);
}
