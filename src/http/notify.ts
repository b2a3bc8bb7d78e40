/** `/v1/notify/…`: what relays tell by themselves. */

import { Elysia } from 'elysia';
import type { Notices } from '../calls/notices.ts';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { nodesAt } from '../fleet/nodes-at.ts';
import type { Guard } from './guard.ts';
import { MAX_NOTICE_BYTES, readNotice } from './notice-xml.ts';
import type { Peers } from './peers.ts';
import { failureResponse } from './responses.ts';

export interface NotifyParts {
  readonly fleet: Fleet;
  readonly notices: Notices;
  readonly guard: Guard;
  readonly peers: Pick<Peers, 'addressOf'>;
}

/** What XML-RPC wants to hear; rtpengine only looks whether it is an answer. */
const DONE =
  '<?xml version="1.0"?>\r\n<methodResponse><params><param><value><string>ok</string></value></param></params></methodResponse>\r\n';

/** A relay cannot send a bearer token, so these routes ask by themselves who it is. */
export function notifyRoutes(parts: NotifyParts) {
  return new Elysia().post('/v1/notify/rtpengine', ({ request }) => hear(parts, request), {
    parse: 'none',
    detail: {
      tags: ['nodes'],
      summary: 'A relay has ended a call',
      description:
        'For `b2b-url` of rtpengine, any `xmlrpc-format`: XML-RPC in and out. The node is asked, and if it does not have the call any more, the call ends here too. From the address of a node no token is needed; from elsewhere `?token=` does as well as the header. The role is `call`.',
      security: [{}, { token: ['call'] }],
    },
  });
}

async function hear({ fleet, notices, guard, peers }: NotifyParts, request: Request) {
  const nodes = nodesAt(fleet, peers.addressOf(request));
  // A notice is a hint about a call, so who may end calls may send one.
  const refusal = nodes.size > 0 ? undefined : guard.admit(request, 'call', tokenIn(request.url)).refusal;
  if (refusal !== undefined) throw refusal;
  const body = await readBody(request);
  if (body instanceof Failure) return failureResponse(body);
  const notice = readNotice(body);
  if (notice === undefined) {
    const rule = 'this is none of the XML-RPC calls rtpengine sends to its b2b-url';

    return failureResponse(new Failure('RTPC_BAD_BODY', rule));
  }
  notices.hear(notice, nodes, 'rtpengine');

  return new Response(DONE, { headers: { 'Content-Type': 'text/xml' } });
}

async function readBody(request: Request): Promise<string | Failure> {
  try {
    const bytes = await request.arrayBuffer();
    if (bytes.byteLength <= MAX_NOTICE_BYTES) return Buffer.from(bytes).toString('latin1');
  } catch {
    return new Failure('RTPC_BAD_BODY', 'the connection ended before the body did');
  }

  return new Failure('RTPC_BODY_TOO_LARGE', `the notice has more than ${MAX_NOTICE_BYTES} bytes`);
}

function tokenIn(url: string): string {
  const query = url.indexOf('?');

  return query === -1 ? '' : (new URLSearchParams(url.slice(query + 1)).get('token') ?? '');
}
