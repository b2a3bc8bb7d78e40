/** The sockets with TLS, and what is known of a request by them. */

import { describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpsServer, listenHttps } from '../../../src/http/https.ts';
import { Peers } from '../../../src/http/peers.ts';
import { type HttpApp, ListenProblem, listen } from '../../../src/http/server.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { inDirectory } from '../../fakes/store.ts';
import { poll } from '../../lab/processes.ts';
import { certificate, type Pair } from './certificates.ts';

const PAIR = certificate({ name: 'one.example' });
const OTHER = certificate({ name: 'two.example' });

interface Bench {
  readonly peers: Peers;
  readonly names: (readonly string[])[];
  open(port?: number): Promise<HttpsServer | ListenProblem>;
  opened(): Promise<HttpsServer>;
  put(pair: Pair): { readonly cert: string; readonly key: string };
  ask(server: HttpsServer, path?: string, host?: string): Promise<string>;
}

async function withBench(
  app: (peers: Peers) => HttpApp,
  run: (bench: Bench) => Promise<void>,
): Promise<void> {
  await inDirectory(async (folder) => {
    const peers = new Peers();
    const names: (readonly string[])[] = [];
    const servers: HttpsServer[] = [];
    const paths = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const put: Bench['put'] = ({ cert, key }) => {
      writeFileSync(paths.cert, cert);
      writeFileSync(paths.key, key);

      return paths;
    };
    const store = { event: () => undefined };
    const open: Bench['open'] = async (port = 0) => {
      const onNames = (next: readonly string[]): void => void names.push(next);
      const options = { host: '127.0.0.1', port, paths, peers, onNames };
      const server = await listenHttps(app(peers), options, { store, clock: systemClock });
      if (server instanceof HttpsServer) servers.push(server);

      return server;
    };
    const opened = async (): Promise<HttpsServer> => {
      const server = await open();
      if (server instanceof ListenProblem) throw new Error(server.message);

      return server;
    };
    const ask: Bench['ask'] = async (server, path = '/', host = 'localhost') => {
      const response = await fetch(`https://127.0.0.1:${server.port}${path}`, {
        headers: { host },
        tls: { ca: [PAIR.cert, OTHER.cert] },
      });

      return response.text();
    };
    put(PAIR);
    try {
      await run({ peers, names, open, opened, put, ask });
    } finally {
      await Promise.all(servers.map((server) => server.stop(0)));
    }
  });
}

describe('a socket with TLS', () => {
  test('knows from where requests come, beside a plain one, and finds the path whatever the host is', async () => {
    const app = (peers: Peers): HttpApp => ({
      fetch: (request) => new Response(`${peers.addressOf(request)} ${new URL(request.url).pathname}`),
    });
    await withBench(app, async ({ peers, opened, ask }) => {
      const plain = await listen(app(peers), { host: '127.0.0.1', port: 0, unix: '', peers });
      if (plain instanceof ListenProblem) throw new Error(plain.message);
      const server = await opened();
      expect(await ask(server, '/v1/nodes')).toBe('127.0.0.1 /v1/nodes');
      expect(await ask(server, '/v1/nodes', 'gw')).toBe('127.0.0.1 /v1/nodes');
      expect(await (await fetch(`http://127.0.0.1:${plain.port}/v1/sets`)).text()).toBe('127.0.0.1 /v1/sets');
      await plain.stop(0);
    });
  });

  test('on a port that is taken is a clear problem, not a second listener', async () => {
    await withBench(
      () => ({ fetch: () => new Response('') }),
      async ({ opened, open }) => {
        const { port } = await opened();
        const second = await open(port);
        expect(second).toBeInstanceOf(ListenProblem);
        expect(second instanceof ListenProblem && second.message).toContain(`port ${port}`);
      },
    );
  });

  test('does not open with a broken pair', async () => {
    await withBench(
      () => ({ fetch: () => new Response('') }),
      async ({ put, open }) => {
        put({ cert: PAIR.cert, key: OTHER.key });
        const problem = await open();
        expect(problem instanceof ListenProblem && problem.message).toContain('no TLS without a certificate');
      },
    );
  });

  test('finishes what is under way with the old certificate, and tells the names of the new one', async () => {
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    const app = (): HttpApp => ({
      async fetch(request) {
        if (request.url.endsWith('/slow')) {
          waiting++;
          await gate.promise;
        }

        return new Response('done');
      },
    });
    await withBench(app, async ({ opened, put, ask, names }) => {
      const server = await opened();
      const slow = ask(server, '/slow');
      await poll(
        () => (waiting === 1 ? true : undefined),
        () => 'nobody asks',
      );
      expect(await server.reloadCertificate(put(OTHER))).toBeUndefined();
      expect(names.map(([first]) => first)).toEqual(['one.example', 'two.example']);
      // Longer than the old socket goes on by itself.
      await Bun.sleep(1200);
      expect(await ask(server)).toBe('done');
      gate.resolve();
      expect(await slow).toBe('done');
    });
  });

  test('that stops takes no new certificate', async () => {
    await withBench(
      () => ({ fetch: () => new Response('') }),
      async ({ opened, put }) => {
        const server = await opened();
        await server.stop(0);
        expect(await server.reloadCertificate(put(OTHER))).toBe('the program is stopping');
      },
    );
  });
});
