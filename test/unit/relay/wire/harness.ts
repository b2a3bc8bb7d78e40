/** A clock that stands still until told, and a network made of arrays. */

import type { SocketAddress } from '../../../../src/domain/node.ts';
import type { DatagramEvents, Datagrams, OpenDatagrams } from '../../../../src/relay/wire/datagrams.ts';
import type { Clock } from '../../../../src/util/clock.ts';

export class FakeClock implements Clock {
  now = 1_000_000;
  readonly #timers = new Map<number, { readonly ms: number; readonly run: () => void; next: number }>();
  #ids = 0;

  get timers(): number {
    return this.#timers.size;
  }

  monotonic(): number {
    return this.now;
  }

  utc(): number {
    return 1_800_000_000_000 + this.now;
  }

  every(ms: number, run: () => void): () => void {
    const id = ++this.#ids;
    this.#timers.set(id, { ms, run, next: this.now + ms });

    return () => this.#timers.delete(id);
  }

  /** Lets time pass, timers included. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now++;
      for (const timer of [...this.#timers.values()]) {
        if (this.now < timer.next) continue;
        timer.next += timer.ms;
        timer.run();
      }
    }
  }
}

/** One socket's worth of network: what was sent, and a way to answer. */
export class FakeNet {
  readonly sent: string[] = [];
  opened = 0;
  closed = 0;
  /** Set to make `open` fail. */
  openError: Error | undefined;
  /** What `send` does; true by default. Throws what it returns if that is an error. */
  onSend: (datagram: string) => boolean | Error = () => true;
  #events: DatagramEvents | undefined;

  readonly open: OpenDatagrams = (_address: SocketAddress, events) => {
    this.opened++;
    if (this.openError !== undefined) return Promise.reject(this.openError);
    this.#events = events;
    const socket: Datagrams = {
      send: (bytes) => {
        const datagram = Buffer.from(bytes).toString('latin1');
        const outcome = this.onSend(datagram);
        if (outcome instanceof Error) throw outcome;
        this.sent.push(datagram);

        return outcome;
      },
      close: () => {
        this.closed++;
      },
    };

    return Promise.resolve(socket);
  };

  receive(datagram: string): void {
    this.#events?.onMessage(Buffer.from(datagram, 'latin1'));
  }

  fail(error: Error): void {
    this.#events?.onError(error);
  }

  /** Reports errors of the socket open now, also after it was given up. */
  failer(): (error: Error) => void {
    const events = this.#events;

    return (error) => events?.onError(error);
  }

  /** Cookie of the n-th datagram sent; negative counts from the last one. */
  cookie(index: number): string {
    return this.sent.at(index)?.split(' ', 1)[0] ?? '';
  }

  /** Answers the n-th datagram sent. */
  answer(index: number, body: string): void {
    this.receive(`${this.cookie(index)} ${body}`);
  }
}

export function refusal(): Error {
  return Object.assign(new Error('recv ECONNREFUSED'), { code: 'ECONNREFUSED' });
}

/** Lets promises that are already decided run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
