/** How messages come to a fake node and its replies go back. */

import type { SocketAddress } from '../../domain/node.ts';

/** An open socket. */
export interface Listener {
  close(): void;
}

/** Takes a reply to where its command came from; false if it could not. */
export type Send = (reply: Buffer) => boolean;

/** What a fake node does with a message, and how its reply goes back. */
export type Receive = (message: Buffer, host: string, send: Send) => void;

/** Opens a UDP socket; rejects if the address cannot be used. Port 0 = any free one; the listener tells which. */
export async function listenUdp(
  address: SocketAddress,
  receive: Receive,
): Promise<Listener & { readonly port: number }> {
  const socket = await Bun.udpSocket({
    hostname: address.host,
    port: address.port,
    binaryType: 'buffer',
    socket: {
      data: (self, bytes, port, host) => receive(bytes, host, (reply) => self.send(reply, port, host)),
      // A client that went away; nothing to do.
      error: () => {},
    },
  });

  return { port: socket.port, close: () => socket.close() };
}

/** `127.0.0.1:22222` or `[::1]:22222`. */
export function showAddress({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
