/** What the program remembers, as the last run left it: fleet, calls, and calls that are still to be deleted. */

import { SQLiteError } from 'bun:sqlite';
import { CallTable, ENDED_MS, MAX_ENDED } from './calls/call-table.ts';
import { Strays } from './calls/strays.ts';
import type { Settings } from './config/settings.ts';
import type { CommandObserver } from './fleet/command-observer.ts';
import { Fleet } from './fleet/fleet.ts';
import { driverOf, type WireTotals } from './relay/of-node.ts';
import { DatabaseProblem, explain, openDatabase } from './store/open.ts';
import { keepSpareRoom } from './store/spare-room.ts';
import { Store } from './store/store.ts';
import type { Clock } from './util/clock.ts';

/** Why it cannot start; for the operator. */
export class StartProblem {
  constructor(readonly message: string) {}
}

/** Opens the database and fills the memory from it. */
export function startMemory(settings: Settings, clock: Clock, observer: CommandObserver, totals: WireTotals) {
  const database = openDatabase(settings.database);
  if (database instanceof DatabaseProblem) return new StartProblem(database.message);
  keepSpareRoom(settings.database.path);
  try {
    const store = new Store(database, clock);
    const calls = new CallTable(settings.calls.max);
    const wires = { ...settings.media, ...settings.rtpproxy };
    const fleet = new Fleet(store.fleet, (node) => driverOf(node, clock, wires, totals), clock, {
      countCalls: (nodeId) => calls.countOn(nodeId),
      countSessions: (nodeId) => calls.sessionsOn(nodeId),
      slowMs: settings.media.firstTryMs,
      observer,
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
