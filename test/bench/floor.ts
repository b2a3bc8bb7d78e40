/**
 * The floor: the least a program can do that turns HTTP into commands of a relay. One handler, no state, no checks, no database.
 * `bun floor.ts KIND HOST:PORT...` prints its port. Of several relays each call has the one its Call-ID says.
 */

import { decode, encode } from '../../src/relay/ng/bencode.ts';

/** Sends the body of a command and returns that of the reply. */
type Ask = (body: string | Buffer) => Promise<Buffer>;

/** A command without a reply so far. */
interface Waiting {
  readonly datagram: Buffer;
  readonly resolve: (bytes: Buffer) => void;
  /** Whether it was there a tick ago already: then it is sent again. */
  readonly isOld: boolean;
}

/** Distance of ticks. With more than 24 commands in flight an rtpproxy loses some (reference: rtpproxy-protocol 2). */
const RESEND_MS = 100;

/** One request of a client. */
interface Todo {
  readonly operation: string;
  /** A word of the query, '' if it is not there. */
  readonly word: (name: string) => string;
  readonly sdp: string;
}

const [kind = 'rtpengine', ...sockets] = process.argv.slice(2);
const relays = await Promise.all(sockets.map(open));
/** Returns the SDP for the reader, '' for a deletion. */
const serve = kind === 'rtpproxy' ? byRtpproxy : byRtpengine;

async function open(relay: string): Promise<Ask> {
  const waiting = new Map<string, Waiting>();
  const prefix = crypto.randomUUID();
  let count = 0;
  const [hostname = '', port] = relay.split(':');
  const socket = await Bun.udpSocket({
    connect: { hostname, port: Number(port) },
    socket: {
      data(_, bytes) {
        const space = bytes.indexOf(32);
        const cookie = bytes.toString('latin1', 0, space);
        waiting.get(cookie)?.resolve(bytes.subarray(space + 1));
        waiting.delete(cookie);
      },
    },
  });
  setInterval(() => {
    for (const [cookie, each] of waiting) {
      if (each.isOld) socket.send(each.datagram);
      else waiting.set(cookie, { ...each, isOld: true });
    }
  }, RESEND_MS);

  return (body) => {
    const cookie = `${prefix}${count++}`;
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    const datagram = Buffer.concat([Buffer.from(`${cookie} `), Buffer.from(body)]);
    waiting.set(cookie, { datagram, resolve, isOld: false });
    socket.send(datagram);

    return promise;
  };
}

async function byRtpengine(ask: Ask, { operation, word, sdp }: Todo): Promise<string> {
  if (operation === 'delete') {
    await ask(encode({ command: 'delete', 'call-id': word('call-id'), 'delete-delay': 0 }));

    return '';
  }
  const message: Record<string, string> = {
    command: operation,
    'call-id': word('call-id'),
    'from-tag': word('from-tag'),
    'media-address': readerAddress(operation),
    sdp,
  };
  if (operation === 'answer') message['to-tag'] = word('to-tag');
  const reply = decode(await ask(encode(message)));

  return typeof reply === 'object' && reply !== null && 'sdp' in reply ? String(reply.sdp) : '';
}

async function byRtpproxy(ask: Ask, { operation, word, sdp }: Todo): Promise<string> {
  const [callId, from, to] = [word('call-id'), word('from-tag'), word('to-tag')];
  if (operation === 'delete') {
    await ask(`D ${callId} ${from}`);

    return '';
  }
  const peer = `${/^c=IN IP4 (\S+)/m.exec(sdp)?.[1]} ${/^m=audio (\d+)/m.exec(sdp)?.[1]}`;
  const reply = await ask(
    operation === 'offer' ? `U ${callId} ${peer} ${from};1` : `L ${callId} ${peer} ${from};1 ${to};1`,
  );
  const port = Number.parseInt(reply.toString('latin1'), 10);

  return sdp
    .replace(/^c=IN IP4 \S+/m, `c=IN IP4 ${readerAddress(operation)}`)
    .replace(/^m=audio \d+/m, `m=audio ${port}`)
    .replace(/^a=rtcp:\d+/m, `a=rtcp:${port + 1}`);
}

function readerAddress(operation: string): string {
  return operation === 'offer' ? '1.2.3.4' : '192.168.2.3';
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const url = new URL(request.url);
    const operation = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
    const word = (name: string): string => url.searchParams.get(name) ?? '';
    const ask = relays[relays.length === 1 ? 0 : Bun.hash.crc32(word('call-id')) % relays.length];
    if (ask === undefined) return new Response('no relay', { status: 503 });
    const sdp = await serve(ask, { operation, word, sdp: await request.text() });

    return sdp === ''
      ? new Response(null, { status: 204 })
      : new Response(sdp, { headers: { 'Content-Type': 'application/sdp' } });
  },
});
console.log(server.port);
