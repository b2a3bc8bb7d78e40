/** What a proxy tells about a SIP message, and what we may conclude from it. Pure. */

/** One SIP message, as the proxy sees it. Tags are those of the message, never swapped. */
export interface SipFacts {
  readonly callId: string;
  readonly fromTag: string;
  readonly toTag?: string;
  /** In a reply the method of its CSeq. */
  readonly method: string;
  /** 100 to 699; absent in requests. */
  readonly status?: number;
  readonly cseq?: string;
  readonly branch?: string;
  /** Given when the proxy tears the call down without a BYE; the value is the reason. */
  readonly end?: string;
  readonly hasSdp: boolean;
}

/** What the memory of the call has to say. */
export interface CallMemory {
  readonly isConfirmed: boolean;
  /** The transaction of the INVITE that began the call; null if it was never named. */
  readonly initial: string | null;
  /** Whether this SIP transaction carried an offer in its request. */
  carriedOffer(transaction: string): boolean;
  /** Whether the last SDP of this tag was an offer that has no answer yet. */
  isOffering(tag: string): boolean;
  /** As `isOffering`, for an offer that was handed over without its transaction. */
  hasUnnamedOffer(tag: string): boolean;
  /** How many callees there are besides this one; with `confirmed`, only those which answered finally. */
  otherCallees(tag: string, confirmed: boolean): number;
  isCaller(tag: string): boolean;
  /** Whether there are legs of another branch. */
  hasOtherBranch(branch: string): boolean;
}

/** What to do for a message. In offers and answers `fromTag` is the offerer, as ng wants it. */
export type Step =
  | { readonly do: 'offer'; readonly fromTag: string; readonly toTag?: string; readonly isReply: boolean }
  | { readonly do: 'answer'; readonly fromTag: string; readonly toTag: string; readonly isFinal: boolean }
  | { readonly do: 'delete'; readonly reason: string; readonly branch?: string }
  | { readonly do: 'forget'; readonly tag: string }
  | { readonly do: 'announce' }
  | { readonly do: 'confirm'; readonly tag: string }
  | { readonly do: 'nothing' }
  | { readonly do: 'refuse'; readonly why: string };

/** Names the SIP transaction of a message: what a reply has in common with its request. */
export function transactionOf({ cseq, method, fromTag }: SipFacts): string | undefined {
  return cseq === undefined ? undefined : `${cseq} ${method} ${fromTag}`;
}

/** Methods whose bodies negotiate media (RFC 3264, RFC 3262, RFC 3311). */
const OFFER_ANSWER = new Set(['INVITE', 'ACK', 'PRACK', 'UPDATE']);

/**
 * Decides what a message asks for (reference: sip-proxies 2.2). The rules, in order:
 * 1. `end` ends the call, or one branch of it. So do BYE, and CANCEL or a final negative reply *to the INVITE that began
 *    the call*, unless the call goes on without that leg: a fork whose loser is hung up or refused, a CANCEL that crossed
 *    a 200. A refused re-INVITE ends nothing.
 * 2. No SDP: only remember that the call was announced, or answered.
 * 3. A request is an offer; ACK is an answer; PRACK is an answer while the other side has an open offer.
 * 4. A reply is an answer if its request carried an offer, else an offer (delayed offer).
 */
export function decide(facts: SipFacts, memory: CallMemory | undefined): Step {
  const { method, status, fromTag, toTag } = facts;
  if (facts.end !== undefined) return remove(facts.end, facts.branch);
  if (method === 'BYE') return status === undefined ? bye(facts, memory) : { do: 'nothing' };
  if (method === 'CANCEL') {
    return memory?.isConfirmed || !isInitial(facts, memory)
      ? { do: 'nothing' }
      : remove('cancel', facts.branch);
  }
  if (!OFFER_ANSWER.has(method)) return { do: 'nothing' };
  if (status !== undefined && status >= 300) return refusal(facts, memory);
  const isAccepted = method === 'INVITE' && status !== undefined && status >= 200;
  if (!facts.hasSdp) {
    if (isAccepted && toTag !== undefined && memory !== undefined) return { do: 'confirm', tag: toTag };

    return method === 'INVITE' && status === undefined ? { do: 'announce' } : { do: 'nothing' };
  }
  if (status === undefined) {
    const isAnswer =
      method === 'ACK' || (method === 'PRACK' && toTag !== undefined && memory?.isOffering(toTag));
    if (!isAnswer) return offer(fromTag, toTag, false);
    if (toTag === undefined)
      return { do: 'refuse', why: `to-tag is missing; an SDP in ${method} answers somebody` };

    return { do: 'answer', fromTag: toTag, toTag: fromTag, isFinal: method === 'ACK' };
  }

  if (toTag === undefined) return { do: 'refuse', why: 'to-tag is missing; a reply with SDP has one' };
  const transaction = transactionOf(facts);
  if (transaction === undefined)
    return { do: 'refuse', why: 'cseq is missing; a reply needs it to find its request' };
  if (memory !== undefined && (memory.carriedOffer(transaction) || memory.hasUnnamedOffer(fromTag))) {
    return { do: 'answer', fromTag, toTag, isFinal: isAccepted };
  }

  return offer(toTag, fromTag, true);
}

/** Whether a message belongs to the INVITE that began the call, as far as anybody can tell. */
function isInitial({ cseq, fromTag }: SipFacts, memory: CallMemory | undefined): boolean {
  if (memory === undefined || memory.initial === null || cseq === undefined) return true;

  return memory.initial === `${cseq} INVITE ${fromTag}`;
}

/** Some scripts hand over the same tag twice (reference: sip-proxies 5.3); the second says nothing then. */
function offer(fromTag: string, toTag: string | undefined, isReply: boolean): Step {
  return { do: 'offer', fromTag, ...(toTag === undefined || toTag === fromTag ? {} : { toTag }), isReply };
}

function remove(reason: string, branch: string | undefined): Step {
  return { do: 'delete', reason, ...(branch === undefined ? {} : { branch }) };
}

/** A caller who got two 200s hangs up one of them; the other call goes on. */
function bye({ fromTag, toTag }: SipFacts, memory: CallMemory | undefined): Step {
  const callee = memory?.isCaller(fromTag) === false ? fromTag : toTag;
  if (callee !== undefined && memory !== undefined && memory.otherCallees(callee, true) > 0) {
    return { do: 'forget', tag: callee };
  }

  return { do: 'delete', reason: 'bye' };
}

/** A final negative reply. */
function refusal(facts: SipFacts, memory: CallMemory | undefined): Step {
  const { branch, toTag } = facts;
  if (facts.method !== 'INVITE' || !isInitial(facts, memory)) return { do: 'nothing' };
  if (branch !== undefined && memory?.hasOtherBranch(branch)) return remove(String(facts.status), branch);
  if (memory !== undefined && toTag !== undefined && branch === undefined) {
    if (memory.otherCallees(toTag, memory.isConfirmed) > 0) return { do: 'forget', tag: toTag };
  }

  return memory?.isConfirmed ? { do: 'nothing' } : remove(String(facts.status), branch);
}
