/** What is told of each command to a relay when it has ended. */

import type { NodeKind } from '../domain/node.ts';
import type { RelayFailureKind } from '../relay/driver.ts';

/** The methods of a driver that ask a relay something. */
export const RELAY_COMMANDS = ['offer', 'answer', 'delete', 'query', 'streams', 'command'] as const;
export type RelayCommand = (typeof RELAY_COMMANDS)[number];

/** Stands on the call path, so it must not take long. */
export interface CommandObserver {
  /** @param tookMs from the moment it was asked for, its wait for a place included */
  command(kind: NodeKind, command: RelayCommand, result: 'ok' | RelayFailureKind, tookMs: number): void;
}
