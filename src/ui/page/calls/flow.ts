/** Whether media flows, from two readings of what a relay counts: the picture A, relay, B. */

import type { LegResource, StatisticsResource, StreamResource } from './resources.ts';

/**
 * How the packets of a party go. `flowing`: more came since the last reading. `stopped`: there were some, none came since.
 * `none`: not one came. `counted`: some came; whether more come cannot be said after one reading. `unknown`: the relay does not
 * tell.
 */
export type FlowState = 'flowing' | 'stopped' | 'none' | 'counted' | 'unknown';

/** One stream of one party, between two readings. */
export interface StreamFlow {
  readonly stream: StreamResource;
  readonly state: FlowState;
  /** Packets per second since the last reading; null if that cannot be said. */
  readonly packetsPerS: number | null;
  /** Whether packets are wanted: not on hold, nor from a branch that another one was taken for. */
  readonly isDue: boolean;
}

/** One party with all that came from it. */
export interface Party {
  readonly tag: string;
  readonly side: string | null;
  readonly isCaller: boolean;
  readonly streams: readonly StreamFlow[];
  /** The best of its streams: one that flows is enough for the party to be heard or seen. */
  readonly state: FlowState;
  /** Whether packets of any of its streams are wanted. */
  readonly isDue: boolean;
  /** All packets that came from it; null if the relay does not tell. */
  readonly packets: number | null;
  readonly packetsPerS: number | null;
}

const BEST_FIRST: readonly FlowState[] = ['flowing', 'counted', 'stopped', 'none', 'unknown'];

/** Readings closer together than this say nothing of a rate, ms. */
const LEAST_BETWEEN_MS = 200;

/**
 * The parties, caller first.
 * @param before the reading before this one, of the same call; undefined at the first
 */
export function partiesOf(
  now: StatisticsResource,
  before: StatisticsResource | undefined,
  callerTag: string,
  legs: readonly LegResource[],
): Party[] {
  // RTCP goes on where media does not.
  const media = now.streams.filter(({ rtcp }) => !rtcp);
  const flows = media.map(
    (stream): StreamFlow => ({ ...flowOf(stream, now, before), isDue: isDue(stream, now, callerTag, legs) }),
  );
  const tags = [...new Set(media.map(({ tag }) => tag))];
  const parties = tags.map((tag): Party => {
    const streams = flows.filter(({ stream }) => stream.tag === tag);

    return {
      tag,
      side: streams[0]?.stream.side ?? legs.find((leg) => leg.tag === tag)?.side ?? null,
      isCaller: tag === callerTag,
      streams,
      state: bestOf(streams.map(({ state }) => state)),
      isDue: streams.some((flow) => flow.isDue),
      packets: sum(streams.map(({ stream }) => stream.packets)),
      packetsPerS: sum(streams.map(({ packetsPerS }) => packetsPerS)),
    };
  });

  return parties.sort((a, b) => Number(b.isCaller) - Number(a.isCaller));
}

function flowOf(
  stream: StreamResource,
  now: StatisticsResource,
  before: StatisticsResource | undefined,
): Omit<StreamFlow, 'isDue'> {
  const { packets } = stream;
  if (packets === null) return { stream, state: 'unknown', packetsPerS: null };
  const old = before?.streams.find((other) => isSame(other, stream));
  const passed = before === undefined ? 0 : now.at - before.at;
  // A relay that counts anew, after a re-offer, has fewer than before.
  if (old?.packets == null || passed < LEAST_BETWEEN_MS || packets < old.packets)
    return { stream, state: packets === 0 ? 'none' : 'counted', packetsPerS: null };
  const packetsPerS = Math.round(((packets - old.packets) * 10_000) / passed) / 10;
  const state = packets === 0 ? 'none' : packets > old.packets ? 'flowing' : 'stopped';

  return { stream, state, packetsPerS };
}

function isDue(
  { tag, index }: StreamResource,
  { findings }: StatisticsResource,
  callerTag: string,
  legs: readonly LegResource[],
): boolean {
  if (findings.some((one) => one.code === 'held' && (one.index === null || one.index === index)))
    return false;
  const taken = legs.filter((leg) => leg.confirmed).map((leg) => leg.tag);

  return tag === callerTag || taken.length === 0 || taken.includes(tag);
}

function isSame(a: StreamResource, b: StreamResource): boolean {
  return a.tag === b.tag && a.index === b.index && a.rtcp === b.rtcp && a.local === b.local;
}

function bestOf(states: readonly FlowState[]): FlowState {
  return BEST_FIRST.find((state) => states.includes(state)) ?? 'unknown';
}

/** Null if none is known. */
function sum(figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null);

  return known.length === 0 ? null : known.reduce((all, figure) => all + figure, 0);
}
