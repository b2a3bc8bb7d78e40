/** `/v1/sets`: what is said of sets as a whole. A set exists when a node or a description names it. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { readSet, setShown } from '../fleet/set-input.ts';
import type { NodeSet } from '../store/fleet-rows.ts';
import { failureResponse, json } from './responses.ts';

const SetId = t.Object({ id: t.Numeric({ minimum: 0, maximum: 999_999_999, multipleOf: 1 }) });
/** What may be said of a set; also used by the declaration of the fleet. Without `default`, as the fields of a node. */
export const setFields = {
  description: t.Optional(t.String({ maxLength: 256 })),
  direction: t.Optional(
    t.Union([t.String(), t.Null()], {
      description: 'Direction of calls when nothing else tells it; null for none.',
    }),
  ),
  policy: t.Optional(t.String({ description: '`hash`, `least-load` or `round-robin`. Default: `hash`.' })),
  load_by: t.Optional(
    t.String({ description: 'What `least-load` counts: `sessions` or `ports`. Default: `sessions`.' }),
  ),
  port_reserve: t.Optional(
    t.Integer({
      description: 'Percent of the media ports of a node that new calls leave free, 0 to 50. Default: 5.',
    }),
  ),
  media_probe: t.Optional(
    t.Boolean({
      description: 'Whether each node gets a test call with RTP both ways once a minute. Default: false.',
    }),
  ),
};
const ChangedSet = t.Object(setFields);
const detail = (summary: string, description = '') => ({ tags: ['sets'], summary, description });

export function setRoutes(fleet: Fleet, sides: Sides, callsOn: (nodeId: number) => number) {
  const resource = (set: NodeSet) => {
    const nodes = fleet.list(set.id);

    return {
      ...setShown(set),
      nodes: nodes.length,
      calls: nodes.reduce((sum, { id }) => sum + callsOn(id), 0),
    };
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
        const set = readSet({ ...body, id }, fleet.set(id), sides);
        if (set instanceof Failure) return failureResponse(set);
        const failure = fleet.putSet(set);

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
