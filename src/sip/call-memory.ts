/** What a decision on a SIP message has to know of its call, read from the call. */

import { type Call, findTag } from '../domain/call.ts';
import type { CallMemory } from './facts.ts';

export function memoryOf(call: Call): CallMemory {
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
