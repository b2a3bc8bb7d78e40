/** The socket of the datagram client as it sees it, and the real one. Tests pass a network of their own. */

import type { SocketAddress } from '../../domain/node.ts';

/** An open, connected datagram socket. */
export interface Datagrams {
  /** False if the system could not take the datagram just now; throws if it never will. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** What a socket tells its owner. Called from the event loop, never from within `send`. */
export interface DatagramEvents {
  /** The bytes are only valid until the call returns. */
  onMessage(bytes: Uint8Array): void;
  /** Such as ECONNREFUSED, `code` as in Node.js. */
  onError(error: Error): void;
}

/** Opens a socket connected to `address`; rejects if the system cannot. */
export type OpenDatagrams = (address: SocketAddress, events: DatagramEvents) => Promise<Datagrams>;

/**
 * A UDP socket of Bun. Connected, so that ECONNREFUSED is heard at once and only this node's replies come in
 * (reference: ng-protocol 1.4, bun-appliance 4). It recovers by itself when the port opens again.
 */
export const openUdp: OpenDatagrams = async (address, events) => {
  const socket = await Bun.udpSocket({
    // Bun binds to IPv4 if it is not told, and cannot connect that to IPv6.
    hostname: address.host.includes(':') ? '::' : '0.0.0.0',
    connect: { hostname: address.host, port: address.port },
    binaryType: 'buffer',
    socket: {
      data: (_socket, bytes) => events.onMessage(bytes),
      // Bun 1.4 passes the error alone, whatever its types say: the last argument is right either way.
      error: (...args: readonly unknown[]) => {
        const error = args.at(-1);
        events.onError(error instanceof Error ? error : new Error(String(error)));
      },
    },
  });

  return { send: (bytes) => socket.send(bytes), close: () => socket.close() };
};
