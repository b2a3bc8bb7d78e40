/** `rtp-cluster fake-relay`: nodes that only pretend, to rehearse failures and to measure. */

import { FAULT_NAMES } from '../relay/fake/faults.ts';
import type { FakeServer } from '../relay/fake/server.ts';
import { showAddress } from '../relay/fake/sockets.ts';
import { FakeNode } from '../relay/ng/fake-node.ts';
import { FakeRtpproxy } from '../relay/rtpproxy/fake-node.ts';
import { readArgs, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { type FakePlan, MAX_NODES, readPlan, SHAPE } from './fake-relay-plan.ts';
import { refuseUsage } from './settings-args.ts';

export const help = `Usage: rtp-cluster fake-relay [FLAGS]

Runs nodes that answer as rtpengine 10.5 or Sippy rtpproxy do, but relay no media. Ends with Ctrl-C.

  --kind KIND           rtpengine (ng protocol) or rtpproxy; rtpengine
  --listen SOCKET       Where to listen: HOST:PORT on UDP; 127.0.0.1:22222.
                        rtpproxy: also tcp:HOST:PORT, unix:/PATH or cunix:/PATH, and several times
  --count N             So many nodes on consecutive ports; 1, at most ${MAX_NODES}
  --address IP          Address of the media; 127.0.0.1. Give it several times and each node takes its own.
                        rtpproxy: 0.0.0.0 = replies name no address
  --address6 IP         The same for IPv6; none
  --ports MIN-MAX       Media ports of each node, counted but not opened; 30000-39999
  --max-sessions N      Calls (rtpproxy: streams) at most, 0 = no new ones; no limit

Of rtpengine only:
  --delete-delay SEC    How long a deleted call stays; 30

Of rtpproxy only:
  --release VERSION     2.1, 3.1 or 3.2; 3.2
  --bridge              Bridging mode; --address is then INT/EXT, 127.0.0.1/127.0.0.2
  --advertise ADDRESS   Shown in place of --address; with --bridge ADVINT/ADVEXT.
                        As with the daemon, 3.2 without --bridge ignores it
  --label LABEL@IP      A further address for the modifier l; LABEL@IP=ADVERTISED shows another one
  --notify SOCKET       A socket that commands may name for time-outs: tcp:HOST:PORT or unix:/PATH
  --media-timeout SEC   End sessions after so long without U or L (there is no media); never
  --setup-timeout SEC   The same before the answer; as --media-timeout
  --record              Recordings can be started; nothing is written

Faults, none by default:
  --loss SHARE          Datagrams lost in each direction, 0 to 1
  --delay-ms MS         Time before a reply leaves
  --duplicate SHARE     Replies that leave twice, 0 to 1
  --garbage SHARE       Replies that cannot be read, 0 to 1
  --refuse TEXT         Refuse new calls. rtpengine: "load limit" or an error text; rtpproxy: a code, as E72 or E99
  --wrong-address IP    Shown in place of the right address
  --wrong-port PORT     Shown in place of the right port (rtpproxy only)
  --script TEXT         Faults by time: "5s hang 2s; 10s die 1s; 20s loss 0.3; 30s restart"
  --seed N              Another row of random numbers; 1

  --json                Print one JSON object a line: each node at its start and at its end

While it runs, an order over its own socket changes the same things: of rtpengine the ng command "fake" with keys
  ${FAULT_NAMES.rtpengine}
and of rtpproxy the command FAKE, as in "cookie1 FAKE hang 2s; loss 0.3", with
  ${FAULT_NAMES.rtpproxy}`;

export const shapes = { '': SHAPE };

const STAY_MS = 60_000;

/** Runs until SIGINT or SIGTERM. */
export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = readArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('fake-relay', args, io);
  const plans = readPlan(args);
  if (plans instanceof UsageError) return refuseUsage('fake-relay', plans, io);
  const isJson = args.has('json');
  const nodes: FakeServer[] = [];
  for (const plan of plans) {
    try {
      nodes.push(await start(plan));
    } catch (error) {
      for (const node of nodes) node.stop();
      io.err(`rtp-cluster fake-relay: cannot listen on ${places(plan)}: ${String(error)}`);

      return EXIT.failed;
    }
  }
  const ended = untilSignal();
  for (const [i, node] of nodes.entries()) {
    const plan = plans[i];
    if (plan === undefined) continue;
    const { portMin, portMax } = plan.options;
    io.out(
      isJson
        ? JSON.stringify({
            event: 'started',
            socket: node.where,
            media: media(plan),
            port_min: portMin,
            port_max: portMax,
          })
        : `fake relay on ${node.where}, media ${media(plan)} ports ${portMin}-${portMax}`,
    );
  }
  await ended;
  for (const node of nodes) {
    const { received, handled } = node.counters;
    const counts = { datagrams: received, commands: handled, calls_left: node.size };
    io.out(
      isJson
        ? JSON.stringify({ event: 'ended', socket: node.where, ...counts })
        : `fake relay on ${node.where}: ${received} datagrams, ${handled} commands, ${node.size} calls left`,
    );
    node.stop();
  }

  return EXIT.ok;
}

function start(plan: FakePlan): Promise<FakeServer> {
  return plan.kind === 'rtpengine' ? FakeNode.start(plan.options) : FakeRtpproxy.start(plan.options);
}

/** Where a node was to listen. */
function places({ options: { listen } }: FakePlan): string {
  const all = listen === undefined ? [] : Array.isArray(listen) ? listen : [listen];

  return all.map((one) => ('path' in one ? one.path : showAddress(one))).join(', ');
}

/** The addresses a node says its media is on. */
function media(plan: FakePlan): string {
  if (plan.kind === 'rtpengine') return plan.options.address ?? '';
  const { addresses = [], external } = plan.options;

  return [addresses[0], external].flatMap((one) => one?.address ?? []).join('/');
}

function untilSignal(): Promise<void> {
  // While all nodes are dead there is no socket that keeps the process alive.
  const stay = setInterval(() => undefined, STAY_MS);

  return new Promise((resolve) => {
    const end = (): void => {
      clearInterval(stay);
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  });
}
