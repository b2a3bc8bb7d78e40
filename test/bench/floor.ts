/**
 * The floor: the least a program can do that turns HTTP into ng. One handler, one relay, no state, no checks, no database.
 * `bun floor.ts RELAY_HOST RELAY_PORT` prints its port.
 */

import { decode, encode } from '../../src/relay/ng/bencode.ts';

const [host = '127.0.0.1', port = '22222'] = process.argv.slice(2);
const waiting = new Map<string, (bytes: Buffer) => void>();
const prefix = crypto.randomUUID();
let count = 0;
const socket = await Bun.udpSocket({
  connect: { hostname: host, port: Number(port) },
  socket: {
    data(_, bytes) {
      const space = bytes.indexOf(32);
      const cookie = bytes.toString('latin1', 0, space);
      waiting.get(cookie)?.(bytes.subarray(space + 1));
      waiting.delete(cookie);
    },
  },
});

function ask(message: Record<string, string | number>): Promise<Buffer> {
  const cookie = `${prefix}${count++}`;
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  waiting.set(cookie, resolve);
  socket.send(Buffer.concat([Buffer.from(`${cookie} `), encode(message)]));

  return promise;
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const url = new URL(request.url);
    const command = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
    const text = (name: string): string => url.searchParams.get(name) ?? '';
    if (command === 'delete') {
      await ask({ command, 'call-id': text('call-id'), 'delete-delay': 0 });

      return new Response(null, { status: 204 });
    }
    const sdp = await request.text();
    const message: Record<string, string> = {
      command,
      'call-id': text('call-id'),
      'from-tag': text('from-tag'),
      'media-address': command === 'offer' ? '1.2.3.4' : '192.168.2.3',
      sdp,
    };
    if (command === 'answer') message['to-tag'] = text('to-tag');
    const reply = decode(await ask(message));
    const rewritten = typeof reply === 'object' && reply !== null && 'sdp' in reply ? String(reply.sdp) : '';

    return new Response(rewritten, { headers: { 'Content-Type': 'application/sdp' } });
  },
});
console.log(server.port);
