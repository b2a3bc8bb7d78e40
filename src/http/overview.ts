/** `/v1/overview`: the fleet at a glance, set by set. */

import { Elysia } from 'elysia';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Rates } from '../series/rates.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { version } from '../util/version.ts';
import { json } from './responses.ts';

export interface OverviewParts {
  readonly fleet: Fleet;
  readonly watch: { isInPanic(setId: number): boolean };
  readonly rates: Rates;
  readonly store: Pick<Store, 'trouble'>;
  readonly clock: Clock;
  /** UTC ms at which this program began. */
  readonly startedAt: number;
}

export function overviewRoutes(parts: OverviewParts) {
  return new Elysia().get('/v1/overview', () => json(overview(parts)), {
    detail: {
      tags: ['fleet'],
      summary: 'The fleet at a glance',
      description:
        'Sums of all nodes and of each set; rates and times are those of the last 10 s. Null is what nobody knows.',
    },
  });
}

/** What the page of the whole fleet shows. */
export function overview({ fleet, watch, rates, store, clock, startedAt }: OverviewParts) {
  const members = fleet.list();
  const bySet = Map.groupBy(members, ({ node }) => node.setId);
  const { nodes_ready: _, probes_failed: __, placed_per_s: ___, ...sums } = sumOf(members, rates);

  return {
    at: clock.utc(),
    version,
    started_at: startedAt,
    database: store.trouble ?? 'ok',
    totals: { ...sums, ...rates.fleet() },
    sets: fleet.sets().map((set) => ({
      id: set.id,
      description: set.description,
      policy: set.policy,
      media_probe: set.mediaProbe,
      ...sumOf(bySet.get(set.id) ?? [], rates),
      is_in_panic: watch.isInPanic(set.id),
    })),
  };
}

function sumOf(members: readonly Member[], rates: Rates) {
  const sum = (read: (member: Member) => number | null): number | null => {
    let all: number | null = null;
    for (const member of members) {
      const value = read(member);
      if (value !== null) all = (all ?? 0) + value;
    }

    return all;
  };
  const placed = sum(({ id }) => rates.placedPerS(id));

  return {
    nodes: members.length,
    nodes_up: members.filter(({ health }) => health === 'up').length,
    /** Those that take new calls. */
    nodes_ready: members.filter(
      ({ health, order, weight }) => health === 'up' && order === 'ready' && weight > 0,
    ).length,
    /** Those whose last test call had no audio; nobody tests what is in maintenance. */
    probes_failed: members.filter(({ order, probe }) => order !== 'maint' && probe?.result === 'failed')
      .length,
    calls: sum(({ calls }) => calls) ?? 0,
    sessions: sum((member) => (member.figures === null ? null : member.sessions)),
    ports_in_use: sum(({ portsInUse }) => portsInUse),
    ports_total: sum(({ portsTotal }) => portsTotal),
    placed_per_s: placed === null ? null : Math.round(placed * 100) / 100,
  };
}
