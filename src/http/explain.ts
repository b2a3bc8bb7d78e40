/** `/v1/explain`: why a call went where it went, and all that was done for it. */

import { Elysia } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { History, Step } from '../calls/history.ts';
import { Failure } from '../domain/errors.ts';
import type { Store } from '../store/store.ts';
import { toText } from '../util/bytes.ts';
import { callIdIn, callResource, findCall } from './calls.ts';
import { failureResponse, json } from './responses.ts';

function resource({ node, reason, decision, tries, received, returned, ...step }: Step) {
  return {
    ...step,
    reason: toText(reason),
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
      const callId = call?.callId ?? (history.of(asked).length > 0 ? asked : toText(asked));
      const steps = history.of(callId);
      // A call that no node took is known by its steps only.
      if (call !== undefined || steps.length > 0) {
        return json({
          call_id: toText(callId),
          call: call === undefined ? null : callResource(call),
          steps: steps.map(resource),
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
          'Every request of the call with its timing; for a placed one the nodes considered and left out, with the figures of that moment, and every try; the media addresses before and after. Also for calls no node took.',
      },
    },
  );
}
