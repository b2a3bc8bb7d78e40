/**
 * The ladder diagram of a call as a model: which lanes there are, and on which row which arrow goes from where to where. Drawing
 * and words are left to the page.
 */

import type { Explained, StepResource } from './resources.ts';

/** Who takes part: the SIP proxy, the cluster, and each relay that was asked or has the call. */
export interface Lane {
  readonly kind: 'proxy' | 'cluster' | 'relay';
  /** Null unless it is a relay. */
  readonly nodeId: number | null;
  /** Whether this relay has, or had, the call. */
  readonly isOwner: boolean;
}

/**
 * An arrow. `request` and `reply` are between proxy and cluster, `ask` and `told` between cluster and relay. `lost`: an `ask`
 * nobody answered; `unasked`: a relay that was to be asked but was not.
 */
export interface Arrow {
  readonly kind: 'request' | 'reply' | 'ask' | 'told' | 'lost' | 'unasked';
  /** Index of the step it belongs to. */
  readonly step: number;
  /** Index of the try in the step; null if the step tells of none. */
  readonly attempt: number | null;
  readonly row: number;
  /** Lanes, by index. */
  readonly from: number;
  readonly to: number;
  readonly isFailed: boolean;
  /** What was asked (`INVITE`, `offer`), or what came of it (`ok`, a code, the kind of a failure). */
  readonly label: string;
  /** How long it took, on arrows that end something; else null. */
  readonly tookMs: number | null;
  /** Whether this is where a node was chosen. */
  readonly isPlacement: boolean;
}

/** Time in which nothing happened, on a row of its own. */
export interface Pause {
  readonly row: number;
  readonly ms: number;
}

/** The rows of a step, `[first, last]`. */
export interface Band {
  readonly step: number;
  readonly first: number;
  readonly last: number;
  /** UTC ms. */
  readonly at: number;
  /** Since the first step, ms. */
  readonly sinceStartMs: number;
  readonly isFailed: boolean;
}

export interface Ladder {
  readonly lanes: readonly Lane[];
  readonly arrows: readonly Arrow[];
  readonly pauses: readonly Pause[];
  readonly bands: readonly Band[];
  readonly rows: number;
  /** Steps before those shown. */
  readonly earlier: number;
}

/** From this much on, time between two steps is shown as a pause, ms. */
export const PAUSE_FROM_MS = 1000;

/** Steps that are drawn if nobody asks for all; the newest. */
export const MAX_STEPS = 40;

/** Relays that get a lane of their own. The tries of one offer are few, but a call may have moved often. */
export const MAX_RELAYS = 8;

/** Failures in which the relay did not speak. */
const SILENT = new Set(['silent', 'unreachable', 'RTPC_RELAY_SILENT']);

/** Failures in which nothing was sent to it. */
const UNASKED = new Set(['node-down', 'still-deleting', 'too-large', 'busy', 'bad-sdp']);

/** Operations that no relay is asked for. */
const OURS = new Set(['announce']);

/** Codes that say what a relay did, or did not do. */
const OF_RELAY = /^RTPC_(RELAY_|CALL_LOST)/;

const PROXY = 0;
const CLUSTER = 1;

/** @param mostSteps how many of the newest steps are drawn */
export function ladderOf({ call, steps }: Explained, mostSteps = MAX_STEPS): Ladder {
  const earlier = Math.max(0, steps.length - mostSteps);
  const relays = relaysOf(steps.slice(earlier), call?.node_id ?? null);
  const laneOf = new Map(relays.map((nodeId, index) => [nodeId, CLUSTER + 1 + index]));
  const owners = new Set([call?.node_id, ...steps.map((step) => (isOk(step) ? step.node_id : null))]);
  const arrows: Arrow[] = [];
  const pauses: Pause[] = [];
  const bands: Band[] = [];
  const start = steps[0]?.at ?? 0;
  let row = 0;
  let endedAt: number | undefined;
  for (let index = earlier; index < steps.length; index++) {
    const step = steps[index];
    if (step === undefined) continue;
    if (endedAt !== undefined && step.at - endedAt >= PAUSE_FROM_MS)
      pauses.push({ row: row++, ms: step.at - endedAt });
    const drawn = arrowsOf(step, index, row, laneOf);
    arrows.push(...drawn);
    row += drawn.length;
    bands.push({
      step: index,
      first: row - drawn.length,
      last: row - 1,
      at: step.at,
      sinceStartMs: step.at - start,
      isFailed: !isOk(step),
    });
    endedAt = step.at + step.took_ms;
  }
  const lanes: Lane[] = [
    { kind: 'proxy', nodeId: null, isOwner: false },
    { kind: 'cluster', nodeId: null, isOwner: false },
    ...relays.map((nodeId): Lane => ({ kind: 'relay', nodeId, isOwner: owners.has(nodeId) })),
  ];

  return { lanes, arrows, pauses, bands, rows: row, earlier };
}

/** The relays in the order in which they come up; the one that has the call is among them. */
function relaysOf(steps: readonly StepResource[], owner: number | null): number[] {
  const seen = new Set<number>();
  for (const step of steps) {
    for (const { node_id: nodeId } of step.tries) seen.add(nodeId);
    if (step.node_id !== null && !OURS.has(step.operation)) seen.add(step.node_id);
  }
  const first = [...seen].slice(0, MAX_RELAYS);
  if (owner !== null && !first.includes(owner)) first.splice(MAX_RELAYS - 1, 1, owner);

  return first;
}

function arrowsOf(
  step: StepResource,
  index: number,
  firstRow: number,
  laneOf: ReadonlyMap<number, number>,
): Arrow[] {
  const arrows: Arrow[] = [];
  const add = (arrow: Pick<Arrow, 'kind' | 'from' | 'to' | 'label'> & Partial<Arrow>) => {
    arrows.push({
      step: index,
      attempt: null,
      row: firstRow + arrows.length,
      isFailed: false,
      tookMs: null,
      isPlacement: false,
      ...arrow,
    });
  };
  add({
    kind: 'request',
    from: PROXY,
    to: CLUSTER,
    label: step.message ?? step.operation,
    isPlacement: step.placement !== null,
  });
  for (const [attempt, { node_id: nodeId, result, took_ms: tookMs }] of step.tries.entries()) {
    const lane = laneOf.get(nodeId);
    if (lane !== undefined) addAsking(lane, result, tookMs, attempt);
  }
  const lane = laneOf.get(step.node_id ?? -1);
  if (step.tries.length === 0 && lane !== undefined && wasAsked(step)) {
    addAsking(lane, isOk(step) ? 'ok' : step.result, null, null);
  }
  add({
    kind: 'reply',
    from: CLUSTER,
    to: PROXY,
    label: step.result,
    isFailed: !isOk(step),
    tookMs: step.took_ms,
  });

  return arrows;

  function addAsking(lane: number, result: string, tookMs: number | null, attempt: number | null): void {
    const isFailed = result !== 'ok';
    const ending = { label: result, isFailed, tookMs, attempt };
    if (UNASKED.has(result)) add({ ...ending, kind: 'unasked', from: CLUSTER, to: lane, tookMs: null });
    else if (SILENT.has(result)) add({ ...ending, kind: 'lost', from: CLUSTER, to: lane });
    else {
      add({ kind: 'ask', from: CLUSTER, to: lane, label: step.operation, attempt });
      add({ ...ending, kind: 'told', from: lane, to: CLUSTER });
    }
  }
}

/** Whether a relay was asked in a step that tells of no tries. */
function wasAsked(step: StepResource): boolean {
  return !OURS.has(step.operation) && (isOk(step) || OF_RELAY.test(step.result));
}

function isOk(step: StepResource): boolean {
  return step.result === 'ok';
}

/** Where lanes stand, in pixels. */
export interface LanePlaces {
  readonly width: number;
  readonly xs: readonly number[];
}

/** Space between two lanes, pixels: words must fit between them, and a wide screen must not tear them apart. */
const GAP = { least: 92, most: 300 } as const;

/**
 * Spreads the lanes over a width; the picture is wider than that if they would come too close.
 * @param left pixels before the first lane, for the time of each step
 * @param right pixels after the last one, for half of its name
 */
export function placeLanes(
  count: number,
  { width, left, right }: { readonly width: number; readonly left: number; readonly right: number },
): LanePlaces {
  const gap = Math.max(GAP.least, Math.min(GAP.most, (width - left - right) / Math.max(1, count - 1)));
  const xs = Array.from({ length: count }, (_, index) => Math.round(left + index * gap));

  return { width: (xs.at(-1) ?? left) + right, xs };
}
