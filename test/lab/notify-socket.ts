/** The socket of a supervisor: takes the datagrams of sd_notify(3), which Bun itself cannot. */

import { dlopen, ptr } from 'bun:ffi';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { poll, temporaryFolder } from './processes.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MAX_MESSAGE = 4096;

/** How often it looks for datagrams, ms. */
const LOOK_MS = 2;

let names = 0;

export class NotifySocket {
  /** As NOTIFY_SOCKET has it. */
  readonly place: string;
  readonly #received: string[] = [];
  readonly #libc;
  readonly #file: number;
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** @param options.isDeaf takes nothing, so that it is full after some datagrams */
  constructor({ isAbstract = false, isDeaf = false } = {}) {
    const { symbols } = dlopen('libc.so.6', {
      socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
      bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
      recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64' },
      close: { args: ['i32'], returns: 'i32' },
    });
    this.#libc = symbols;
    this.place = isAbstract
      ? `@rtp-cluster-test-${process.pid}-${names++}`
      : join(temporaryFolder(), 'notify');
    const path = isAbstract ? `\0${this.place.slice(1)}` : `${this.place}\0`;
    const address = Buffer.from(`\u0001\0${path}`, 'latin1');
    this.#file = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (symbols.bind(this.#file, ptr(address), address.length) !== 0)
      throw new Error(`cannot bind ${this.place}`);
    this.#timer = isDeaf ? undefined : setInterval(() => this.take(), LOOK_MS);
  }

  /** The messages so far, oldest first. */
  get messages(): readonly string[] {
    return this.#received;
  }

  /** Takes what is there. */
  take(): void {
    const buffer = Buffer.alloc(MAX_MESSAGE);
    for (;;) {
      const length = Number(this.#libc.recv(this.#file, ptr(buffer), buffer.length, MSG_DONTWAIT));
      if (length < 0) return;
      this.#received.push(buffer.toString('utf8', 0, length));
    }
  }

  /** Waits for a message that has this in it, at or after the index; gives the index of it. */
  async until(text: string | RegExp, from = 0, timeoutMs = 10_000): Promise<number> {
    const fits = (message: string): boolean =>
      typeof text === 'string' ? message.includes(text) : text.test(message);

    return poll(
      () => {
        const index = this.#received.findIndex((message, at) => at >= from && fits(message));

        return index === -1 ? undefined : index;
      },
      () => `no message ${text} in ${JSON.stringify(this.#received)}`,
      timeoutMs,
    );
  }

  close(): void {
    clearInterval(this.#timer);
    this.#libc.close(this.#file);
    if (!this.place.startsWith('@')) rmSync(this.place, { force: true });
  }
}
