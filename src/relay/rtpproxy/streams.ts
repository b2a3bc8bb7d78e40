/** A stream to a node as the client sees it, and the real one. Tests pass a network of their own. */

import { connect, type NetConnectOpts } from 'node:net';
import type { SocketAddress } from '../../domain/node.ts';
import { RelayFailure } from '../driver.ts';
import { codeOf, isRefusal, isWayless } from '../wire/errors.ts';

export type StreamAddress = SocketAddress | { readonly path: string };

export interface ByteStream {
  /** Once it is open. What the system does not take at once goes out as it does; never throws. */
  send(bytes: Uint8Array): void;
  /** Also while it is being opened. Its events are over then. */
  close(): void;
}

/** What a stream tells its owner. Called from the event loop, never from within `open` or `send`. */
export interface StreamEvents {
  onOpen(): void;
  onData(bytes: Buffer): void;
  /** Not opened, closed by the node, or broken; `error.code` as in Node.js where it was not just closed. The last event. */
  onEnd(error?: Error): void;
}

/** Begins to open a stream. */
export type OpenStream = (address: StreamAddress, events: StreamEvents) => ByteStream;

/**
 * A stream of `node:net`, since one of `Bun.connect` cannot be given up while it is being opened: towards a host that is silent the
 * system goes on trying for two minutes (measured, Bun 1.4).
 */
export const openStream: OpenStream = (address, events) => {
  let isOver = false;
  let cause: Error | undefined;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    events.onEnd(cause);
  };
  const isLocal = 'path' in address;
  const options: NetConnectOpts = isLocal
    ? { path: address.path }
    : { ...address, noDelay: true, allowHalfOpen: true };
  const socket = connect(options);
  socket.on('connect', () => {
    if (!isOver) events.onOpen();
  });
  socket.on('data', (bytes: Buffer) => {
    if (!isOver) events.onData(bytes);
  });
  socket.on('error', (error) => {
    cause = error;
  });
  // The node has said all it will; what we have not sent yet it would not answer. By a plain close its system would remember the
  // connection for a minute, and a daemon that was restarted could not listen there so long ("address already in use", measured).
  socket.on('end', () => {
    if (isLocal) socket.destroy();
    else socket.resetAndDestroy();
    end();
  });
  socket.on('close', end);

  return {
    send: (bytes) => socket.write(bytes),
    close: () => {
      isOver = true;
      socket.destroy();
    },
  };
};

/**
 * How requests end when no stream can be opened. Nobody listens, or there is no such socket: `unreachable`. So it is where our own
 * user may not open the socket: the node is lost to us as well until somebody changes that, and the reason says it. Over TCP, Bun 1.4
 * calls whatever fails at once a refusal.
 */
export function whyNotOpened(error: Error | undefined, address: StreamAddress): RelayFailure {
  const where = 'path' in address ? address.path : `port ${address.port}`;
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM')
    return new RelayFailure('unreachable', `permission denied at ${where}`);
  if (code === 'ENOENT') return new RelayFailure('unreachable', `there is no socket ${where}`);
  if (isRefusal(error)) return new RelayFailure('unreachable', `nobody listens at ${where}`);
  if (isWayless(error) || code === 'ETIMEDOUT') {
    return new RelayFailure('silent', `no way to this node: ${String(error)}`);
  }

  return new RelayFailure('busy', `cannot connect to ${where}: ${String(error)}`);
}
