/** The composition root: builds the parts of `serve`, starts them in order and stops them in the other. */

import { Checkup } from './calls/checkup.ts';
import { Directions } from './calls/directions.ts';
import { Ending } from './calls/ending.ts';
import { History } from './calls/history.ts';
import { type HousekeepingOptions, startHousekeeping } from './calls/housekeeping.ts';
import { Ledger } from './calls/ledger.ts';
import { Media } from './calls/media.ts';
import { Notices } from './calls/notices.ts';
import { Offering } from './calls/offering.ts';
import { Reconcile } from './calls/reconcile.ts';
import { Replays } from './calls/replays.ts';
import { Requests } from './calls/requests.ts';
import { Search } from './calls/search.ts';
import type { Changes } from './config/changes.ts';
import type { BadSettings } from './config/load.ts';
import { Reload } from './config/reload.ts';
import type { Settings } from './config/settings.ts';
import { startHttps, startNoticeServer } from './doors.ts';
import { startWebhooks } from './events/webhooks.ts';
import { DrainHook } from './fleet/drain-hook.ts';
import { Orders } from './fleet/orders.ts';
import { Roster } from './fleet/roster.ts';
import { Watch } from './fleet/watch.ts';
import { NgCommands } from './front/commands.ts';
import { Exchange } from './front/exchange.ts';
import { NgServer } from './front/server.ts';
import { createApp } from './http/app.ts';
import { EventStreams } from './http/event-streams.ts';
import { Guard } from './http/guard.ts';
import { liveSource } from './http/live.ts';
import { LiveStreams } from './http/live-streams.ts';
import { Peers } from './http/peers.ts';
import { ListenProblem, listen } from './http/server.ts';
import { StartProblem, startMemory } from './memory.ts';
import { LoopDelay } from './metrics/loop-delay.ts';
import { Meter } from './metrics/meter.ts';
import type { MetricParts } from './metrics/parts.ts';
import { RelayMeter } from './metrics/relay-meter.ts';
import { MediaProbes } from './probe/media-probes.ts';
import { systemNetwork } from './probe/network.ts';
import { Probe } from './probe/probe.ts';
import { driverOf, monitorOf, newWireTotals } from './relay/of-node.ts';
import { NoticeProblem } from './relay/rtpproxy/notice-server.ts';
import { Sampler } from './series/sampler.ts';
import { SeriesReader } from './series/series.ts';
import { systemClock } from './util/clock.ts';
import { Descriptors } from './util/descriptors.ts';
import { configureLog, log } from './util/log.ts';
import { Supervision } from './util/supervision.ts';
import type { Systemd } from './util/systemd.ts';
import { version } from './util/version.ts';

export interface Appliance {
  /** Where the HTTP API is, as in `http://127.0.0.1:7888`. */
  readonly url: string;
  /** Reads the settings again and takes what can be taken while it runs. */
  reload(): void;
  /** Finishes requests under way (bounded by `stop.grace_ms`), writes what is unwritten, closes everything. */
  stop(): Promise<void>;
}

export interface ApplianceOptions {
  readonly systemd: Systemd;
  /** Reads the settings as at the start, for a reload. */
  readonly load: () => Settings | BadSettings;
}

/** The time to close everything once nobody is waited for any more, ms; systemd is asked for it when we stop. */
const CLOSING_MS = 5000;

export async function startAppliance(
  settings: Settings,
  { systemd, load }: ApplianceOptions,
): Promise<Appliance | StartProblem> {
  const clock = systemClock;
  // First of all: a SIP proxy that finds nobody at the port leaves us alone for a while, one that has to wait asks again.
  const ngServer = new NgServer({ ...settings.ng, clock });
  const ngProblem = await ngServer.start();
  const isNgAsked = settings.origins.some(({ key, source }) => key === 'ng.listen' && source !== 'default');
  if (ngProblem !== undefined && isNgAsked) return new StartProblem(ngProblem.message);
  // Nobody has asked for it: a relay of this host that has the port must not cost the other door.
  if (ngProblem !== undefined) log.error('ng.not_listening', { error: ngProblem.message });
  const wires = { calls: newWireTotals(), checks: newWireTotals() };
  const relayMeter = new RelayMeter();
  const started = startMemory(settings, clock, relayMeter, wires.calls);
  if (started instanceof StartProblem) {
    ngServer.close();

    return started;
  }
  const { store, fleet, calls, strays, told } = started;
  const ledger = new Ledger(calls, store, fleet, clock);
  const directions = new Directions(fleet, settings);
  const search = new Search(fleet, clock);
  const replays = new Replays(clock);
  const history = new History(store, clock);
  const watch = new Watch(fleet, store, clock, ({ node }) => monitorOf(node, clock, wires.checks), {
    canary: settings.checks.canary === 'on',
    slowMs: settings.media.firstTryMs,
  });
  const offering = new Offering({ fleet, strays, watch, clock }, settings.media.firstTryMs);
  const media = new Media(
    { fleet, ledger, directions, offering, strays, search, watch, clock },
    settings.media,
  );
  const ending = new Ending({ fleet, ledger, strays, search, clock }, settings.media.firstTryMs);
  const meter = new Meter();
  const loopDelay = new LoopDelay(clock);
  const requests = new Requests(media, ending, ledger, replays, history, clock, meter);
  const commands = new NgCommands({ requests, fleet, calls, sides: settings.sides, clock });
  const exchange = new Exchange(commands.handle, clock);
  const isBusy = (callId: string): boolean => requests.isBusy(callId);
  const checkup = new Checkup({ fleet, calls, ledger, clock, isBusy }, settings.calls.checkAfterS * 1000);
  const notices = new Notices({ calls, ledger, checkup, clock });
  const reconcile = new Reconcile(
    { fleet, calls, ledger, checkup, strays, store, watch, clock, isBusy },
    { everyMs: settings.checks.reconcileS * 1000 },
  );
  watch.onBack = (member) => strays.hurry(member.id);
  watch.onRestart = (member) => {
    strays.restarted(member.id);
    reconcile.restarted(member);
  };
  const roster = new Roster(fleet, store, settings.sides);
  const hook = new DrainHook(settings.drain.hook, store, clock);
  const orders = new Orders(fleet, store, clock, watch, {
    onDrainEnd: (end) => hook.run(end),
    settleMs: settings.media.budgetMs,
  });
  const readiness = { isStopping: false };
  const peers = new Peers();
  const guard = new Guard(settings.http, { peers, store, clock });
  const streams = new EventStreams(store.events, clock);
  const rates = new Sampler({
    fleet,
    store,
    counts: meter,
    delays: { loop: () => loopDelay.max, commit: () => store.commitTimes.slowest },
    clock,
  });
  const series = new SeriesReader(rates, store.samples, clock);
  const startedAt = clock.utc();
  const live = new LiveStreams(liveSource({ fleet, watch, orders, rates, store, clock, startedAt }), clock);
  const probe = new Probe({
    driverOf: (node) => driverOf(node, clock, { ...settings.media, ...settings.rtpproxy }, wires.checks),
    monitorOf: (node) => monitorOf(node, clock, wires.checks),
    network: systemNetwork,
    nodes: () => [...fleet.all()].map(({ node }) => node),
    clock,
  });
  const mediaProbes = new MediaProbes({ fleet, store, probe, clock });
  const late: MetricParts['late'] = {};
  const common = {
    ...{ requests, fleet, watch, calls, store, history, meter },
    ...{ streams, live, guard, reconcile, notices, clock },
  };
  const metrics: MetricParts = {
    ...common,
    ...{ relayMeter, loopDelay, replays, search, strays, checkup, hook, wires, late, mediaProbes },
    sampler: rates,
    databasePath: settings.database.path,
    ng: { server: ngServer, exchange, commands },
  };
  const app = createApp({
    ...common,
    ...{ roster, orders, metrics, rates, series, probe, startedAt, readiness, peers },
    sides: settings.sides,
    maxBodyBytes: settings.http.maxBodyBytes,
    askNg: (message, setId) => exchange.take(message, 'http', setId),
  });
  const abandon = ({ message }: ListenProblem | NoticeProblem): StartProblem => {
    ngServer.close();
    orders.stop();
    watch.stop();
    strays.stop();
    history.stop();
    loopDelay.stop();
    rates.stop();
    fleet.close();
    store.close();

    return new StartProblem(message);
  };
  const { host, port } = settings.http.listen;
  const server = await listen(app, { ...settings.http, host, port, peers });
  if (server instanceof ListenProblem) return abandon(server);
  const https = await startHttps(settings, app, { peers, guard, store, clock });
  if (https instanceof ListenProblem) {
    await server.stop(0);

    return abandon(https);
  }
  const noticeServer = await startNoticeServer(settings, { fleet, notices, clock });
  if (noticeServer instanceof NoticeProblem) {
    await Promise.all([server.stop(0), https?.stop(0)]);

    return abandon(noticeServer);
  }
  let limits = limitsOf(settings);
  let { graceMs } = settings.stop;
  const stopHousekeeping = startHousekeeping(
    { calls, ledger, checkup, replays, store, strays, clock, isBusy },
    () => limits,
  );
  ngServer.begin(exchange);
  reconcile.start();
  mediaProbes.start();
  const webhooks = startWebhooks(store, clock, settings.webhooks, told);
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  const apply = ({ settings: now, changed, needRestart }: Changes): void => {
    guard.replace(now.http);
    streams.recheck();
    live.recheck();
    if (now.https !== null) void https?.reloadCertificate(now.https);
    if (changed.includes('ng.clients')) ngServer.replaceClients(now.ng.clients);
    limits = limitsOf(now);
    graceMs = now.stop.graceMs;
    if (changed.includes('drain.hook')) hook.replace(now.drain.hook);
    if (changed.some((key) => key.startsWith('log.'))) configureLog(now.log);
    store.event('settings.reloaded', { changed, need_restart: needRestart });
  };
  const reload = new Reload(settings, { load, apply });
  const descriptors = new Descriptors({ clock });
  Object.assign(late, { noticeServer, https, webhooks, descriptors, reload });
  const supervision = new Supervision({
    systemd,
    clock,
    prove: () => store.prove(),
    status: () => {
      const nodes = fleet.list();
      const up = nodes.filter(({ health }) => health === 'up').length;
      const live = calls.size === 1 ? '1 call' : `${calls.size} calls`;
      const figures = `${up} of ${nodes.length} nodes up, ${live}; database ${store.trouble ?? 'ok'}`;
      const ng = ngProblem === undefined ? '' : 'ng is not served, see the log';

      return [figures, ng, descriptors.note, reload.note].filter((part) => part !== '').join('; ');
    },
  });
  supervision.start();
  log.info('appliance.started', { version, url, nodes: fleet.list().length, calls: calls.size });

  return {
    url,
    reload: () => supervision.reload(() => reload.run()),
    async stop() {
      readiness.isStopping = true;
      supervision.stop(graceMs + CLOSING_MS);
      log.info('appliance.stopping', { grace_ms: graceMs });
      streams.stop();
      live.stop();
      await Promise.all([server.stop(graceMs), https?.stop(graceMs), ngServer.finish(graceMs)]);
      noticeServer?.stop();
      await webhooks.stop();
      stopHousekeeping();
      descriptors.stop();
      loopDelay.stop();
      reconcile.stop();
      await mediaProbes.stop();
      orders.stop();
      hook.stop();
      watch.stop();
      strays.stop();
      history.stop();
      rates.stop();
      fleet.close();
      store.close();
      ngServer.close();
      log.info('appliance.stopped', { calls: calls.size });
    },
  };
}

function limitsOf({ calls, events, explain }: Settings): HousekeepingOptions {
  return {
    maxIdleMs: calls.maxIdleS * 1000,
    maxUnansweredMs: calls.maxUnansweredS * 1000,
    endedCallMs: calls.keepEndedS * 1000,
    maxEndedCalls: calls.keepEndedMax,
    eventMs: events.keepS * 1000,
    maxEvents: events.keepMax,
    traceMs: explain.keepS * 1000,
    maxTraces: explain.keepMax,
  };
}
