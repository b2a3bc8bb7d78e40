/** What a recording says: figures of a scenario, and which targets were missed. */

import { type CallRecord, isGood } from './load.ts';
import {
  backByCalls,
  backByEvents,
  eventAfter,
  isBad,
  isCut,
  outByCalls,
  sharesOf,
  worst,
} from './measures.ts';
import { type Scenario, SLOW_MS, type Targets } from './scenarios.ts';
import type { Recording } from './stage.ts';

/** Calls that are described one by one. */
const SHOWN = 5;
/** Kinds of events that say a node is not trusted with new calls. */
const OUT: ReadonlySet<string> = new Set(['node.falling', 'node.down', 'node.ejected']);
const DOWN: ReadonlySet<string> = new Set(['node.down']);
/** Kinds a healthy node never has. */
const DISTRUSTED: ReadonlySet<string> = new Set(['node.down', 'node.ejected']);

/** Figures of a scenario. Times in ms; null = does not apply, or never. */
interface Figures {
  readonly calls: number;
  readonly failed: number;
  readonly p99: number | null;
  readonly max: number | null;
  /** New calls that waited longer than `SLOW_MS`. */
  readonly slow: number;
  readonly outMs: number | null;
  /** Until it was known to be dead. */
  readonly downMs: number | null;
  readonly backMs: number | null;
  /** Running calls with a request that failed: on a node in trouble, and on others. */
  readonly cut: { readonly there: number; readonly elsewhere: number };
  readonly left: number;
  /** Share of each node in percent before, during and after. */
  readonly shares: readonly string[];
}

/** The line of a scenario. */
export interface Row extends Figures {
  readonly name: string;
  /** Targets that were missed, in words. */
  readonly misses: readonly string[];
  /** What people want to see of calls that failed or were slow. */
  readonly remarks: readonly string[];
}

export function judge({ name, targets, isIdle = false }: Scenario, recording: Recording): Row {
  const figures = figuresOf(recording, isIdle);
  const misses = missesOf(figures, targets, recording);
  const { calls, lateMs } = recording.load;
  const failed = calls.filter(({ offer }) => !isGood(offer));
  const slow = calls.filter(({ offer }) => isGood(offer) && offer.ms > SLOW_MS);
  const isCutMissed = misses.some((miss) => miss.includes(CUT));

  return {
    name,
    ...figures,
    misses,
    remarks: [
      ...[...failed, ...slow].slice(0, SHOWN).map((call) => describe(call, recording)),
      ...(isCutMissed ? calls.filter(isCut).slice(0, SHOWN) : []).flatMap((call) =>
        describeCut(call, recording),
      ),
      ...(misses.length > 0 ? [`the generator itself was late by up to ${shown(lateMs)} ms`] : []),
    ],
  };
}

function figuresOf(recording: Recording, isIdle: boolean): Figures {
  const { load, marks, events, left } = recording;
  const { calls } = load;
  const waits = calls.map(({ offer }) => offer.ms).sort((a, b) => a - b);
  const cut = calls.filter(isCut);
  const there = cut.filter(({ node }) => marks.some((mark) => mark.node === node)).length;
  const repaired = marks.filter(({ repair }) => repair !== undefined);

  return {
    calls: calls.length + load.leftOut,
    failed: calls.filter(({ offer }) => !isGood(offer)).length,
    p99: waits[Math.min(waits.length - 1, Math.floor(waits.length * 0.99))] ?? null,
    max: waits.at(-1) ?? null,
    slow: waits.filter((ms) => ms > SLOW_MS).length,
    outMs: worst(marks.map((mark) => (isIdle ? eventAfter(mark, events, OUT) : outByCalls(mark, recording)))),
    downMs: worst(marks.map((mark) => eventAfter(mark, events, DOWN))),
    backMs: worst(
      repaired.map((mark) => (isIdle ? backByEvents(mark, recording) : backByCalls(mark, recording))),
    ),
    cut: { there, elsewhere: cut.length - there },
    left,
    shares: sharesOf(calls, marks),
  };
}

const CUT = 'running calls cut';

function missesOf(figures: Figures, targets: Targets, { load, marks, events, broken }: Recording): string[] {
  const { failed, slow, outMs, downMs, backMs, cut, left } = figures;
  const { maySlow = false, mayCut } = targets;
  const cutTooMany = { none: cut.there + cut.elsewhere, there: cut.elsewhere, any: 0 }[mayCut];
  const isLate = (ms: number | null, target: number | undefined): boolean =>
    target !== undefined && (ms === null || ms > target);
  const isRepaired = marks.some(({ repair }) => repair !== undefined);
  const wronged = events.filter(
    ({ kind, node_id: node, at }) =>
      DISTRUSTED.has(kind) && !marks.some((mark) => mark.node === node && mark.at <= at),
  );
  const all: readonly (readonly [boolean, string])[] = [
    [broken !== '', `broken off: ${broken.split('\n', 1)[0]}`],
    [failed > 0, `${failed} new calls failed`],
    [load.leftOut > 0, `${load.leftOut} calls were left out by the generator`],
    [slow > 0 && !maySlow, `${slow} waited > ${SLOW_MS} ms`],
    [isLate(outMs, targets.outMs), `out after ${shown(outMs)} ms, target ${targets.outMs}`],
    [isLate(downMs, targets.downMs), `known to be dead after ${shown(downMs)} ms, target ${targets.downMs}`],
    [isRepaired && backMs === null, 'not back'],
    [cutTooMany > 0, `${cutTooMany} ${CUT}`],
    [left > 0, `${left} calls left on relays`],
    ...wronged.map(({ kind, node_id: node }) => [true, `${kind} of the healthy node ${node}`] as const),
  ];

  return all.filter(([isMissed]) => isMissed).map(([, text]) => text);
}

/** The table, as Markdown. */
export function table(rows: readonly Row[]): string {
  const head = [
    ...[
      'scenario',
      'new calls',
      'failed',
      'offer p99 / max ms',
      `> ${SLOW_MS} ms`,
      'out ms',
      'down ms',
      'back ms',
    ],
    ...[
      'calls cut there / elsewhere',
      'left',
      'share of nodes 1/2/3/4 in %: before, during, after',
      'missed',
    ],
  ];
  const lines = rows.map((row) => [
    row.name,
    row.calls,
    row.failed,
    `${shown(row.p99)} / ${shown(row.max)}`,
    row.slow,
    shown(row.outMs),
    shown(row.downMs),
    shown(row.backMs),
    `${row.cut.there} / ${row.cut.elsewhere}`,
    row.left,
    row.shares.join(', '),
    row.misses.join('; '),
  ]);

  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function shown(ms: number | null): string {
  return ms === null ? '' : ms.toFixed(0);
}

/** One call that failed or waited: when, what the client was told, what was tried. */
function describe({ callId, offer, node }: CallRecord, { marks, logs }: Recording): string {
  const since = marks[0] === undefined ? '' : `, ${offer.at - marks[0].at} ms after the trouble began`;
  const tries = logs
    .filter((line) => line.event === 'media.try_failed' && line.call_id === callId)
    .map((line) => `node ${line.node} ${line.cause}: ${line.reason}`);
  const end = isGood(offer) ? `placed on node ${node}` : `${offer.status} ${offer.text.trim().slice(0, 200)}`;

  return `${callId}: ${shown(offer.ms)} ms${since}: ${end}; tries that failed: ${tries.join('; ') || 'none in the log'}`;
}

/** What went wrong in a running call. */
function describeCut({ callId, node, bound }: CallRecord, { marks }: Recording): string[] {
  const from = marks[0]?.at;

  return bound.filter(isBad).map(({ operation, at, ms, status, text }) => {
    const since = from === undefined ? '' : `, ${at - from} ms after the trouble began`;

    return `${callId} on node ${node}: ${operation} ${shown(ms)} ms${since}: ${status} ${text.trim().slice(0, 200)}`;
  });
}
