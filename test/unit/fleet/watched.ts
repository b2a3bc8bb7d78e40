/** A watched cluster whose orders a test gives, and what became of them. */

import { Failure } from '../../../src/domain/errors.ts';
import type { DrainEnd } from '../../../src/fleet/drain-hook.ts';
import type { Member } from '../../../src/fleet/member.ts';
import { type Ordered, Orders } from '../../../src/fleet/orders.ts';
import { BUDGET_MS, type Cluster, makeCluster, makeNode } from '../../fakes/cluster.ts';
import { flush, makeCall } from '../../fakes/store.ts';

/** Two watched nodes that are up. Node 0 has so many calls, c0 and on. */
export async function watched(
  calls = 0,
): Promise<Cluster & { member: Member; end: (callId: string) => void }> {
  const cluster = makeCluster({ isWatched: true, nodes: [makeNode(0), makeNode(1)] });
  for (let index = 0; index < calls; index++) cluster.calls.add(makeCall(`c${index}`));
  await cluster.clock.advance(3000);
  const member = cluster.fleet.get(0);
  if (member === undefined) throw new Error('there is no node 0');

  return {
    ...cluster,
    member,
    end(callId) {
      const call = cluster.calls.get(callId);
      if (call !== undefined) cluster.calls.end(call, 'bye', cluster.clock.utc());
    },
  };
}

/** The program ends and starts again: another `Orders` on the same database. */
export async function restarted({ orders, fleet, store, clock, watch }: Cluster): Promise<DrainEnd[]> {
  await flush(store);
  orders.stop();
  const ends: DrainEnd[] = [];
  if (!('monitorOf' in watch)) throw new Error('nobody watches');
  new Orders(fleet, store, clock, watch, { onDrainEnd: (end) => ends.push(end), settleMs: BUDGET_MS });

  return ends;
}

/** An order that stands; fails the test if it does not. */
export function good(ordered: Ordered | Failure): Ordered {
  if (ordered instanceof Failure) throw new Error(ordered.message);

  return ordered;
}

/** Details of the events of a kind, oldest first. */
export async function detailsOf({ store, clock }: Cluster, kind: string): Promise<unknown[]> {
  await clock.advance(0);
  await flush(store);

  return store.events
    .list(100, null, { kinds: [kind] })
    .map(({ detail }) => detail)
    .reverse();
}
