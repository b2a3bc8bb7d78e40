/** `/v1/nodes`: the list of nodes. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { NodeInput } from '../fleet/node-input.ts';
import type { Roster } from '../fleet/roster.ts';
import { NodeQuery, queryFault } from './node-list.ts';
import { type NodeResourceParts, nodePage, nodeResource } from './node-resource.ts';
import { failureResponse, json } from './responses.ts';

// Keys that do not exist stay in: a declaration says which they are.
const Address = t.Object(
  {
    side: t.String({ description: 'Name or alias of a side, as `inner`.' }),
    address: t.String({ description: 'IP address of the node as that side sees it.' }),
    interface: t.Optional(
      t.Union([t.String(), t.Null()], {
        description:
          'rtpengine: its logical interface, wanted by impose mode `interface`. rtpproxy: which of its sockets faces the side, `internal` or `external` in bridging mode, else an IP address of its host or the label of a listen address; at all media addresses or, if it has one socket for all, at none.',
      }),
    ),
    family: t.Optional(
      t.Union([t.Literal('IP4'), t.Literal('IP6')], { description: 'Follows from the address; ignored.' }),
    ),
  },
  { additionalProperties: true },
);

/**
 * What the bodies of nodes have in common; also used by the declaration of the fleet. No schema here says `default`: Elysia
 * would put it into each body that lacks the field, and a change of one field would reset the others.
 */
export const nodeFields = {
  kind: t.Optional(
    t.String({
      description:
        '`rtpengine` or `rtpproxy`; it is a tag of the node too. Default: `rtpengine`. With another kind a node is another relay: it needs media addresses anew.',
    }),
  ),
  set_id: t.Optional(t.Integer({ description: 'Nodes of one set may stand in for each other. Default: 0.' })),
  weight: t.Optional(
    t.Integer({ description: 'Share of new calls, 0 to 65535; 0 takes none. Default: 100.' }),
  ),
  impose_mode: t.Optional(
    t.String({
      description:
        '`media-address`, or `interface` for an rtpengine with logical interfaces. Default: `media-address`.',
    }),
  ),
  priority: t.Optional(
    t.Integer({ description: 'Nodes of the lowest number come first; 0 to 65535. Default: 0.' }),
  ),
  capacity: t.Optional(
    t.Union([t.Integer(), t.Null()], {
      description: 'Calls it may have at a time, 1 to 1000000; null for no limit.',
    }),
  ),
  tags: t.Optional(
    t.Array(t.String(), { description: 'Up to 16 words a request may ask for, as `gold`.', maxItems: 64 }),
  ),
  http_port: t.Optional(
    t.Union([t.Integer(), t.Null()], {
      description:
        "Port of rtpengine's `listen-http` on the host of the socket; null if it has none, as rtpproxy.",
    }),
  ),
  media_addresses: t.Optional(t.Array(Address, { maxItems: 64 })),
  inner_media_ip: t.Optional(t.String({ description: 'Short for the address of side `inner`.' })),
  out_media_ip: t.Optional(t.String({ description: 'Short for the address of side `outer`.' })),
};
export const nodeId = t.Optional(t.Integer({ description: 'Chosen by the cluster if missing.' }));
export const nodeSocket = t.String({
  description:
    'Control socket: `udp:192.168.2.3:7890` or `udp6:[2001:db8::3]:7890`. For rtpproxy also `udp:192.168.2.3` (port 22222), `tcp:192.168.2.3:7890`, `tcp6:[2001:db8::3]:7890`, `unix:/run/rtpproxy.sock` and `cunix:/run/rtpproxy.sock`.',
});

const NewNode = t.Object({ id: nodeId, socket: nodeSocket, ...nodeFields });
const ChangedNode = t.Object({ id: nodeId, socket: t.Optional(nodeSocket), ...nodeFields });
const Import = t.Object({
  rows: t.Array(t.Object({ row: t.Integer(), id: nodeId, socket: t.Optional(nodeSocket), ...nodeFields }), {
    maxItems: 10_000,
  }),
});
const NodeId = t.Object({ id: t.Numeric({ minimum: 0, multipleOf: 1 }) });
const detail = (summary: string, description = '') => ({ tags: ['nodes'], summary, description });

export interface NodeParts extends NodeResourceParts {
  readonly fleet: Fleet;
  readonly roster: Roster;
  /** Calls begun since the start, those that ended included. */
  readonly calls: { readonly begun: number };
}

export function nodeRoutes({ fleet, roster, calls, ...parts }: NodeParts) {
  const show = (result: Member | Failure, status = 200): Response =>
    result instanceof Failure ? failureResponse(result) : json(nodeResource(result, parts), status);

  return new Elysia()
    .get(
      '/v1/nodes',
      ({ query }) => {
        const fault = queryFault(query);

        return fault === undefined
          ? json({ ...nodePage(fleet, query, parts), calls_begun: calls.begun })
          : failureResponse(fault);
      },
      {
        query: NodeQuery,
        detail: detail(
          'Nodes, all of them or a page',
          '`total` counts all pages. `calls_begun` counts calls since the start of this program: two answers tell how many came in between.',
        ),
      },
    )
    .post('/v1/nodes', ({ body }) => show(roster.add(body as NodeInput), 201), {
      parse: 'json',
      body: NewNode,
      detail: detail('Add a node'),
    })
    .post(
      '/v1/nodes/import',
      ({ body, query }) => {
        const result = roster.import(body.rows, query.dry_run === 'true');
        if (result instanceof Failure) return failureResponse(result);
        if (result.isGood) return json({ rows: result.reports });
        const bad = result.reports.filter((report) => report.result === 'error').length;
        const message = `${bad} of ${result.reports.length} rows are bad; nothing was changed`;

        return json({ code: 'RTPC_BAD_PARAMETER', message, rows: result.reports }, 400);
      },
      {
        parse: 'json',
        body: Import,
        query: t.Object({ dry_run: t.Optional(t.String()) }),
        detail: detail(
          'Add and change many nodes',
          'If any row is bad nothing is changed. `dry_run=true` changes nothing either way.',
        ),
      },
    )
    .get('/v1/nodes/:id', ({ params }) => show(fleet.find(params.id)), {
      params: NodeId,
      detail: detail('One node'),
    })
    .put('/v1/nodes/:id', ({ params, body }) => show(roster.change(params.id, body as NodeInput)), {
      parse: 'json',
      params: NodeId,
      body: ChangedNode,
      detail: detail('Change a node', 'What is left out stays as it is.'),
    })
    .delete(
      '/v1/nodes/:id',
      ({ params }) => {
        const result = roster.remove(params.id);

        return result instanceof Failure
          ? failureResponse(result)
          : json({ id: params.id, calls: result.calls });
      },
      {
        params: NodeId,
        detail: detail('Remove a node', 'Calls on it go on until they end; `calls` says how many.'),
      },
    );
}
