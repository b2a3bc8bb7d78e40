/**
 * What a relay must not be sent although it is well-formed. rtpengine 10.5.3.5 ends with a segmentation fault, and all its calls with
 * it, when a party it knows, and who has no partner any more, offers without naming one: his partner was taken by a third party, he
 * was unsubscribed, subscribed before, or answered himself (found by our fuzzer and measured; with a to-tag it never did).
 */

import type { Call } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import type { NgDict } from '../relay/driver.ts';
import type { AnswerFacts, OfferFacts } from './facts.ts';

/** Tags without partner that are remembered of a call; what would make more is refused. */
const MAX_ALONE = 64;

export class Precautions {
  /** Tags of a call that may be without a partner. */
  readonly #alone = new WeakMap<Call, Set<string>>();

  /**
   * The to-tag an offer goes to the relay with. Where a third party has been heard of, one that names nobody gets the tag which the
   * relay would take by itself, of whoever spoke last.
   */
  partnerOf(call: Call | undefined, { fromTag, toTag, branch }: OfferFacts): string | undefined {
    if (toTag !== undefined || call === undefined || branch !== undefined) return toTag;
    const tags = new Set(call.legs.map(({ tag }) => tag));
    if (!tags.has(fromTag) || tags.size < 3) return undefined;
    const others = call.legs.filter(({ tag }) => tag !== fromTag);

    return others.reduce((last, leg) => (leg.updatedAt >= last.updatedAt ? leg : last)).tag;
  }

  /** Why a party may not offer, or undefined. */
  refuseOffer(call: Call | undefined, { fromTag, toTag }: OfferFacts): Failure | undefined {
    if (call === undefined || toTag !== undefined) return undefined;
    if (this.#alone.get(call)?.has(fromTag) !== true) return undefined;

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `from-tag ${fromTag} has subscribed to the call, or answered itself; its offers must name the other party by to-tag`,
    );
  }

  /** Why an answer may not go to the relay, or undefined. OpenSIPS's `rtp_relay` names the callee twice in a delayed offer. */
  refuseAnswer(call: Call, { fromTag, toTag }: AnswerFacts): Failure | undefined {
    return fromTag === toTag ? this.#note(call, fromTag) : undefined;
  }

  /** Why a command may not go to the relay, or undefined. Remembers who subscribes. */
  refuseCommand(call: Call | undefined, message: NgDict): Failure | undefined {
    const { command, 'to-tag': tag } = message;
    if (call === undefined || typeof tag !== 'string') return undefined;
    const isParty = call.legs.some((leg) => leg.tag === tag);
    if (isParty && (command === 'unsubscribe' || command === 'subscribe request')) {
      return new Failure(
        'RTPC_COMMAND_UNSUPPORTED',
        `to-tag ${tag} is a party of the call, and "${command}" is for others that listen to it`,
      );
    }

    return command === 'subscribe request' ? this.#note(call, tag) : undefined;
  }

  #note(call: Call, tag: string): Failure | undefined {
    const alone = this.#alone.get(call) ?? new Set();
    if (alone.size >= MAX_ALONE && !alone.has(tag))
      return new Failure('RTPC_BUSY', `the call has had ${MAX_ALONE} subscribers already`);
    this.#alone.set(call, alone.add(tag));

    return undefined;
  }
}
