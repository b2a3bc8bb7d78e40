/** A node as the API shows it: what people said of it, what we think of it, and what it does now. */

import type { Verdict } from '../domain/state.ts';
import type { Member } from '../fleet/member.ts';
import { nodeShown } from '../fleet/node-input.ts';
import type { Orders } from '../fleet/orders.ts';
import type { Clock } from '../util/clock.ts';

/** What the resource is made with. */
export interface NodeResourceParts {
  readonly orders: Pick<Orders, 'progressOf'>;
  readonly clock: Clock;
}

export function nodeResource(member: Member, { orders, clock }: NodeResourceParts) {
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
