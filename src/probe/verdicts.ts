/** What the probe calls of a node say of its addresses, its impose mode and its media, and what to do. Pure. */

import { Failure } from '../domain/errors.ts';
import type { Node } from '../domain/node.ts';
import { RelayFailure } from '../relay/driver.ts';
import { sameAddress } from '../util/ip.ts';
import type { ProbeCallResult, Shown, Talk } from './call.ts';
import type { Heard } from './conversation.ts';
import { detourCheck, type Unreached } from './detour.ts';
import { type Check, finding, rounded } from './report.ts';

/** More loss than this is told, percent. */
export const LOSSY_PERCENT = 5;
/** With as much loss as this nobody understands a word, percent. */
const MUTE_PERCENT = 50;

const WORSE: readonly Check['result'][] = ['ok', 'warning', 'failed'];

/** What the calls show of each address, the worst of each. */
export function addressChecks(node: Node, calls: readonly ProbeCallResult[]): Check[] {
  const byPlace = new Map<string, Check>();
  for (const { offer, answer, left, callId } of calls) {
    for (const shown of answer === null ? [offer] : [offer, answer]) {
      const check = addressCheck(
        node,
        shown,
        shown.failure === null && left !== null ? leftText(callId, left) : '',
      );
      const key = `${check.side} ${check.family}`;
      const before = byPlace.get(key);
      if (before === undefined || WORSE.indexOf(check.result) > WORSE.indexOf(before.result))
        byPlace.set(key, check);
    }
  }

  return [...byPlace.values()];
}

function leftText(callId: string, why: string): string {
  return `the probe call ${callId} could not be deleted: ${why}`;
}

function addressCheck(node: Node, shown: Shown, left: string): Check {
  const { side, wanted, failure, tookMs } = shown;
  const place = { side, family: wanted.family };
  if (failure !== null) {
    const { detail, advice } = failureText(node, shown, failure);

    return { ...finding('address', 'failed', detail, { advice, tookMs }), ...place };
  }
  const detail = `the SDP shows ${wanted.address}`;

  return left === ''
    ? { ...finding('address', 'ok', detail, { tookMs }), ...place }
    : {
        ...finding('address', 'warning', `${detail}, but ${left}`, { advice: LEFT_ADVICE, tookMs }),
        ...place,
      };
}

const LEFT_ADVICE = 'The relay ends it by its own timer; see why it does not answer a delete';

function failureText(
  node: Node,
  shown: Shown,
  failure: RelayFailure | Failure,
): { detail: string; advice: string } {
  if (failure instanceof Failure) {
    // `imposeCheck` says what to do, once.
    const advice = node.kind === 'rtpengine' && isOther(shown) ? '' : addressAdvice(node);

    return { detail: failure.message, advice };
  }
  const { kind, reason } = failure;
  const detail = `the offer failed: ${reason}`;
  switch (kind) {
    case 'refused':
      return {
        detail,
        advice:
          'The relay takes no new calls: see its limits (max-sessions, max-load, ports), and whether somebody drains it at the relay itself',
      };
    case 'silent':
    case 'unreachable':
      return {
        detail,
        advice:
          'It answers a ping but no offer: see its log; it may hang, or a packet filter may drop larger packets',
      };
    case 'busy':
      return { detail, advice: 'This host could not send; see its own limits, then try again' };
    default:
      return {
        detail,
        advice: `See the log of the ${node.kind}; its media addresses may be none of its host`,
      };
  }
}

function addressAdvice(node: Node): string {
  return node.imposeMode === 'interface'
    ? `Start rtpengine with ${interfacesOf(node)}; behind a 1:1 NAT write NAME/LOCAL!ADVERTISED. Or use impose mode media-address`
    : 'The relay shows an address that is none of the node: correct the media addresses of the node, or its socket, if that is another relay';
}

/** The settings of rtpengine that belong to impose mode `interface`. */
function interfacesOf({ mediaAddresses }: Node): string {
  return mediaAddresses.map(({ interface: name, address }) => `--interface=${name}/${address}`).join(' ');
}

/** Whether the relay wrote another address than was wanted. */
function isOther({ written, wanted }: Shown): boolean {
  return written !== null && !sameAddress(written, wanted.address);
}

/** Whether the relay itself writes the address that is asked for. Null if no call tells. */
export function imposeCheck(node: Node, calls: readonly ProbeCallResult[]): Check | null {
  const all = calls.flatMap(({ offer, answer }) => (answer === null ? [offer] : [offer, answer]));
  const told = all.filter(({ written }) => written !== null);
  const other = told.find(isOther);
  if (told.length === 0) return null;
  if (node.kind === 'rtpproxy')
    return finding('impose-mode', 'ok', 'the SDP of an rtpproxy is written by rtp_cluster');
  if (other === undefined)
    return finding('impose-mode', 'ok', `${node.imposeMode}: the relay writes the address of each side`);
  const detail = `${node.imposeMode}: for side ${other.side} the relay wrote ${other.written}; wanted is ${other.wanted.address}`;
  if (node.imposeMode === 'interface')
    return finding('impose-mode', 'failed', detail, {
      advice: isExchanged(node, told) ? EXCHANGED_ADVICE : addressAdvice(node),
    });
  const isOwn = other.failure === null;

  return finding('impose-mode', isOwn ? 'warning' : 'failed', detail, {
    advice: isOwn
      ? 'rtp_cluster puts it right in the SDP; see why the relay ignores the key media-address'
      : addressAdvice(node),
  });
}

const EXCHANGED_ADVICE =
  'The relay knows both interfaces by the other name: exchange the interface names of the node, or those of the relay';

/** Whether the relay wrote the address of another side for each of them. */
function isExchanged({ mediaAddresses }: Node, told: readonly Shown[]): boolean {
  return told.every(
    (shown) =>
      isOther(shown) && mediaAddresses.some(({ address }) => sameAddress(shown.written ?? '', address)),
  );
}

/**
 * Whether audio passes, for each call that was to have any; and what it means if it does not pass by an address that is shown.
 * @param others the nodes of the fleet
 */
export function mediaChecks(node: Node, others: readonly Node[], calls: readonly ProbeCallResult[]): Check[] {
  return calls.flatMap((call) => {
    const { route, offer, answer, talk } = call;
    if (!route.hasMedia) return [];
    const place = { side: `${route.from}>${route.to}`, family: offer.wanted.family };
    if (talk === null) {
      const why =
        answer?.failure == null
          ? 'there was no call to talk in'
          : `the answer failed: ${reasonOf(answer.failure)}`;

      return [{ ...finding('media', 'skipped', why), ...place }];
    }

    return [
      { ...talkCheck(call, talk), ...place },
      ...unreachedIn(call).map((unreached) => detourCheck(node, others, unreached)),
    ];
  });
}

export function reasonOf(failure: RelayFailure | Failure): string {
  return failure instanceof RelayFailure ? failure.reason : failure.message;
}

/** What the talk of one call says. `unsaid`: it could not be tried from this host. */
export type TalkVerdict = 'ok' | 'lossy' | 'failed' | 'unsaid';

export function verdictOf(talk: Talk | string): TalkVerdict {
  if (typeof talk === 'string') return 'unsaid';
  const both = [talk.there, talk.back];
  if (both.some(({ isWayless }) => isWayless)) return 'unsaid';
  if (both.some(({ lossPercent }) => lossPercent >= MUTE_PERCENT)) return 'failed';

  return both.some(({ lossPercent }) => lossPercent > LOSSY_PERCENT) ? 'lossy' : 'ok';
}

/** `inner to outer 25 of 25 packets, 0.4 ms; outer to inner no packet`. */
export function talkText({ route: { from, to } }: ProbeCallResult, { there, back }: Talk): string {
  return `${from} to ${to} ${heardText(there)}; ${to} to ${from} ${heardText(back)}`;
}

function heardText({ sent, received, delayMs, reordered, duplicates, isWayless }: Heard): string {
  if (isWayless) return 'not sent, there is no way from this host';
  if (received === 0 || delayMs === null) return 'no packet came through';
  const more = [
    ...(reordered === 0 ? [] : [`${reordered} out of order`]),
    ...(duplicates === 0 ? [] : [`${duplicates} twice`]),
  ];

  return [`${received} of ${sent} packets`, `${rounded(delayMs)} ms`, ...more].join(', ');
}

function talkCheck(call: ProbeCallResult, talk: Talk | string): Check {
  if (typeof talk === 'string') return finding('media', 'skipped', talk);
  const { there, back, tookMs } = talk;
  const verdict = verdictOf(talk);
  const detail = talkText(call, talk);
  switch (verdict) {
    case 'unsaid':
      return finding('media', 'skipped', detail, { tookMs });
    case 'failed':
      return finding('media', 'failed', detail, { advice: failedAdvice(there, back), tookMs });
    case 'lossy':
      return finding('media', 'warning', detail, {
        advice: LOSS_ADVICE,
        tookMs,
      });
    case 'ok':
      break;
  }
  const hosts = [
    ...new Set([there, back].flatMap((heard) => (heard.targetIndex > 0 ? [heard.target.host] : []))),
  ];

  return finding('media', 'ok', hosts.length === 0 ? detail : `${detail}; sent to ${hosts.join(' and ')}`, {
    tookMs,
  });
}

/** Addresses of a call that nothing came through by, though audio passes by others of the node. */
function unreachedIn({ offer, answer, talk }: ProbeCallResult): Unreached[] {
  if (talk === null || typeof talk === 'string') return [];
  const ways = [
    { heard: talk.there, shown: answer },
    { heard: talk.back, shown: offer },
  ];

  return ways.flatMap(({ heard, shown }) =>
    shown === null || heard.received === 0 || heard.targetIndex === 0
      ? []
      : [{ side: shown.side, family: shown.wanted.family, address: shown.wanted.address }],
  );
}

const LOSS_ADVICE =
  'Packets are lost between this host and the relay, or in it, or it hung or restarted just now: look again; if it stays, at its load, its errors and the way to it';

function failedAdvice(there: Heard, back: Heard): string {
  const mute = [there, back].filter(({ received }) => received === 0);
  if (mute.length === 0) return LOSS_ADVICE;
  const targets = mute.map(({ target: { host, port } }) => `${host} port ${port}`).join(' and ');
  const both =
    mute.length === 2
      ? 'Let the media ports of the relay (its port-min to port-max, UDP) through from this host and back'
      : 'Packets pass one way only: let the media ports of the relay through in both directions';

  return `${both}; nothing came through by ${targets}. If calls have audio all the same, only this host is kept away from the ports`;
}
