/** The choice of a node as a picture: bars for those that could have the call, the rule for those that could not. */

import type { CandidateResource, LeftOutResource, PlacementResource, TryResource } from './resources.ts';

/** A node that could have the call, in the order of asking. */
export interface CandidateRow {
  readonly nodeId: number;
  /** Counted from 1. */
  readonly place: number;
  readonly rank: CandidateResource['rank'];
  readonly priority: number;
  readonly weight: number;
  readonly sessions: number;
  readonly portsFree: number | null;
  /** Share of the greatest figure of its kind here, 0 to 1; null where the figure is not known. */
  readonly bars: {
    readonly weight: number;
    readonly sessions: number;
    readonly ports: number | null;
  };
  /** What came of asking it; null if it was not asked. */
  readonly attempt: Attempt | null;
}

export interface Attempt {
  readonly isOk: boolean;
  readonly result: string;
  readonly reason: string;
  readonly tookMs: number;
}

export interface PlacementPicture {
  readonly policy: string;
  readonly isPanic: boolean;
  readonly candidates: readonly CandidateRow[];
  /** Candidates that the record does not name. */
  readonly moreCandidates: number;
  /** Nodes left out, those of one rule together, the commonest rule first. */
  readonly leftOut: readonly LeftOutGroup[];
  readonly moreLeftOut: number;
  /** Tries at nodes that are no candidates: the node the call had before. */
  readonly otherTries: readonly (Attempt & { readonly nodeId: number })[];
}

export interface LeftOutGroup {
  readonly rule: string;
  readonly nodes: readonly LeftOutResource[];
}

export function pictureOf(
  { policy, panic, candidates, candidate_count, left_out, left_out_count }: PlacementResource,
  tries: readonly TryResource[],
): PlacementPicture {
  const attempts = new Map(tries.map((one) => [one.node_id, attemptOf(one)]));
  const most = {
    weight: greatest(candidates.map(({ weight }) => weight)),
    sessions: greatest(candidates.map(({ sessions }) => sessions)),
    ports: greatest(candidates.map(({ ports_free }) => ports_free ?? 0)),
  };
  const named = new Set(candidates.map(({ node_id }) => node_id));

  return {
    policy,
    isPanic: panic,
    candidates: candidates.map((one, index) => ({
      nodeId: one.node_id,
      place: index + 1,
      rank: one.rank,
      priority: one.priority,
      weight: one.weight,
      sessions: one.sessions,
      portsFree: one.ports_free,
      bars: {
        weight: one.weight / most.weight,
        sessions: one.sessions / most.sessions,
        ports: one.ports_free === null ? null : one.ports_free / most.ports,
      },
      attempt: attempts.get(one.node_id) ?? null,
    })),
    moreCandidates: candidate_count - candidates.length,
    leftOut: byRule(left_out),
    moreLeftOut: left_out_count - left_out.length,
    otherTries: tries
      .filter(({ node_id }) => !named.has(node_id))
      .map((one) => ({ nodeId: one.node_id, ...attemptOf(one) })),
  };
}

function attemptOf({ result, reason, took_ms }: TryResource): Attempt {
  return { isOk: result === 'ok', result, reason, tookMs: took_ms };
}

/** At least 1, so that it can be divided by. */
function greatest(figures: readonly number[]): number {
  return Math.max(1, ...figures);
}

function byRule(nodes: readonly LeftOutResource[]): LeftOutGroup[] {
  const groups = new Map<string, LeftOutResource[]>();
  for (const node of nodes) groups.set(node.rule, [...(groups.get(node.rule) ?? []), node]);

  return [...groups]
    .map(([rule, members]) => ({ rule, nodes: members }))
    .sort((a, b) => b.nodes.length - a.nodes.length);
}
