/** `/v1/nodes`: the list of nodes. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Fleet, Member } from '../fleet/fleet.ts';
import type { NodeInput, Roster } from '../fleet/roster.ts';
import { failureResponse, json } from './responses.ts';

const Address = t.Object({
  side: t.String({ description: 'Name or alias of a side, as `inner`.' }),
  address: t.String({ description: 'IP address of the node as that side sees it.' }),
  interface: t.Optional(
    t.Union([t.String(), t.Null()], {
      description: 'Logical interface of the relay; wanted by impose mode `interface`.',
    }),
  ),
  family: t.Optional(
    t.Union([t.Literal('IP4'), t.Literal('IP6')], { description: 'Follows from the address; ignored.' }),
  ),
});

const fields = {
  kind: t.Optional(t.String({ description: '`rtpengine`.', default: 'rtpengine' })),
  set_id: t.Optional(t.Integer({ description: 'Nodes of one set may stand in for each other.', default: 0 })),
  weight: t.Optional(
    t.Integer({ description: 'Share of new calls, 0 to 65535; 0 takes none.', default: 100 }),
  ),
  impose_mode: t.Optional(
    t.String({
      description: '`media-address`, or `interface` for relays with logical interfaces.',
      default: 'media-address',
    }),
  ),
  media_addresses: t.Optional(t.Array(Address, { maxItems: 64 })),
  inner_media_ip: t.Optional(t.String({ description: 'Short for the address of side `inner`.' })),
  out_media_ip: t.Optional(t.String({ description: 'Short for the address of side `outer`.' })),
};
const id = t.Optional(t.Integer({ description: 'Chosen by the cluster if missing.' }));
const socket = t.String({
  description: 'Control socket: `udp:192.168.2.3:7890` or `udp6:[2001:db8::3]:7890`.',
});

const NewNode = t.Object({ id, socket, ...fields });
const ChangedNode = t.Object({ id, socket: t.Optional(socket), ...fields });
const Import = t.Object({
  rows: t.Array(t.Object({ row: t.Integer(), id, socket: t.Optional(socket), ...fields }), {
    maxItems: 10_000,
  }),
});
const NodeId = t.Object({ id: t.Numeric({ minimum: 0, multipleOf: 1 }) });
const detail = (summary: string, description = '') => ({ tags: ['nodes'], summary, description });

/** A node as the API shows it. */
function resource({ node }: Member, calls: number) {
  return {
    id: node.id,
    kind: node.kind,
    socket: node.socket,
    set_id: node.setId,
    weight: node.weight,
    impose_mode: node.imposeMode,
    media_addresses: node.mediaAddresses,
    calls,
  };
}

export function nodeRoutes(fleet: Fleet, roster: Roster, callsOn: (nodeId: number) => number) {
  const show = (result: Member | Failure, status = 200): Response =>
    result instanceof Failure ? failureResponse(result) : json(resource(result, callsOn(result.id)), status);

  return new Elysia()
    .get(
      '/v1/nodes',
      () => json({ nodes: fleet.list().map((member) => resource(member, callsOn(member.id))) }),
      {
        detail: detail('All nodes'),
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
