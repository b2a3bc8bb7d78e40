/** Counts the commands to relays as they end, by the kind of relay: what came of them, how long the answered ones took. */

import type { NodeKind } from '../domain/node.ts';
import type { CommandObserver, RelayCommand } from '../fleet/command-observer.ts';
import type { RelayFailureKind } from '../relay/driver.ts';
import { Histogram } from '../util/histogram.ts';

/** What is known of one command to one kind of relay. */
export interface Commands {
  readonly kind: NodeKind;
  readonly command: RelayCommand;
  readonly results: Map<string, number>;
  /** Of those the relay answered, errors included. */
  readonly times: Histogram;
}

/** No relay has answered these. */
const UNANSWERED: ReadonlySet<string> = new Set<RelayFailureKind>([
  ...(['silent', 'unreachable', 'garbled', 'busy', 'too-large', 'bad-sdp'] as const),
]);

export class RelayMeter implements CommandObserver {
  readonly #commands = new Map<string, Commands>();

  command(kind: NodeKind, command: RelayCommand, result: 'ok' | RelayFailureKind, tookMs: number): void {
    const key = kind + command;
    let known = this.#commands.get(key);
    if (known === undefined) {
      known = { kind, command, results: new Map(), times: new Histogram() };
      this.#commands.set(key, known);
    }
    known.results.set(result, (known.results.get(result) ?? 0) + 1);
    if (!UNANSWERED.has(result)) known.times.add(tookMs / 1000);
  }

  /** All that came about. */
  commands(): readonly Commands[] {
    return [...this.#commands.values()];
  }
}
