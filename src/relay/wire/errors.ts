/** What errors of a socket say of a node, and the failures which all clients share. */

import { RelayFailure } from '../driver.ts';

/** Errors that mean there is no way to the node; others are trouble of our own host (EPERM, ENOBUFS, EMFILE ...). */
const NO_WAY: ReadonlySet<unknown> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EHOSTDOWN']);

/** The `code` of a Node.js error, as `ECONNREFUSED`; undefined if it has none. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Whether nobody listens. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error) === 'ECONNREFUSED';
}

/** Whether there is no way to the node. */
export function isWayless(error: unknown): boolean {
  return NO_WAY.has(codeOf(error));
}

/** How requests end once a client is closed. */
export function takenAway(): RelayFailure {
  return new RelayFailure('unreachable', 'this node was taken away');
}
