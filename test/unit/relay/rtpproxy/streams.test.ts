/** Real streams of the system, as a daemon at the other end sees them. */

import { describe, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { openStream, type StreamAddress } from '../../../../src/relay/rtpproxy/streams.ts';
import { inDirectory } from '../../../fakes/store.ts';

type Ending = 'reset' | 'closed';

/** A daemon that answers the first command with a line and closes, like rtpproxy; and how the connection ended for it. */
async function daemonThatCloses(
  listen: (server: Server, ready: () => void) => void,
): Promise<{ server: Server; ending: Promise<Ending> }> {
  const { promise: ending, resolve } = Promise.withResolvers<Ending>();
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on('data', () => connection.end('0\n'));
    connection.on('error', () => resolve('reset'));
    connection.on('end', () => resolve('closed'));
  });
  await new Promise<void>((ready) => listen(server, ready));

  return { server, ending };
}

/** Sends a command, and gives what was heard when the daemon has closed. */
async function converse(address: StreamAddress): Promise<{ heard: string; error: Error | undefined }> {
  const { promise, resolve } = Promise.withResolvers<{ heard: string; error: Error | undefined }>();
  let heard = '';
  const stream = openStream(address, {
    onOpen: () => stream.send(Buffer.from('V\n')),
    onData: (bytes) => {
      heard += bytes.toString('latin1');
    },
    onEnd: (error) => resolve({ heard, error }),
  });

  return promise;
}

describe('a stream that the daemon closes', () => {
  // A port whose connection ended by two plain closes is taken for a minute: a daemon restarted meanwhile could not listen.
  test('over TCP is reset by us, so that its system forgets it at once; what was said is heard', async () => {
    const { server, ending } = await daemonThatCloses((made, ready) => made.listen(0, '127.0.0.1', ready));
    try {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('it listens on a port');
      expect(await converse({ host: '127.0.0.1', port: address.port })).toEqual({
        heard: '0\n',
        error: undefined,
      });
      expect(await ending).toBe('reset');
    } finally {
      server.close();
    }
  });

  test('over a unix socket is just closed', async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, 'rtpproxy.sock');
      const { server, ending } = await daemonThatCloses((made, ready) => made.listen(path, ready));
      try {
        expect(await converse({ path })).toEqual({ heard: '0\n', error: undefined });
        expect(await ending).toBe('closed');
      } finally {
        server.close();
      }
    });
  });
});
