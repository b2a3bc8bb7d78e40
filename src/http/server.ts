/** Opens and closes the sockets of the HTTP API that have no TLS. */

import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { isAnswered } from '../util/socket-file.ts';
import type { Peers } from './peers.ts';

/** A socket could not be opened; the message is for the operator. */
export class ListenProblem {
  constructor(readonly message: string) {}
}

/** Who answers. */
export interface HttpApp {
  fetch(request: Request): Response | Promise<Response>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Path of a unix socket, '' for none. */
  readonly unix: string;
  /** Is told which requests came over the unix socket, and may ask from where the others came. */
  readonly peers: Peers;
}

export interface HttpServer {
  /** The port in use. */
  readonly port: number;
  /** Takes no new requests, and waits for those under way until `graceMs` have passed. */
  stop(graceMs: number): Promise<void>;
}

/** What all sockets have in common. */
export const LIMITS = {
  /** Larger bodies are not even read. Media requests have a limit of their own below it; imports may use all of it. */
  maxRequestBodySize: 1024 * 1024,
  /** Seconds after which an idle connection is closed; libcurl-based proxies reuse connections after longer pauses. */
  idleTimeout: 120,
};
/** The types of Bun 1.4 deny the time-out to unix sockets, but it counts there too, and is 10 s if not given. */
const UNIX_LIMITS: object = LIMITS;

export async function listen(app: HttpApp, options: ListenOptions): Promise<HttpServer | ListenProblem> {
  const { host, port, unix, peers } = options;
  let tcp: Bun.Server<undefined>;
  try {
    // Without this a second copy would share the port silently and take half of the calls.
    tcp = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      ...LIMITS,
      fetch: (received) => app.fetch(routable(received, peers)),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);

    return new ListenProblem(
      `cannot listen on ${host} port ${port}: ${text.replace(/[^.?!]$/, '$&.')} Is another rtp-cluster running? http.listen says where to listen`,
    );
  }
  peers.first = tcp;
  if (unix === '') return server([tcp]);
  if (existsSync(unix) && !lstatSync(unix).isSocket()) {
    tcp.stop(true);

    return new ListenProblem(
      `cannot listen on ${unix}: this file exists and is no socket; remove it, or give another http.unix`,
    );
  }
  if (await isAnswered(unix)) {
    tcp.stop(true);

    return new ListenProblem(
      `cannot listen on ${unix}: another program does already; http.unix names the socket`,
    );
  }
  try {
    // Left behind by a process that was killed.
    if (existsSync(unix)) unlinkSync(unix);
    const path = Bun.serve({
      unix,
      ...UNIX_LIMITS,
      fetch: (received) => {
        const request = routable(received, peers);
        peers.addLocal(request);

        return app.fetch(request);
      },
    });
    chmodSync(unix, 0o660);

    return server([tcp, path]);
  } catch (error) {
    tcp.stop(true);

    return new ListenProblem(
      `cannot listen on ${unix}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * Elysia looks for the path behind the 11th character of the URL, so with a host name of less than four letters it would
 * find another one. Such a request gets a longer name in its URL; the Host header stays.
 */
export function routable(request: Request, peers: Peers): Request {
  const { url } = request;
  const path = url.indexOf('/', url.indexOf('//') + 2);
  if (path >= 11) return request;
  const copy = new Request(`http://localhost${path === -1 ? '/' : url.slice(path)}`, request);
  peers.addCopy(copy, request);

  return copy;
}

function server(servers: readonly Bun.Server<undefined>[]): HttpServer {
  return { port: servers[0]?.port ?? 0, stop: (graceMs) => stopAll(servers, graceMs) };
}

/** Takes no new requests, waits for those under way until `graceMs` have passed, and cuts the rest. */
export async function stopAll(servers: readonly Bun.Server<undefined>[], graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, graceMs);
  await Promise.race([Promise.all(servers.map((each) => each.stop())), promise]);
  clearTimeout(timer);
  await Promise.all(servers.map((each) => each.stop(true)));
}
