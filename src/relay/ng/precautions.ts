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

/** Whether a party listens to others: whoever names it in an offer or an answer kills the relay. */
export function isListener(record: NgDict, tag: NgValue | undefined): boolean {
  const subscriptions = typeof tag === 'string' ? partyOf(record, tag)?.subscriptions : undefined;

  return (
    Array.isArray(subscriptions) &&
    subscriptions.some((each: NgValue) => isDict(each) && each.type === 'pub/sub')
  );
}

/** Why a command of listeners may not be sent, or undefined: parties do not listen, and only listeners unsubscribe. */
export function refuseListening(record: NgDict, { command, 'to-tag': tag }: NgDict): string | undefined {
  if (typeof tag !== 'string') return undefined;
  const isKnown = knowsAll(record, [tag]);
  if (command === 'unsubscribe' && !isKnown) return 'nobody with this to-tag is in the call';

  return isKnown && !isWithoutPartner(record, tag) ? 'the to-tag is that of a party of the call' : undefined;
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
    !isWithoutPartner(record, from) &&
    !isListener(record, from) &&
    !isListener(record, to)
  );
}

/** Whether the relay knows all these parties. */
function knowsAll(record: NgDict, tags: readonly NgValue[]): boolean {
  return tags.every((tag) => typeof tag === 'string' && partyOf(record, tag) !== undefined);
}

function partyOf({ tags }: NgDict, tag: string): NgDict | undefined {
  const party = isDict(tags) ? tags[tag] : undefined;

  return isDict(party) ? party : undefined;
}
