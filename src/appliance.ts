/** The composition root: builds the parts of `serve`, starts them in order and stops them in the other. */

import { SQLiteError } from 'bun:sqlite';
import { CallTable } from './calls/call-table.ts';
import { Directions } from './calls/directions.ts';
import { startHousekeeping } from './calls/housekeeping.ts';
import { Ledger } from './calls/ledger.ts';
import { Media } from './calls/media.ts';
import { Offering } from './calls/offering.ts';
import { Replays } from './calls/replays.ts';
import { Requests } from './calls/requests.ts';
import { Search } from './calls/search.ts';
import { Strays } from './calls/strays.ts';
import type { Settings } from './config/settings.ts';
import { type Node, parseSocket } from './domain/node.ts';
import { Fleet } from './fleet/fleet.ts';
import { Roster } from './fleet/roster.ts';
import { createApp } from './http/app.ts';
import { Guard } from './http/guard.ts';
import { ListenProblem, listen } from './http/server.ts';
import { byHash } from './placement/hash.ts';
import { createNgDriver } from './relay/ng/driver.ts';
import { DatabaseProblem, explain, type OpenDatabase, openDatabase } from './store/open.ts';
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
  const database = openDatabase(settings.database);
  if (database instanceof DatabaseProblem) return new StartProblem(database.message);
  const started = startMemory(settings, database, clock);
  if (started instanceof StartProblem) return started;
  const { store, fleet, calls, strays } = started;
  const ledger = new Ledger(calls, store, fleet, clock);
  const directions = new Directions(fleet, settings);
  const search = new Search(fleet, clock);
  const replays = new Replays(clock);
  const offering = new Offering({ fleet, strays, policy: byHash, clock }, settings.media.firstTryMs);
  const media = new Media({ fleet, ledger, directions, offering, strays, search, clock }, settings.media);
  const requests = new Requests(media, ledger, replays, clock);
  const roster = new Roster(fleet, store, settings.sides, (nodeId) => calls.countOn(nodeId));
  const readiness = { isStopping: false };
  const local = new WeakSet<Request>();
  const guard = new Guard(settings.http);
  const app = createApp({
    requests,
    fleet,
    roster,
    calls,
    store,
    sides: settings.sides,
    maxBodyBytes: settings.http.maxBodyBytes,
    guard,
    readiness,
    local,
  });
  const { host, port } = settings.http.listen;
  const server = await listen(app, { ...settings.http, host, port, local });
  if (server instanceof ListenProblem) {
    strays.stop();
    fleet.close();
    store.close();

    return new StartProblem(server.message);
  }
  const stopHousekeeping = startHousekeeping(
    { calls, ledger, replays, store, strays, clock, isBusy: (callId) => requests.isBusy(callId) },
    {
      maxIdleMs: settings.calls.maxIdleS * 1000,
      maxUnansweredMs: settings.calls.maxUnansweredS * 1000,
      endedCallMs: settings.calls.keepEndedS * 1000,
      maxEndedCalls: settings.calls.keepEndedMax,
      eventMs: settings.events.keepS * 1000,
      maxEvents: settings.events.keepMax,
    },
  );
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  log.info('appliance.started', { version, url, nodes: fleet.list().length, calls: calls.size });

  return {
    url,
    async stop() {
      readiness.isStopping = true;
      log.info('appliance.stopping', { grace_ms: settings.stop.graceMs });
      await server.stop(settings.stop.graceMs);
      stopHousekeeping();
      strays.stop();
      fleet.close();
      store.close();
      log.info('appliance.stopped', { calls: calls.size });
    },
  };
}

/** Fills the memory from the database. */
function startMemory(settings: Settings, database: OpenDatabase, clock: Clock) {
  try {
    const store = new Store(database, clock);
    const fleet = new Fleet(store.fleet, (node) => driverOf(node, settings.media.retransmitMs), clock);
    const calls = new CallTable(settings.calls.max);
    fleet.load();
    for (const call of store.loadLiveCalls()) calls.add(call);
    const strays = new Strays(fleet, store, clock);
    // Left by a crash between the end of a removed node's last call and its own. If it stays, it does no harm.
    fleet.forgetRemoved((id) => calls.countOn(id) > 0 || strays.concerns(id));
    // The rows were garbage as soon as they were read; now nobody waits yet.
    Bun.gc(true);

    return { store, fleet, calls, strays };
  } catch (error) {
    database.close();
    if (error instanceof SQLiteError) return new StartProblem(`${settings.database.path}: ${explain(error)}`);
    throw error;
  }
}

function driverOf(node: Node, retransmitMs: number) {
  const address = parseSocket(node.socket);
  // The roster lets no other socket in, so this is a database written by somebody else.
  if (address === undefined)
    throw new Error(`node ${node.id} has the socket "${node.socket}", which cannot be read`);

  return createNgDriver(address, systemClock, { retransmitMs });
}
