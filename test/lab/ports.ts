/** Ports and loopback addresses nobody else uses. On Linux every address of 127.0.0.0/8 is local. */

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Whether a UDP port is free on an address. */
export function isUdpFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** Whether a TCP port is free on an address. */
export function isTcpFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A free UDP port outside of the range from which the system takes ports by itself. */
export async function freeUdpPort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomPort();
    if (await isUdpFree(host, port)) return port;
  }
}

/** A port that is free for UDP and TCP, as SIP servers want it. */
export async function freeSipPort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomPort();
    if ((await isUdpFree(host, port)) && (await isTcpFree(host, port))) return port;
  }
}

/** A network of loopback addresses of one's own, so that labs which run at the same moment do not meet. */
export function loopbackNetwork(): (host: number) => string {
  const byte = () => Math.floor(Math.random() * 250) + 2;
  const prefix = `127.${100 + (byte() % 100)}.${byte()}`;

  return (host) => `${prefix}.${host}`;
}

function randomPort(): number {
  return 10_000 + 2 * Math.floor(Math.random() * 10_000);
}
