/** `/v1/sets`: what is said of sets as a whole. A set exists when a node or a description names it. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { formatDirection, parseDirection, type Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { NodeSet } from '../store/fleet-rows.ts';
import { failureResponse, json } from './responses.ts';

const SetId = t.Object({ id: t.Numeric({ minimum: 0, maximum: 999_999_999, multipleOf: 1 }) });
const ChangedSet = t.Object({
  description: t.Optional(t.String({ maxLength: 256 })),
  direction: t.Optional(
    t.Union([t.String(), t.Null()], {
      description: 'Direction of calls when nothing else tells it; null for none.',
    }),
  ),
});
const detail = (summary: string, description = '') => ({ tags: ['sets'], summary, description });

export function setRoutes(fleet: Fleet, sides: Sides, callsOn: (nodeId: number) => number) {
  const resource = (set: NodeSet) => {
    const nodes = fleet.list(set.id);

    return { ...set, nodes: nodes.length, calls: nodes.reduce((sum, { id }) => sum + callsOn(id), 0) };
  };
  const unknown = (id: number) => failureResponse(new Failure('RTPC_SET_UNKNOWN', `there is no set ${id}`));

  return new Elysia()
    .get('/v1/sets', () => json({ sets: fleet.sets().map(resource) }), { detail: detail('All sets') })
    .get(
      '/v1/sets/:id',
      ({ params: { id } }) => (fleet.hasSet(id) ? json(resource(fleet.set(id))) : unknown(id)),
      {
        params: SetId,
        detail: detail('One set'),
      },
    )
    .put(
      '/v1/sets/:id',
      ({ params: { id }, body }) => {
        const before = fleet.set(id);
        const said = body.direction === undefined ? before.direction : body.direction;
        const direction = said === null ? null : parseDirection(said, sides);
        if (direction instanceof Failure) return failureResponse(direction);
        const failure = fleet.putSet({
          id,
          description: body.description ?? before.description,
          direction: direction === null ? null : formatDirection(direction),
        });

        return failure === undefined ? json(resource(fleet.set(id))) : failureResponse(failure);
      },
      {
        parse: 'json',
        params: SetId,
        body: ChangedSet,
        detail: detail('Describe a set', 'What is left out stays as it is.'),
      },
    )
    .delete(
      '/v1/sets/:id',
      ({ params: { id } }) => {
        if (!fleet.hasSet(id)) return unknown(id);
        const nodes = fleet.list(id).length;
        if (nodes > 0) {
          return failureResponse(
            new Failure('RTPC_SET_NOT_EMPTY', `set ${id} has ${nodes} nodes; move or remove them first`),
          );
        }
        const failure = fleet.deleteSet(id);

        return failure === undefined ? json({ id }) : failureResponse(failure);
      },
      { params: SetId, detail: detail('Forget what was said of a set without nodes') },
    );
}
