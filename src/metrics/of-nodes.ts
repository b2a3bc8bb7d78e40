/** Series of nodes: each has the id of its node and of its set, so that any two of them can be joined. */

import type { Member } from '../fleet/member.ts';
import { type Family, labelled, type Sample } from './family.ts';
import type { MetricParts } from './parts.ts';

export const NODE_LABELS = ['node', 'set'] as const;

/** Series of every node, removed ones left out. */
export function* ofNodes(
  { fleet }: Pick<MetricParts, 'fleet'>,
  read: (member: Member, labels: readonly string[]) => Iterable<Sample<number>>,
): Iterable<Sample<number>> {
  for (const member of fleet.list()) yield* read(member, [String(member.id), String(member.node.setId)]);
}

/** One series for each node. @param name without the prefix @param read null for not known, then there is none */
export function perNode(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (member: Member, parts: MetricParts) => number | null | undefined,
): Family {
  return labelled(type, name, help, NODE_LABELS, (parts) =>
    ofNodes(parts, (member, labels) => {
      const value = read(member, parts);

      return value === null || value === undefined ? [] : [[labels, value]];
    }),
  );
}
