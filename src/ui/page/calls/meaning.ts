/** What an answer of the API means for the look of a call. */

import type { ApiFailure } from '../api.ts';
import type { CallResource } from './resources.ts';

/** Whether a final answer was relayed, so that media is due, or was while it lived. */
export function wasAnswered({ state, legs }: CallResource): boolean {
  return state === 'confirmed' || (state === 'ended' && legs.some(({ confirmed }) => confirmed));
}

/** Whether a failure is one of the relay of a call, and not of the question. */
export function isOfRelay(failure: ApiFailure | undefined): failure is ApiFailure {
  return failure !== undefined && /^RTPC_(RELAY_|CALL_LOST)/.test(failure.code);
}
