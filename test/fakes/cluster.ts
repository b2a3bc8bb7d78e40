/** All parts between the doors and the relays, wired as the appliance wires them, with fakes around. */

import { CallTable } from '../../src/calls/call-table.ts';
import { Checkup } from '../../src/calls/checkup.ts';
import { Directions, type SideSettings } from '../../src/calls/directions.ts';
import { Ending } from '../../src/calls/ending.ts';
import type { Relayed } from '../../src/calls/facts.ts';
import { History } from '../../src/calls/history.ts';
import { Ledger } from '../../src/calls/ledger.ts';
import { Media, type NodeReply } from '../../src/calls/media.ts';
import { Notices } from '../../src/calls/notices.ts';
import { Offering } from '../../src/calls/offering.ts';
import { Reconcile } from '../../src/calls/reconcile.ts';
import { Replays } from '../../src/calls/replays.ts';
import { NOTHING, Requests } from '../../src/calls/requests.ts';
import { Search } from '../../src/calls/search.ts';
import { Strays } from '../../src/calls/strays.ts';
import { Failure } from '../../src/domain/errors.ts';
import type { Node } from '../../src/domain/node.ts';
import type { Sides } from '../../src/domain/side.ts';
import type { DrainEnd } from '../../src/fleet/drain-hook.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import type { Member } from '../../src/fleet/member.ts';
import { Orders } from '../../src/fleet/orders.ts';
import { Roster } from '../../src/fleet/roster.ts';
import { Watch } from '../../src/fleet/watch.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { RelayMeter } from '../../src/metrics/relay-meter.ts';
import type { SipFacts } from '../../src/sip/facts.ts';
import { FakeClock } from './clock.ts';
import { type Asked, FakeDriver } from './driver.ts';
import { FakeMonitor } from './monitor.ts';
import { flush, openStore } from './store.ts';

export const SIDES: Sides = {
  names: ['inner', 'outer', 'mpls'],
  aliases: new Map([
    ['priv', 'inner'],
    ['pub', 'outer'],
  ]),
};

export const BUDGET_MS = 900;
export const FIRST_TRY_MS = 300;
export const CHECK_AFTER_MS = 900_000;
export const RECONCILE_MS = 300_000;

/**
 * Node `id` has 10.0.0.(id+1) inside and 198.51.100.(id+1) outside. The lowest id has precedence, so tests can tell who is
 * first.
 */
export function makeNode(id: number, changes: Partial<Node> = {}): Node {
  return {
    id,
    kind: 'rtpengine',
    socket: `udp:127.0.0.1:${7890 + id}`,
    setId: 0,
    weight: 100,
    imposeMode: 'media-address',
    priority: id,
    capacity: null,
    tags: [],
    httpPort: null,
    mediaAddresses: [
      { side: 'inner', family: 'IP4', address: innerOf(id), interface: null },
      { side: 'outer', family: 'IP4', address: outerOf(id), interface: null },
    ],
    ...changes,
  };
}

export function innerOf(id: number): string {
  return `10.0.0.${id + 1}`;
}

export function outerOf(id: number): string {
  return `198.51.100.${id + 1}`;
}

export interface ClusterOptions {
  readonly nodes?: readonly Node[];
  readonly maxCalls?: number;
  readonly networks?: SideSettings['networks'];
  /** Whether nodes are checked and judged; else all of them stay as they are. */
  readonly isWatched?: boolean;
}

export function makeCluster(options: ClusterOptions = {}) {
  const clock = new FakeClock();
  const trace: Asked[] = [];
  const drivers = new Map<number, FakeDriver>();
  const { store, open } = openStore(clock);
  const calls = new CallTable(options.maxCalls ?? 1000);
  const relayMeter = new RelayMeter();
  const fleet = new Fleet(
    store.fleet,
    (node) => {
      const driver = new FakeDriver(node.id, clock, trace);
      driver.renewsCalls = node.kind === 'rtpproxy';
      drivers.set(node.id, driver);

      return driver;
    },
    clock,
    {
      countCalls: (nodeId) => calls.countOn(nodeId),
      countSessions: (nodeId) => calls.sessionsOn(nodeId),
      slowMs: FIRST_TRY_MS,
      observer: relayMeter,
    },
  );
  const failure = fleet.put(options.nodes ?? [makeNode(0), makeNode(1)]);
  if (failure !== undefined) throw new Error(failure.message);
  // Proven good: these tests are about calls.
  for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'up' };
  const strays = new Strays(fleet, store, clock);
  const ledger = new Ledger(calls, store, fleet, clock);
  const directions = new Directions(fleet, { sides: SIDES, networks: options.networks ?? [] });
  const search = new Search(fleet, clock);
  const replays = new Replays(clock);
  const history = new History(store, clock);
  const monitors = new Map<number, FakeMonitor>();
  const createMonitor = ({ id }: Member): FakeMonitor => {
    const monitor = new FakeMonitor(id, clock);
    monitors.set(id, monitor);

    return monitor;
  };
  const watch = options.isWatched
    ? new Watch(fleet, store, clock, createMonitor, {
        canary: false,
        slowMs: FIRST_TRY_MS,
        random: () => 0.5,
      })
    : {
        recheck: () => undefined,
        isInPanic: () => false,
        hold: (member: Member) => member.hold(),
        monitorOf: (member: Member) => monitors.get(member.id) ?? createMonitor(member),
      };
  const offering = new Offering({ fleet, strays, watch, clock }, FIRST_TRY_MS);
  const media = new Media(
    { fleet, ledger, directions, offering, strays, search, watch, clock },
    { budgetMs: BUDGET_MS, firstTryMs: FIRST_TRY_MS },
  );
  const ending = new Ending({ fleet, ledger, strays, search, clock }, FIRST_TRY_MS);
  const meter = new Meter();
  const requests = new Requests(media, ending, ledger, replays, history, clock, meter);
  const isBusy = (callId: string): boolean => requests.isBusy(callId);
  const checkup = new Checkup({ fleet, calls, ledger, clock, isBusy }, CHECK_AFTER_MS);
  const notices = new Notices({ calls, ledger, checkup, clock });
  const reconcile = new Reconcile(
    { fleet, calls, ledger, checkup, strays, store, watch, clock, isBusy },
    { everyMs: RECONCILE_MS, random: () => 0.5 },
  );
  if (watch instanceof Watch) {
    watch.onBack = ({ id }) => strays.hurry(id);
    watch.onRestart = (member) => {
      strays.restarted(member.id);
      reconcile.restarted(member);
    };
  }
  const roster = new Roster(fleet, store, SIDES);
  const drainEnds: DrainEnd[] = [];
  const orders = new Orders(fleet, store, clock, watch, {
    onDrainEnd: (end) => drainEnds.push(end),
    settleMs: BUDGET_MS,
  });

  return {
    clock,
    trace,
    store,
    open,
    fleet,
    calls,
    strays,
    ledger,
    directions,
    search,
    replays,
    history,
    watch,
    media,
    ending,
    meter,
    relayMeter,
    requests,
    checkup,
    notices,
    reconcile,
    roster,
    orders,
    /** What was told of drains that came to their end. */
    drainEnds,
    /** The fake relay of a node. */
    relay(id: number): FakeDriver {
      const driver = drivers.get(id);
      if (driver === undefined) throw new Error(`there is no node ${id}`);

      return driver;
    },
    /** The monitor of a node. */
    monitor(id: number): FakeMonitor {
      const monitor = monitors.get(id);
      if (monitor === undefined) throw new Error(`nobody watches node ${id}`);

      return monitor;
    },
    /** What was asked so far, as `node operation`. */
    asked(): string[] {
      return trace.map(({ node, operation }) => `${node} ${operation}`);
    },
    /** Kinds of the events recorded, oldest first. */
    async events(): Promise<string[]> {
      await clock.advance(0);
      await flush(store);

      return store.events
        .list(1000, null)
        .map(({ kind }) => kind)
        .reverse();
    },
  };
}

export type Cluster = ReturnType<typeof makeCluster>;

/** The relay of a node began `seconds` ago, and its uptime follows the clock from now on, in whole seconds as relays count. */
export function age(
  { clock, monitor }: Pick<Cluster, 'clock' | 'monitor'>,
  id: number,
  seconds = 1000,
): void {
  const startedAt = clock.monotonic() - seconds * 1000;
  const watched = monitor(id);
  const { uptimeS: _, ...rest } = watched.statisticsNow;
  watched.statisticsNow = {
    ...rest,
    get uptimeS() {
      return Math.floor((clock.monotonic() - startedAt) / 1000);
    },
  };
}

/** A SIP message through the `auto` door. Direction `out` unless told; no SDP unless told. */
export function sip(
  facts: Partial<SipFacts> & Pick<SipFacts, 'method'>,
  sdp = '',
  more: Partial<Parameters<Requests['auto']>[0]> = {},
): Parameters<Requests['auto']>[0] {
  return {
    sip: { callId: 'c1', fromTag: 'A', cseq: '1', hasSdp: sdp !== '', ...facts },
    sdp,
    direction: { from: 'inner', to: 'outer' },
    extra: {},
    ...more,
  };
}

/** An SDP as a phone writes it. */
export function phoneSdp(address: string, family = 'IP4', port = 41_000): string {
  return [
    'v=0',
    `o=phone 1 1 IN ${family} ${address}`,
    's=call',
    `c=IN ${family} ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8 0`,
    'a=rtpmap:8 PCMA/8000',
    '',
  ].join('\r\n');
}

type Answer = Relayed | NodeReply | { reply: unknown } | typeof NOTHING | Failure | undefined;

/** The relayed SDP; fails the test if there is none. */
export function relayed(answer: Answer): Relayed {
  if (answer instanceof Failure) throw new Error(`${answer.code} ${answer.message}`);
  if (typeof answer === 'object' && 'sdp' in answer) return answer;
  throw new Error(`no SDP came back: ${String(answer)}`);
}

/** The address in the `c=` line of what came back. */
export function shown(answer: Answer): string {
  return /^c=IN IP[46] (\S+)/m.exec(relayed(answer).sdp)?.[1] ?? 'none';
}

/** The failure; fails the test if there is none. */
export function failed(answer: Answer): Failure {
  if (answer instanceof Failure) return answer;
  throw new Error(`this did not fail: ${answer === NOTHING ? 'nothing to do' : JSON.stringify(answer)}`);
}
