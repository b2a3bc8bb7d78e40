/** The policies by name. */

import { byHash } from './hash.ts';
import { createLeastLoad } from './least-load.ts';
import type { Policy, PolicyName } from './policy.ts';
import { createRoundRobin } from './round-robin.ts';

/**
 * A policy of its own for each set, as some remember what they did.
 * @param random numbers from 0 to 1
 */
export function createPolicy(name: PolicyName, random: () => number): Policy {
  switch (name) {
    case 'hash':
      return byHash;
    case 'least-load':
      return createLeastLoad(random);
    case 'round-robin':
      return createRoundRobin();
  }
}
