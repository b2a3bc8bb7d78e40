/** Opens and closes the sockets of the HTTP API. */

import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import type { AnyElysia } from 'elysia';
import { isAnswered } from '../util/socket-file.ts';

/** A socket could not be opened; the message is for the operator. */
export class ListenProblem {
  constructor(readonly message: string) {}
}

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Path of a unix socket, '' for none. */
  readonly unix: string;
  /** Requests over the unix socket are put in here. */
  readonly local: WeakSet<Request>;
  /** IP addresses of those who send notices are put in here; nobody else is asked for. */
  readonly senders?: WeakMap<Request, string>;
}

export interface HttpServer {
  /** The port in use. */
  readonly port: number;
  /** Takes no new requests, and waits for those under way until `graceMs` have passed. */
  stop(graceMs: number): Promise<void>;
}

/** Larger bodies are not even read. Media requests have a limit of their own below it; imports may use all of it. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Seconds after which an idle connection is closed; libcurl-based proxies reuse connections after longer pauses. */
const IDLE_S = 120;
/** Where it matters from where a request comes. To look it up for every request would cost calls some time. */
const NOTICES = '/v1/notify/';
/** The types of Bun 1.4 deny this option to unix sockets, but it counts there too, and is 10 s if not given. */
const IDLE: object = { idleTimeout: IDLE_S };

export async function listen(app: AnyElysia, options: ListenOptions): Promise<HttpServer | ListenProblem> {
  const { host, port, unix, local, senders } = options;
  let tcp: Bun.Server<undefined>;
  try {
    // Without this a second copy would share the port silently and take half of the calls.
    tcp = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      maxRequestBodySize: MAX_BODY_BYTES,
      idleTimeout: IDLE_S,
      fetch: (received, bun) => {
        const request = routable(received);
        if (senders !== undefined && request.url.includes(NOTICES)) {
          const sender = bun.requestIP(received);
          if (sender !== null) senders.set(request, sender.address);
        }

        return app.fetch(request);
      },
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);

    return new ListenProblem(
      `cannot listen on ${host} port ${port}: ${text}. Is another rtp-cluster running? http.listen says where to listen`,
    );
  }
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
      maxRequestBodySize: MAX_BODY_BYTES,
      ...IDLE,
      fetch: (received) => {
        const request = routable(received);
        local.add(request);

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
function routable(request: Request): Request {
  const { url } = request;
  const path = url.indexOf('/', 'http://'.length);

  return path >= 11
    ? request
    : new Request(`http://localhost${path === -1 ? '/' : url.slice(path)}`, request);
}

function server(servers: readonly Bun.Server<undefined>[]): HttpServer {
  return {
    port: servers[0]?.port ?? 0,
    async stop(graceMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, graceMs);
      await Promise.race([Promise.all(servers.map((each) => each.stop())), promise]);
      clearTimeout(timer);
      await Promise.all(servers.map((each) => each.stop(true)));
    },
  };
}
