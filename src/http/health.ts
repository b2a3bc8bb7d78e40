/** `/healthz` and `/readyz`: for supervisors; open to everybody, and say nothing secret. */

import { Elysia } from 'elysia';
import type { Store } from '../store/store.ts';
import { version } from '../util/version.ts';
import { json } from './responses.ts';

/** Whether the program takes requests. */
export interface Readiness {
  isStopping: boolean;
}

export function healthRoutes(store: Store, readiness: Readiness) {
  return new Elysia()
    .get('/healthz', () => json({ status: 'alive', version: version }), {
      detail: { tags: ['health'], summary: 'Whether the process answers', security: [] },
    })
    .get(
      '/readyz',
      () => {
        const database = store.trouble ?? 'ok';
        const isReady = database === 'ok' && !readiness.isStopping;

        return json({ ready: isReady, database, stopping: readiness.isStopping }, isReady ? 200 : 503);
      },
      {
        detail: {
          tags: ['health'],
          summary: 'Whether it may be relied on',
          description:
            '503 while the database cannot be written (calls go on from memory) and while stopping.',
          security: [],
        },
      },
    );
}
