/** `/v1/calls`: the calls the cluster remembers. */

import { Elysia, t } from 'elysia';
import type { CallTable } from '../calls/call-table.ts';
import { MAX_CALL_ID } from '../calls/identifiers.ts';
import { Listing } from '../calls/listing.ts';
import type { Call } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { formatDirection } from '../domain/side.ts';
import { legKey } from '../store/call-rows.ts';
import type { Store } from '../store/store.ts';
import { fromText, percentDecode, toText } from '../util/bytes.ts';
import { failureResponse, json } from './responses.ts';
import { readTime } from './times.ts';

/** Calls on a page. */
const PAGE = { default: 100, max: 1000 } as const;

const CallQuery = t.Object({
  state: t.Optional(
    t.UnionEnum(['live', 'announced', 'early', 'confirmed', 'ended', 'all'], {
      description: '`live` (default) is every state but `ended`; `all` has the live ones first.',
    }),
  ),
  node: t.Optional(t.Numeric({ multipleOf: 1, description: 'Only calls on this node.' })),
  set: t.Optional(t.Numeric({ multipleOf: 1, description: 'Only calls of this set.' })),
  search: t.Optional(
    t.String({
      maxLength: MAX_CALL_ID,
      description:
        'Only calls with this text in their Call-ID. The call with exactly this Call-ID comes first; a text of one or two characters finds no other.',
    }),
  ),
  since: t.Optional(
    t.String({
      description:
        'Only calls that began then or later: UTC milliseconds or ISO 8601, UTC if it names no zone.',
    }),
  ),
  until: t.Optional(t.String({ description: 'Only calls that began up to then.' })),
  order: t.Optional(
    t.UnionEnum(['oldest', 'newest'], {
      description: 'Of live calls: which come first. `oldest` is the default.',
    }),
  ),
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
  const listing = new Listing(calls, store);

  return new Elysia()
    .get(
      '/v1/calls',
      async ({ query: { state = 'live', order = 'oldest', limit = PAGE.default, node, set, ...query } }) => {
        const since = readTime('since', query.since);
        const until = readTime('until', query.until);
        if (since instanceof Failure) return failureResponse(since);
        if (until instanceof Failure) return failureResponse(until);
        const { search, after } = query;
        const asked = { state, order, limit, nodeId: node, setId: set, since, until, after };
        const page = await listing.page({ ...asked, search: search === '' ? undefined : search });
        if (page instanceof Failure) return failureResponse(page);

        return json({ calls: page.calls.map(callResource), next: page.next, is_partial: page.isPartial });
      },
      {
        query: CallQuery,
        detail: {
          tags: ['calls'],
          summary: 'Calls, live or ended, and the search for one',
          description:
            'Live calls in the order of their beginning, ended ones newest end first. Without `next` there are no more. `is_partial`: enough calls were looked through for one request, and `next` goes on.',
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
              `call ${toText(callId)} is not known here; ended calls are kept for a while only`,
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

/** An SDP as JSON has it. */
export function shownSdp(sdp: string | null | undefined): string | null {
  return sdp == null ? null : toText(sdp);
}
