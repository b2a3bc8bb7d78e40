/** An event as the outside sees it: on the API, in streams and in webhooks. */

import type { StoredEvent } from '../store/event-rows.ts';
import { toText } from '../util/bytes.ts';

export function eventResource({ id, at, kind, nodeId, callId, detail }: StoredEvent) {
  return { id, at, kind, node_id: nodeId, call_id: callId === null ? null : toText(callId), detail };
}
