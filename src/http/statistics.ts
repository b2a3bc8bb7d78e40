/** `/v1/statistics`: the media of one call as its relay sees it, or saw it to the end, and what is wrong with it. */

import { Elysia } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { CallStatistics, KnownStream, Statistics } from '../calls/statistics.ts';
import { Failure } from '../domain/errors.ts';
import type { StreamEnd } from '../relay/call-streams.ts';
import type { Store } from '../store/store.ts';
import { toText } from '../util/bytes.ts';
import { formatEnd } from '../util/ip.ts';
import { callIdIn, findCall } from './calls.ts';
import { failureResponse, json } from './responses.ts';

export function statisticsRoutes(calls: CallTable, store: Store, statistics: Statistics) {
  return new Elysia().get(
    '/v1/statistics/*',
    async ({ request }) => {
      const asked = callIdIn(request, '/v1/statistics/');
      const call = findCall(calls, store, asked);
      if (call === undefined)
        return failureResponse(
          new Failure(
            'RTPC_CALL_UNKNOWN',
            `call ${toText(asked)} is not known here; ended calls are kept for a while only`,
          ),
        );
      const result = await statistics.of(call);

      return result instanceof Failure ? failureResponse(result) : json(resource(result));
    },
    {
      detail: {
        tags: ['calls'],
        summary: 'The media of a call, and what is wrong with it',
        description:
          'Packets the relay received of each stream, with the addresses of both ends and, where the relay tells, loss, jitter and MOS; and findings: who is not heard, since when, and what to check. Of an ended call it is what its relay said at the end, if it did (`final`).',
      },
    },
  );
}

function resource({ callId, nodeId, kind, at, isFinal, streams, findings }: CallStatistics) {
  return {
    call_id: toText(callId),
    node_id: nodeId,
    kind,
    at,
    final: isFinal,
    streams: streams.map(streamResource),
    findings: findings.map((finding) => ({
      ...finding,
      tag: finding.tag === null ? null : toText(finding.tag),
      text: toText(finding.text),
    })),
  };
}

function streamResource(stream: KnownStream) {
  const { tag, side, media, index, mode, isRtcp, codec, packets, bytes, errors, heard } = stream;

  return {
    tag: toText(tag),
    side,
    media,
    index,
    rtcp: isRtcp,
    direction: mode,
    codec: codec === null ? null : toText(codec),
    local: endResource(stream.local),
    told: endResource(stream.told),
    remote: endResource(stream.remote),
    advertised: endResource(stream.advertised),
    packets,
    bytes,
    errors,
    last_packet_s: stream.lastPacketS,
    loss_percent: heard?.lossPercent ?? null,
    jitter_ms: heard?.jitterMs ?? null,
    mos: heard?.mos ?? null,
  };
}

/** An end as `192.0.2.1:4000`. */
function endResource(end: StreamEnd | null): string | null {
  return end === null ? null : toText(formatEnd(end));
}
