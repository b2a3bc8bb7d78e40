/** `/v1/calls`: the calls the cluster remembers. */

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
/**
 * The Call-ID at the end of a path, as a byte string. Call-IDs may hold slashes and bytes that are not UTF-8, so the path
 * is read as it came.
 */
export function callIdIn({ url }: Request, start: string): string {
  const path = url.slice(url.indexOf(start) + start.length);

  return percentDecode(fromText(path.split('?')[0] ?? ''));
}

/** A call as the API shows it. */
export function callResource(call: Call) {
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

        return json({ calls: page.calls.map(callResource), next: page.next });
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
        const callId = callIdIn(request, '/v1/calls/');
        const call = findCall(calls, store, callId);
        if (call === undefined) {
          return failureResponse(
            new Failure(
              'RTPC_CALL_UNKNOWN',
              `call ${callId} is not known here; ended calls are kept for a while only`,
            ),
          );
        }
        const sdp = store.sdpOf(call.callId);
        const shown = callResource(call);

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
    );
}

/** A call that lives or has ended. Bytes that are not UTF-8 are shown as Latin-1, and asked for as they are shown. */
export function findCall(calls: CallTable, store: Store, callId: string): Call | undefined {
  const find = (id: string) => calls.get(id) ?? calls.getEnded(id) ?? store.findEndedCall(id);

  return find(callId) ?? find(toText(callId));
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
