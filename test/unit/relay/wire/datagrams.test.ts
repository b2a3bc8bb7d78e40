import { describe, expect, test } from 'bun:test';
import { openUdp } from '../../../../src/relay/wire/datagrams.ts';

/** Somebody who says everything back. */
async function echo(hostname: string): Promise<Bun.udp.Socket<'buffer'>> {
  return Bun.udpSocket({
    hostname,
    binaryType: 'buffer',
    socket: { data: (socket, bytes, port, from) => void socket.send(bytes, port, from) },
  });
}

describe('openUdp', () => {
  test.each(['127.0.0.1', '::1'])('reaches %s and hears what comes from there', async (host) => {
    const node = await echo(host);
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await openUdp(
      { host, port: node.port },
      {
        onMessage: (bytes) => resolve(Buffer.from(bytes).toString()),
        onError: (error) => resolve(String(error)),
      },
    );
    try {
      expect(socket.send(Buffer.from('hello'))).toBe(true);
      expect(await promise).toBe('hello');
    } finally {
      socket.close();
      node.close();
    }
  });

  test.each(['127.0.0.1', '::1'])('hears that nobody listens at %s', async (host) => {
    const node = await echo(host);
    const { port } = node;
    node.close();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const socket = await openUdp({ host, port }, { onMessage: () => undefined, onError: resolve });
    try {
      socket.send(Buffer.from('hello'));
      expect(await promise).toMatchObject({ code: 'ECONNREFUSED' });
    } finally {
      socket.close();
    }
  });
});
