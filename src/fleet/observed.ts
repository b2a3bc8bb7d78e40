/** A relay driver that reports what each request tells of the node's health: every call is a check too. */

import type { Evidence } from '../domain/evidence.ts';
import { type RelayDriver, RelayFailure, type RelayFailureKind } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import type { RelayCommand } from './command-observer.ts';

/** Any answer, an error too, shows that the node lives. One object, as it is made for every request. */
const OK: Evidence = { kind: 'call-ok' };
const SLOW: Evidence = { kind: 'call-slow' };

/** Silence says something only if the request had this much time, ms. */
const LEAST_MS = 100;

export interface Observation {
  readonly clock: Clock;
  /** A reply after so long would have been too late for a new call, ms. */
  readonly slowMs: number;
  /** Is given the evidence of each request when it has ended. */
  tell(evidence: Evidence): void;
  /** Is told how each request ended, and how long it took, ms. */
  count?(command: RelayCommand, result: 'ok' | RelayFailureKind, tookMs: number): void;
}

export function observed(driver: RelayDriver, { clock, slowMs, tell, count }: Observation): RelayDriver {
  let isClosed = false;
  const watch = async <T>(
    command: RelayCommand,
    callId: string,
    deadline: number,
    request: Promise<T | RelayFailure>,
  ): Promise<T | RelayFailure> => {
    const asked = clock.monotonic();
    const result = await request;
    // Requests under way end as unreachable when we close the socket ourselves.
    if (isClosed) return result;
    const failure = result instanceof RelayFailure ? result : undefined;
    const tookMs = clock.monotonic() - asked;
    count?.(command, failure?.kind ?? 'ok', tookMs);
    switch (failure?.kind) {
      case 'silent':
        // Who had next to no time to answer in is not to blame.
        if (deadline - asked >= LEAST_MS) tell({ kind: 'call-silent', callId });
        break;
      case 'unreachable':
        tell({ kind: 'call-refused', why: failure.reason });
        break;
      // A reply that cannot be read, or a request that was never sent, says nothing of the node.
      case 'garbled':
      case 'busy':
      case 'too-large':
      case 'bad-sdp':
        break;
      default:
        tell(tookMs < slowMs ? OK : SLOW);
    }

    return result;
  };

  return {
    renewsCalls: driver.renewsCalls,
    offer: (request, deadline) => watch('offer', request.callId, deadline, driver.offer(request, deadline)),
    answer: (request, deadline) =>
      watch('answer', request.callId, deadline, driver.answer(request, deadline)),
    delete: (call, deadline) => watch('delete', call.callId, deadline, driver.delete(call, deadline)),
    query: (call, deadline, fromTag) =>
      watch('query', call.callId, deadline, driver.query(call, deadline, fromTag)),
    streams: (call, deadline) => watch('query', call.callId, deadline, driver.streams(call, deadline)),
    command: (message, call, deadline) =>
      watch('command', call.callId, deadline, driver.command(message, call, deadline)),
    close() {
      isClosed = true;
      driver.close();
    },
  };
}
