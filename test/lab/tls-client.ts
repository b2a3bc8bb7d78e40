/** A client that keeps its connection, as the HTTP clients of SIP proxies do, and counts what it loses. */

import { connect, type TLSSocket } from 'node:tls';

/** What happened to the requests of a client. */
export interface Tally {
  answered: number;
  /** Connections that ended while an answer was awaited. */
  lost: number;
  /** Connections that ended before anything was asked. */
  unconnected: number;
  /** Subjects of the certificates seen, in order. */
  readonly subjects: string[];
}

export interface TlsClient {
  readonly tally: Tally;
  /** Ends after the request under way. */
  stop(): Promise<void>;
}

/** Asks for `path` again and again, one request at a time, and connects anew only if the service closes. */
export function startTlsClient(port: number, path: string): TlsClient {
  const tally: Tally = { answered: 0, lost: 0, unconnected: 0, subjects: [] };
  let isStopped = false;
  const loop = async (): Promise<void> => {
    while (!isStopped) {
      const socket = await handshake(port).catch(() => undefined);
      if (socket === undefined) {
        tally.unconnected++;
        continue;
      }
      const subject = socket.getPeerCertificate().subject.CN;
      const name = String(subject);
      if (tally.subjects.at(-1) !== name) tally.subjects.push(name);
      let isOpen = true;
      while (isOpen && !isStopped) {
        const answer = await exchange(socket, path);
        if (answer === undefined) tally.lost++;
        else tally.answered++;
        isOpen = answer !== undefined && !/^connection: close\r$/im.test(answer);
      }
      socket.destroy();
    }
  };
  const ended = loop();

  return {
    tally,
    stop() {
      isStopped = true;

      return ended;
    },
  };
}

/** A connection on which TLS is agreed; certificates are not judged. */
export function handshake(
  port: number,
  options: { readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' } = {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const least = options.maxVersion === 'TLSv1.1' ? { minVersion: 'TLSv1' as const } : {};
    const socket = connect(
      { host: '127.0.0.1', port, rejectUnauthorized: false, ...least, ...options },
      () => {
        socket.off('error', reject);
        // Without a listener an error that comes later would end the process.
        socket.on('error', () => undefined);
        resolve(socket);
      },
    );
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

/** Names in the certificates the service shows, in ten connections: there may be two sockets while one takes the place of the other. */
export async function subjectsAt(port: number): Promise<string[]> {
  const subjects = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const socket = await handshake(port);
    subjects.add(String(socket.getPeerCertificate().subject.CN));
    socket.destroy();
  }

  return [...subjects];
}

/** One request; undefined if the connection ended instead of an answer. */
function exchange(socket: TLSSocket, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const done = (answer: string | undefined): void => {
      socket.off('data', take).off('close', lose).off('error', lose);
      resolve(answer);
    };
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const [, head = '', body] = /^([\s\S]*?\r\n)\r\n([\s\S]*)$/.exec(text) ?? [];
      const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
      if (body !== undefined && body.length >= length) done(head);
    };
    const lose = (): void => done(undefined);
    socket.on('data', take).once('close', lose).once('error', lose);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  });
}
