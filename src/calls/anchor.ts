/** One SDP on one node: the address to impose, the request to send, and the check of what comes back. */

import type { Call } from '../domain/call.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { Failure } from '../domain/errors.ts';
import { addressFor } from '../domain/node.ts';
import type { Direction } from '../domain/side.ts';
import type { Member } from '../fleet/member.ts';
import type { MediaRequest, NgValue, RelayCall, RelayFailure, RelayFailureKind } from '../relay/driver.ts';
import { impose, WrongAddress } from '../sdp/impose.ts';
import { familyOfSdp, forEachLine, type Outline } from '../sdp/outline.ts';
import { isoTime } from '../util/clock.ts';
import { type Family, familyOf, isUnspecified } from '../util/ip.ts';
import type { CallFacts } from './facts.ts';

/** A request with an SDP, read once. */
export interface SdpRequest {
  readonly facts: CallFacts;
  readonly sdp: string;
  readonly sent: Outline;
  /** Sender's side to reader's side. */
  readonly sides: Direction;
  /** Whether the node may have a call of this Call-ID although it is a new one to us: it keeps deleted calls for a while. */
  readonly isKept?: boolean;
}

/** What of a node this needs: a probe has no more, as its node may not be in the fleet yet. */
export type Anchor = Pick<Member, 'id' | 'node'>;

/** An address literal with its family. */
export interface WantedAddress {
  readonly address: string;
  readonly family: Family;
}

/**
 * The address the reader must see: the client's own `media-address` if it gave one, else the node's for the reader's
 * side, in family `family` if the node has it.
 */
export function wantedAddress(
  member: Anchor,
  { facts, sides }: Pick<SdpRequest, 'facts' | 'sides'>,
  family: Family,
): WantedAddress | Failure {
  const explicit = explicitAddress(facts);
  if (explicit !== undefined) {
    const literal = typeof explicit === 'string' ? explicit.replace(/^\[(.*)\]$/, '$1') : '';
    const own = familyOf(literal);
    // Relays take an unspecified address for none (reference: ng-protocol 5.2).
    if (own !== undefined && !isUnspecified(literal)) return { address: literal, family: own };

    return new Failure(
      'RTPC_BAD_PARAMETER',
      `media-address is ${JSON.stringify(explicit)}; it must be an IP address`,
    );
  }
  const address = addressFor(member.node, sides.to, family);
  if (address !== undefined) return address;

  return new Failure('RTPC_NO_NODE', `node ${member.id} has no media address for side ${sides.to}`);
}

function explicitAddress({ extra }: CallFacts): NgValue | undefined {
  return extra['media-address'] ?? extra['media address'];
}

/** A call as its node is told of it. */
export function relayCall({ callId, memo, callerTag, legs }: Call): RelayCall {
  return { callId, memo, tags: [...new Set([callerTag, ...legs.map(({ tag }) => tag)])] };
}

/** @param memo what the node's driver remembers of the call; null if the node does not have it yet */
export function relayRequest(
  { facts, sdp, sent, sides, isKept }: SdpRequest,
  member: Anchor,
  { address, family }: WantedAddress,
  { isNew, isFinal = false, memo }: { isNew: boolean; isFinal?: boolean; memo: string | null },
): MediaRequest {
  const { callId, fromTag, toTag, branch, source, extra } = facts;
  const sender = addressFor(member.node, sides.from, familyOfSdp(sent))?.interface;
  const reader = addressFor(member.node, sides.to, family)?.interface;
  const hasInterfaces =
    (member.node.imposeMode === 'interface' || member.node.kind === 'rtpproxy') && sender && reader;
  const sourceFamily = source === undefined ? undefined : familyOf(source);

  return {
    callId,
    memo,
    fromTag,
    ...(toTag === undefined ? {} : { toTag }),
    ...(branch === undefined ? {} : { branch }),
    sdp,
    address,
    family,
    ...(hasInterfaces ? { interfaces: [sender, reader] as const } : {}),
    isNew,
    ...(isKept ? { isKept } : {}),
    isFinal,
    extra:
      source === undefined || sourceFamily === undefined || extra['received-from'] !== undefined
        ? extra
        : { ...extra, 'received-from': [sourceFamily, source] },
  };
}

/** Promise 1: the address in the SDP that leaves us is the right one, or the request fails. */
export function checkReply(
  returned: string,
  { facts, sdp, sent, sides }: SdpRequest,
  { id, node }: Anchor,
  { address, family }: WantedAddress,
): string | Failure {
  if (returned === '') return new Failure('RTPC_RELAY_REFUSED', `node ${id} returned no SDP`);
  const ice = facts.extra.ICE ?? facts.extra.ice;
  const keepsSender = typeof ice === 'string' && /^force[-_ ]relay$/i.test(ice);
  const result = impose(returned, sent, {
    address,
    family,
    readerSide: node.mediaAddresses.filter(({ side }) => side === sides.to).map((media) => media.address),
    own: node.mediaAddresses.map((media) => media.address),
    mayReplace: node.imposeMode === 'media-address' || explicitAddress(facts) !== undefined,
    leavesOtherTransports: node.kind === 'rtpproxy',
    ...(keepsSender ? { senderLines: linesOf(sdp) } : {}),
  });
  if (!(result instanceof WrongAddress)) return result;

  return new Failure(
    'RTPC_RELAY_ADDRESS',
    `node ${id} returned address ${result.address} in "${result.line}" for a reader on side ${sides.to}; wanted ${address}. Check the node's media addresses and impose mode`,
  );
}

function linesOf(sdp: string): ReadonlySet<string> {
  const lines = new Set<string>();
  forEachLine(sdp, (line) => lines.add(line));

  return lines;
}

/** What a relay's failure is to the client. */
const CODES: Readonly<Record<RelayFailureKind, ErrorCode>> = {
  refused: 'RTPC_NO_NODE',
  rejected: 'RTPC_RELAY_REFUSED',
  'unknown-call': 'RTPC_CALL_LOST',
  garbled: 'RTPC_RELAY_REFUSED',
  busy: 'RTPC_BUSY',
  'too-large': 'RTPC_BODY_TOO_LARGE',
  'bad-sdp': 'RTPC_BAD_SDP',
  silent: 'RTPC_RELAY_SILENT',
  unreachable: 'RTPC_RELAY_SILENT',
};

export function failureOf(member: Member, { kind, reason }: RelayFailure): Failure {
  const hasSpoken = kind === 'refused' || kind === 'rejected' || kind === 'unknown-call';

  return new Failure(CODES[kind], `node ${member.id} (${member.socket}): ${reason}`, hasSpoken ? reason : '');
}

/** What a request of a call gets whose node is known to be dead: at once, since waiting would only block the proxy. */
export function downFailure(member: Member): Failure {
  const { cause, since } = member.opinion;

  return new Failure(
    'RTPC_RELAY_SILENT',
    `node ${member.id} (${member.socket}), which has the call, is down since ${isoTime(since)}: ${cause}`,
  );
}
