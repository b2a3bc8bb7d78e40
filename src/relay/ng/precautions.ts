/**
 * What rtpengine must not be sent although it is well-formed: 10.5.3.5 ends with a segmentation fault, and all its calls with it
 * (found by our fuzzer, measured; no other version was tried). Its own record of the call (`query`) tells when.
 */

import type { NgDict, NgValue } from '../driver.ts';
import { isDict } from './bencode.ts';

/**
 * Whether the relay knows a party that has no partner any more: he was taken by a third party, or unsubscribed, or only listens. An
 * offer of such a party that names no other kills it.
 */
export function isWithoutPartner(record: NgDict, tag: string): boolean {
  const subscriptions = partyOf(record, tag)?.subscriptions;

  return (
    Array.isArray(subscriptions) &&
    !subscriptions.some((each: NgValue) => isDict(each) && each.type === 'offer/answer')
  );
}

/**
 * Whether the relay can take a piece of an SDP. One that names a party it does not know kills it, one of a party without partner too,
 * and a `via-branch` it does not know, so a piece goes without.
 */
export function takesPiece(record: NgDict, piece: NgDict): boolean {
  const { 'from-tag': from, 'to-tag': to } = piece;

  return (
    typeof from === 'string' &&
    knowsAll(record, to === undefined ? [from] : [from, to]) &&
    !isWithoutPartner(record, from)
  );
}

/** Whether the relay knows all these parties; `unsubscribe` of another leads to its death later. */
export function knowsAll(record: NgDict, tags: readonly NgValue[]): boolean {
  return tags.every((tag) => typeof tag === 'string' && partyOf(record, tag) !== undefined);
}

function partyOf({ tags }: NgDict, tag: string): NgDict | undefined {
  const party = isDict(tags) ? tags[tag] : undefined;

  return isDict(party) ? party : undefined;
}
