/** `/v1/fleet`: all that a person declares of nodes and sets, as one document. */

import { Elysia, t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { type Fleet, MAX_NODES } from '../fleet/fleet.ts';
import { nodeShown } from '../fleet/node-input.ts';
import type { Declaration, Plan } from '../fleet/plan.ts';
import type { Roster } from '../fleet/roster.ts';
import { setShown } from '../fleet/set-input.ts';
import { nodeFields, nodeId, nodeSocket } from './nodes.ts';
import { failureResponse, json } from './responses.ts';
import { setFields } from './sets.ts';

/** Keys that do not exist stay in, so that they can be refused by name: a typing error must not become a default. */
const OPEN = { additionalProperties: true };
const Document = t.Object(
  {
    sets: t.Optional(t.Array(t.Object({ id: t.Integer(), ...setFields }, OPEN), { maxItems: MAX_NODES })),
    nodes: t.Optional(
      t.Array(t.Object({ id: nodeId, socket: nodeSocket, ...nodeFields }, OPEN), { maxItems: MAX_NODES }),
    ),
  },
  OPEN,
);
const Flag = t.Optional(t.Union([t.Literal('true'), t.Literal('false')]));
const detail = (summary: string, description = '') => ({ tags: ['fleet'], summary, description });

export function fleetRoutes(fleet: Fleet, roster: Roster) {
  return new Elysia()
    .get(
      '/v1/fleet',
      () =>
        json({ sets: fleet.sets().map(setShown), nodes: fleet.list().map(({ node }) => nodeShown(node)) }),
      {
        detail: detail(
          'The fleet as a declaration',
          'Without orders, health and calls; `POST /v1/fleet` takes the same document.',
        ),
      },
    )
    .post(
      '/v1/fleet',
      ({ body, query }) => {
        const unknown =
          Object.keys(query).find((key) => key !== 'dry_run' && key !== 'prune') ??
          Object.keys(body).find((key) => key !== 'sets' && key !== 'nodes');
        if (unknown !== undefined) {
          return failureResponse(
            new Failure(
              'RTPC_BAD_PARAMETER',
              `there is no "${unknown}"; the body has "sets" and "nodes", the query "dry_run" and "prune". Nothing was changed`,
            ),
          );
        }
        const { sets = [], nodes = [] } = body as Partial<Declaration>;
        const plan = roster.declare(
          { sets, nodes },
          { isDryRun: query.dry_run === 'true', isPruning: query.prune === 'true' },
        );

        return plan instanceof Failure ? failureResponse(plan) : answer(plan, sets.length + nodes.length);
      },
      {
        parse: 'json',
        body: Document,
        query: t.Object({ dry_run: Flag, prune: Flag }, OPEN),
        detail: detail(
          'Make the fleet what a declaration says',
          'All of it or, if anything is wrong, nothing. A node is found by its id, or without one by its socket in its set. ' +
            'What is left out of a node or set has its default. Nodes that are not named stay; with `prune=true` they are ' +
            'removed, and calls on them go on. `dry_run=true` only tells what would change.',
        ),
      },
    );
}

function answer({ changes, errors, unmanaged }: Plan, entries: number): Response {
  if (errors.length === 0) return json({ changes, errors, unmanaged });
  const bad = new Set(errors.map(({ what, index }) => `${what} ${index}`)).size;
  const message = `${bad} of ${entries} nodes and sets ${bad === 1 ? 'is' : 'are'} wrong; nothing was changed`;

  return json({ code: 'RTPC_BAD_PARAMETER', message, changes, errors, unmanaged }, 400);
}
