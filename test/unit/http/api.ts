/** The HTTP API over fakes: requests go into the app itself, no port is opened. */

import { createApp } from '../../../src/http/app.ts';
import { EventStreams } from '../../../src/http/event-streams.ts';
import { Guard, type GuardOptions } from '../../../src/http/guard.ts';
import type { AskNg } from '../../../src/http/ng.ts';
import { type ClusterOptions, makeCluster, SIDES } from '../../fakes/cluster.ts';

export interface ApiOptions extends ClusterOptions {
  readonly guard?: Partial<GuardOptions>;
  readonly maxBodyBytes?: number;
  readonly askNg?: AskNg;
}

export function makeApi(options: ApiOptions = {}) {
  const cluster = makeCluster(options);
  const readiness = { isStopping: false };
  const local = new WeakSet<Request>();
  const senders = new WeakMap<Request, string>();
  const streams = new EventStreams(cluster.store.events, cluster.clock);
  const app = createApp({
    requests: cluster.requests,
    fleet: cluster.fleet,
    roster: cluster.roster,
    orders: cluster.orders,
    watch: cluster.watch,
    calls: cluster.calls,
    store: cluster.store,
    history: cluster.history,
    streams,
    sides: SIDES,
    maxBodyBytes: options.maxBodyBytes ?? 65_536,
    guard: new Guard({ tokens: [], hosts: [], ...options.guard }),
    readiness,
    local,
    senders,
    reconcile: cluster.reconcile,
    notices: cluster.notices,
    askNg: options.askNg ?? (async () => undefined),
    clock: cluster.clock,
  });
  const ask = async (method: string, path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has('host')) headers.set('host', 'localhost');

    return app.handle(new Request(`http://localhost${path}`, { ...init, headers, method }));
  };

  return {
    ...cluster,
    app,
    streams,
    readiness,
    local,
    senders,
    ask,
    /** Sends a JSON body. */
    send: (method: string, path: string, body: unknown) =>
      ask(method, path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    /** Hands over a SIP body the way a proxy does. */
    post: (
      path: string,
      body = '',
      headers: Record<string, string> = { 'content-type': 'application/sdp' },
    ) => ask('POST', path, { body: Buffer.from(body, 'latin1'), headers }),
  };
}

export type Api = ReturnType<typeof makeApi>;

/** Body of a response, byte for byte. */
export async function bytes(response: Response): Promise<string> {
  return Buffer.from(await response.arrayBuffer()).toString('latin1');
}
