/** The sockets of the parties of a probe call. Tests pass a network of their own. */

import type { SocketAddress } from '../domain/node.ts';

export interface MediaSocket {
  readonly port: number;
  /** False if there is no way to the address from here. */
  send(bytes: Uint8Array, to: SocketAddress): boolean;
  close(): void;
}

/** What a socket tells its owner. */
export interface MediaEvents {
  /** The bytes are only valid until the call returns. */
  onPacket(bytes: Uint8Array): void;
  /** Somebody has said that nobody listens where we sent to. */
  onRefused(): void;
}

export interface MediaNetwork {
  /** The address of ours from which packets to `host` leave; undefined if there is no way to it. */
  localTowards(host: string): Promise<string | undefined>;
  /** A socket at an address of ours; undefined if the system has none to give. */
  open(address: string, events: MediaEvents): Promise<MediaSocket | undefined>;
}

/** Any port will do: a connected UDP socket sends nothing by itself. */
const DISCARD = 9;

export const systemNetwork: MediaNetwork = {
  async localTowards(host) {
    try {
      const socket = await Bun.udpSocket({
        hostname: host.includes(':') ? '::' : '0.0.0.0',
        connect: { hostname: host, port: DISCARD },
        socket: { error: () => undefined },
      });
      const { address } = socket.address;
      socket.close();

      return address;
    } catch {
      return undefined;
    }
  },

  async open(address, { onPacket, onRefused }) {
    try {
      const socket = await Bun.udpSocket({
        hostname: address,
        port: 0,
        binaryType: 'buffer',
        socket: { data: (_socket, bytes) => onPacket(bytes), error: () => onRefused() },
      });

      return {
        port: socket.port,
        send(bytes, { host, port }) {
          try {
            socket.send(bytes, port, host);

            return true;
          } catch {
            return false;
          }
        },
        close: () => socket.close(),
      };
    } catch {
      return undefined;
    }
  },
};
