/** `/v1/nodes/ID/drain`, `maint` and `ready`: what people order. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Ordered, Orders } from '../fleet/orders.ts';
import type { Rates } from '../series/rates.ts';
import type { Clock } from '../util/clock.ts';
import { nodeResource } from './node-resource.ts';
import { failureResponse, json } from './responses.ts';

/** Longest time a drain may last, s: a year. */
const MAX_DEADLINE_S = 31_536_000;
/** Latest date there is in JavaScript, UTC ms. */
const MAX_UTC = 8_640_000_000_000_000;

/** A text in one line. Described here, read by `faultOf`, whose errors say what was read. */
function words(maxLength: number, description: string) {
  return t.Optional(t.Unknown({ type: 'string', maxLength, description }));
}

/** A whole number, or null to take it away. Described here, read by `faultOf`. */
function whole(minimum: number, maximum: number, description: string) {
  return t.Optional(t.Unknown({ type: ['integer', 'null'], minimum, maximum, description }));
}

const shared = {
  reason: words(256, 'Why, for other people.'),
  by: words(128, 'Who, as in `root@edge1`.'),
};
// Keys that do not exist stay in and are refused: a `deadline` that nobody reads would be believed.
const strict = { additionalProperties: true };
const Drain = t.Object(
  {
    ...shared,
    deadline_s: whole(
      1,
      MAX_DEADLINE_S,
      'After so many seconds the order becomes `maint`; calls that are left go on.',
    ),
    tell_relay: t.Optional(
      t.Unknown({
        type: 'boolean',
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
    until: whole(0, MAX_UTC, 'When it should be over, UTC ms. Nothing happens then but an event.'),
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
  readonly rates: Rates;
  readonly clock: Clock;
}

export function nodeOrderRoutes({ orders, rates, clock }: NodeOrderParts) {
  const show = (result: Ordered | Failure): Response =>
    result instanceof Failure
      ? failureResponse(result)
      : json({
          ...nodeResource(result.member, { orders, rates, clock }),
          ...(result.warning === null ? {} : { warning: result.warning }),
        });

  return new Elysia()
    .post(
      '/v1/nodes/:id/drain',
      async ({ params, body }) => {
        const { reason, by, deadline_s: deadlineS, tell_relay: tellRelay } = body as OrderBody;
        const failure = faultOf(body, Drain.properties);

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
        const { reason, by, until } = body as OrderBody;

        return show(faultOf(body, Maint.properties) ?? orders.maint(params.id, { reason, by, until }));
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
        const { reason, by } = body as OrderBody;

        return show(faultOf(body, Ready.properties) ?? (await orders.ready(params.id, { reason, by })));
      },
      {
        parse: readBody,
        params: NodeId,
        body: Ready,
        detail: detail('Let a node take calls again', REPEATED),
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

/** What an order says; true once `faultOf` found nothing. */
interface OrderBody {
  readonly reason?: string;
  readonly by?: string;
  readonly deadline_s?: number | null;
  readonly until?: number | null;
  readonly tell_relay?: boolean;
}

/** What an order may say of one thing. */
interface Rule {
  readonly type?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}

/** What is wrong with an order, if anything. */
function faultOf(body: object, schema: Readonly<Record<string, object>>): Failure | undefined {
  const rules: Readonly<Record<string, Rule>> = schema;
  for (const [key, value] of Object.entries(body)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `there is no "${key}" in this order; allowed are ${Object.keys(rules).join(', ')}`,
      );
    }
    const wanted = wantedOf(rule, value);
    if (wanted !== undefined)
      return new Failure('RTPC_BAD_PARAMETER', `${key} is ${JSON.stringify(value)}; it must be ${wanted}`);
  }

  return undefined;
}

/** What a value must be, if it is not. */
function wantedOf(
  { type, minimum = 0, maximum = 0, maxLength = 0 }: Rule,
  value: unknown,
): string | undefined {
  if (type === 'boolean') return typeof value === 'boolean' ? undefined : 'true or false';
  if (type === 'string') {
    const isLine =
      typeof value === 'string' && value.length <= maxLength && !/[\p{Cc}\p{Bidi_Control}]/u.test(value);

    return isLine ? undefined : `a text of at most ${maxLength} characters without control characters`;
  }
  const isWhole =
    typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum;

  return isWhole || value === null ? undefined : `a whole number from ${minimum} to ${maximum}, or null`;
}
