/** Whether a set can do without a node: the bound of all ejections, so that a mistake of ours never takes a set out. */

import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';

/** The largest share of a set that may be ejected. */
const EJECTED_SHARE = 1 / 3;

/** Why the node may not be ejected, for people: never more than a third of a set, and never the last that takes calls. Null if it may. */
export function whyNotEjected(fleet: Pick<Fleet, 'membersOf'>, member: Member): string | null {
  const { setId } = member.node;
  const ready = fleet.membersOf(setId).filter(({ order }) => order === 'ready');
  const ejected = ready.filter(({ health }) => health === 'ejected').length;
  const others = ready.filter(
    (other) => other !== member && other.weight > 0 && other.verdict('new') === 'yes',
  ).length;
  if (others === 0) return `no other node of set ${setId} takes calls`;
  if (ejected + 1 <= ready.length * EJECTED_SHARE) return null;

  return `set ${setId} has ${ready.length} nodes that are ready and ${ejected} of them ejected; no more than a third may be`;
}
