/** Which legs of a call a message means, in the manner of rtpengine 10.5 (reference: ng-protocol 4.1, 7, 8). */

import { type FakeCall, type FakeLeg, MAX_FAKE_LEGS } from './fake-legs.ts';

/** Sender and reader of an SDP. A string is an error text. */
export function findLegs(
  call: FakeCall,
  command: 'offer' | 'answer',
  fromTag: string,
  toTag: string | undefined,
  branch: string,
  now: number,
): readonly [FakeLeg, FakeLeg] | string {
  if (call.legs.length + 2 > MAX_FAKE_LEGS) return 'Too many tags';
  const known = call.byTag(fromTag);
  if (command === 'answer' && known === undefined) return 'Invalid dialogue association';
  const offerer = known ?? call.addLeg(fromTag, '', now);
  const untagged = offerer.subscriptions.find((leg) => leg.tag === '' && !leg.isDeleted);
  const onBranch = branch === '' ? undefined : call.byBranch(branch);
  const newest = offerer.subscriptions.find((leg) => !leg.isDeleted);
  let other = toTag === undefined ? undefined : call.byTag(toTag);
  other ??= onBranch === offerer || (onBranch?.tag ?? '') !== '' ? undefined : onBranch;
  if (toTag === undefined) other ??= branch === '' ? newest : onBranch;
  else if (untagged?.branch === '' || branch === '') other ??= untagged;
  other ??= call.addLeg('', branch, now);
  if (toTag !== undefined && other.tag === '') other.tag = toTag;
  call.join(offerer, other);

  return command === 'offer' ? [offerer, other] : [other, offerer];
}

/** The leg a delete means: by branch, else by to-tag, else by from-tag; an unanswered leg has any to-tag. */
export function matchLeg(
  call: FakeCall,
  fromTag: string,
  toTag: string,
  branch: string,
): FakeLeg | undefined {
  const onBranch = branch === '' ? undefined : call.byBranch(branch);
  if (toTag === '') return onBranch ?? call.byTag(fromTag);
  const from = call.byTag(fromTag);

  return (
    call.byTag(toTag) ?? onBranch ?? (from?.subscriptions.some((leg) => leg.tag === '') ? from : undefined)
  );
}
