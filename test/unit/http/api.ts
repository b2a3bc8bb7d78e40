/** The HTTP API over fakes: requests go into the app itself, no port is opened. */

import type { Token } from '../../../src/domain/role.ts';
import { createApp } from '../../../src/http/app.ts';
import { EventStreams } from '../../../src/http/event-streams.ts';
import { Guard, type GuardOptions } from '../../../src/http/guard.ts';
import { liveSource } from '../../../src/http/live.ts';
import { LiveStreams } from '../../../src/http/live-streams.ts';
import type { AskNg } from '../../../src/http/ng.ts';
import { Peers } from '../../../src/http/peers.ts';
import type { Probe } from '../../../src/probe/probe.ts';
import { finding, reportOf } from '../../../src/probe/report.ts';
import { Sampler } from '../../../src/series/sampler.ts';
import { SeriesReader } from '../../../src/series/series.ts';
import { type ClusterOptions, makeCluster, SIDES } from '../../fakes/cluster.ts';
import { metricParts } from '../../fakes/metrics.ts';
import { flush } from '../../fakes/store.ts';

/** Where requests come from, as a test says. */
class FakePeers extends Peers {
  readonly senders = new WeakMap<Request, string>();

  override addressOf(request: Request): string {
    return this.senders.get(request) ?? super.addressOf(request);
  }
}

/** Tokens that may do all. */
export function admins(...tokens: string[]): Token[] {
  return tokens.map((token, index) => ({ role: 'admin', name: `admin-${index}`, token }));
}

export interface ApiOptions extends ClusterOptions {
  readonly guard?: Partial<GuardOptions>;
  readonly maxBodyBytes?: number;
  readonly askNg?: AskNg;
  /** Looks at nodes; by default all is well. */
  readonly probe?: Pick<Probe, 'check'>;
}

export function makeApi(options: ApiOptions = {}) {
  const cluster = makeCluster(options);
  const readiness = { isStopping: false };
  const peers = new FakePeers();
  const { store, clock } = cluster;
  const guard = new Guard({ tokens: [], hosts: [], ...options.guard }, { peers, store, clock });
  const streams = new EventStreams(cluster.store.events, cluster.clock);
  const sampler = new Sampler({
    fleet: cluster.fleet,
    store,
    counts: cluster.meter,
    delays: { loop: () => 0.002, commit: () => 0.001 },
    clock,
  });
  const series = new SeriesReader(sampler, store.samples, clock);
  const startedAt = clock.utc();
  const live = new LiveStreams(liveSource({ ...cluster, rates: sampler, startedAt }), clock);
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
    meter: cluster.meter,
    metrics: metricParts(cluster, { guard, streams, live, sampler }),
    live,
    rates: sampler,
    series,
    probe: options.probe ?? { check: async () => reportOf([finding('control', 'ok', 'answers')]) },
    startedAt,
    sides: SIDES,
    maxBodyBytes: options.maxBodyBytes ?? 65_536,
    guard,
    readiness,
    peers,
    reconcile: cluster.reconcile,
    notices: cluster.notices,
    askNg: options.askNg ?? (async () => undefined),
    clock: cluster.clock,
  });
  /** A request from an address. */
  const askFrom = async (
    sender: string,
    method: string,
    path: string,
    init: RequestInit = {},
  ): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has('host')) headers.set('host', 'localhost');
    const request = new Request(`http://localhost${path}`, { ...init, headers, method });
    peers.senders.set(request, sender);

    return app.handle(request);
  };
  const ask = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
    askFrom('192.0.2.1', method, path, init);

  return {
    ...cluster,
    app,
    streams,
    live,
    sampler,
    readiness,
    guard,
    peers,
    /** Kinds of the events, without the audit, which has tests of its own. */
    events: async () => (await cluster.events()).filter((kind) => kind !== 'admin.request'),
    ask,
    askFrom,
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

/** Details of the events of a kind, oldest first. */
export async function eventsOf(
  { clock, store }: Pick<Api, 'clock' | 'store'>,
  kind: string,
): Promise<Readonly<Record<string, unknown>>[]> {
  await clock.advance(0);
  await flush(store);

  return store.events
    .list(1000, null, { kinds: [kind] })
    .map(({ detail }) => detail)
    .reverse();
}
