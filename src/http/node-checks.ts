/** `/v1/nodes/check` and `/v1/nodes/{id}/check`: a look at a node as calls see it, before or after it is in the fleet. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Node } from '../domain/node.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { NodeInput } from '../fleet/node-input.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Probe } from '../probe/probe.ts';
import { type Report, reportShown } from '../probe/report.ts';
import { Slots } from '../util/slots.ts';
import { nodeFields, nodeId, nodeSocket } from './nodes.ts';
import { failureResponse, json } from './responses.ts';

/** Checks at a time, and those that may wait for their turn; each takes some 1 s, at most 5. */
const AT_ONCE = 8;
const MAX_WAITING = 64;

const media = t.Optional(
  t.Boolean({ description: 'Whether RTP is sent through the relay, both ways. Default: true.' }),
);
const Draft = t.Object({ id: nodeId, socket: t.Optional(nodeSocket), ...nodeFields, media });
const NodeId = t.Object({ id: t.Numeric({ minimum: 0, multipleOf: 1 }) });
const detail = (summary: string, description: string) => ({ tags: ['nodes'], summary, description });
const WHAT =
  'Asks the relay for a sign of life and its figures, and makes calls through it as real calls are made, which are deleted at once: is the right ' +
  'address shown to each side, does audio pass both ways? `result` is the worst of `checks`: `ok`, `warning` or `failed`; a check may be ' +
  '`skipped`. `advice` says what to do. What is found changes neither the node nor our opinion of it.';

export interface NodeCheckParts {
  readonly fleet: Pick<Fleet, 'find'>;
  readonly roster: Pick<Roster, 'draft'>;
  readonly probe: Pick<Probe, 'check'>;
  readonly watch: { recheck(member: Member): void };
}

export function nodeCheckRoutes({ fleet, roster, probe, watch }: NodeCheckParts) {
  const slots = new Slots(AT_ONCE, MAX_WAITING);
  const check = async (node: Node, nodeId: number | null, hasMedia = true): Promise<Response> => {
    const report: Report | undefined = await slots.run(() => probe.check(node, { media: hasMedia }));
    if (report === undefined) {
      return failureResponse(
        new Failure('RTPC_BUSY', `${AT_ONCE + MAX_WAITING} nodes are being checked already; try again`),
      );
    }

    return json({ node_id: nodeId, socket: node.socket, ...reportShown(report) });
  };

  return new Elysia()
    .post(
      '/v1/nodes/check',
      async ({ body }) => {
        const { media: hasMedia, ...input } = body;
        const node = roster.draft(input as NodeInput);

        return node instanceof Failure
          ? failureResponse(node)
          : check(node, input.id === undefined ? null : node.id, hasMedia);
      },
      {
        parse: 'json',
        body: Draft,
        detail: detail(
          'Check a node before it is saved',
          `${WHAT} The body is that of \`POST /v1/nodes\`; with the \`id\` of a node it is that of \`PUT /v1/nodes/{id}\`.`,
        ),
      },
    )
    .post(
      '/v1/nodes/:id/check',
      async ({ params, body }) => {
        const member = fleet.find(params.id);
        if (member instanceof Failure) return failureResponse(member);
        // What is found here is no evidence, but whoever asks wants our opinion to be fresh as well.
        watch.recheck(member);

        return check(member.node, member.id, body?.media);
      },
      {
        params: NodeId,
        body: t.Optional(t.Object({ media })),
        detail: detail('Check a node now', `${WHAT} Without a body everything is checked.`),
      },
    );
}
