/** `/v1/nodes/ID/drain`, `maint` and `ready`: what people order; `check`: look at it now. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Ordered, Orders } from '../fleet/orders.ts';
import type { Clock } from '../util/clock.ts';
import { nodeResource } from './node-resource.ts';
import { failureResponse, json } from './responses.ts';

/** Longest time a drain may last, s: a year. */
const MAX_DEADLINE_S = 31_536_000;
/** Latest date there is in JavaScript, UTC ms. */
const MAX_UTC = 8_640_000_000_000_000;

const shared = {
  reason: t.Optional(
    t.String({ maxLength: 256, pattern: '^[^\\x00-\\x1f\\x7f]*$', description: 'Why, for other people.' }),
  ),
  by: t.Optional(
    t.String({ maxLength: 128, pattern: '^[^\\x00-\\x1f\\x7f]*$', description: 'Who, as in `root@edge1`.' }),
  ),
};
// Keys that do not exist stay in and are refused: a `deadline` that nobody reads would be believed.
const strict = { additionalProperties: true };
const Drain = t.Object(
  {
    ...shared,
    deadline_s: t.Optional(
      t.Union([t.Integer({ minimum: 1, maximum: MAX_DEADLINE_S }), t.Null()], {
        description: 'After so many seconds the order becomes `maint`; calls that are left go on.',
      }),
    ),
    tell_relay: t.Optional(
      t.Boolean({
        description:
          'Whether the relay itself is told to take no new calls, also not from other controllers.',
      }),
    ),
  },
  strict,
);
const Maint = t.Object(
  {
    ...shared,
    until: t.Optional(
      t.Union([t.Integer({ minimum: 0, maximum: MAX_UTC }), t.Null()], {
        description: 'When it should be over, UTC ms. Nothing happens then but an event.',
      }),
    ),
  },
  strict,
);
const Ready = t.Object(shared, strict);
const NodeId = t.Object({ id: t.Numeric({ minimum: 0, multipleOf: 1 }) });
const detail = (summary: string, description = '') => ({ tags: ['nodes'], summary, description });
/** What holds for all orders. */
const REPEATED =
  'The same order again changes what is given with it; what is left out stays as it was. The body may be empty.';

export interface NodeOrderParts {
  readonly fleet: Fleet;
  readonly orders: Orders;
  readonly watch: { recheck(member: Member): void };
  readonly clock: Clock;
}

export function nodeOrderRoutes({ fleet, orders, watch, clock }: NodeOrderParts) {
  const show = (result: Ordered | Failure): Response =>
    result instanceof Failure
      ? failureResponse(result)
      : json({
          ...nodeResource(result.member, { orders, clock }),
          ...(result.warning === null ? {} : { warning: result.warning }),
        });

  return new Elysia()
    .post(
      '/v1/nodes/:id/drain',
      async ({ params, body }) => {
        const { reason, by, deadline_s: deadlineS, tell_relay: tellRelay } = body;
        const failure = unknownKey(body, Drain.properties);

        return show(failure ?? (await orders.drain(params.id, { reason, by, deadlineS, tellRelay })));
      },
      {
        parse: readBody,
        params: NodeId,
        body: Drain,
        detail: detail(
          'Drain a node',
          `It gets no new calls; those it has go on until they end. ${REPEATED}`,
        ),
      },
    )
    .post(
      '/v1/nodes/:id/maint',
      ({ params, body }) => {
        const { reason, by, until } = body;

        return show(unknownKey(body, Maint.properties) ?? orders.maint(params.id, { reason, by, until }));
      },
      {
        parse: readBody,
        params: NodeId,
        body: Maint,
        detail: detail(
          'Put a node in maintenance',
          `It gets no new calls, even if its set is in panic. ${REPEATED}`,
        ),
      },
    )
    .post(
      '/v1/nodes/:id/ready',
      async ({ params, body }) => {
        const { reason, by } = body;

        return show(unknownKey(body, Ready.properties) ?? (await orders.ready(params.id, { reason, by })));
      },
      {
        parse: readBody,
        params: NodeId,
        body: Ready,
        detail: detail('Let a node take calls again', REPEATED),
      },
    )
    .post(
      '/v1/nodes/:id/check',
      ({ params }) => {
        const member = fleet.find(params.id);
        if (member instanceof Failure) return failureResponse(member);
        watch.recheck(member);

        return json(nodeResource(member, { orders, clock }), 202);
      },
      {
        params: NodeId,
        detail: detail('Check a node now', 'The answer does not wait for the outcome.'),
      },
    );
}

/** JSON, whatever type it is said to be; nothing at all is an empty object. */
async function readBody({ request }: { readonly request: Request }): Promise<object> {
  const text = await request.text();
  if (text.trim() === '') return {};
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Failure('RTPC_BAD_BODY', 'the body is not valid JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Failure('RTPC_BAD_BODY', 'the body is no JSON object; allowed are an object and nothing');

  return body;
}

function unknownKey(body: object, known: object): Failure | undefined {
  const unknown = Object.keys(body).find((key) => !Object.hasOwn(known, key));
  if (unknown === undefined) return undefined;

  return new Failure(
    'RTPC_BAD_PARAMETER',
    `there is no "${unknown}" in this order; allowed are ${Object.keys(known).join(', ')}`,
  );
}
