/**
 * Chooses the nodes for a new call: leaves out those that must not have it, ranks the others, asks the policy of the set
 * for the best of them, and says why.
 */

import { type Health, isHealthy, type Order, verdict } from '../domain/state.ts';
import type { Candidate, LoadMeasure, Policy, PolicyName } from './policy.ts';
import { sortBy } from './sorting.ts';

/** What placement looks at in a node. All figures are as of now. */
export interface PlaceableNode {
  readonly id: number;
  readonly socket: string;
  /** As configured, 0 to 65535; 0 takes no new calls. */
  readonly weight: number;
  /** Slow start: share of the weight that counts now, 0.1 to 1. */
  readonly ramp: number;
  readonly order: Order;
  readonly health: Health;
  /** Lowest first. */
  readonly priority: number;
  /** Calls it may have at a time; null for no limit. */
  readonly capacity: number | null;
  readonly tags: readonly string[];
  /** Calls it has: the last figure of the relay and what was placed since. */
  readonly sessions: number;
  /** Media ports in use, estimated in the same way; null if the relay does not say. */
  readonly portsInUse: number | null;
  readonly portsTotal: number | null;
  /** Whether it refused a new call a moment ago for lack of room. */
  readonly isHeld: boolean;
}

/** What the call wants. */
export interface PlacementRequest<N extends PlaceableNode = PlaceableNode> {
  readonly callId: string;
  /** Tags the node must have, all of them. */
  readonly require: readonly string[];
  /** Tags the node should have; each counts the same. */
  readonly prefer: readonly string[];
  /** Whether the node has media addresses for both sides of the call. */
  hasSides(node: N): boolean;
}

/** What the set wants. */
export interface PlacementRules {
  readonly policy: Policy;
  readonly policyName: PolicyName;
  /** What counts as load. Nodes that do not tell their ports are counted by their calls. */
  readonly loadBy: LoadMeasure;
  /** Percent of a node's media ports that new calls leave free for re-offers of the calls it has; 0 to 50. */
  readonly portReserve: number;
}

/** Why a node is left out, in the order of asking; the first that holds is given. */
export type Rule = 'weight' | 'order' | 'health' | 'sides' | 'tags' | 'capacity' | 'ports';

/**
 * How good a node is for a new call. `first`: nothing speaks against it. `full`: nearly at its capacity, or it just refused
 * a call for lack of room. `spare`: not proven good. `panic`: known to be bad or being drained, and most of the set is gone.
 */
export const RANKS = ['first', 'full', 'spare', 'panic'] as const;
export type Rank = (typeof RANKS)[number];

/** Why a call went where it went. */
export interface Decision {
  readonly policy: PolicyName;
  /** Whether less than half of the weight of the `ready` nodes that the call could use was healthy. */
  readonly isPanic: boolean;
  /** In the order they are asked; the first `MAX_TOLD`. */
  readonly candidates: readonly Considered[];
  /** At most `MAX_TOLD`, and how many there are in all. */
  readonly filtered: readonly Filtered[];
  readonly candidateCount: number;
  readonly filteredCount: number;
}

/** Nodes of each kind a decision names: it is kept for each call, and a set may have thousands. */
export const MAX_TOLD = 16;

/** A node that may have the call. */
export interface Considered {
  readonly id: number;
  readonly rank: Rank;
  readonly priority: number;
  /** With slow start, to one decimal. */
  readonly weight: number;
  readonly sessions: number;
  /** Null if the relay does not say. */
  readonly portsFree: number | null;
}

/** A node that must not have the call, and what was read: `200 of 200 calls`, `drain`, `lacks tag gpu`. */
export interface Filtered {
  readonly id: number;
  readonly rule: Rule;
  readonly figure: string;
}

/** Nodes to ask, best first, and why these. Empty if none may have the call. */
export interface Choice<N> {
  readonly order: readonly N[];
  readonly decision: Decision;
}

/**
 * Media ports of a call with one stream: RTP and RTCP towards both parties. Each further stream takes as many; the reserve
 * is for that too.
 */
export const PORTS_PER_CALL = 4;

/** From this share of its capacity a node is `full`: others come first while there is still room for their failures. */
export const FULL_FROM = 0.9;

/** Below this share of healthy weight a set is in panic: the rest may not be enough, or our opinion of the others is wrong. */
export const PANIC_BELOW = 0.5;

/** A node that may have the call, as the policy sees it. */
interface Entry<N> extends Candidate {
  readonly node: N;
  readonly rank: Rank;
  /** Nodes with the same number are equally good; lower is better. */
  readonly group: number;
}

/**
 * Only the best group is put to the policy, so that one with a state (round robin) advances for the group that gets the
 * call and for no other. Later groups are for retries, ordered by load per weight.
 */
export function choose<N extends PlaceableNode>(
  request: PlacementRequest<NoInfer<N>>,
  nodes: readonly N[],
  rules: PlacementRules,
): Choice<N> {
  const isPanic = isInPanic(nodes, request);
  const filtered: Filtered[] = [];
  const entries: Entry<N>[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    const reason = reasonAgainst(node, request, rules, isPanic);
    if (reason !== undefined) {
      filtered.push(reason);
      continue;
    }
    const rank = rankOf(node);
    const group = groupOf(node, rank, request.prefer);
    if (group < best) best = group;
    entries.push({
      id: node.id,
      socket: node.socket,
      weight: node.weight * node.ramp,
      load: loadOf(node, rules.loadBy),
      node,
      rank,
      group,
    });
  }
  const ordered = order(request.callId, entries, best, rules.policy);

  return {
    order: ordered.map(({ node }) => node),
    decision: {
      policy: rules.policyName,
      isPanic,
      candidates: ordered.slice(0, MAX_TOLD).map(describe),
      filtered: filtered.slice(0, MAX_TOLD),
      candidateCount: ordered.length,
      filteredCount: filtered.length,
    },
  };
}

function order<N extends PlaceableNode>(
  callId: string,
  entries: readonly Entry<N>[],
  best: number,
  policy: Policy,
): Entry<N>[] {
  const first = entries.filter(({ group }) => group === best);
  if (first.length === entries.length) return policy(callId, first);
  const byLoad = sortBy(
    entries.filter(({ group }) => group !== best),
    ({ load, weight }) => load / weight,
  );

  return [...policy(callId, first), ...sortBy(byLoad, ({ group }) => group)];
}

/** Whether too little of a set's weight is healthy. Nodes that people took out do not count: they meant it. */
function isInPanic<N extends PlaceableNode>(nodes: readonly N[], request: PlacementRequest<N>): boolean {
  if (nodes.every(({ order, health }) => order !== 'ready' || isHealthy(health))) return false;
  let total = 0;
  let healthy = 0;
  for (const node of nodes) {
    // What the call cannot use is no help to it.
    if (node.order !== 'ready' || missingTag(node, request) !== undefined || !request.hasSides(node))
      continue;
    total += node.weight;
    if (isHealthy(node.health)) healthy += node.weight;
  }

  return healthy < total * PANIC_BELOW;
}

function missingTag(
  { tags }: PlaceableNode,
  { require }: Pick<PlacementRequest, 'require'>,
): string | undefined {
  return require.length === 0 ? undefined : require.find((tag) => !tags.includes(tag));
}

/** Why a node must not have the call; undefined if it may. */
function reasonAgainst<N extends PlaceableNode>(
  node: N,
  request: PlacementRequest<N>,
  rules: PlacementRules,
  isPanic: boolean,
): Filtered | undefined {
  const { id, order, health, capacity, sessions, portsTotal } = node;
  if (node.weight <= 0) return { id, rule: 'weight', figure: 'weight 0' };
  const answer = verdict(order, health, 'new');
  if (answer === 'no' || (answer === 'panic' && !isPanic))
    return order === 'ready' ? { id, rule: 'health', figure: health } : { id, rule: 'order', figure: order };
  if (!request.hasSides(node))
    return { id, rule: 'sides', figure: 'no media address for a side of the call' };
  const missing = missingTag(node, request);
  if (missing !== undefined) return { id, rule: 'tags', figure: `lacks tag ${missing}` };
  if (capacity !== null && sessions >= capacity)
    return { id, rule: 'capacity', figure: `${sessions} of ${capacity} calls` };
  const free = portsFree(node);
  if (free !== null && portsTotal !== null) {
    if (free < PORTS_PER_CALL)
      return {
        id,
        rule: 'ports',
        figure: `${free} of ${portsTotal} ports free, a call takes ${PORTS_PER_CALL}`,
      };
    const leftPercent = (100 * (free - PORTS_PER_CALL)) / portsTotal;
    if (leftPercent < rules.portReserve)
      // Rounded down: it must not read like the reserve itself.
      return {
        id,
        rule: 'ports',
        figure: `${Math.floor(leftPercent * 10) / 10} % of ports free after it, reserve ${rules.portReserve} %`,
      };
  }

  return undefined;
}

function rankOf({ order, health, capacity, sessions, isHeld }: PlaceableNode): Rank {
  const answer = verdict(order, health, 'new');
  if (answer !== 'yes') return answer === 'spare' ? 'spare' : 'panic';

  return isHeld || (capacity !== null && sessions >= capacity * FULL_FROM) ? 'full' : 'first';
}

/** More than any priority or number of tags, so that they make one number that is compared digit by digit. */
const DIGIT = 65_536;

/** By rank, then by how many preferred tags it lacks, then by priority. In panic, a node that answers comes before all others. */
function groupOf({ health, tags, priority }: PlaceableNode, rank: Rank, prefer: readonly string[]): number {
  const answers = health === 'up' || health === 'falling';
  let lacking = 0;
  for (const tag of prefer) if (!tags.includes(tag)) lacking++;

  return (
    ((RANKS.indexOf(rank) * 2 + (rank === 'panic' && !answers ? 1 : 0)) * DIGIT + lacking) * DIGIT + priority
  );
}

/** Load in calls. Ports are counted as the calls they would be enough for, so that nodes of both kinds compare. */
function loadOf({ sessions, portsInUse }: PlaceableNode, loadBy: LoadMeasure): number {
  return loadBy === 'ports' && portsInUse !== null ? portsInUse / PORTS_PER_CALL : sessions;
}

function portsFree({ portsInUse, portsTotal }: PlaceableNode): number | null {
  return portsInUse === null || portsTotal === null ? null : Math.max(0, portsTotal - portsInUse);
}

function describe<N extends PlaceableNode>({ node, rank, weight }: Entry<N>): Considered {
  return {
    id: node.id,
    rank,
    priority: node.priority,
    weight: Math.round(weight * 10) / 10,
    sessions: node.sessions,
    portsFree: portsFree(node),
  };
}
