/** Metrics of nodes and sets: orders, opinions, load, and what relays tell of themselves. */

import { HEALTHS, isHealthy, ORDERS } from '../domain/state.ts';
import { counters, type Family, gauge, labelled, type Sample } from './family.ts';
import { ofNodes, perNode } from './of-nodes.ts';
import type { MetricParts } from './parts.ts';

export const FLEET_METRICS: readonly Family[] = [
  labelled(
    'gauge',
    'node_info',
    'Always 1: what a node is. Join it by node.',
    ['node', 'set', 'kind', 'socket', 'version'],
    (parts) =>
      ofNodes(parts, ({ node, figures }, labels) => [
        [[...labels, node.kind, node.socket, figures?.version ?? ''], 1],
      ]),
  ),
  labelled(
    'gauge',
    'node_order',
    'The order a node is under: 1 for the one that holds, 0 for the others.',
    ['node', 'set', 'order'],
    (parts) =>
      ofNodes(parts, ({ order }, labels) =>
        ORDERS.map((word) => [[...labels, word], word === order ? 1 : 0]),
      ),
  ),
  labelled(
    'gauge',
    'node_health',
    'Our opinion of a node: 1 for the one that holds, 0 for the others.',
    ['node', 'set', 'health'],
    (parts) =>
      ofNodes(parts, ({ health }, labels) =>
        HEALTHS.map((word) => [[...labels, word], word === health ? 1 : 0]),
      ),
  ),
  perNode('gauge', 'node_calls', 'Live calls of ours on a node.', ({ calls }) => calls),
  perNode('gauge', 'node_offers', 'New calls that are being offered to a node.', ({ offers }) => offers),
  perNode(
    'gauge',
    'node_sessions',
    'Calls a node has: ours, those being offered, and as many as the sessions of other controllers.',
    ({ sessions }) => sessions,
  ),
  perNode(
    'gauge',
    'node_foreign_calls',
    'Calls of other controllers on a node, as of its last comparison.',
    ({ id }, { reconcile }) => reconcile.foreignCalls(id),
  ),
  perNode(
    'gauge',
    'node_ports_used',
    'Media ports in use: the last figure, and what our calls took or gave back since.',
    ({ portsInUse }) => portsInUse,
  ),
  perNode('gauge', 'node_ports', 'Media ports a node has.', ({ portsTotal }) => portsTotal),
  perNode(
    'gauge',
    'node_capacity',
    'Calls a node may have; missing where there is no limit.',
    ({ capacity }) => capacity,
  ),
  perNode(
    'gauge',
    'node_figures_known',
    'Whether a node told its figures lately: 1 or 0.',
    ({ hasFigures }) => (hasFigures ? 1 : 0),
  ),
  perNode(
    'gauge',
    'node_weight',
    'Weight of a node, slow start taken into account.',
    ({ weight, ramp }) => weight * ramp,
  ),
  perNode('gauge', 'node_rtt_seconds', 'Smoothed time of a check.', ({ rttMs }) =>
    rttMs === null ? null : rttMs / 1000,
  ),
  perNode(
    'gauge',
    'node_start_time_seconds',
    'When the relay started, by its own uptime; seconds since 1970.',
    ({ startedAt }) => (startedAt === null ? null : startedAt / 1000),
  ),
  perNode(
    'gauge',
    'node_media_packets_per_second',
    'Media packets a relay says it handled in the last second.',
    (member) => (member.hasFigures ? member.figures?.packetsPerS : null),
  ),
  perNode('gauge', 'node_media_bytes_per_second', 'The same in bytes.', (member) =>
    member.hasFigures ? member.figures?.bytesPerS : null,
  ),
  perNode(
    'gauge',
    'node_media_errors_per_second',
    'Errors of media a relay says it had in the last second.',
    (member) => (member.hasFigures ? member.figures?.errorsPerS : null),
  ),
  perNode(
    'counter',
    'node_rejected_calls_total',
    'New calls a relay says it refused since its start, those of other controllers included.',
    (member) => (member.hasFigures ? member.figures?.rejected : null),
  ),
  perNode(
    'gauge',
    'node_probe_ok',
    'Whether audio passed in the last media probe, gaps or not: 1 or 0.',
    ({ probe }) => (probe === null ? null : Number(probe.result !== 'failed')),
  ),
  perNode('gauge', 'node_probe_time_seconds', 'When that was; seconds since 1970.', ({ probe }) =>
    probe === null ? null : probe.at / 1000,
  ),
  perNode('gauge', 'node_probe_loss_ratio', 'Packets lost in it, in the worse direction.', ({ probe }) =>
    probe?.lossPercent == null ? null : probe.lossPercent / 100,
  ),
  perNode(
    'gauge',
    'node_probe_delay_seconds',
    'How long its packets took through the relay and back to us.',
    ({ probe }) => (probe?.delayMs == null ? null : probe.delayMs / 1000),
  ),
  ofSets(
    'set_nodes',
    'Nodes of a set, removed ones left out.',
    ({ fleet }, id) => fleet.membersOf(id).length,
  ),
  ofSets(
    'set_healthy_nodes',
    'Nodes of a set that are up, falling, or not judged yet.',
    ({ fleet }, id) => fleet.membersOf(id).filter(({ health }) => isHealthy(health)).length,
  ),
  ofSets(
    'set_ready_nodes',
    'Nodes of a set that take new calls: under the order ready, with a weight, and up.',
    ({ fleet }, id) =>
      fleet
        .membersOf(id)
        .filter(({ health, order, weight }) => health === 'up' && order === 'ready' && weight > 0).length,
  ),
  ofSets(
    'set_panic',
    'Whether less than half of the weight of a set is healthy, so that bad nodes get calls too: 1 or 0.',
    ({ watch }, id) => (watch.isInPanic(id) ? 1 : 0),
  ),
  ...counters(({ watch }) => watch.counters, {
    checks: ['checks_total', 'Checks of nodes.'],
    failedChecks: ['checks_failed_total', 'Checks without an answer.'],
    restarts: ['relay_restarts_total', 'Restarts of relays that were noticed.'],
  }),
  ...counters(({ mediaProbes }) => mediaProbes.counters, {
    probes: ['media_probes_total', 'Media probes: test calls with RTP both ways.'],
    failed: ['media_probes_failed_total', 'Those in which no audio passed.'],
    lossy: ['media_probes_lossy_total', 'Those with gaps.'],
    unsaid: ['media_probes_unsaid_total', 'Those that could not tell anything of the node.'],
  }),
  ...counters(({ reconcile }) => reconcile.counters, {
    runs: ['reconcile_runs_total', 'Comparisons of the calls of a node with ours.'],
    failed: ['reconcile_failed_total', 'Those that failed.'],
    lost: ['reconcile_lost_calls_total', 'Calls they ended here since the node did not have them any more.'],
    strays: ['reconcile_strays_total', 'Calls they found on nodes that had ended here.'],
  }),
  ...counters(({ hook }) => hook.counters, {
    runs: ['drain_hook_runs_total', 'Programs started at the end of a drain.'],
    failed: ['drain_hook_failed_total', 'Those that failed, or were not started since too many waited.'],
  }),
  gauge('drain_hooks_pending', 'Programs of ended drains that run or wait.', ({ hook }) => hook.pending),
];

/** One series for each set. */
function ofSets(name: string, help: string, read: (parts: MetricParts, id: number) => number): Family {
  return labelled('gauge', name, help, ['set'], (parts) =>
    parts.fleet.sets().map(({ id }): Sample<number> => [[String(id)], read(parts, id)]),
  );
}
