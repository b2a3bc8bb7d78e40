/**
 * One ng message of a client, and what it says to the use cases (reference: ng-protocol 2 and 4, sip-proxies 7).
 * What is meant for the cluster, and what the cluster decides, does not go on to a relay.
 */

import type { AnswerFacts, CallFacts, DeleteFacts, OfferFacts } from '../calls/facts.ts';
import { findFault, MAX_CALL_ID, MAX_TAG } from '../calls/identifiers.ts';
import { Failure } from '../domain/errors.ts';
import { readTags } from '../domain/node-limits.ts';
import type { Sides } from '../domain/side.ts';
import type { NgDict } from '../relay/driver.ts';
import { newDict } from '../relay/ng/bencode.ts';
import { familyOf, isUnspecified } from '../util/ip.ts';
import { bad, type Keys, type OwnKey, readKeys, shown, textOf, wordsOf } from './keys.ts';
import { readDirection, readSide } from './sides.ts';

/** A command for the relay that has the call. */
export interface CommandRequest {
  readonly message: NgDict;
  readonly facts: CallFacts;
}

/** Call-IDs a limit names when it is missing, as with rtpengine. */
const DEFAULT_LIMIT = 32;

export class NgRequest {
  readonly #keys: Keys['own'];
  readonly #others: NgDict;
  readonly #setId: number;
  readonly #sides: Sides;

  private constructor(
    { own, others }: Keys,
    setId: number,
    sides: Sides,
    readonly client: string,
  ) {
    this.#keys = own;
    this.#others = others;
    this.#setId = setId;
    this.#sides = sides;
  }

  /**
   * @param setId the set of the port it came to
   * @param client where it came from, for the log
   */
  static read(message: NgDict, setId: number, sides: Sides, client = ''): NgRequest | Failure {
    const keys = readKeys(message);

    return keys instanceof Failure ? keys : new NgRequest(keys, setId, sides, client);
  }

  /** '' if there is none. */
  get command(): string {
    return this.#text('command');
  }

  /** '' if there is none, or it cannot be used; for the log. */
  get callId(): string {
    const callId = this.#text('call-id');

    return findFault(callId, MAX_CALL_ID) === undefined ? callId : '';
  }

  get sdp(): string {
    return this.#text('sdp');
  }

  /** Whether this is an offer that begins a call: it names no other party. */
  get isNewCall(): boolean {
    return this.command === 'offer' && this.#text('to-tag') === '';
  }

  /** Whether the client knows the result `load limit` (ng-protocol 3). */
  get knowsLoadLimit(): boolean {
    return wordsOf(this.#others.supports).includes('load limit');
  }

  /** Whether it brings a piece of an SDP only, as trickle ICE has them (RFC 8840). */
  get isFragment(): boolean {
    return this.sdp !== '' && !this.sdp.startsWith('v=') && this.hasFlag('fragment');
  }

  hasFlag(flag: string): boolean {
    return wordsOf(this.#others.flags).some((word) => word.replaceAll(' ', '-') === flag);
  }

  /** The set meant: what the client says, else that of the port. */
  setId(): number | Failure {
    const text = this.#text('cluster-set');
    if (text === '') return this.#setId;
    if (/^\d{1,9}$/.test(text)) return Number(text);

    return bad(`cluster-set is ${shown(text)}; it must be a whole number from 0 to 999999999`);
  }

  /** How many calls are to be listed. Text that is no number counts as none given, as with rtpengine. */
  limit(): number | Failure {
    const text = textOf(this.#others.limit);
    if (!/^-?\d{1,15}$/.test(text)) return DEFAULT_LIMIT;

    return Number(text) < 0
      ? bad(`limit is ${text}; it must be 0 or more`, 'invalid limit, must be >= 0')
      : Number(text);
  }

  offer(): OfferFacts | Failure {
    const { sdp } = this;
    if (sdp === '') return NO_SDP;
    const facts = this.#facts(true);
    if (facts instanceof Failure) return facts;

    if (facts.toTag === undefined) return { ...facts, sdp, isInDialog: false, isFromCallee: false };
    // New versions of Kamailio say what the SDP came in: one in a reply is the callee's.
    const isReply = this.#text('sip-message-type') === 'sip_reply';

    return { ...facts, sdp, isInDialog: true, ...(isReply ? { isFromCallee: true } : {}) };
  }

  answer(): AnswerFacts | Failure {
    const { sdp } = this;
    if (sdp === '') return NO_SDP;
    const facts = this.#facts(true);
    if (facts instanceof Failure) return facts;
    const { toTag } = facts;
    if (toTag === undefined) return missing('to-tag');

    // Modules give an answer the flags of its offer, so a direction says nothing; rtpengine ignores it too. Nor does the protocol
    // tell a 183 from a 200.
    const { direction: _, readerSide: __, ...rest } = facts;

    return { ...rest, toTag, sdp, isFinal: true };
  }

  /**
   * Before 12.5 a to-tag names the party that leaves; since then it counts only with the flag `to-tag`, or as a word of `rtpp-flags`.
   * The newer rule ends what the older one would leave behind (ng-protocol 8).
   */
  delete(): DeleteFacts | Failure {
    const facts = this.#facts(false);
    if (facts instanceof Failure) return facts;
    const { callId, fromTag, toTag, branch, setId } = facts;
    // A negative one is none, as with rtpengine.
    const delay = textOf(this.#others['delete-delay']);
    const delayS = /^\d{1,6}$/.test(delay) ? Number(delay) : undefined;
    const isLeaving = fromTag !== '' && toTag !== undefined && this.hasFlag('to-tag');

    return {
      callId,
      tags: [fromTag, toTag ?? ''].filter((tag) => tag !== ''),
      reason: 'delete',
      ...(branch === undefined ? {} : { branch }),
      ...(setId === undefined ? {} : { setId }),
      ng: {
        ...(delayS === undefined ? {} : { delayS }),
        ...(fromTag === '' ? {} : { fromTag }),
        ...(isLeaving ? { leaving: toTag } : {}),
      },
    };
  }

  /** `fromTag` is '' if no party is named. */
  query(): Pick<CallFacts, 'callId' | 'fromTag' | 'setId'> | Failure {
    const facts = this.#facts(false);
    if (facts instanceof Failure) return facts;

    return facts.fromTag === '' && facts.toTag !== undefined ? { ...facts, fromTag: facts.toTag } : facts;
  }

  /** Any other command, with the keys the relay is to get. Only `subscribe request` has a direction. */
  relayed(): CommandRequest | Failure {
    const { command } = this;
    const facts = this.#facts(false);
    if (facts instanceof Failure) return facts;
    for (const key of ['to-call-id', 'source-call-id']) {
      if (typeof (this.#others[key] ?? '') !== 'string') return bad(`${key} must be a Call-ID`);
    }
    const { calls = [] } = this.#others;
    if (!Array.isArray(calls) || !calls.every((call) => typeof call === 'string'))
      return bad('calls must be a list of Call-IDs');
    const message = newDict();
    message.command = command;
    for (const key of ['call-id', 'from-tag', 'to-tag', 'via-branch', 'sdp', 'received-from'] as const) {
      const value = this.#keys.get(key);
      if (value !== undefined) message[key] = value;
    }
    Object.assign(message, this.#others);
    message['call-id'] = facts.callId;
    if (command !== 'subscribe request') return { message, facts };
    const direction = readDirection(this.#keys, this.#sides);
    const reader = readSide('cluster-to', this.#keys, this.#sides);
    if (direction instanceof Failure) return direction;
    if (reader instanceof Failure) return reader;
    // Nobody sends an SDP here, so the reader is all that counts.
    const both = direction ?? (reader === undefined ? undefined : { from: reader, to: reader });

    return { message, facts: both === undefined ? facts : { ...facts, direction: both } };
  }

  /**
   * What all requests say of a call; `fromTag` is '' where it is not needed and missing.
   * @param isMedia whether the message brings an SDP: then from-tag is needed, and sides and nodes are of interest
   */
  #facts(isMedia: boolean): CallFacts | Failure {
    const callId = this.#identifier('call-id', MAX_CALL_ID);
    const fromTag = this.#identifier('from-tag', MAX_TAG);
    const toTag = this.#identifier('to-tag', MAX_TAG);
    const branch = this.#identifier('via-branch', MAX_TAG);
    const setId = this.setId();
    if (callId instanceof Failure) return callId;
    if (callId === '') return missing('call-id');
    if (fromTag instanceof Failure) return fromTag;
    if (fromTag === '' && isMedia) return missing('from-tag');
    if (toTag instanceof Failure) return toTag;
    if (branch instanceof Failure) return branch;
    if (setId instanceof Failure) return setId;
    const common = {
      callId,
      fromTag,
      ...(toTag === '' ? {} : { toTag }),
      ...(branch === '' ? {} : { branch }),
      setId,
      extra: this.#others,
      door: 'ng' as const,
    };
    if (!isMedia) return common;
    const direction = readDirection(this.#keys, this.#sides);
    const readerSide = readSide('cluster-to', this.#keys, this.#sides);
    const require = this.#nodeTags('cluster-require');
    const prefer = this.#nodeTags('cluster-prefer');
    if (direction instanceof Failure) return direction;
    if (readerSide instanceof Failure) return readerSide;
    if (require instanceof Failure) return require;
    if (prefer instanceof Failure) return prefer;
    const source = this.#source();

    return {
      ...common,
      ...(source === undefined ? {} : { source }),
      ...(direction === undefined ? {} : { direction }),
      ...(readerSide === undefined ? {} : { readerSide }),
      ...(require === undefined ? {} : { require }),
      ...(prefer === undefined ? {} : { prefer }),
    };
  }

  #nodeTags(key: 'cluster-require' | 'cluster-prefer'): readonly string[] | undefined | Failure {
    const words = wordsOf(this.#keys.get(key));
    if (words.length === 0) return undefined;
    const tags = readTags(words);

    return tags instanceof Failure ? new Failure(tags.code, `${key}: ${tags.message}`) : tags;
  }

  /** Where the SIP message came from, as `IP4 192.0.2.1`; `rtp_relay` of OpenSIPS writes 0.0.0.0 where it does not know. */
  #source(): string | undefined {
    const address = wordsOf(this.#keys.get('received-from'), /[\s,]+/).at(-1) ?? '';

    return familyOf(address) === undefined || isUnspecified(address) ? undefined : address;
  }

  #identifier(key: 'call-id' | 'from-tag' | 'to-tag' | 'via-branch', max: number): string | Failure {
    const text = this.#text(key);
    const fault = findFault(text, max);

    return fault === undefined ? text : bad(`${key} ${fault}`);
  }

  #text(key: OwnKey): string {
    return textOf(this.#keys.get(key));
  }
}

/** Said as rtpengine says it (ng-protocol 3.1). */
const NO_SDP = bad('sdp is missing or empty', 'No SDP body in message');

function missing(key: 'call-id' | 'from-tag' | 'to-tag'): Failure {
  return bad(`${key} is missing`, `No ${key} in message`);
}
