/** The stream sockets of a fake rtpproxy: `unix:`, `cunix:` and `tcp:` (reference: rtpproxy-protocol 2). */

import { lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { ControlSocket } from '../../domain/node.ts';
import type { Listener, Receive } from '../fake/sockets.ts';
import { MAX_COMMAND } from './fake-command.ts';

/** Connections to one socket; the daemon closes further ones. */
const MAX_CONNECTIONS = 100;
const LINE_END = 0x0a;

export type StreamSocket = Exclude<ControlSocket, { transport: 'udp' }>;

/** Opens a stream socket; rejects if the address cannot be used. A socket file that nobody listens to any more is replaced. */
export async function listenStream(
  place: StreamSocket,
  receive: Receive,
): Promise<Listener & { readonly port: number }> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    if (connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(socket));
    if (place.transport === 'unix') takeOne(socket, receive);
    else takeLines(socket, receive);
  });
  if ('path' in place && lstatSync(place.path, { throwIfNoEntry: false })?.isSocket()) rmSync(place.path);
  await listening(server, place);
  const bound = server.address();

  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    close() {
      server.close();
      for (const socket of connections) socket.destroy();
    },
  };
}

function listening(server: Server, place: StreamSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', resolve);
    if ('path' in place) server.listen(place.path);
    else server.listen(place.port, place.host);
  });
}

/** One command per connection: whatever the first read brings. */
function takeOne(socket: Socket, receive: Receive): void {
  socket.once('data', (bytes: Buffer) => {
    receive(bytes, '', (reply) => {
      socket.end(reply);

      return true;
    });
  });
}

/** Commands by line; what follows the last line end waits for its own. */
function takeLines(socket: Socket, receive: Receive): void {
  let waiting: Buffer = Buffer.alloc(0);
  const host = socket.remoteAddress ?? '';
  const send = (reply: Buffer): boolean => {
    if (socket.destroyed) return false;
    socket.write(reply);

    return true;
  };
  socket.on('data', (bytes: Buffer) => {
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes]);
    let start = 0;
    for (let end = waiting.indexOf(LINE_END); end >= 0; end = waiting.indexOf(LINE_END, start)) {
      receive(waiting.subarray(start, end), host, send);
      start = end + 1;
    }
    waiting = waiting.subarray(start);
    if (waiting.length > MAX_COMMAND) socket.destroy();
  });
}
