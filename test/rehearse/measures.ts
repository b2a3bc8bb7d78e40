/** Reads figures out of a recording. Times in ms. */

import { type CallRecord, isGood, type Outcome } from './load.ts';
import { type Mark, type NodeEvent, RELAYS, type Recording } from './stage.ts';

/** A log line may be written this much after its answer was read, ms. */
const LOG_SLACK_MS = 5;

/** The largest; null if any is missing or there is none. */
export function worst(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);

  return known.length === 0 || known.length < times.length ? null : Math.max(...known);
}

/** Until the last new call that was placed or tried on the node after the trouble began; 0 if there was none. */
export function outByCalls({ node, at, repair }: Mark, { load, logs }: Recording): number {
  const until = repair?.from ?? Number.POSITIVE_INFINITY;
  const tried = new Map(
    logs
      .filter((line) => line.event === 'media.try_failed' && line.node === node)
      // A later try for the same call is one of its re-offers.
      .map((line) => [String(line.call_id), Date.parse(String(line.time))] as const)
      .reverse(),
  );
  const touched = load.calls.filter(({ callId, offer, node: placed }) => {
    const triedAt = tried.get(callId) ?? Number.POSITIVE_INFINITY;

    return placed === node || triedAt <= offer.at + offer.ms + LOG_SLACK_MS;
  });

  return Math.max(
    0,
    ...touched.filter(({ offer }) => offer.at >= at && offer.at < until).map(({ offer }) => offer.at - at),
  );
}

/** Until the first new call on the node after its trouble was over; null if there was none. */
export function backByCalls({ node, repair }: Mark, { load }: Recording): number | null {
  if (repair === undefined) return null;
  const first = load.calls
    .filter((call) => call.node === node && call.offer.at >= repair.from)
    .reduce((least, { offer }) => Math.min(least, offer.at), Number.POSITIVE_INFINITY);

  return Number.isFinite(first) ? Math.max(0, first - repair.to) : null;
}

/** Until the first event of these kinds that a node has after its trouble began. */
export function eventAfter(
  { node, at }: Mark,
  events: readonly NodeEvent[],
  kinds: ReadonlySet<string>,
): number | null {
  const event = events.find((each) => each.node_id === node && kinds.has(each.kind) && each.at >= at);

  return event === undefined ? null : event.at - at;
}

/** Until the node was thought good again after its trouble was over; null if it never was. */
export function backByEvents({ node, repair }: Mark, { events }: Recording): number | null {
  if (repair === undefined) return null;
  const event = events.find(
    (each) => each.node_id === node && each.kind === 'node.up' && each.at >= repair.from,
  );

  return event === undefined ? null : Math.max(0, event.at - repair.to);
}

/** Whether a running call failed, or was deleted where nobody knew it any more. */
export function isCut({ bound }: CallRecord): boolean {
  return bound.some(isBad);
}

/** A delete that the node has not answered yet is no harm: it is told again. */
export function isBad(outcome: Outcome): boolean {
  if (!isGood(outcome)) return true;

  return outcome.text.includes('"warning"') && !outcome.text.includes('it will be told again');
}

/** Which part of the new calls each node got: before the first trouble, while there was any, after the last. */
export function sharesOf(calls: readonly CallRecord[], marks: readonly Mark[]): string[] {
  const from = Math.min(...marks.map(({ at }) => at));
  const to = Math.max(...marks.map(({ repair }) => repair?.from ?? Number.POSITIVE_INFINITY));
  const phases =
    marks.length === 0
      ? [calls]
      : [
          calls.filter(({ offer }) => offer.at < from),
          calls.filter(({ offer }) => offer.at >= from && offer.at < to),
          calls.filter(({ offer }) => offer.at >= to),
        ];

  return phases.map((phase) => {
    const placed = phase.filter(({ node }) => node !== null);
    if (placed.length === 0) return '–';
    const share = (node: number): number =>
      (100 * placed.filter((call) => call.node === node).length) / placed.length;

    return Array.from({ length: RELAYS }, (_, index) => share(index + 1).toFixed(0)).join('/');
  });
}
