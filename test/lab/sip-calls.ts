/** The calls both proxies are tested with, as the scripts of the documents must carry them. */

import { expect } from 'bun:test';
import type { Gateway } from './gateway.ts';
import { converse, Phone } from './phone.ts';
import { poll } from './processes.ts';
import { audioOf, type Endpoint, readSdp } from './sdp.ts';
import type { SipLab } from './sip-lab.ts';
import { addressesSeen, type Sipp } from './sipp.ts';
import { sdpsIn } from './sipp-messages.ts';
import { offerBody, type Step } from './sipp-scenario.ts';

const CALLER_PORT = 6000;
const CALLEE_PORT = 7000;
/** What each phone says before and after the re-INVITE. */
const PACKETS = 15;
/** Time for the first talk and for another appliance to start; then time for the second talk, ms. */
const FIRST_MS = 3000;
const SECOND_MS = 1500;

/** Name, steps of both ends, and how the appliance must say it ended. */
export interface SipCase {
  readonly name: string;
  readonly caller: readonly Step[];
  readonly callee: readonly Step[];
  readonly endReason: string;
  /** How many SDPs each end must have received, at least. */
  readonly sdps: readonly [caller: number, callee: number];
  /** Whether the callee makes the first offer. */
  readonly isDelayed?: boolean;
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
    isDelayed: true,
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
  if (callee !== undefined) expectAlike(caller, callee);
  await lab.expectAllOver();
  await lab.expectEnded(caller, way, sipCase.endReason, sipCase.isDelayed);
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

/**
 * A call of two phones in which the appliance is killed and another one takes its place, then the callee sends a re-INVITE. They
 * hear each other all the time, where relays relay.
 */
export async function runTalk(lab: SipLab, way: 'out' | 'in'): Promise<void> {
  const gateway = lab.openGateway();
  const phones: Phone[] = [];
  try {
    const sides = way === 'out' ? (['inner', 'outer'] as const) : (['outer', 'inner'] as const);
    const [caller, callee] = [
      await openPhone(lab, gateway, way, 'caller', sides[0]),
      await openPhone(lab, gateway, way, 'callee', sides[1]),
    ];
    phones.push(caller.phone, callee.phone);
    const ends = await lab.begin(
      way,
      'talk',
      [
        { send: 'INVITE', sdp: bodyOf(caller.shown, 1) },
        { response: 200, maybe: [100] },
        { send: 'ACK' },
        { request: 'INVITE' },
        { reply: '200 OK', sdp: bodyOf(caller.shown, 2) },
        { request: 'ACK' },
        { pauseMs: SECOND_MS },
        { send: 'BYE' },
        { response: 200 },
      ],
      [
        { request: 'INVITE' },
        { reply: '200 OK', sdp: bodyOf(callee.shown, 1) },
        { request: 'ACK' },
        { pauseMs: FIRST_MS },
        { send: 'INVITE', sdp: bodyOf(callee.shown, 2) },
        { response: 200, maybe: [100] },
        { send: 'ACK' },
        { request: 'BYE' },
        { reply: '200 OK' },
      ],
    );
    const parties = [
      { ...caller, end: ends.caller },
      { ...callee, end: ends.callee as Sipp },
    ] as const;
    await listen(gateway, parties, 1);
    expect(await lab.countOnRelays()).toBe(1);
    await Promise.all([
      lab.replaceAppliance(),
      lab.hasMedia && converse(caller.phone, callee.phone, PACKETS),
    ]);
    await listen(gateway, parties, 2);
    if (lab.hasMedia) await converse(caller.phone, callee.phone, PACKETS);
    await lab.finish(ends);
    const wanted = { partner: lab.hasMedia ? 2 * PACKETS : 0, echo: 0, foreign: 0, elsewhere: 0 };
    expect([caller.phone.heard, callee.phone.heard]).toEqual([wanted, wanted]);
    await lab.expectRightAddresses(way, ends.caller, ends.callee);
    expectAlike(ends.caller, ends.callee as Sipp);
    await lab.expectAllOver();
    await lab.expectEnded(ends.caller, way, 'bye');
  } finally {
    for (const phone of phones) phone.close();
    gateway.close();
  }
}

interface LabPhone {
  readonly side: 'inner' | 'outer';
  readonly phone: Phone;
  /** What its own SDP says. */
  readonly shown: Endpoint;
}

/** A phone on one side; as in a cloud it has no route to the addresses of the other. */
async function openPhone(
  lab: SipLab,
  gateway: Gateway,
  call: string,
  name: 'caller' | 'callee',
  side: 'inner' | 'outer',
): Promise<LabPhone> {
  const phone = await Phone.open({
    call,
    side: name,
    partner: name === 'caller' ? 'callee' : 'caller',
    address: lab.phoneOf(side),
    reaches: (address) => gateway.reaches(address) === (side === 'outer'),
  });

  return { side, phone, shown: side === 'outer' ? await gateway.admit(phone.local) : phone.local };
}

function bodyOf({ address, port }: Endpoint, version: number): string {
  return offerBody(port, 'sendrecv', version).replaceAll('[local_ip]', address);
}

/** Waits until both ends have received so many SDPs, and points their phones at what the last one says. */
async function listen(
  gateway: Gateway,
  parties: readonly (LabPhone & { readonly end: Sipp })[],
  count: number,
): Promise<void> {
  for (const { end, phone, side } of parties) {
    const told = await poll(
      () => sdpsIn(end.messages(), true)[count - 1],
      () => `no SDP number ${count} for the phone on the ${side} side`,
    );
    const remote = audioOf(told);
    if (side === 'outer') await gateway.open(remote);
    phone.pointAt(remote);
  }
}

/** What must not depend on the relay: each end has heard what the other said of hold, and of one place for its media. */
function expectAlike(caller: Sipp, callee: Sipp): void {
  const modes = (end: Sipp, isReceived: boolean) =>
    sdpsIn(end.messages(), isReceived).map((sdp) => audioOf(sdp).mode);
  expect(modes(caller, true)).toEqual(modes(callee, false));
  expect(modes(callee, true)).toEqual(modes(caller, false));
  for (const end of [caller, callee]) {
    const places = sdpsIn(end.messages(), true).flatMap((sdp) =>
      readSdp(sdp).streams.map(({ address, port }) => `${address}:${port}`),
    );
    expect(new Set(places).size).toBeLessThanOrEqual(1);
  }
}

function countSdps(endpoint: Sipp | undefined): number {
  return endpoint?.messages().filter(({ isReceived, sdp }) => isReceived && sdp !== '').length ?? 0;
}
