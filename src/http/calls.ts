/** `/v1/calls` and `/v1/events`: what the cluster remembers. */

import { Elysia, t } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import type { Call } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { formatDirection } from '../domain/side.ts';
import { legKey } from '../store/call-rows.ts';
import type { Store } from '../store/store.ts';
import { fromText, percentDecode, toText } from '../util/bytes.ts';
import { failureResponse, json } from './responses.ts';

/** Calls on a page. */
const PAGE = { default: 100, max: 1000 } as const;

const CallQuery = t.Object({
  state: t.Optional(
    t.Union(
      ['live', 'announced', 'early', 'confirmed', 'ended'].map((state) => t.Literal(state)),
      { description: '`live` (default) is every state but `ended`.' },
    ),
  ),
  node: t.Optional(t.Numeric({ multipleOf: 1, description: 'Only calls on this node.' })),
  set: t.Optional(t.Numeric({ multipleOf: 1, description: 'Only calls of this set.' })),
  limit: t.Optional(
    t.Numeric({ minimum: 1, maximum: PAGE.max, multipleOf: 1, description: `Default ${PAGE.default}.` }),
  ),
  after: t.Optional(t.String({ description: '`next` of the page before.' })),
});
const EventQuery = t.Object({
  limit: t.Optional(
    t.Numeric({ minimum: 1, maximum: PAGE.max, multipleOf: 1, description: `Default ${PAGE.default}.` }),
  ),
  before: t.Optional(t.Numeric({ multipleOf: 1, description: '`next` of the page before.' })),
});

function resource(call: Call) {
  return {
    call_id: toText(call.callId),
    node_id: call.nodeId,
    set_id: call.setId,
    direction: formatDirection(call.direction),
    state: call.state,
    caller_tag: toText(call.callerTag),
    created_at: call.createdAt,
    updated_at: call.updatedAt,
    end_reason: call.endReason === null ? null : toText(call.endReason),
    legs: call.legs.map((leg) => ({
      tag: toText(leg.tag),
      branch: toText(leg.branch),
      side: leg.side,
      reader_side: leg.readerSide,
      family: leg.family,
      confirmed: leg.confirmed,
      created_at: leg.createdAt,
      updated_at: leg.updatedAt,
    })),
  };
}

export function callRoutes(calls: CallTable, store: Store) {
  return new Elysia()
    .get(
      '/v1/calls',
      ({ query: { state = 'live', node, set, limit = PAGE.default, after } }) => {
        const page =
          state === 'ended'
            ? store.listEndedCalls({ limit, after: after ?? null, nodeId: node, setId: set })
            : listLive(calls, limit, after, (call) => {
                return (
                  (state === 'live' || call.state === state) &&
                  (node ?? call.nodeId) === call.nodeId &&
                  (set ?? call.setId) === call.setId
                );
              });

        return json({ calls: page.calls.map(resource), next: page.next });
      },
      {
        query: CallQuery,
        detail: {
          tags: ['calls'],
          summary: 'Calls, live or ended',
          description: 'Live calls oldest first, ended ones newest end first.',
        },
      },
    )
    .get(
      '/v1/calls/*',
      ({ request }) => {
        // Call-IDs may hold slashes and bytes that are not UTF-8, so the path is read as it came.
        const path = request.url.slice(request.url.indexOf('/v1/calls/') + '/v1/calls/'.length);
        const callId = percentDecode(fromText(path.split('?')[0] ?? ''));
        const find = (id: string) => calls.get(id) ?? calls.getEnded(id) ?? store.findEndedCall(id);
        // Bytes that are not UTF-8 are shown as Latin-1, and asked for as they are shown.
        const call = find(callId) ?? find(toText(callId));
        if (call === undefined) {
          return failureResponse(
            new Failure(
              'RTPC_CALL_UNKNOWN',
              `call ${callId} is not known here; ended calls are kept for a while only`,
            ),
          );
        }
        const sdp = store.sdpOf(call.callId);
        const shown = resource(call);

        return json({
          ...shown,
          legs: shown.legs.map((leg, index) => {
            const text = sdp.get(legKey(call.legs[index] ?? leg));

            return { ...leg, sdp_received: shownSdp(text?.received), sdp_returned: shownSdp(text?.returned) };
          }),
        });
      },
      {
        detail: {
          tags: ['calls'],
          summary: 'One call',
          description: 'With the last SDP received from each leg and what was returned for it.',
        },
      },
    )
    .get(
      '/v1/events',
      ({ query: { limit = PAGE.default, before } }) => {
        // One more than wanted: it tells whether there is another page.
        const events = store.listEvents(limit + 1, before ?? null);
        const page = events.slice(0, limit);
        const shown = page.map(({ id, at, kind, nodeId, callId, detail }) => ({
          id,
          at,
          kind,
          node_id: nodeId,
          call_id: callId === null ? null : toText(callId),
          detail,
        }));

        return json({ events: shown, next: events.length > limit ? (page.at(-1)?.id ?? null) : null });
      },
      { query: EventQuery, detail: { tags: ['events'], summary: 'What happened, newest first' } },
    );
}

function shownSdp(sdp: string | undefined): string | null {
  return sdp === undefined ? null : toText(sdp);
}

/** A page of live calls in the order in which they began. The cursor is the byte string of the last Call-ID. */
function listLive(
  calls: CallTable,
  limit: number,
  start: string | undefined,
  matches: (call: Call) => boolean,
) {
  const page: Call[] = [];
  // A cursor whose call has ended meanwhile cannot be found; the list then begins anew rather than hide calls.
  let isPast = start === undefined || calls.get(start) === undefined;
  for (const call of calls.values()) {
    if (!isPast) {
      isPast = call.callId === start;
      continue;
    }
    if (!matches(call)) continue;
    if (page.length === limit) return { calls: page, next: page.at(-1)?.callId ?? null };
    page.push(call);
  }

  return { calls: page, next: null };
}
