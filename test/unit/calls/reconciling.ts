/** A cluster whose calls are compared with those of its nodes, and what came of it. */

import type { Report } from '../../../src/calls/reconcile.ts';
import type { Call } from '../../../src/domain/call.ts';
import { Failure } from '../../../src/domain/errors.ts';
import type { Member } from '../../../src/fleet/member.ts';
import { type Cluster, makeCluster } from '../../fakes/cluster.ts';
import { makeCall } from '../../fakes/store.ts';

/** A cluster whose monitors list what the relays have. */
export function start(options: Parameters<typeof makeCluster>[0] = {}): Cluster {
  const cluster = makeCluster(options);
  for (const member of cluster.fleet.all()) {
    cluster.watch.monitorOf(member);
    cluster.monitor(member.id).calls = cluster.relay(member.id).calls;
  }

  return cluster;
}

export function memberOf({ fleet }: Cluster, id = 0): Member {
  const member = fleet.get(id);
  if (member === undefined) throw new Error(`there is no node ${id}`);

  return member;
}

/** A live call of ours, which its node has unless told otherwise. */
export async function live(
  cluster: Cluster,
  callId: string,
  change: Partial<Call> = {},
  isThere = true,
): Promise<Call> {
  const call = makeCall(callId, { state: 'confirmed', updatedAt: cluster.clock.utc(), ...change });
  cluster.calls.add(call);
  if (isThere && call.nodeId !== null) cluster.relay(call.nodeId).calls.add(callId);
  await cluster.store.saveCall(call, { isNew: true });

  return call;
}

/** Lets a run end: it waits for the loop between its slices, which is no time. */
export async function finished<T>(cluster: Cluster, run: Promise<T>, stepMs = 0): Promise<T> {
  let isOver = false;
  const result = run.finally(() => {
    isOver = true;
  });
  for (let steps = 0; !isOver && steps < 1000; steps++) await cluster.clock.advance(stepMs);

  return result;
}

/** The report of a run that somebody wanted. */
export async function reconcile(cluster: Cluster, id = 0, stepMs = 0): Promise<Report> {
  const report = await finished(cluster, cluster.reconcile.run(memberOf(cluster, id)), stepMs);
  if (report instanceof Failure) throw new Error(`${report.code} ${report.message}`);

  return report;
}

/** Events of a kind, oldest first. */
export function events({ store }: Cluster, kind: string) {
  return store.events
    .list(1000, null)
    .filter((event) => event.kind === kind)
    .reverse();
}
