/** The calls both proxies are tested with, as the scripts of the documents must carry them. */

import { expect } from 'bun:test';
import { type Appliance, ensureBinary, settled, startAppliance } from './appliance.ts';
import { freeSipPort, freeUdpPort, loopbackNetwork } from './ports.ts';
import { poll, sweep } from './processes.ts';
import { expectEmpty } from './relays.ts';
import { type Rtpengine, startRtpengine } from './rtpengine.ts';
import { addressesSeen, offerBody, type Scenario, type Sipp, type Step, startSipp } from './sipp.ts';

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
const CALLER_PORT = 6000;
const CALLEE_PORT = 7000;

/** Two relays, the compiled appliance, one proxy: what the proxies' tests run in. */
export class SipLab {
  readonly appliance: Appliance;
  readonly values: ScriptValues;
  readonly #relays: readonly Rtpengine[];
  readonly #sockets: readonly string[];
  readonly #media: { readonly inner: readonly string[]; readonly outer: readonly string[] };
  readonly #phones: { readonly inner: string; readonly outer: string };
  #proxy: RunningProxy | undefined;

  private constructor(
    appliance: Appliance,
    relays: readonly Rtpengine[],
    sockets: readonly string[],
    inside: (host: number) => string,
    outside: (host: number) => string,
    values: ScriptValues,
  ) {
    this.appliance = appliance;
    this.#relays = relays;
    this.#sockets = sockets;
    this.#media = { inner: [inside(11), inside(12)], outer: [outside(11), outside(12)] };
    this.#phones = { inner: inside(101), outer: outside(101) };
    this.values = values;
  }

  static async start(startProxy: (values: ScriptValues) => Promise<RunningProxy>): Promise<SipLab> {
    const inside = loopbackNetwork();
    const outside = loopbackNetwork();
    const binary = await ensureBinary();
    const appliance = await startAppliance({ binary, token: TOKEN });
    const relays: Rtpengine[] = [];
    const sockets: string[] = [];
    for (const host of [11, 12]) {
      const address = inside(host);
      const ngPort = await freeUdpPort(address);
      relays.push(
        await startRtpengine({ ngAddress: address, ngPort, address, portMin: 30_000, portMax: 30_999 }),
      );
      sockets.push(`udp:${address}:${ngPort}`);
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
    const lab = new SipLab(appliance, relays, sockets, inside, outside, values);
    await lab.addNodes();
    lab.#proxy = await startProxy(values);

    return lab;
  }

  async addNodes(): Promise<void> {
    for (const [index, socket] of this.#sockets.entries()) {
      await this.appliance.api('POST', '/v1/nodes', {
        id: index + 1,
        socket,
        inner_media_ip: this.#media.inner[index],
        out_media_ip: this.#media.outer[index],
      });
      await settled(this.appliance, index + 1);
    }
  }

  async removeNodes(): Promise<void> {
    for (const index of this.#sockets.keys()) await this.appliance.api('DELETE', `/v1/nodes/${index + 1}`);
  }

  /** Media addresses of the relays as one side must see them. */
  mediaOf(side: 'inner' | 'outer'): readonly string[] {
    return this.#media[side];
  }

  /**
   * Places one call between two SIPp endpoints and waits for its end.
   * @param way `out` = the caller is inside
   */
  async call(
    way: 'out' | 'in',
    name: string,
    callerSteps: readonly Step[],
    calleeSteps: readonly Step[] | undefined,
  ): Promise<{ caller: Sipp; callee: Sipp | undefined }> {
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
    const problems = [await caller.done(), await callee?.done()].filter((problem) => problem !== undefined);
    if (problems.length > 0) {
      throw new Error(`${problems.join('\n')}\n${this.#proxy?.log()}\n${this.appliance.output()}`);
    }

    return { caller, callee };
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

  /** Nothing is left on the relays, and the appliance holds all calls for ended. */
  async expectAllOver(): Promise<void> {
    await expectEmpty(this.#sockets);
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

/** Name, steps of both ends, and how the appliance must say it ended. */
export interface SipCase {
  readonly name: string;
  readonly caller: readonly Step[];
  readonly callee: readonly Step[];
  readonly endReason: string;
  /** How many SDPs each end must have received, at least. */
  readonly sdps: readonly [caller: number, callee: number];
}

const offer = offerBody(CALLER_PORT);
const answer = offerBody(CALLEE_PORT);

export const SIP_CASES: readonly SipCase[] = [
  {
    name: 'early media, re-INVITE of either side, BYE of the caller',
    caller: [
      { send: 'INVITE', sdp: offer },
      { response: 183, maybe: [100] },
      { response: 200, maybe: [180] },
      { send: 'ACK' },
      { send: 'INVITE', sdp: offerBody(CALLER_PORT, 'sendonly', 2) },
      { response: 200, maybe: [100] },
      { send: 'ACK' },
      { request: 'INVITE' },
      { reply: '200 OK', sdp: offerBody(CALLER_PORT, 'recvonly', 3) },
      { request: 'ACK' },
      { send: 'BYE' },
      { response: 200 },
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: answer },
      { pauseMs: 100 },
      { reply: '200 OK', sdp: answer },
      { request: 'ACK' },
      { request: 'INVITE' },
      { reply: '200 OK', sdp: offerBody(CALLEE_PORT, 'recvonly', 2) },
      { request: 'ACK' },
      { send: 'INVITE', sdp: offerBody(CALLEE_PORT, 'sendonly', 3) },
      { response: 200, maybe: [100] },
      { send: 'ACK' },
      { request: 'BYE' },
      { reply: '200 OK' },
    ],
    endReason: 'bye',
    sdps: [4, 3],
  },
  {
    name: 'delayed offer, BYE of the callee',
    caller: [
      { send: 'INVITE' },
      { response: 200, maybe: [100, 180] },
      { send: 'ACK', sdp: answer },
      { request: 'BYE' },
      { reply: '200 OK' },
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '180 Ringing' },
      { pauseMs: 50 },
      { reply: '200 OK', sdp: offer },
      { request: 'ACK' },
      { send: 'BYE' },
      { response: 200 },
    ],
    endReason: 'bye',
    sdps: [1, 1],
  },
  {
    name: 'CANCEL after early media',
    caller: [
      { send: 'INVITE', sdp: offer },
      { response: 183, maybe: [100] },
      { send: 'CANCEL' },
      { response: 200 },
      { response: 487 },
      { send: 'ACK' },
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: answer },
      { request: 'CANCEL' },
      { reply: '200 OK' },
      { replyToInvite: '487 Request Terminated' },
      { request: 'ACK' },
    ],
    endReason: '487',
    sdps: [1, 1],
  },
  {
    name: 'busy',
    caller: [{ send: 'INVITE', sdp: offer }, { response: 486, maybe: [100] }, { send: 'ACK' }],
    callee: [{ request: 'INVITE' }, { reply: '486 Busy Here' }, { request: 'ACK' }],
    endReason: '486',
    sdps: [0, 1],
  },
];

/** Runs one of the cases and checks all that can be checked. */
export async function runCase(lab: SipLab, way: 'out' | 'in', sipCase: SipCase): Promise<void> {
  const name = sipCase.name.replace(/\W+/g, '-');
  const { caller, callee } = await lab.call(way, name, sipCase.caller, sipCase.callee);
  const [toCaller, toCallee] = sipCase.sdps;
  expect(countSdps(caller)).toBeGreaterThanOrEqual(toCaller);
  expect(countSdps(callee)).toBeGreaterThanOrEqual(toCallee);
  if (toCaller > 0) await lab.expectRightAddresses(way, caller, callee);
  else if (callee !== undefined) {
    const calleeSide = way === 'out' ? 'outer' : 'inner';
    for (const address of addressesSeen(callee)) expect(lab.mediaOf(calleeSide)).toContain(address);
  }
  await lab.expectAllOver();
  expect(await lab.callOf(caller)).toMatchObject({
    direction: way,
    state: 'ended',
    end_reason: sipCase.endReason,
  });
}

/** A call with SDP that must be refused at once, before anybody is called. */
async function expectRefused(lab: SipLab, name: string): Promise<void> {
  const { caller } = await lab.call(
    'out',
    name,
    [{ send: 'INVITE', sdp: offer }, { response: 503, maybe: [100] }, { send: 'ACK' }],
    undefined,
  );
  expect(countSdps(caller)).toBe(0);
}

/** Without a node the caller hears 503. */
export async function runWithoutNodes(lab: SipLab): Promise<void> {
  await lab.removeNodes();
  await expectRefused(lab, 'no-node');
  await lab.expectAllOver();
  await lab.addNodes();
}

/** Without the appliance too: no call goes on with an SDP nobody has looked at. To be run last. */
export async function runWithoutAppliance(lab: SipLab): Promise<void> {
  await lab.appliance.kill();
  await expectRefused(lab, 'no-appliance');
}

function countSdps(endpoint: Sipp | undefined): number {
  return endpoint?.messages().filter(({ isReceived, sdp }) => isReceived && sdp !== '').length ?? 0;
}
