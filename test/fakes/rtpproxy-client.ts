/** The control socket of an rtpproxy that answers as a test says, and notes what it was told. */

import { RelayFailure, type RelayFailureKind } from '../../src/relay/driver.ts';
import type { RtpproxyClient } from '../../src/relay/rtpproxy/client.ts';
import { newCounters } from '../../src/relay/wire/counters.ts';

/** What comes of a command; undefined where the test has nothing to say, then it is done as a good daemon does it. */
export type Answers = (command: string) => string | RelayFailure | undefined;

/** A failure with a client's typical words. */
export function wire(kind: RelayFailureKind): RelayFailure {
  return new RelayFailure(kind, `the wire says ${kind}`);
}

export class FakeRtpproxyClient implements RtpproxyClient {
  /** In the order in which they came. */
  readonly commands: string[] = [];
  /** Lines of the reply and deadline, for each command. */
  readonly lines: number[] = [];
  readonly deadlines: number[] = [];
  readonly counters = newCounters();
  rttMs: number | null = null;
  inFlight = 0;
  waiting = 0;
  isClosed = false;
  answers: Answers;
  /** Runs with each command, before it is answered. */
  onCommand: (command: string) => void | Promise<void> = () => undefined;
  readonly #ports = new Map<string, number>();

  constructor(answers: Answers = () => undefined) {
    this.answers = answers;
  }

  /** The commands since the last look. */
  told(): string[] {
    return this.commands.splice(0);
  }

  async request(command: string, deadline: number, lines = 1): Promise<string | RelayFailure> {
    this.commands.push(command);
    this.deadlines.push(deadline);
    this.lines.push(lines);
    await this.onCommand(command);

    return this.answers(command) ?? this.#asGoodDaemon(command);
  }

  close(): void {
    this.isClosed = true;
  }

  /** Every leg has a port of its own, and no address is said: a daemon on the wildcard. */
  #asGoodDaemon(command: string): string {
    const [head = '', name = '', , , tag = ''] = command.split(' ');
    switch (head.charAt(0)) {
      case 'V':
        return head === 'V' ? '20040107' : '1';
      case 'U':
      case 'L': {
        const leg = `${head.charAt(0)} ${name} ${tag}`;
        const port = this.#ports.get(leg) ?? 30_000 + 2 * this.#ports.size;
        this.#ports.set(leg, port);

        return String(port);
      }
      case 'Q':
        return '60 10 20 29 1';
      default:
        return '0';
    }
  }
}
