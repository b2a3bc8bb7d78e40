/** A node as the API shows it: what people said of it, what we think of it, and what it does now. */

import type { Verdict } from '../domain/state.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import { nodeShown } from '../fleet/node-input.ts';
import type { Orders } from '../fleet/orders.ts';
import type { Rates } from '../series/rates.ts';
import type { Clock } from '../util/clock.ts';
import { type NodeQuery, pageOf } from './node-list.ts';

/** What the resource is made with. */
export interface NodeResourceParts {
  readonly orders: Pick<Orders, 'progressOf'>;
  readonly rates: Pick<Rates, 'placedPerS'>;
  readonly clock: Clock;
}

export function nodeResource(member: Member, { orders, rates, clock }: NodeResourceParts) {
  const { admin, opinion, figures, calls } = member;
  const now = clock.monotonic();
  const progress = orders.progressOf(member);

  return {
    ...nodeShown(member.node),
    calls,
    order: {
      state: admin.order,
      by: admin.by,
      reason: admin.reason,
      at: admin.at,
      until: admin.until,
      /** Whether the relay itself was told to take no new calls. */
      relay_told: member.limited !== null,
    },
    health: {
      state: opinion.health,
      since: opinion.since,
      cause: opinion.cause,
      ejected_until: opinion.ejectedUntil,
    },
    takes_new_calls: takesNewCalls(member),
    share: rounded(member.ramp, 100),
    load: {
      calls,
      sessions: figures === null ? null : member.sessions,
      ports_in_use: member.portsInUse,
      ports_total: member.portsTotal,
      packets_per_s: figures?.packetsPerS ?? null,
      bytes_per_s: figures?.bytesPerS ?? null,
      errors_per_s: figures?.errorsPerS ?? null,
      figures_age_ms: figures === null ? null : Math.round(now - figures.at),
    },
    /** New calls, as of the last 10 s. */
    placed_per_s: rates.placedPerS(member.id),
    /** The last test call with RTP, where the set has a media probe. */
    probe: probeOf(member),
    rtt_ms: member.rttMs === null ? null : rounded(member.rttMs, 100),
    version: figures?.version ?? null,
    // Nobody knows whether a node that is down runs, and not every relay says how long it has run.
    uptime_s:
      figures === null || figures.uptimeS === null || member.health === 'down'
        ? null
        : Math.floor(figures.uptimeS + (now - figures.at) / 1000),
    last_change:
      admin.at > opinion.since
        ? { at: admin.at, cause: orderText(member) }
        : { at: opinion.since, cause: `${opinion.health}: ${opinion.cause}` },
    drain:
      progress === null
        ? null
        : {
            calls_left: progress.callsLeft,
            per_minute: progress.perMinute,
            eta_s: progress.etaS,
            is_drained: progress.isDrained,
          },
  };
}

/** The nodes that a query without fault asks for. */
export function nodePage(fleet: Fleet, query: NodeQuery, parts: NodeResourceParts) {
  const { page, total } = pageOf(fleet, query);

  return { nodes: page.map((member) => nodeResource(member, parts)), total };
}

function probeOf({ probe }: Member) {
  if (probe === null) return null;
  const { at, result, lossPercent, delayMs, reordered, reason } = probe;

  return {
    at,
    result,
    loss_percent: lossPercent === null ? null : rounded(lossPercent, 10),
    delay_ms: delayMs === null ? null : rounded(delayMs, 100),
    reordered,
    reason,
  };
}

function takesNewCalls(member: Member): Exclude<Verdict, 'later'> {
  const verdict = member.verdict('new');

  return member.weight === 0 || verdict === 'later' ? 'no' : verdict;
}

function orderText({ admin: { order, by, reason } }: Member): string {
  return `${order}${by === '' ? '' : ` by ${by}`}${reason === '' ? '' : `: ${reason}`}`;
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
