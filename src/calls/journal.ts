/** Runs operations of calls: each is timed, logged, counted, and noted for `explain`. */

import type { Door } from '../domain/door.ts';
import { Failure } from '../domain/errors.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import type { History } from './history.ts';
import type { Ledger } from './ledger.ts';
import { beginStep, type Step } from './step.ts';

/** Is told of every request that has ended; it stands on the call path, so it must not take long. */
export interface Observer {
  /** @param nodeBefore the node its call was on before; null if none */
  step(step: Step, nodeBefore: number | null): void;
}

export interface JournalParts {
  readonly ledger: Ledger;
  readonly history: History;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class Journal {
  readonly #parts: JournalParts;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** Runs one operation. @param message the SIP message behind it, null if the client named the operation */
  async run<T>(
    operation: string,
    callId: string,
    message: string | null,
    work: (step: Step) => Promise<T | Failure>,
    door?: Door,
  ): Promise<T | Failure> {
    const { ledger, history, observer, clock } = this.#parts;
    const started = clock.monotonic();
    const step = beginStep(clock.utc(), operation, message, door);
    // A delete ends the call: whose it was is known before.
    const nodeBefore = ledger.get(callId)?.nodeId ?? null;
    step.node = nodeBefore;
    const result = await work(step);
    step.node = ledger.get(callId)?.nodeId ?? nodeBefore;
    step.took_ms = Math.round((clock.monotonic() - started) * 100) / 100;
    if (result instanceof Failure) {
      step.result = result.code;
      step.reason = result.message;
    }
    observer.step(step, nodeBefore);
    history.add(callId, step);
    const fields = {
      call_id: callId,
      node: step.node,
      operation,
      took_ms: step.took_ms,
    };
    if (!(result instanceof Failure)) log.debug('media.done', { ...fields, result: 'ok' });
    else if (result.status < 500)
      log.info('media.refused', { ...fields, result: result.code, reason: result.message });
    else log.error('media.failed', { ...fields, result: result.code, reason: result.message });

    return result;
  }
}
