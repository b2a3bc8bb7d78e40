/** `npm run demo`: four relays, the appliance, one call each way, and what each side was told and heard. `--help` tells of its flags. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/commands/table.ts';
import { type Appliance, commandLine, startAppliance } from '../test/lab/appliance.ts';
import { Gateway } from '../test/lab/gateway.ts';
import { NgClient } from '../test/lab/ng-client.ts';
import { converse, frames, openUdp, Phone } from '../test/lab/phone.ts';
import { freeUdpPort, isTcpFree, isUdpFree } from '../test/lab/ports.ts';
import { temporaryFolder } from '../test/lab/processes.ts';
import { SipProxy } from '../test/lab/proxy.ts';
import type { Endpoint } from '../test/lab/sdp.ts';
import { type Door, httpDoor, ngDoor } from './demo-doors.ts';
import { type DemoRelay, KINDS, startRelays } from './demo-relays.ts';

const USAGE = `Usage: npm run demo [-- FLAGS]

Four relays in two sets, the appliance, a call out by set 0 over HTTP and a call in by set 1 over ng, the protocol of the
stock rtpengine modules, and what each side was told and heard.

  --kind KIND   rtpengine, the default; rtpproxy; or mixed: set 0 are rtpengines, set 1 rtpproxies
  --once        End after the calls; exit code 0 if all was as it must be
  --fake        Relays that only pretend, even if there are real ones
  --help        This

rtpengine comes from the Debian package rtpengine-daemon, which is installed if it is missing and you are root.
Debian has no rtpproxy: name one by the environment, RTPPROXY_BIN=/path/to/rtpproxy. Without real relays the demo
takes fake ones, and says so.`;

const USUAL_HTTP_PORT = 7888;
const USUAL_NG_PORT = 2223;
const PACKETS = 50;
/** While the demo stays up, calls go on so that there is something to see: packets of each, and the time between two, ms. */
const LIVE_PACKETS = 400;
const LIVE_EVERY_MS = 2000;
/** The phones; the outer one is known to the relays as `OUTSIDE`, see Gateway. */
const INNER_PHONE = '127.10.0.101';
const OUTER_PHONE = '127.20.0.101';
const OUTSIDE = '127.20.0.254';
/** The first of the relays' media ports; at `OUTSIDE`, where none of them is, whoever has it is the only demo. */
const ONLY_DEMO_PORT = 20_000;

interface Party {
  readonly side: 'inner' | 'outer';
  readonly phone: Phone;
  /** What its own SDP says. */
  readonly shown: Endpoint;
  /** What it was told. */
  told: Endpoint;
}

interface Flags {
  readonly kind: keyof typeof KINDS;
  readonly isOnce: boolean;
  readonly wantsFake: boolean;
}

const flags = readFlags();
process.exitCode = typeof flags === 'number' ? flags : await demo(flags);
process.exit();

/** The flags, or the exit code if there is nothing to run. */
function readFlags(): Flags | number {
  try {
    const { values } = parseArgs({
      options: {
        kind: { type: 'string', default: 'rtpengine' },
        once: { type: 'boolean', default: false },
        fake: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const kind = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((name) => name === values.kind);
    if (kind === undefined) {
      throw new Error(`--kind is "${values.kind}"; there are ${Object.keys(KINDS).join(', ')}`);
    }
    if (!values.help) return { kind, isOnce: values.once, wantsFake: values.fake };
    say(USAGE);

    return 0;
  } catch (error) {
    console.error(`demo: ${messageOf(error)}\n\n${USAGE}`);

    return 2;
  }
}

async function demo({ kind, isOnce, wantsFake }: Flags): Promise<number> {
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.reverse()) await end();
  };
  try {
    const only = await beOnly();
    closing.push(() => only.close());
    const relays = await startRelays(KINDS[kind], wantsFake, say);
    closing.push(() => Promise.all(relays.map((relay) => relay.stop())));

    const ngPort = (await isUdpFree('127.0.0.1', USUAL_NG_PORT)) ? USUAL_NG_PORT : await freeUdpPort();
    const appliance = await startDemoAppliance(ngPort);
    closing.push(() => appliance.stop());
    await importNodes(appliance, relays);

    const gateway = new Gateway(new Map(relays.map(({ outer, inner }) => [outer, inner])), OUTSIDE);
    closing.push(() => gateway.close());
    if (relays.some(({ isFake }) => !isFake)) {
      say(
        `The gateway of this demo stands for the cloud's 1:1 NAT: it takes the packets to 127.20.0.N to the relay at 127.10.0.N,
and the relay's packets outside from 127.20.0.N. As in a cloud, the inner phone has no route to outer addresses, and the
outer phone none to inner ones, so a wrong address would be silence.`,
      );
    }
    say('');
    const ngClient = await NgClient.connect({ port: ngPort });
    closing.push(() => ngClient.close());
    const doors = {
      out: httpDoor(new SipProxy(appliance.url), setOf),
      in: ngDoor(ngClient, setOf),
    };
    const rows: string[][] = [];
    let isGood = true;
    const parts = { appliance, gateway, relays, packets: PACKETS };
    for (const way of ['out', 'in'] as const) {
      const call = await placeCall(doors[way], way, parts);
      rows.push(...call.rows);
      isGood &&= call.isGood;
    }
    for (const line of formatTable(
      ['CALL', 'DOOR', 'SET', 'NODE', 'SIDE', 'WAS TOLD', 'MUST BE', 'SENT', 'HEARD', 'VERDICT'],
      rows,
    ))
      console.log(line);
    const left = (await Promise.all(relays.map((relay) => relay.calls()))).reduce((sum, each) => sum + each);
    isGood &&= left === 0;
    say(`\nAfter the BYEs, calls left on the relays: ${left}.`);
    if (frames.late > 5) say(`This machine was busy: the clock of the phones was late ${frames.late} times.`);
    say(isGood ? 'All as it must be.' : 'NOT as it must be; see the table.');
    if (isOnce) return isGood ? 0 : 1;
    printWhereToLook(appliance);
    await keepCalling(doors, { ...parts, packets: LIVE_PACKETS }, untilSignal());
    say('\nStopping.');

    return isGood ? 0 : 1;
  } catch (error) {
    console.error(`demo: ${messageOf(error)}`);

    return 1;
  } finally {
    await close();
  }
}

/** Makes sure that no other demo runs: relays, gateway and phones of all have the same addresses. */
async function beOnly(): Promise<Bun.udp.Socket<'buffer'>> {
  try {
    return await openUdp(OUTSIDE, ONLY_DEMO_PORT, () => undefined);
  } catch {
    throw new Error(
      `${OUTSIDE} port ${ONLY_DEMO_PORT} is taken: another demo runs on this machine, with the addresses of this one. End it first, by Ctrl-C in its terminal`,
    );
  }
}

async function startDemoAppliance(ngPort: number): Promise<Appliance> {
  const port = (await isTcpFree('127.0.0.1', USUAL_HTTP_PORT)) ? USUAL_HTTP_PORT : 0;
  const appliance = await startAppliance({ port, ngListen: `udp:127.0.0.1:${ngPort}` });
  const why = port === 0 ? ` (port ${USUAL_HTTP_PORT} is taken)` : '';
  say(
    `The appliance runs from the sources at ${appliance.url}${why}, for rtpengine modules at udp:127.0.0.1:${ngPort}; its database is
${appliance.database}.`,
  );

  return appliance;
}

/** Brings the table in as its owner would: a CSV file and `rtp-cluster import`. */
async function importNodes(appliance: Appliance, relays: readonly DemoRelay[]): Promise<void> {
  const csv = [
    'id,socket,kind,set_id,inner_media_ip,out_media_ip',
    ...relays.map(({ id, socket, kind, set, inner, outer }) =>
      [id, socket, kind, set, inner, outer].join(','),
    ),
  ];
  const file = join(temporaryFolder(), 'nodes.csv');
  writeFileSync(file, `${csv.join('\n')}\n`);
  say(`\n${csv.join('\n')}\n\n$ rtp-cluster import nodes.csv`);
  const child = Bun.spawn([...commandLine(), 'import', file, `--url=${appliance.url}`], {
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  say(`${out}${err}`);
  if (code !== 0) throw new Error('the import failed');
}

/** Calls out and in use different sets. */
function setOf(way: 'out' | 'in'): number {
  return way === 'out' ? 0 : 1;
}

/** What every call needs. */
interface CallParts {
  readonly appliance: Appliance;
  readonly gateway: Gateway;
  readonly relays: readonly DemoRelay[];
  /** Of each party, one in 20 ms. */
  readonly packets: number;
}

/** A new call now and then, some at a time, until the end; those under way end with their relays. */
async function keepCalling(
  doors: Readonly<Record<'out' | 'in', Door>>,
  parts: CallParts,
  end: Promise<void>,
): Promise<void> {
  let isOver = false;
  void end.then(() => {
    isOver = true;
  });
  for (let count = 0; !isOver; count++) {
    const way = count % 2 === 0 ? 'out' : 'in';
    // A relay that its user stops on purpose is no reason to end the demo.
    placeCall(doors[way], way, parts).catch((error) => {
      if (!isOver) say(`a call failed: ${messageOf(error)}`);
    });
    await Promise.race([Bun.sleep(LIVE_EVERY_MS), end]);
  }
}

/** INVITE, 200, talk, BYE, as a SIP proxy hands them over. */
async function placeCall(
  door: Door,
  way: 'out' | 'in',
  { appliance, gateway, relays, packets }: CallParts,
): Promise<{ rows: string[][]; isGood: boolean }> {
  const callId = `demo-${way}bound-${crypto.randomUUID().slice(0, 8)}@127.0.0.1`;
  const inner = await openInner(callId);
  const outer = await openOuter(callId, gateway);
  const [caller, callee] = way === 'out' ? [inner, outer] : [outer, inner];
  try {
    callee.told = await door.invite(callId, way, caller.shown);
    caller.told = await door.accept(callId, callee.shown);
    for (const { phone, told } of [caller, callee]) phone.pointAt(told);
    const call = (await appliance.api('GET', `/v1/calls/${encodeURIComponent(callId)}`)) as {
      node_id: number;
    };
    const relay = relays.find(({ id }) => id === call.node_id);
    if (relay?.isFake === false) {
      await gateway.open(outer.told);
      await converse(caller.phone, callee.phone, packets);
    }
    await door.bye(callId);
    const parties = [caller, callee].map((party) =>
      judge(party, party === caller ? callee : caller, relay, packets),
    );
    const name = way === 'out' ? 'outbound' : 'inbound';

    return {
      rows: parties.map(({ row }, index) => [
        index === 0 ? name : '',
        index === 0 ? door.name : '',
        index === 0 ? String(setOf(way)) : '',
        index === 0 ? String(call.node_id) : '',
        ...row,
      ]),
      isGood: parties.every(({ isGood }) => isGood),
    };
  } finally {
    inner.phone.close();
    outer.phone.close();
  }
}

async function openInner(call: string): Promise<Party> {
  const phone = await Phone.open({
    call,
    side: 'inner',
    partner: 'outer',
    address: INNER_PHONE,
    reaches: (address) => address.startsWith('127.10.'),
  });

  return { side: 'inner', phone, shown: phone.local, told: { address: '', port: 0 } };
}

async function openOuter(call: string, gateway: Gateway): Promise<Party> {
  const phone = await Phone.open({
    call,
    side: 'outer',
    partner: 'inner',
    address: OUTER_PHONE,
    reaches: gateway.reaches,
  });

  return { side: 'outer', phone, shown: await gateway.admit(phone.local), told: { address: '', port: 0 } };
}

/** One line of the table, and whether it is good. */
function judge(
  { side, phone, told }: Party,
  partner: Party,
  relay: DemoRelay | undefined,
  packets: number,
): { row: string[]; isGood: boolean } {
  const wanted = relay?.[side] ?? 'no node';
  const isFake = relay?.isFake === true;
  const { heard, sent } = phone;
  const faults = [
    told.address === wanted ? [] : ['wrong address'],
    isFake || heard.partner === partner.phone.sent ? [] : [`${partner.phone.sent - heard.partner} lost`],
    !isFake && sent !== packets ? ['could not send'] : [],
    heard.echo > 0 ? ['heard itself'] : [],
    heard.foreign + heard.elsewhere > 0 ? ['heard others'] : [],
  ].flat();
  const media = isFake ? ['-', '-'] : [String(sent), String(heard.partner)];
  const good = isFake ? 'ok (signalling only)' : 'ok';

  return {
    row: [
      side,
      `${told.address}:${told.port}`,
      wanted,
      ...media,
      faults.length === 0 ? good : faults.join(', '),
    ],
    isGood: faults.length === 0,
  };
}

function printWhereToLook({ url }: Appliance): void {
  const cli = 'node_modules/.bin/bun src/main.ts';
  const query = 'call-id=mine@1&from-tag=a&method=INVITE&cseq=1&dir=out&set=0';
  const sdp =
    'v=0\\r\\no=- 1 1 IN IP4 10.0.0.9\\r\\ns=-\\r\\nc=IN IP4 10.0.0.9\\r\\nt=0 0\\r\\nm=audio 4000 RTP/AVP 8\\r\\n';
  say(`
The appliance and the relays stay up, with a new call every two seconds; Ctrl-C ends them.
  Dashboard  ${url}/
  API        ${url}/v1/nodes   ${url}/v1/calls   ${url}/v1/calls?state=ended
  Reading    ${url}/openapi   ${url}/metrics
  An offer of your own, handed over as a SIP proxy would:
    printf '${sdp}' | curl -s --data-binary @- -H 'Content-Type: application/sdp' '${url}/v1/media/auto?${query}'
  and the same call afterwards:
    curl -s ${url}/v1/calls/mine@1
  By the command line:
    ${cli} node list --url ${url}
    ${cli} call list --url ${url}
    ${cli} explain mine@1 --url ${url}
    ${cli} top --url ${url}`);
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(line: string): void {
  console.log(line);
}
