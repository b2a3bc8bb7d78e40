/** The composition root: builds the parts of `serve`, starts them in order and stops them in the other. */

import { SQLiteError } from 'bun:sqlite';
import { CallTable, ENDED_MS, MAX_ENDED } from './calls/call-table.ts';
import { Checkup } from './calls/checkup.ts';
import { Directions } from './calls/directions.ts';
import { Ending } from './calls/ending.ts';
import { History } from './calls/history.ts';
import { startHousekeeping } from './calls/housekeeping.ts';
import { Ledger } from './calls/ledger.ts';
import { Media } from './calls/media.ts';
import { Notices } from './calls/notices.ts';
import { Offering } from './calls/offering.ts';
import { Reconcile } from './calls/reconcile.ts';
import { Replays } from './calls/replays.ts';
import { Requests } from './calls/requests.ts';
import { Search } from './calls/search.ts';
import { Strays } from './calls/strays.ts';
import type { Settings } from './config/settings.ts';
import { type ControlSocket, type Node, parseSocket, type SocketAddress } from './domain/node.ts';
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
import { ListenProblem, listen } from './http/server.ts';
import type { RelayDriver, RelayMonitor } from './relay/driver.ts';
import { createNgDriver } from './relay/ng/driver.ts';
import { createNgMonitor } from './relay/ng/monitor.ts';
import { createRtpproxyDriver } from './relay/rtpproxy/driver.ts';
import { createRtpproxyMonitor } from './relay/rtpproxy/monitor.ts';
import { NoticeProblem, NoticeServer } from './relay/rtpproxy/notice-server.ts';
import { DatabaseProblem, explain, openDatabase } from './store/open.ts';
import { Store } from './store/store.ts';
import { type Clock, systemClock } from './util/clock.ts';
import { log } from './util/log.ts';
import { version } from './util/version.ts';

export interface Appliance {
  /** Where the HTTP API is, as in `http://127.0.0.1:7888`. */
  readonly url: string;
  /** Finishes requests under way (bounded by `stop.grace_ms`), writes what is unwritten, closes everything. */
  stop(): Promise<void>;
}

/** Why it cannot start; for the operator. */
export class StartProblem {
  constructor(readonly message: string) {}
}

export async function startAppliance(settings: Settings): Promise<Appliance | StartProblem> {
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
  const watch = new Watch(fleet, store, clock, ({ node }) => monitorOf(node), {
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
  const local = new WeakSet<Request>();
  const senders = new WeakMap<Request, string>();
  const guard = new Guard(settings.http);
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
    local,
    senders,
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
  const server = await listen(app, { ...settings.http, host, port, local, senders });
  if (server instanceof ListenProblem) return abandon(server);
  const noticeServer = await startNoticeServer(settings, { fleet, notices, clock });
  if (noticeServer instanceof NoticeProblem) {
    await server.stop(0);

    return abandon(noticeServer);
  }
  const stopHousekeeping = startHousekeeping(
    { calls, ledger, checkup, replays, store, strays, clock, isBusy },
    {
      maxIdleMs: settings.calls.maxIdleS * 1000,
      maxUnansweredMs: settings.calls.maxUnansweredS * 1000,
      endedCallMs: settings.calls.keepEndedS * 1000,
      maxEndedCalls: settings.calls.keepEndedMax,
      eventMs: settings.events.keepS * 1000,
      maxEvents: settings.events.keepMax,
      traceMs: settings.explain.keepS * 1000,
      maxTraces: settings.explain.keepMax,
    },
  );
  ngServer.begin(exchange);
  reconcile.start();
  const stopWebhooks = startWebhooks(store, clock, settings.webhooks, told);
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  log.info('appliance.started', { version, url, nodes: fleet.list().length, calls: calls.size });

  return {
    url,
    async stop() {
      readiness.isStopping = true;
      log.info('appliance.stopping', { grace_ms: settings.stop.graceMs });
      streams.stop();
      const { graceMs } = settings.stop;
      await Promise.all([server.stop(graceMs), ngServer.finish(graceMs)]);
      noticeServer?.stop();
      await stopWebhooks();
      stopHousekeeping();
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
  try {
    const store = new Store(database, clock);
    const calls = new CallTable(settings.calls.max);
    const fleet = new Fleet(store.fleet, (node) => driverOf(node, settings), clock, {
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

function driverOf(
  node: Node,
  { media: { retransmitMs }, rtpproxy: { noticeSocket } }: Settings,
): RelayDriver {
  const socket = controlSocketOf(node);
  if (node.kind === 'rtpproxy')
    return createRtpproxyDriver(socket, systemClock, { retransmitMs, noticeSocket });

  return createNgDriver(asNgAddress(node, socket), systemClock, { retransmitMs });
}

function monitorOf(node: Node): RelayMonitor {
  const socket = controlSocketOf(node);
  if (node.kind === 'rtpproxy') return createRtpproxyMonitor(socket, systemClock);

  return createNgMonitor(asNgAddress(node, socket), systemClock, { httpPort: node.httpPort });
}

// The roster lets no other sockets in, so both failures mean a database written by somebody else.
function controlSocketOf({ id, socket }: Node): ControlSocket {
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`node ${id} has the socket "${socket}", which cannot be read`);

  return address;
}

function asNgAddress({ id, socket: text }: Node, socket: ControlSocket): SocketAddress {
  if (socket.transport !== 'udp')
    throw new Error(`node ${id} has the socket "${text}"; rtpengine has UDP only`);

  return socket;
}
