/** Metrics of calls: which live, how they ended, and what is done so that none is left behind. */

import type { CallState } from '../domain/call.ts';
import { turn } from '../util/clock.ts';
import { counter, counters, type Family, gauge, labelled } from './family.ts';
import type { MetricParts } from './parts.ts';

/** Calls looked at before others have their turn: a millisecond or so. */
const CALLS_PER_TURN = 10_000;
const LIVE = ['announced', 'early', 'confirmed'] as const satisfies readonly CallState[];

export const CALL_METRICS: readonly Family[] = [
  labelled(
    'gauge',
    'calls',
    'Live calls: announced (no SDP yet), early (offered), confirmed (answered).',
    ['state'],
    async (parts) => {
      const counts = await byState(parts);

      return LIVE.map((state) => [[state], counts[state]] as const);
    },
  ),
  gauge('calls_limit', 'Live calls there may be (calls.max).', ({ calls }) => calls.max),
  gauge(
    'ended_calls',
    'Calls that ended a short while ago and are still in memory.',
    ({ calls }) => calls.endedSize,
  ),
  counter(
    'calls_begun_total',
    'Calls that began, those read from the database at the start included.',
    ({ calls }) => calls.begun,
  ),
  labelled(
    'counter',
    'calls_ended_total',
    'Calls that ended, by a word for the reason; a final reply counts by its class, as 4xx, and what clients word themselves as other.',
    ['reason'],
    ({ calls }) => [...calls.ends].map(([reason, count]) => [[reason.replaceAll(' ', '-')], count]),
  ),
  gauge('strays', 'Calls that nodes still have to be told to delete.', ({ strays }) => strays.size),
  ...counters(({ strays }) => strays.counters, {
    settled: ['strays_settled_total', 'Such calls that are gone.'],
    dropped: [
      'strays_dropped_total',
      'Such calls that were given up: their relay has to end them by its own timers.',
    ],
  }),
  ...counters(({ checkup }) => checkup.counters, {
    asked: ['checkups_total', 'Questions to nodes whether they still have a call.'],
    lost: ['checkups_lost_total', 'Those after which the call was ended here.'],
    unsure: ['checkups_unsure_total', 'Those that told nothing.'],
  }),
  ...counters(({ notices }) => notices.counters, {
    heard: ['notices_total', 'Words of relays that they ended a call.'],
    ended: ['notices_ended_total', 'Those after which the call was ended here.'],
    unknown: ['notices_unknown_total', 'Those of a call nobody here knows.'],
    misdirected: ['notices_misdirected_total', 'Those that came from another node than the one of the call.'],
    refuted: ['notices_refuted_total', 'Those where the node has the call after all.'],
    dropped: ['notices_dropped_total', 'Those not followed up since too many came.'],
  }),
  ...counters(({ late }) => late.noticeServer?.counters, {
    taken: ['notice_lines_total', 'Lines rtpproxies sent to rtpproxy.notice_socket that were read.'],
    garbage: ['notice_garbage_total', 'Lines there that make no sense.'],
    dropped: ['notice_lines_dropped_total', 'Lines there beyond the rate.'],
    strangers: ['notice_strangers_total', 'Connections there from addresses without a node.'],
    evicted: ['notice_evicted_total', 'Connections there that were closed to make room.'],
  }),
  ...counters(({ history }) => history.counters, {
    rows: ['explain_rows_total', 'Rows written for explain.'],
    droppedSteps: [
      'explain_dropped_steps_total',
      'Requests not kept for explain since their call had too many.',
    ],
    cutSdp: ['explain_cut_sdp_total', 'Requests whose SDP is not kept whole for explain.'],
    damagedRows: ['explain_damaged_rows_total', 'Rows for explain that could not be read.'],
  }),
];

/** Slowly: there may be hundreds of thousands. */
async function byState({ calls }: MetricParts): Promise<Record<CallState, number>> {
  const counts = { announced: 0, early: 0, confirmed: 0, ended: 0 };
  let seen = 0;
  for (const { state } of calls.values()) {
    counts[state]++;
    if (++seen % CALLS_PER_TURN === 0) await turn();
  }

  return counts;
}
