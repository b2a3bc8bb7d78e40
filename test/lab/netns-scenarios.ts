/** The calls that are placed in the namespaces: what both endpoints do, and when their phones talk. */

import type { LabCall } from './netns-call.ts';
import type { Way } from './netns-lab.ts';
import { OTHER_PART, offerBody, type Step } from './sipp-scenario.ts';

export interface NetnsScenario {
  readonly name: string;
  readonly caller: readonly Step[];
  readonly callee: readonly Step[];
  /** A second callee, who rings too and does not get the call. */
  readonly loser?: readonly Step[];
  /** Both ways if missing. */
  readonly ways?: readonly Way[];
  /** What happens in the course of it. */
  readonly play: (call: LabCall) => Promise<void>;
}

/** SDP of an endpoint, with a port of its own for each call; SIPp itself takes the ports below. */
const sdp = (mode = 'sendrecv', version = 1): string => offerBody('[auto_media_port+10000]', mode, version);

const signal: Step = { wait: 'signal' };
const ringsAndAnswers: readonly Step[] = [
  { request: 'INVITE' },
  { reply: '180 Ringing' },
  { reply: '200 OK', sdp: sdp() },
  { request: 'ACK' },
];
const calls: readonly Step[] = [
  { send: 'INVITE', sdp: sdp() },
  { response: 200, maybe: [100, 180] },
  { send: 'ACK' },
];
const hangsUp: readonly Step[] = [{ send: 'BYE' }, { response: 200 }];
const isHungUpOn: readonly Step[] = [{ request: 'BYE' }, { reply: '200 OK' }];

/** A call that stands until it is told to end. */
export const STANDING = {
  caller: [...calls, signal, ...hangsUp],
  callee: [...ringsAndAnswers, ...isHungUpOn],
} as const;

const triesToReinvite = (version: number): readonly Step[] => [
  { send: 'INVITE', sdp: sdp('sendrecv', version) },
  { response: 200, or: 503, maybe: [100] },
  { send: 'ACK' },
];
const mayBeReinvited = (version: number): readonly Step[] => [
  { request: 'INVITE', unless: 'BYE' },
  { reply: '200 OK', sdp: sdp('sendrecv', version) },
  { request: 'ACK' },
];

/** A call with two re-INVITEs of the caller, each on a signal, which may be refused. Its callee takes calls without any as well. */
export const CHANGING = {
  caller: [...calls, signal, ...triesToReinvite(2), signal, ...triesToReinvite(3), signal, ...hangsUp],
  callee: [...ringsAndAnswers, ...mayBeReinvited(2), ...mayBeReinvited(3), ...isHungUpOn],
} as const;

/** Sends a re-INVITE. */
function reinvites(mode: string, version: number): readonly Step[] {
  return [{ send: 'INVITE', sdp: sdp(mode, version) }, { response: 200, maybe: [100] }, { send: 'ACK' }];
}

/** Answers it. */
function isReinvited(mode: string, version: number): readonly Step[] {
  return [{ request: 'INVITE' }, { reply: '200 OK', sdp: sdp(mode, version) }, { request: 'ACK' }];
}

const holds: readonly Step[] = [
  signal,
  ...reinvites('sendonly', 2),
  signal,
  ...reinvites('sendrecv', 3),
  signal,
  ...hangsUp,
];
const isHeld: readonly Step[] = [...isReinvited('recvonly', 2), ...isReinvited('sendrecv', 3), ...isHungUpOn];

/** The holder plays music meanwhile. Every offer and answer names the relay again. */
function holdBy(holder: 'caller' | 'callee'): (call: LabCall) => Promise<void> {
  return async (call) => {
    const other = holder === 'caller' ? call.callee : call.caller;
    await other.passed('ACK');
    await call.talk();
    await call[holder].signal();
    await other.passed('ACK', 2);
    await call.play(holder);
    await call[holder].signal();
    await other.passed('ACK', 3);
    await call.talk();
    await call[holder].signal();
  };
}

/** Talks once the ACK is there, then hangs up. */
async function talkThenEnd(call: LabCall): Promise<void> {
  await call.callee.passed('ACK');
  await call.talk();
  await call.caller.signal();
}

const RELIABLE = ['Require: 100rel', 'RSeq: 1'];
const PRACK = { send: 'PRACK', headers: ['RAck: 1 1 INVITE'] } as const;

export const SCENARIOS: readonly NetnsScenario[] = [
  {
    name: 'basic',
    caller: [...calls, signal, ...hangsUp],
    callee: [...ringsAndAnswers, ...isHungUpOn],
    play: talkThenEnd,
  },
  {
    name: 'early media, BYE of the callee',
    caller: [
      { send: 'INVITE', sdp: sdp() },
      { response: 183, maybe: [100] },
      { response: 200 },
      { send: 'ACK' },
      ...isHungUpOn,
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: sdp() },
      signal,
      { reply: '200 OK', sdp: sdp() },
      { request: 'ACK' },
      signal,
      ...hangsUp,
    ],
    async play(call) {
      await call.caller.passed('SIP/2.0 183');
      await call.talk();
      await call.callee.signal();
      await call.callee.passed('ACK');
      await call.talk();
      await call.callee.signal();
    },
  },
  {
    name: 'delayed offer',
    caller: [
      { send: 'INVITE' },
      { response: 200, maybe: [100, 180] },
      { send: 'ACK', sdp: sdp() },
      signal,
      ...hangsUp,
    ],
    callee: [...ringsAndAnswers, ...isHungUpOn],
    play: talkThenEnd,
  },
  {
    name: 'hold and resume by the caller',
    caller: [...calls, ...holds],
    callee: [...ringsAndAnswers, ...isHeld],
    play: holdBy('caller'),
  },
  {
    name: 'hold and resume by the callee',
    caller: [...calls, ...isHeld],
    callee: [...ringsAndAnswers, ...holds],
    play: holdBy('callee'),
  },
  {
    name: 're-INVITE by the callee',
    caller: [...calls, ...isReinvited('sendrecv', 2), signal, ...hangsUp],
    callee: [...ringsAndAnswers, signal, ...reinvites('sendrecv', 2), ...isHungUpOn],
    async play(call) {
      await call.callee.passed('ACK');
      await call.talk();
      await call.callee.signal();
      await call.caller.passed('ACK', 2);
      await call.talk();
      await call.caller.signal();
    },
  },
  {
    name: 'CANCEL after early media',
    caller: [
      { send: 'INVITE', sdp: sdp() },
      { response: 183, maybe: [100] },
      signal,
      { send: 'CANCEL' },
      { response: 200 },
      { response: 487 },
      { send: 'ACK' },
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: sdp() },
      { request: 'CANCEL' },
      { reply: '200 OK' },
      { replyToInvite: '487 Request Terminated' },
      { request: 'ACK' },
    ],
    async play(call) {
      await call.caller.passed('SIP/2.0 183');
      await call.talk();
      await call.caller.signal();
    },
  },
  {
    name: 'busy',
    caller: [{ send: 'INVITE', sdp: sdp() }, { response: 486, maybe: [100] }, { send: 'ACK' }],
    callee: [{ request: 'INVITE' }, { reply: '486 Busy Here' }, { request: 'ACK' }],
    play: async () => undefined,
  },
  {
    name: 'fork: two ring with early media, the second answers',
    ways: ['out'],
    caller: [
      { send: 'INVITE', sdp: sdp() },
      { response: 183, maybe: [100], isOneOfMany: true },
      { response: 183, isOneOfMany: true },
      { response: 200 },
      { send: 'ACK' },
      signal,
      ...reinvites('sendrecv', 2),
      ...isReinvited('sendrecv', 3),
      signal,
      ...hangsUp,
    ],
    callee: [
      { request: 'INVITE' },
      signal,
      { reply: '183 Session Progress', sdp: sdp() },
      signal,
      { reply: '200 OK', sdp: sdp() },
      { request: 'ACK' },
      ...isReinvited('sendrecv', 2),
      signal,
      ...reinvites('sendrecv', 3),
      ...isHungUpOn,
    ],
    loser: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: sdp() },
      { request: 'CANCEL' },
      { reply: '200 OK' },
      { replyToInvite: '487 Request Terminated' },
      { request: 'ACK' },
    ],
    async play(call) {
      await call.caller.passed('SIP/2.0 183');
      await call.callee.signal();
      await call.caller.passed('SIP/2.0 183', 2);
      await call.callee.signal();
      await call.callee.passed('ACK');
      await call.talk();
      await call.caller.signal();
      await call.callee.passed('ACK', 2);
      await call.talk();
      await call.callee.signal();
      await call.caller.passed('ACK', 3);
      await call.talk();
      await call.caller.signal();
    },
  },
  {
    name: 'PRACK and UPDATE',
    caller: [
      { send: 'INVITE', sdp: sdp(), headers: ['Supported: 100rel'] },
      { response: 183, maybe: [100] },
      PRACK,
      { response: 200 },
      { send: 'UPDATE', sdp: sdp('sendrecv', 2) },
      { response: 200 },
      { response: 200 },
      { send: 'ACK' },
      signal,
      ...hangsUp,
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: sdp(), headers: RELIABLE },
      { request: 'PRACK' },
      { reply: '200 OK' },
      { request: 'UPDATE' },
      { reply: '200 OK', sdp: sdp('sendrecv', 2) },
      { replyToInvite: '200 OK' },
      { request: 'ACK' },
      ...isHungUpOn,
    ],
    play: talkThenEnd,
  },
  {
    name: 'offer in a reliable 183, answer in the PRACK',
    caller: [
      { send: 'INVITE', headers: ['Supported: 100rel'] },
      { response: 183, maybe: [100] },
      { ...PRACK, sdp: sdp() },
      { response: 200 },
      { response: 200 },
      { send: 'ACK' },
      signal,
      ...hangsUp,
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '183 Session Progress', sdp: sdp(), headers: RELIABLE },
      { request: 'PRACK' },
      { reply: '200 OK' },
      { replyToInvite: '200 OK' },
      { request: 'ACK' },
      ...isHungUpOn,
    ],
    play: talkThenEnd,
  },
  {
    name: 'multipart bodies',
    caller: [
      { send: 'INVITE', sdp: sdp(), isMultipart: true },
      { response: 200, maybe: [100] },
      { send: 'ACK' },
      signal,
      ...hangsUp,
    ],
    callee: [
      { request: 'INVITE' },
      { reply: '200 OK', sdp: sdp(), isMultipart: true },
      { request: 'ACK' },
      ...isHungUpOn,
    ],
    async play(call) {
      await call.callee.passed('ACK');
      for (const party of [call.caller, call.callee]) {
        const bodies = party.messages.filter(({ isReceived, body }) => isReceived && body !== '');
        if (bodies.some(({ body }) => !body.includes(OTHER_PART))) {
          throw new Error(`the ${party.side} side misses the other part:\n${bodies[0]?.body}`);
        }
      }
      await talkThenEnd(call);
    },
  },
];
