/** The composition root: builds the parts of `serve`, starts them in order and stops them in the other. */

import { SQLiteError } from 'bun:sqlite';
import { CallTable, ENDED_MS, MAX_ENDED } from './calls/call-table.ts';
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
import { Strays } from './calls/strays.ts';
import type { Changes } from './config/changes.ts';
import type { BadSettings } from './config/load.ts';
import { Reload } from './config/reload.ts';
import type { Settings } from './config/settings.ts';
import { startWebhooks } from './events/webhooks.ts';
import { DrainHook } from './fleet/drain-hook.ts';
import { Fleet } from './fleet/fleet.ts';
import { tellersAt } from './fleet/nodes-at.ts';
import { Orders } from './fleet/orders.ts';
import { Roster } from './fleet/roster.ts';
import { Watch } from './fleet/watch.ts';
import { NgCommands } from './front/commands.ts';
import { Exchange } from './front/exchange.ts';
import { NgServer } from './front/server.ts';
import { createApp } from './http/app.ts';
import { EventStreams } from './http/event-streams.ts';
import { Guard } from './http/guard.ts';
import { type HttpsServer, listenHttps } from './http/https.ts';
import { Peers } from './http/peers.ts';
import { type HttpApp, ListenProblem, listen } from './http/server.ts';
import { driverOf, monitorOf } from './relay/of-node.ts';
import { NoticeProblem, NoticeServer } from './relay/rtpproxy/notice-server.ts';
import { DatabaseProblem, explain, openDatabase } from './store/open.ts';
import { keepSpareRoom } from './store/spare-room.ts';
import { Store } from './store/store.ts';
import { type Clock, systemClock } from './util/clock.ts';
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

/** Why it cannot start; for the operator. */
export class StartProblem {
  constructor(readonly message: string) {}
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
  const started = startMemory(settings, clock);
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
  const watch = new Watch(fleet, store, clock, ({ node }) => monitorOf(node, clock), {
    canary: settings.checks.canary === 'on',
    slowMs: settings.media.firstTryMs,
  });
  const offering = new Offering({ fleet, strays, watch, clock }, settings.media.firstTryMs);
  const media = new Media(
    { fleet, ledger, directions, offering, strays, search, watch, history, clock },
    settings.media,
  );
  const ending = new Ending({ fleet, ledger, strays, search, clock }, settings.media.firstTryMs);
  const requests = new Requests(media, ending, ledger, replays, history, clock);
  const exchange = new Exchange(
    new NgCommands({
      requests,
      fleet,
      calls,
      sides: settings.sides,
      clock,
    }).handle,
    clock,
  );
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
  const app = createApp({
    requests,
    fleet,
    roster,
    orders,
    watch,
    calls,
    store,
    history,
    streams,
    sides: settings.sides,
    maxBodyBytes: settings.http.maxBodyBytes,
    guard,
    readiness,
    peers,
    reconcile,
    notices,
    askNg: (message, setId) => exchange.take(message, 'http', setId),
    clock,
  });
  const abandon = ({ message }: ListenProblem | NoticeProblem): StartProblem => {
    ngServer.close();
    orders.stop();
    watch.stop();
    strays.stop();
    history.stop();
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
  const stopWebhooks = startWebhooks(store, clock, settings.webhooks, told);
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  const apply = ({ settings: now, changed, needRestart }: Changes): void => {
    guard.replace(now.http);
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
      await Promise.all([server.stop(graceMs), https?.stop(graceMs), ngServer.finish(graceMs)]);
      noticeServer?.stop();
      await stopWebhooks();
      stopHousekeeping();
      descriptors.stop();
      reconcile.stop();
      orders.stop();
      hook.stop();
      watch.stop();
      strays.stop();
      history.stop();
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

/** Opens the API with TLS; null if nobody wants it. */
async function startHttps(
  { https }: Settings,
  app: HttpApp,
  { peers, guard, ...parts }: { peers: Peers; guard: Guard; store: Store; clock: Clock },
): Promise<HttpsServer | ListenProblem | null> {
  if (https === null) return null;
  const onNames = (names: readonly string[]): void => guard.certify(names);

  return listenHttps(app, { ...https.listen, paths: https, peers, onNames }, parts);
}

/** Listens for what rtpproxies tell; null if none is to tell anything. */
async function startNoticeServer(
  { rtpproxy: { noticeListen } }: Settings,
  { fleet, notices, clock }: { fleet: Fleet; notices: Notices; clock: Clock },
): Promise<NoticeServer | NoticeProblem | null> {
  if (noticeListen === null) return null;
  const server = new NoticeServer({
    place: noticeListen,
    tellersAt: (sender) => tellersAt(fleet, sender),
    onNotice: (callId, tellers) => notices.hear({ callId }, tellers, 'rtpproxy'),
    clock,
  });

  return (await server.start()) ?? server;
}

/** Opens the database and fills the memory from it. */
function startMemory(settings: Settings, clock: Clock) {
  const database = openDatabase(settings.database);
  if (database instanceof DatabaseProblem) return new StartProblem(database.message);
  keepSpareRoom(settings.database.path);
  try {
    const store = new Store(database, clock);
    const calls = new CallTable(settings.calls.max);
    const wires = { ...settings.media, ...settings.rtpproxy };
    const fleet = new Fleet(store.fleet, (node) => driverOf(node, clock, wires), clock, {
      countCalls: (nodeId) => calls.countOn(nodeId),
      countSessions: (nodeId) => calls.sessionsOn(nodeId),
      slowMs: settings.media.firstTryMs,
    });
    fleet.load();
    for (const call of store.loadLiveCalls()) calls.add(call);
    for (const call of store.loadEndedCalls(clock.utc() - ENDED_MS, MAX_ENDED)) calls.addEnded(call);
    const strays = new Strays(fleet, store, clock);
    // Left by a crash between the end of a removed node's last call and its own. If it stays, it does no harm.
    fleet.forgetRemoved((id) => calls.countOn(id) > 0 || strays.concerns(id));
    const told = store.events.webhooks(settings.webhooks.urls);
    // The rows were garbage as soon as they were read; now nobody waits yet.
    Bun.gc(true);

    return { store, fleet, calls, strays, told };
  } catch (error) {
    database.close();
    if (error instanceof SQLiteError) return new StartProblem(`${settings.database.path}: ${explain(error)}`);
    throw error;
  }
}
