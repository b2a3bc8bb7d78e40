/** Metrics of what travels: between SIP proxies and the ng front-end, and between us and the relays. */

import { NODE_KINDS } from '../domain/node.ts';
import type { WireCounters } from '../relay/wire/counters.ts';
import { counters, type Family, gauge, labelled, type Sample } from './family.ts';

export const WIRE_METRICS: readonly Family[] = [
  ...counters(({ ng }) => ng.server.counters, {
    received: ['ng_received_total', 'Datagrams received by ng.listen.'],
    early: ['ng_early_total', 'Datagrams that came before the start was done.'],
    dropped: ['ng_dropped_total', 'Datagrams not read: too many or too old, or the program was stopping.'],
    strangers: ['ng_strangers_total', 'Datagrams not read: of addresses ng.clients does not allow.'],
    overRate: ['ng_over_rate_total', 'Datagrams not read: beyond the rate of their sender.'],
    sent: ['ng_sent_total', 'Replies sent.'],
    lost: ['ng_lost_total', 'Replies the system did not take.'],
    socketErrors: ['ng_socket_errors_total', 'Complaints of the sockets, mostly of clients that are gone.'],
  }),
  ...counters(({ ng }) => ng.exchange.counters, {
    requests: ['ng_requests_total', 'Requests handed on to be done, those of POST /ng included.'],
    repeated: ['ng_repeated_total', 'Retransmissions that got the reply of the first one.'],
    unframed: ['ng_unframed_total', 'Messages dropped for want of a cookie.'],
    unreadable: ['ng_unreadable_total', 'Messages answered with an error since they are none.'],
    refused: ['ng_refused_total', 'Messages answered with a load limit.'],
    oversized: ['ng_oversized_total', 'Messages done whose reply is longer than a datagram.'],
    defects: ['ng_defects_total', 'Messages ended by a defect of rtp_cluster.'],
    forgotten: [
      'ng_forgotten_total',
      'Replies forgotten before their time: a retransmission would be done again.',
    ],
  }),
  gauge(
    'ng_under_way',
    'Requests of the ng front-end without a reply yet.',
    ({ ng }) => ng.exchange.underWay,
  ),
  ...counters(({ ng }) => ng.commands.counters, {
    messages: ['ng_messages_total', 'Messages whose command was looked at.'],
    errors: ['ng_errors_total', 'Those answered with an error or a load limit.'],
    cutLists: ['ng_cut_lists_total', 'Answers to list that were cut to fit into a datagram.'],
  }),
  ...wire({
    sent: ['sent', 'Commands sent, each counted once.'],
    retransmitted: ['retransmitted', 'Commands sent again for want of a reply.'],
    replies: ['replies', 'Replies.'],
    timeouts: ['timeouts', 'Commands without a reply in their time.'],
    refused: ['refused', 'Commands that ended since nobody listens at the socket of the node.'],
    busy: ['busy', 'Commands that found no place in the queue of their node.'],
    late: ['late_replies', 'Replies to commands that had been given up.'],
    duplicates: ['duplicate_replies', 'Further replies to commands that were answered.'],
    unknown: ['unknown_replies', 'Replies to nothing we sent.'],
    garbled: ['garbled_replies', 'Replies that could not be read.'],
    socketErrors: ['socket_errors', 'Errors of the sockets other than refusals.'],
  }),
];

/** A family for each counter of the sockets of relays: by kind, and by what the sockets are for. */
function wire(names: Readonly<Record<keyof WireCounters, readonly [name: string, help: string]>>): Family[] {
  return Object.entries<readonly [string, string]>(names).map(([key, [name, help]]) =>
    labelled('counter', `relay_${name}_total`, help, ['kind', 'purpose'], ({ wires }) =>
      (['calls', 'checks'] as const).flatMap((purpose) =>
        NODE_KINDS.map(
          (kind): Sample<number> => [[kind, purpose], wires[purpose][kind][key as keyof WireCounters]],
        ),
      ),
    ),
  );
}
