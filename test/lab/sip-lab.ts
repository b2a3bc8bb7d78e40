/** What the proxies of the documents are tested in: relays of either kind, the compiled appliance, one proxy, SIPp endpoints. */

import { expect } from 'bun:test';
import type { NodeKind } from '../../src/domain/node.ts';
import { type Appliance, ensureBinary, settled, startAppliance } from './appliance.ts';
import { startFake } from './fake-relays.ts';
import { Gateway } from './gateway.ts';
import { freeSipPort, freeUdpPort, loopbackNetwork } from './ports.ts';
import { poll, sweep } from './processes.ts';
import { type CallKeeper, callsOnReal, expectNoCalls, startReal, whyNoRelay } from './relays.ts';
import { addressesSeen, type Scenario, type Sipp, type Step, startSipp } from './sipp.ts';

/** What a proxy's script has to be told. */
export interface ScriptValues {
  readonly listen: { readonly address: string; readonly port: number };
  /** Network of the phones inside, as in 127.1.2.0/24. */
  readonly insideNet: string;
  readonly insideHop: string;
  readonly outsideHop: string;
  readonly url: string;
  readonly token: string;
}

export interface RunningProxy {
  log(): string;
  stop(): Promise<void>;
}

const TOKEN = 'a-token-of-the-lab-0123456789';
const MEDIA_PORTS = { portMin: 30_000, portMax: 30_999 } as const;

/** The two relays of a lab. The scripts and the calls are the same for all of them. */
export interface Relays {
  readonly name: string;
  readonly kinds: readonly [NodeKind, NodeKind];
  /** Whether they only pretend: they answer, but relay no media. */
  readonly isFake: boolean;
}

export const RELAYS: readonly Relays[] = [
  { name: 'rtpengines', kinds: ['rtpengine', 'rtpengine'], isFake: false },
  { name: 'rtpproxies', kinds: ['rtpproxy', 'rtpproxy'], isFake: false },
  { name: 'one of each kind', kinds: ['rtpengine', 'rtpproxy'], isFake: false },
  { name: 'fake rtpproxies', kinds: ['rtpproxy', 'rtpproxy'], isFake: true },
];

/** Why there can be no lab with such relays, or undefined. */
export function whyNoRelays({ kinds, isFake }: Relays): string | undefined {
  return isFake ? undefined : kinds.map(whyNoRelay).find((reason) => reason !== undefined);
}

interface LabRelay extends CallKeeper {
  readonly kind: NodeKind;
  readonly socket: string;
  stop(): Promise<void>;
}

/** Starts a relay on an address of the network inside. */
async function startRelay(kind: NodeKind, isFake: boolean, address: string): Promise<LabRelay> {
  if (isFake) {
    const fake = await startFake(kind);

    return { kind, socket: fake.socket, calls: fake.calls, stop: fake.kill };
  }
  const port = await freeUdpPort(address);
  const { stop } = await startReal(kind, { address, port, ...MEDIA_PORTS });
  const socket = `udp:${address}:${port}`;

  return { kind, socket, calls: () => callsOnReal(kind, socket), stop };
}

/** Two relays, the compiled appliance, one proxy: what the proxies' tests run in. */
export class SipLab {
  readonly values: ScriptValues;
  /** Under which the relays know the phone outside, see `Gateway`. */
  readonly natAddress: string;
  /** Whether packets flow. */
  readonly hasMedia: boolean;
  readonly #relays: readonly LabRelay[];
  readonly #media: { readonly inner: readonly string[]; readonly outer: readonly string[] };
  readonly #phones: { readonly inner: string; readonly outer: string };
  #appliance: Appliance;
  #proxy: RunningProxy | undefined;

  private constructor(
    appliance: Appliance,
    relays: readonly LabRelay[],
    hasMedia: boolean,
    inside: (host: number) => string,
    outside: (host: number) => string,
    values: ScriptValues,
  ) {
    this.#appliance = appliance;
    this.#relays = relays;
    this.hasMedia = hasMedia;
    this.#media = { inner: [inside(11), inside(12)], outer: [outside(11), outside(12)] };
    this.#phones = { inner: inside(101), outer: outside(101) };
    this.natAddress = outside(254);
    this.values = values;
  }

  static async start(
    { kinds, isFake }: Relays,
    startProxy: (values: ScriptValues) => Promise<RunningProxy>,
  ): Promise<SipLab> {
    const inside = loopbackNetwork();
    const outside = loopbackNetwork();
    const binary = await ensureBinary();
    const appliance = await startAppliance({ binary, token: TOKEN });
    const relays: LabRelay[] = [];
    for (const [index, kind] of kinds.entries()) {
      relays.push(await startRelay(kind, isFake, inside(11 + index)));
    }
    const address = inside(1);
    const insideHop = await freeSipPort(inside(101));
    const outsideHop = await freeSipPort(outside(101));
    const values: ScriptValues = {
      listen: { address, port: await freeSipPort(address) },
      insideNet: inside(0).replace(/$/, '/24'),
      insideHop: `${inside(101)}:${insideHop}`,
      outsideHop: `${outside(101)}:${outsideHop}`,
      url: appliance.url,
      token: TOKEN,
    };
    const lab = new SipLab(appliance, relays, !isFake, inside, outside, values);
    await lab.addNodes();
    lab.#proxy = await startProxy(values);

    return lab;
  }

  get appliance(): Appliance {
    return this.#appliance;
  }

  /** SIGKILL; another one goes on where it was. */
  async replaceAppliance(): Promise<void> {
    const { database, url } = this.#appliance;
    await this.#appliance.kill();
    const port = Number(new URL(url).port);
    this.#appliance = await startAppliance({ binary: await ensureBinary(), token: TOKEN, database, port });
  }

  async addNodes(): Promise<void> {
    for (const [index, { kind, socket }] of this.#relays.entries()) {
      await this.appliance.api('POST', '/v1/nodes', {
        id: index + 1,
        kind,
        socket,
        inner_media_ip: this.#media.inner[index],
        out_media_ip: this.#media.outer[index],
      });
      await settled(this.appliance, index + 1);
    }
  }

  async removeNodes(): Promise<void> {
    for (const index of this.#relays.keys()) await this.appliance.api('DELETE', `/v1/nodes/${index + 1}`);
  }

  /** Media addresses of the relays as one side must see them. */
  mediaOf(side: 'inner' | 'outer'): readonly string[] {
    return this.#media[side];
  }

  /** Address of the phone of one side. */
  phoneOf(side: 'inner' | 'outer'): string {
    return this.#phones[side];
  }

  /**
   * Places one call between two SIPp endpoints.
   * @param way `out` = the caller is inside
   */
  async begin(
    way: 'out' | 'in',
    name: string,
    callerSteps: readonly Step[],
    calleeSteps: readonly Step[] | undefined,
  ): Promise<Ends> {
    const { listen, insideHop, outsideHop } = this.values;
    const [callerSide, calleeSide] =
      way === 'out' ? (['inner', 'outer'] as const) : (['outer', 'inner'] as const);
    const hop = way === 'out' ? outsideHop : insideHop;
    const scenario = (role: 'caller' | 'callee', steps: readonly Step[]): Scenario => ({
      name: `${name}-${role}`,
      role,
      steps,
    });
    const callee =
      calleeSteps === undefined
        ? undefined
        : await startSipp({
            scenario: scenario('callee', calleeSteps),
            address: this.#phones[calleeSide],
            port: Number(hop.split(':')[1]),
          });
    const caller = await startSipp({
      scenario: scenario('caller', callerSteps),
      address: this.#phones[callerSide],
      port: await freeSipPort(this.#phones[callerSide]),
      proxy: `${listen.address}:${listen.port}`,
    });

    return { caller, callee };
  }

  /** Waits for the end of a call; throws what an endpoint did not like. */
  async finish({ caller, callee }: Ends): Promise<void> {
    const problems = [await caller.done(), await callee?.done()].filter((problem) => problem !== undefined);
    if (problems.length > 0) {
      throw new Error(`${problems.join('\n')}\n${this.#proxy?.log()}\n${this.appliance.output()}`);
    }
  }

  /** `begin` and `finish`. */
  async call(...what: Parameters<SipLab['begin']>): Promise<Ends> {
    const ends = await this.begin(...what);
    await this.finish(ends);

    return ends;
  }

  /** The way from the outside to the relays. */
  openGateway(): Gateway {
    const { inner, outer } = this.#media;

    return new Gateway(
      new Map(outer.map((address, index) => [address, inner[index] ?? ''])),
      this.natAddress,
    );
  }

  /** Both ends saw one address each, that of one relay on their side; nothing is left anywhere. */
  async expectRightAddresses(way: 'out' | 'in', caller: Sipp, callee: Sipp | undefined): Promise<void> {
    const [callerSide, calleeSide] =
      way === 'out' ? (['inner', 'outer'] as const) : (['outer', 'inner'] as const);
    const seen = addressesSeen(caller);
    expect(seen).toHaveLength(1);
    const relay = this.#media[callerSide].indexOf(seen[0] ?? '');
    expect(relay).toBeGreaterThanOrEqual(0);
    if (callee !== undefined) expect(addressesSeen(callee)).toEqual([this.#media[calleeSide][relay] ?? '']);
  }

  /** Calls the relays have, by their own word: streams of an rtpproxy. */
  async countOnRelays(): Promise<number> {
    return (await Promise.all(this.#relays.map((relay) => relay.calls()))).flat().length;
  }

  /** Nothing is left on the relays, and the appliance holds all calls for ended. */
  async expectAllOver(): Promise<void> {
    await expectNoCalls(this.#relays);
    await poll(
      async () => {
        const { calls } = (await this.appliance.api('GET', '/v1/calls')) as { calls: unknown[] };

        return calls.length === 0 ? true : undefined;
      },
      () => `the appliance still holds calls:\n${this.appliance.output()}`,
      3000,
    );
  }

  /** What the appliance has of a call. */
  async callOf(endpoint: Sipp): Promise<{ direction: string; state: string; end_reason: string }> {
    const callId = endpoint.messages()[0]?.callId ?? '';

    return (await this.appliance.api('GET', `/v1/calls/${encodeURIComponent(callId)}`)) as {
      direction: string;
      state: string;
      end_reason: string;
    };
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    await this.appliance.stop();
    for (const relay of this.#relays) await relay.stop();
    sweep();
  }
}

/** The endpoints of a call. */
export interface Ends {
  readonly caller: Sipp;
  /** Undefined if nobody is to be called. */
  readonly callee: Sipp | undefined;
}
