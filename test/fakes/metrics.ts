/** The parts metrics are read from, of a cluster with fakes around. */

import { NgCommands } from '../../src/front/commands.ts';
import { Exchange } from '../../src/front/exchange.ts';
import { NgServer } from '../../src/front/server.ts';
import type { MetricParts } from '../../src/metrics/parts.ts';
import { newWireTotals } from '../../src/relay/of-node.ts';
import { Histogram } from '../../src/util/histogram.ts';
import { type Cluster, SIDES } from './cluster.ts';

/** @param more what the doors have; without it nobody has come to them */
export function metricParts(cluster: Cluster, more: Partial<MetricParts> = {}): MetricParts {
  const { requests, fleet, calls, clock } = cluster;
  const commands = new NgCommands({ requests, fleet, calls, sides: SIDES, clock });

  return {
    ...cluster,
    watch: {
      counters: { checks: 0, failedChecks: 0, restarts: 0 },
      isInPanic: (setId) => cluster.watch.isInPanic(setId),
    },
    // A timer of its own would be every third thing a fake clock has to do.
    loopDelay: { histogram: new Histogram(), max: 0 },
    mediaProbes: { counters: { probes: 0, failed: 0, lossy: 0, unsaid: 0 } },
    hook: { counters: { runs: 0, failed: 0 }, pending: 0 },
    streams: { size: 0 },
    live: { size: 0 },
    sampler: { counters: { written: 0, dropped: 0 } },
    guard: { counters: { wrongTokens: 0, wrongRoles: 0, waits: 0 } },
    wires: { calls: newWireTotals(), checks: newWireTotals() },
    ng: {
      server: new NgServer({ listen: [], clients: [], clock }),
      exchange: new Exchange(commands.handle, clock),
      commands,
    },
    late: {},
    ...more,
  };
}
