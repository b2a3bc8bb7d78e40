/** Four real rtpengines, the compiled appliance, Kamailio with a script of the documents, and SIPp on both sides: all in namespaces. */

import { join } from 'node:path';
import { type Appliance, ensureBinary, settled, startAppliance } from './appliance.ts';
import { startKamailio } from './kamailio.ts';
import {
  EDGE,
  ENDPOINTS,
  inside,
  Netns,
  outside,
  RELAYS,
  type Relay,
  relayNumber,
  translated,
  whyNoNamespaces,
} from './netns.ts';
import { LabCall, mediaOf, Party, type Side } from './netns-call.ts';
import { poll, sweep, temporaryFolder } from './processes.ts';
import { callsOnRelay } from './relays.ts';
import { type Rtpengine, startRtpengine } from './rtpengine.ts';
import type { Door, RunningProxy, ScriptValues } from './sip-lab.ts';
import { type Sipp, startSipp } from './sipp.ts';
import type { Step } from './sipp-scenario.ts';

/** Doors of the appliance. */
export type ClusterDoor = Exclude<Door, 'rtpengine'>;

/** Which way a call goes: `out` = the caller is inside. */
export type Way = 'out' | 'in';

const SIP = 5060;
const FORKING_SIP = 5062;
const NG = 7890;
const TOKEN = 'a-token-of-the-lab-0123456789';
/** Media ports of the endpoints; SIPp wants 4 a call. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_000;
/** Longest wait of an endpoint for a message, ms: detection of a dead relay takes seconds. */
const PATIENCE_MS = 20_000;

/** Of each log in a report. */
const MAX_LINES = 60;

const SCRIPTS: Readonly<Record<ClusterDoor, string>> = { http: 'kamailio.cfg', ng: 'kamailio-ng.cfg' };
const VALUES: ScriptValues = {
  listen: { address: inside(EDGE), port: SIP },
  insideNet: `${inside(0)}/24`,
  insideHop: `${inside(ENDPOINTS[0])}:${SIP}`,
  outsideHop: `${outside(ENDPOINTS[0])}:${SIP}`,
  url: 'http://127.0.0.1:7888',
  token: TOKEN,
  ngSocket: 'udp:127.0.0.1:2223',
};

/** Why there can be no such lab, or undefined. */
export function whyNoNetnsLab(): string | undefined {
  const missing = ['kamailio', 'sipp', 'rtpengine'].filter((name) => Bun.which(name) === null);

  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : whyNoNamespaces();
}

/** Somebody who answers calls. */
export interface Answerer {
  readonly sipp: Sipp;
  readonly side: Side;
}

export interface DialOptions {
  readonly calls?: number;
  readonly perSecond?: number;
  /** Who rings too and does not get the call; then it goes through the proxy that lets two callees ring. */
  readonly loser?: Answerer | undefined;
}

export class NetnsLab {
  readonly door: ClusterDoor;
  readonly net: Netns;
  readonly #relays = new Map<Relay, Rtpengine>();
  readonly #database = join(temporaryFolder(), 'rtp-cluster.db');
  readonly #proxies = new Map<number, RunningProxy>();
  readonly #sipps = new Set<Sipp>();
  #appliance: Appliance | undefined;
  #nextPort = FIRST_PORT;
  #nextSip = 6000;

  private constructor(door: ClusterDoor, net: Netns) {
    this.door = door;
    this.net = net;
  }

  static async start(door: ClusterDoor): Promise<NetnsLab> {
    const lab = new NetnsLab(door, await Netns.up());
    try {
      await Promise.all([lab.startAppliance(), ...RELAYS.map((relay) => lab.startRelay(relay))]);
      for (const relay of RELAYS) await lab.addNode(relay);
      await lab.#startProxy(SIP, {});
      await lab.#startProxy(FORKING_SIP, { OUTSIDE_HOP_2: `${outside(ENDPOINTS[1])}:${SIP}` });
    } catch (error) {
      await lab.stop();
      throw error;
    }

    return lab;
  }

  get appliance(): Appliance {
    if (this.#appliance === undefined) throw new Error('the appliance is not running');

    return this.#appliance;
  }

  /** What proxies and appliance wrote last, without what is of no interest. */
  get logs(): string {
    const texts = [
      ...[...this.#proxies.values()].map((proxy) => proxy.log()),
      this.#appliance?.output() ?? '',
    ];

    return texts.map((text) => text.split('\n').filter(isTelling).slice(-MAX_LINES).join('\n')).join('\n');
  }

  relay(name: Relay): Rtpengine {
    const relay = this.#relays.get(name);
    if (relay === undefined) throw new Error(`${name} is not running`);

    return relay;
  }

  /** Starts it; on what another one left behind, if there was one. */
  async startAppliance(): Promise<void> {
    this.#appliance = await startAppliance({
      binary: await ensureBinary(),
      database: this.#database,
      port: Number(new URL(VALUES.url).port),
      ngListen: VALUES.ngSocket,
      token: TOKEN,
      namespace: this.net.name('edge'),
    });
  }

  async startRelay(name: Relay): Promise<void> {
    const address = inside(relayNumber(name));
    const ports = { portMin: 30_000, portMax: 32_999 };
    this.#relays.set(
      name,
      await startRtpengine({
        ngAddress: address,
        ngPort: NG,
        address,
        ...ports,
        place: this.net.place(name),
      }),
    );
  }

  /** @param isSwapped with the address of each side in place of the other's */
  async addNode(relay: Relay, isSwapped = false): Promise<void> {
    const [inner, outer] = isSwapped ? (['outer', 'inner'] as const) : (['inner', 'outer'] as const);
    const id = nodeOf(relay);
    await this.appliance.api('POST', '/v1/nodes', {
      id,
      socket: `udp:${inside(relayNumber(relay))}:${NG}`,
      inner_media_ip: mediaOf(relay, inner),
      out_media_ip: mediaOf(relay, outer),
    });
    await settled(this.appliance, id);
  }

  async removeNode(relay: Relay): Promise<void> {
    await this.appliance.api('DELETE', `/v1/nodes/${nodeOf(relay)}`);
  }

  /** An order for a relay, as in `drain`. */
  async order(relay: Relay, what: 'drain' | 'ready'): Promise<void> {
    await this.appliance.api('POST', `/v1/nodes/${nodeOf(relay)}/${what}`, { reason: 'the test' });
  }

  /** How far a relay is with its draining, by the word of the appliance; null if it does not. */
  async drainOf(relay: Relay): Promise<{ readonly calls_left: number; readonly is_drained: boolean } | null> {
    const { drain } = (await this.appliance.api('GET', `/v1/nodes/${nodeOf(relay)}`)) as {
      drain: { calls_left: number; is_drained: boolean } | null;
    };

    return drain;
  }

  /** Waits until the appliance holds a relay for good, or for no good. */
  async health(relay: Relay, isGood: boolean): Promise<void> {
    await poll(
      async () => {
        const { health } = (await this.appliance.api('GET', `/v1/nodes/${nodeOf(relay)}`)) as {
          health: { state: string };
        };

        return health.state === (isGood ? 'up' : 'down') ? true : undefined;
      },
      () => `${relay} does not come ${isGood ? 'up' : 'down'}`,
      20_000,
    );
  }

  /** @param hop which of the callees of that side, 0 or 1 */
  async answer(way: Way, name: string, steps: readonly Step[], calls = 1, hop: 0 | 1 = 0): Promise<Answerer> {
    const side = way === 'out' ? 'outer' : 'inner';
    const sipp = await startSipp({
      scenario: { name: `${name}-callee`, role: 'callee', steps },
      address: endpoint(side, hop),
      port: SIP,
      place: this.net.place(side),
      calls,
      mediaPort: this.#ports(calls),
      patienceMs: PATIENCE_MS,
    });
    this.#sipps.add(sipp);

    return { sipp, side };
  }

  /** Places calls and waits until they all have begun. The answerer who takes them is the partner. */
  async dial(
    way: Way,
    name: string,
    steps: readonly Step[],
    answerer: Answerer,
    { calls = 1, perSecond = 50, loser }: DialOptions = {},
  ): Promise<{ readonly sipp: Sipp; readonly calls: readonly LabCall[] }> {
    const side = way === 'out' ? 'inner' : 'outer';
    const proxy = side === 'inner' ? inside(EDGE) : translated(EDGE);
    const sipp = await startSipp({
      scenario: { name: `${name}-caller`, role: 'caller', steps },
      address: endpoint(side, 0),
      port: this.#nextSip++,
      proxy: `${proxy}:${loser === undefined ? SIP : FORKING_SIP}`,
      place: this.net.place(side),
      calls,
      perSecond,
      mediaPort: this.#ports(calls),
      patienceMs: PATIENCE_MS,
    });
    this.#sipps.add(sipp);
    const ids = await poll(
      () => {
        const found = new Set(sipp.messages().map(({ callId }) => callId));

        return found.size === calls ? [...found] : undefined;
      },
      () => `${name}: not all calls were placed`,
    );

    const party = (role: 'caller' | 'callee', at: Answerer, id: string): Party =>
      new Party(role, at.side, id, at.sipp, this.net.place(at.side));

    return {
      sipp,
      calls: ids.map(
        (id) =>
          new LabCall(
            id,
            party('caller', { sipp, side }, id),
            party('callee', answerer, id),
            loser === undefined ? undefined : party('callee', loser, id),
          ),
      ),
    };
  }

  /** Waits until endpoints are through with their calls; throws what they did not like. */
  async finish(...sipps: readonly Sipp[]): Promise<void> {
    const problems = (await Promise.all(sipps.map((sipp) => sipp.done()))).filter(
      (problem) => problem !== undefined,
    );
    for (const sipp of sipps) this.#sipps.delete(sipp);
    if (problems.length > 0) throw new Error(`${problems.join('\n')}\n${this.logs}`);
  }

  /** Ends endpoints whose calls came to nothing. */
  async dropEndpoints(): Promise<void> {
    for (const sipp of this.#sipps) await sipp.stop();
    this.#sipps.clear();
  }

  /** Call-IDs relays have, by their own word. */
  async callsOn(relays: readonly Relay[] = RELAYS): Promise<readonly string[]> {
    const lists = await Promise.all(
      relays.map((relay) => callsOnRelay(`udp:${inside(relayNumber(relay))}:${NG}`, this.net.place('edge'))),
    );

    return lists.flat();
  }

  /** Sessions that should not be there, on relays and in the appliance; a delete that is on its way may still arrive. */
  async leftovers(timeoutMs = 3000): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { calls } = (await this.appliance.api('GET', '/v1/calls?limit=1000')) as { calls: unknown[] };
      const left = (await this.callsOn()).length + calls.length;
      if (left === 0 || performance.now() > deadline) return left;
      await Bun.sleep(20);
    }
  }

  /** Deletes what a failed test left on the relays, so that the next one does not fail too. */
  async clear(): Promise<void> {
    await this.dropEndpoints();
    const { calls } = (await this.appliance.api('GET', '/v1/calls?limit=1000')) as {
      calls: { call_id: string }[];
    };
    for (const { call_id: id } of calls) {
      await this.appliance.api('POST', '/v1/media/delete', { 'call-id': id }).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    await this.dropEndpoints();
    for (const proxy of this.#proxies.values()) await proxy.stop();
    await this.#appliance?.stop();
    for (const relay of this.#relays.values()) await relay.stop();
    await this.net.down();
    sweep();
  }

  async #startProxy(port: number, more: Readonly<Record<string, string>>): Promise<void> {
    const values = { ...VALUES, listen: { ...VALUES.listen, port } };
    this.#proxies.set(port, await startKamailio(SCRIPTS[this.door], values, this.net.place('edge'), more));
  }

  #ports(calls: number): number {
    if (this.#nextPort + 4 * calls > LAST_PORT) this.#nextPort = FIRST_PORT;
    const first = this.#nextPort;
    this.#nextPort += 4 * calls;

    return first;
  }
}

function nodeOf(relay: Relay): number {
  return 1 + RELAYS.indexOf(relay);
}

function isTelling(line: string): boolean {
  return line !== '' && !line.includes(' INFO: ');
}

function endpoint(side: Side, hop: 0 | 1): string {
  return (side === 'inner' ? inside : outside)(ENDPOINTS[hop]);
}
