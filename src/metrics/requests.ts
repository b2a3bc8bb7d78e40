/** Metrics of requests: what SIP proxies asked, how it went, where calls were placed. */

import { counters, type Family, gauge, labelled, PREFIX } from './family.ts';
import { ofNodes } from './of-nodes.ts';

export const REQUEST_METRICS: readonly Family[] = [
  labelled(
    'counter',
    'requests_total',
    'Requests of calls that have ended, by the door they came in, what they asked, and what came of them: ok or the code of a failure.',
    ['door', 'operation', 'code'],
    ({ meter }) =>
      meter
        .outcomes()
        .map(({ labels: { door, operation, outcome }, count }) => [[door, operation, outcome], count]),
  ),
  {
    type: 'histogram',
    name: `${PREFIX}request_duration_seconds`,
    help: 'How long requests of calls took, from their turn in the line of their call to the answer.',
    labels: ['operation'],
    read: ({ meter }) => meter.times().map(([operation, times]) => [[operation], times]),
  },
  labelled(
    'counter',
    'http_media_answers_total',
    'Answers of /v1/media, by operation and outcome: ok, nothing (to do), or the code of a failure; those to requests nobody could read included.',
    ['operation', 'code'],
    ({ meter }) =>
      [...meter.answers()].flatMap(([operation, counts]) =>
        [...counts].map(([outcome, count]) => [[operation, outcome], count] as const),
      ),
  ),
  labelled(
    'counter',
    'offer_tries_total',
    'Tries to hand an offer to a node, by what came of them.',
    ['result'],
    ({ meter }) => [...meter.tries()].map(([result, count]) => [[result], count]),
  ),
  labelled(
    'counter',
    'offer_retries_total',
    'Those tries that were not the first of their offer, by what came of them.',
    ['result'],
    ({ meter }) => [...meter.retries()].map(([result, count]) => [[result], count]),
  ),
  ...counters(({ meter }) => meter.counters, {
    retriedOffers: ['retried_offers_total', 'Offers that needed more than one try.'],
    defects: ['http_defects_total', 'HTTP requests ended by a defect of rtp_cluster.'],
    panicPlacements: [
      'panic_placements_total',
      'Calls placed while most of the weight of their set was down.',
    ],
  }),
  labelled(
    'counter',
    'placements_total',
    'New calls a node has taken, and calls that moved to it, by the policy that chose it.',
    ['node', 'set', 'policy'],
    (parts) =>
      ofNodes(parts, function* ({ id }, labels) {
        for (const { labels: policy, count } of parts.meter.placementsOn(id))
          yield [[...labels, policy], count];
      }),
  ),
  gauge('busy_calls', 'Calls with a request under way.', ({ requests }) => requests.serial.size),
  ...counters(({ requests }) => requests.serial.counters, {
    shared: ['shared_requests_total', 'Requests that got the answer of an equal one that was under way.'],
    refused: ['crowded_requests_total', 'Requests refused since too many waited for their call already.'],
  }),
  ...counters(({ requests }) => requests.counters, {
    overdue: [
      'overdue_requests_total',
      'Requests whose time was over before earlier ones of their call had ended.',
    ],
  }),
  ...counters(({ replays }) => replays.counters, {
    replayed: ['replayed_requests_total', 'Repeated SIP messages that got the answer of the first one.'],
    forgotten: [
      'forgotten_replays_total',
      'Calls whose answers were forgotten before their time, for want of room.',
    ],
  }),
  gauge(
    'replay_calls',
    'Calls whose answers are kept for SIP messages that come again.',
    ({ replays }) => replays.size,
  ),
  gauge('replay_bytes', 'Bytes of those answers.', ({ replays }) => replays.bytes),
  {
    type: 'histogram',
    name: `${PREFIX}relay_command_duration_seconds`,
    help: 'How long relays took to answer commands of calls, by kind of relay and command; the wait for a place in the queue included.',
    labels: ['kind', 'command'],
    read: ({ relayMeter }) =>
      relayMeter.commands().map(({ kind, command, times }) => [[kind, command], times]),
  },
  labelled(
    'counter',
    'relay_commands_total',
    'Commands of calls to relays, by kind of relay, command, and what came of them.',
    ['kind', 'command', 'result'],
    ({ relayMeter }) =>
      relayMeter
        .commands()
        .flatMap(({ kind, command, results }) =>
          [...results].map(([result, count]) => [[kind, command, result], count] as const),
        ),
  ),
  ...counters(({ search }) => search.counters, {
    searches: ['searches_total', 'Searches of all nodes for a call nobody here knows.'],
    found: ['searches_found_total', 'Those that found it.'],
    overRate: ['searches_refused_total', 'Searches not made since there were too many.'],
  }),
];
