/** What the proxies of the documents are tested in: relays of either kind, the compiled appliance, one proxy, SIPp endpoints. */

import { expect } from 'bun:test';
import { type Appliance, type ApplianceOptions, ensureBinary, settled, startAppliance } from './appliance.ts';
import { Gateway } from './gateway.ts';
import { freeSipPort, freeUdpPort, loopbackNetwork } from './ports.ts';
import { poll, sweep } from './processes.ts';
import { expectNoCalls } from './relays.ts';
import { type LabRelay, type Relays, startRelay } from './sip-relays.ts';
import { addressesSeen, type Sipp, startSipp } from './sipp.ts';
import type { Scenario, Step } from './sipp-scenario.ts';

/** What a proxy's script has to be told. */
export interface ScriptValues {
  readonly listen: { readonly address: string; readonly port: number };
  /** Network of the phones inside, as in 127.1.2.0/24. */
  readonly insideNet: string;
  readonly insideHop: string;
  readonly outsideHop: string;
  readonly url: string;
  readonly token: string;
  /** Where ng is served, as in udp:127.0.0.1:2223. */
  readonly ngSocket: string;
}

/** How a proxy's script asks: the appliance by HTTP, the appliance as if it were an rtpengine, or an rtpengine alone. */
export type Door = 'http' | 'ng' | 'rtpengine';

export interface RunningProxy {
  log(): string;
  stop(): Promise<void>;
}

const TOKEN = 'a-token-of-the-lab-0123456789';

async function startLabAppliance(options: ApplianceOptions): Promise<Appliance> {
  return startAppliance({ binary: await ensureBinary(), token: TOKEN, ...options });
}

/** Relays, the compiled appliance, one proxy: what the proxies' tests run in. */
export class SipLab {
  readonly values: ScriptValues;
  /** Under which the relays know the phone outside, see `Gateway`. */
  readonly natAddress: string;
  /** Whether packets flow. */
  readonly hasMedia: boolean;
  readonly #relays: readonly LabRelay[];
  readonly #media: { readonly inner: readonly string[]; readonly outer: readonly string[] };
  readonly #phones: { readonly inner: string; readonly outer: string };
  readonly #door: Door;
  #appliance: Appliance | undefined;
  #proxy: RunningProxy | undefined;

  private constructor(
    appliance: Appliance | undefined,
    relays: readonly LabRelay[],
    door: Door,
    hasMedia: boolean,
    inside: (host: number) => string,
    outside: (host: number) => string,
    values: ScriptValues,
  ) {
    this.#appliance = appliance;
    this.#relays = relays;
    this.#door = door;
    this.hasMedia = hasMedia;
    this.#media = { inner: [inside(11), inside(12)], outer: [outside(11), outside(12)] };
    this.#phones = { inner: inside(101), outer: outside(101) };
    this.natAddress = outside(254);
    this.values = values;
  }

  static async start(
    { kinds, isFake }: Relays,
    door: Door,
    startProxy: (values: ScriptValues) => Promise<RunningProxy>,
  ): Promise<SipLab> {
    const inside = loopbackNetwork();
    const outside = loopbackNetwork();
    const isAlone = door === 'rtpengine';
    const ngListen = `udp:127.0.0.1:${await freeUdpPort()}`;
    const appliance = isAlone ? undefined : await startLabAppliance({ ngListen });
    const relays: LabRelay[] = [];
    for (const [index, kind] of kinds.entries()) {
      relays.push(
        await startRelay(kind, isFake, inside(11 + index), isAlone ? outside(11 + index) : undefined),
      );
    }
    const address = inside(1);
    const insideHop = await freeSipPort(inside(101));
    const outsideHop = await freeSipPort(outside(101));
    const values: ScriptValues = {
      listen: { address, port: await freeSipPort(address) },
      insideNet: inside(0).replace(/$/, '/24'),
      insideHop: `${inside(101)}:${insideHop}`,
      outsideHop: `${outside(101)}:${outsideHop}`,
      url: appliance?.url ?? '',
      token: TOKEN,
      ngSocket: isAlone ? (relays[0]?.socket ?? '') : ngListen,
    };
    const lab = new SipLab(appliance, relays, door, !isFake, inside, outside, values);
    if (!isAlone) await lab.addNodes();
    lab.#proxy = await startProxy(values);

    return lab;
  }

  get appliance(): Appliance {
    if (this.#appliance === undefined) throw new Error('there is no appliance in this lab');

    return this.#appliance;
  }

  /** SIGKILL; another one goes on where it was. Nothing if there is none. */
  async replaceAppliance(): Promise<void> {
    if (this.#appliance === undefined) return;
    const { database, url } = this.#appliance;
    await this.#appliance.kill();
    const port = Number(new URL(url).port);
    this.#appliance = await startLabAppliance({ database, port, ngListen: this.values.ngSocket });
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
      throw new Error(`${problems.join('\n')}\n${this.#proxy?.log()}\n${this.#appliance?.output() ?? ''}`);
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
    if (this.#appliance === undefined) return;
    await poll(
      async () => {
        const { calls } = (await this.appliance.api('GET', '/v1/calls')) as { calls: unknown[] };

        return calls.length === 0 ? true : undefined;
      },
      () => `the appliance still holds calls:\n${this.appliance.output()}`,
      3000,
    );
  }

  /**
   * The appliance says so of a call that is over. An ng client does not tell it why, and `rtp_relay` does not name the caller in a delayed
   * offer, so it takes whoever made that for the caller.
   */
  async expectEnded(endpoint: Sipp, way: 'out' | 'in', reason: string, isDelayed = false): Promise<void> {
    if (this.#appliance === undefined) return;
    const isNg = this.#door === 'ng';
    const callId = endpoint.messages()[0]?.callId ?? '';
    expect(await this.appliance.api('GET', `/v1/calls/${encodeURIComponent(callId)}`)).toMatchObject({
      direction: isNg && isDelayed ? expect.stringMatching(/^(?:out|in)$/) : way,
      state: 'ended',
      end_reason: isNg ? 'delete' : reason,
    });
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    await this.#appliance?.stop();
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
