/** Tells of sessions that timed out, over the sockets the fake rtpproxy was given for it (reference: rtpproxy-protocol 6, `-n`). */

import { connect, type Socket } from 'node:net';
import type { Notice } from './fake-session.ts';

/** Stands for the sender of the command in the name of a socket. */
const SENDER = '%%CC_SELF%%';
/** Bytes waiting at a socket; further notices are dropped. */
const MAX_WAITING = 1024 * 1024;
/** Open connections; `%%CC_SELF%%` could make one for each sender. */
const MAX_SOCKETS = 64;

export class FakeNotifier {
  readonly #sockets = new Map<string, Socket>();
  /** Names as U may give them. */
  readonly #names: readonly string[];
  /** Notices that could not be delivered. */
  dropped = 0;

  /** `names` are `tcp:HOST:PORT`, `tcp:%%CC_SELF%%:PORT` or `unix:/path`. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  get isEnabled(): boolean {
    return this.#names.length > 0;
  }

  /** The target which a name in U means; undefined if the daemon was not given it. The prefix `unix:` may be missing. */
  find(name: string, host: string): string | undefined {
    const known = this.#names.find((one) => one === name || (!name.includes(':') && one === `unix:${name}`));
    const sender = host === '' || host.includes(':') ? '127.0.0.1' : host;

    return known?.replace(SENDER, sender);
  }

  /** Sends the tag and a line end; the connection is kept for the next ones. */
  tell({ target, tag }: Notice): void {
    const socket = this.#sockets.get(target) ?? this.#open(target);
    if (socket === undefined || socket.writableLength > MAX_WAITING) {
      this.dropped++;
      return;
    }
    socket.write(Buffer.from(`${tag}\n`, 'latin1'));
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  #open(target: string): Socket | undefined {
    if (this.#sockets.size >= MAX_SOCKETS) return undefined;
    const colon = target.lastIndexOf(':');
    const socket = target.startsWith('unix:')
      ? connect({ path: target.slice(5) })
      : connect({ host: target.slice(4, colon), port: Number(target.slice(colon + 1)) });
    this.#sockets.set(target, socket);
    // As with the daemon, what could not be sent is lost, and the next notice opens a new connection.
    socket.on('error', () => this.dropped++);
    socket.on('close', () => this.#sockets.delete(target));
    socket.unref();

    return socket;
  }
}

/** Whether a notify socket can be given: `tcp:HOST:PORT` or `unix:/path`. */
export function isNotifySocket(name: string): boolean {
  if (name.startsWith('unix:')) return name.length > 6 && !name.includes(' ');
  const [, host = '', port] = /^tcp:([^\s:]+):(\d{1,5})$/.exec(name) ?? [];

  return host !== '' && Number(port) >= 1 && Number(port) <= 65_535;
}
