/** `/v1/explain`: why a call went where it went, and all that was done for it. */

import { Elysia } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { History } from '../calls/history.ts';
import type { NotedStep } from '../calls/step-rows.ts';
import { Failure } from '../domain/errors.ts';
import type { Store } from '../store/store.ts';
import { toText } from '../util/bytes.ts';
import { callIdIn, callResource, findCall, shownSdp } from './calls.ts';
import { failureResponse, json } from './responses.ts';

function resource({ node, decision, tries, received, returned, is_sdp_cut, streams: _, ...step }: NotedStep) {
  return {
    ...step,
    reason: toText(step.reason),
    tag: step.tag === null ? null : toText(step.tag),
    sdp_received: shownSdp(step.sdp_received),
    sdp_returned: shownSdp(step.sdp_returned),
    sdp_cut: is_sdp_cut,
    received: received.map(toText),
    returned: returned.map(toText),
    node_id: node,
    placement:
      decision === null
        ? null
        : {
            policy: decision.policy,
            panic: decision.isPanic,
            candidates: decision.candidates.map(({ id, portsFree, ...considered }) => ({
              node_id: id,
              ...considered,
              ports_free: portsFree,
            })),
            candidate_count: decision.candidateCount,
            left_out_count: decision.filteredCount,
            left_out: decision.filtered.map(({ id, rule, figure }) => ({ node_id: id, rule, figure })),
          },
    tries: tries.map((one) => ({
      node_id: one.node,
      result: one.result,
      reason: toText(one.reason),
      took_ms: one.took_ms,
    })),
  };
}

export function explainRoutes(calls: CallTable, store: Store, history: History) {
  return new Elysia().get(
    '/v1/explain/*',
    ({ request }) => {
      const asked = callIdIn(request, '/v1/explain/');
      const call = findCall(calls, store, asked);
      // As for calls: bytes that are not UTF-8 are asked for as they are shown.
      const names = call === undefined ? new Set([asked, toText(asked)]) : [call.callId];
      for (const callId of names) {
        const { steps, isPartial } = history.of(callId);
        // A call that no node took is known by its steps only.
        if (call === undefined && steps.length === 0) continue;

        return json({
          call_id: toText(callId),
          call: call === undefined ? null : callResource(call),
          steps: steps.map(resource),
          is_partial: isPartial,
        });
      }

      return failureResponse(
        new Failure(
          'RTPC_CALL_UNKNOWN',
          `nothing is known of call ${toText(asked)}; what was done for a call is kept for a while only`,
        ),
      );
    },
    {
      detail: {
        tags: ['calls'],
        summary: 'Why a call went where it went',
        description:
          'Every request of the call with its timing; for a placed one the nodes considered and left out, with the figures of that moment, and every try; the SDP and its media addresses before and after. Also for calls no node took. `is_partial`: there were too many requests, and some after the first ones are left out.',
      },
    },
  );
}
