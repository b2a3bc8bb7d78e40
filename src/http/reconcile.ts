/** `/v1/nodes/:id/reconcile`: compares the calls of a node with ours. */

import { Elysia, t } from 'elysia';
import type { Reconcile } from '../calls/reconcile.ts';
import { Failure } from '../domain/errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { failureResponse, json } from './responses.ts';

export function reconcileRoutes(fleet: Fleet, reconcile: Reconcile) {
  return new Elysia().post(
    '/v1/nodes/:id/reconcile',
    async ({ params }) => {
      const member = fleet.find(params.id);
      const report = member instanceof Failure ? member : await reconcile.run(member);

      return report instanceof Failure ? failureResponse(report) : json({ node_id: params.id, ...report });
    },
    {
      parse: 'none',
      params: t.Object({ id: t.Numeric({ minimum: 0, multipleOf: 1 }) }),
      detail: {
        tags: ['nodes'],
        summary: 'Compare the calls of a node with ours',
        description:
          'Calls the node lost are ended here, those that ended by BYE and are left there are deleted, calls of other controllers are left alone. Done by itself every `checks.reconcile_s` and after a restart of the relay.',
      },
    },
  );
}
